{#-
    Table macros that follow shares through the steps of a chain (ref_chain_step): what a country
    holds at one step was made from what its origins held at the step before. They read the shares
    of mart_lookthrough, or of any table with its columns vintage_id, material, stage,
    reference_year, importer_iso3, origin_iso3, universe and lookthrough_share, those of the supply.
    A chain has at most as many steps as there are stages. `countries` may name EU27 for its members
    (`areas` says which those are); a set of nobody, or with a name that is not known, is refused.
-#}
{% macro chain_of_steps(figures, columns, countries=none) -%}
    {%- if countries %}
    sets as (
        select {{ with_members(countries) }} as chosen
    ),
    {%- endif %}
    held as (
        select
            {%- if countries %}
            list_contains(sets.chosen, shares.origin_iso3) as is_of_set,
            {%- endif %}
            shares.vintage_id,
            steps.chain_id,
            steps.step_order,
            shares.reference_year,
            shares.material,
            shares.stage,
            shares.importer_iso3,
            shares.origin_iso3,
            shares.lookthrough_share
        from query_table(lookthrough) as shares
        inner join ref_chain_step as steps
            on shares.material = steps.material and shares.stage = steps.stage
        {%- if countries %}
        cross join sets
        {%- endif %}
        where shares.universe = 'supply'
        {%- if countries %}
        union all by name
        {{ refused(
            [
                unless("len(" ~ countries ~ ") > 0", countries, "at least one country"),
                unknown_areas(countries)
            ],
            [
                "is_of_set", "vintage_id", "chain_id", "step_order", "reference_year", "material",
                "stage", "importer_iso3", "origin_iso3", "lookthrough_share"
            ]
        ) }}
        {%- endif %}
    ),
    {%- for step in range(1, 5) %}
    {%- if step > 1 %}
    known_{{ step - 1 }} as (
        select vintage_id, chain_id, reference_year, max(n_stages) as n_stages
        from step_{{ step - 1 }}
        group by all
    ),
    {%- endif %}
    step_{{ step }} as (
        select
            held.vintage_id,
            held.chain_id,
            held.reference_year,
            held.material,
            held.stage,
            held.importer_iso3,
            {{ figures(step) }}
        from held
        {%- if step > 1 %}
        left join known_{{ step - 1 }} as known
            on
                held.vintage_id = known.vintage_id
                and held.chain_id = known.chain_id
                and held.reference_year = known.reference_year
        left join step_{{ step - 1 }} as earlier
            on
                held.vintage_id = earlier.vintage_id
                and held.chain_id = earlier.chain_id
                and held.reference_year = earlier.reference_year
                and held.origin_iso3 = earlier.importer_iso3
        {%- endif %}
        where held.step_order = {{ step }}
        group by all
    ){{ "," if not loop.last }}
    {%- endfor %}
    {%- for step in range(1, 5) %}
    {{ "union all" if not loop.first }}
    select
        importer_iso3,
        material,
        stage,
        reference_year,
        vintage_id,
        n_stages,
        {{ columns }}
    from step_{{ step }}
    {%- endfor %}
{%- endmacro %}

{% macro free_of_the_set(step) -%}
    {{ "1" if step == 1 else "coalesce(any_value(known.n_stages), 0) + 1" }} as n_stages,
    sum(
        held.lookthrough_share
        * case
            when held.is_of_set then 0
            else {{ "1" if step == 1 else "coalesce(earlier.free_share, 1)" }}
        end
    ) as free_share
{%- endmacro %}

{% macro first_origins(step) -%}
    {%- if step == 1 %}
    held.origin_iso3,
    1 as n_stages,
    sum(held.lookthrough_share) as origin_share
    {%- else %}
    case
        when earlier.importer_iso3 is not null then earlier.origin_iso3
        when known.n_stages is null then held.origin_iso3
    end as origin_iso3,
    coalesce(any_value(known.n_stages), 0) + 1 as n_stages,
    sum(held.lookthrough_share * coalesce(earlier.origin_share, 1)) as origin_share
    {%- endif %}
{%- endmacro %}

{% macro create_chain_measures() -%}
    {%- do run_query(
        "create or replace macro " ~ target.schema
        ~ ".any_stage_exposure(
            countries, lookthrough := 'mart_lookthrough', areas := 'dim_country'
        ) as table with "
        ~ chain_of_steps(
            free_of_the_set, "greatest(0, 1 - free_share) as any_stage_exposure", "countries"
        )
    ) %}
    {%- do run_query(
        "create or replace macro " ~ target.schema
        ~ ".origins_through_stages(lookthrough := 'mart_lookthrough') as table with "
        ~ chain_of_steps(first_origins, "origin_iso3, origin_share")
    ) %}
{%- endmacro %}
