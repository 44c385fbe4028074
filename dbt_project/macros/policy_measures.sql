{#-
    Table macros that ask which supply stands under an export control on a day. They read shares of
    imports (mart_import_dependency) and the register of controls (dim_control), or any two tables
    with the same columns, so that a house can ask its own register; the names are parameters
    because DuckDB looks a table up when a macro is made, and they are made before the tables.
    `covered_part` is the reader's own assumption: what part of a line that is controlled in part
    falls under the control (0 to 1), such as the part of magnets that hold Dy, Tb or Sm.
    What cannot be is refused by the branch that refusals.sql adds to the days asked.
    Trade of more than `years_back` years before the day says nothing of it.
-#}
{% macro controls_on_dates(only_exports=true) -%}
    -- The state of each control on each day: its last one, unless that has run out.
    controls_by_day as (
        select
            days.as_of_date,
            register.event_id,
            register.issuing_iso3,
            register.is_export_control,
            register.material,
            register.stage,
            register.target_iso3,
            register.covers,
            case
                when register.expiry_date < days.as_of_date then 'outcome_unknown'
                else register.status
            end as status,
            case when register.expiry_date >= days.as_of_date then register.expiry_date end
                as expiry_date
        from days
        inner join query_table(controls) as register
            on
                register.valid_from <= days.as_of_date
                and (register.valid_until is null or register.valid_until >= days.as_of_date)
                {%- if only_exports %}
                and register.is_export_control
                {%- endif %}
    )
{%- endmacro %}

{% macro exposure_of_importers() -%}
    {{ controls_on_dates() }},
    covered_markets as (
        select distinct as_of_date, material, stage from controls_by_day
    ),
    markets as (
        select distinct material, stage from covered_markets
    ),
    held as (
        select
            shares_held.importer_iso3,
            shares_held.material,
            shares_held.stage,
            shares_held.basis,
            shares_held.partner_iso3,
            shares_held.reference_year,
            shares_held.share_of_imports,
            shares_held.flow_source,
            shares_held.evidence_grade,
            shares_held.source_edition_id,
            shares_held.source_edition_ids
        from query_table(shares) as shares_held
        inner join markets using (material, stage)
        where shares_held.vintage_id = vintage and shares_held.basis in ('usd', 'share')
    ),
    -- The newest year that trade is held for, no later than the day asked for and not long before.
    newest as (
        select
            covered_markets.as_of_date,
            held_years.importer_iso3,
            held_years.material,
            held_years.stage,
            held_years.basis,
            max(held_years.reference_year) as reference_year
        from covered_markets
        inner join (
            select distinct importer_iso3, material, stage, basis, reference_year from held
        ) as held_years using (material, stage)
        where
            held_years.reference_year
            between year(covered_markets.as_of_date) - years_back
            and year(covered_markets.as_of_date)
        group by all
    ),
    supply as (
        select
            newest.as_of_date,
            held.*
        from newest
        inner join held using (importer_iso3, material, stage, basis, reference_year)
    ),
    -- One row a supplier: whether all of what it delivers, part of it or nothing is controlled.
    by_supplier as (
        select
            supply.as_of_date,
            supply.importer_iso3,
            supply.material,
            supply.stage,
            supply.basis,
            supply.partner_iso3,
            any_value(supply.reference_year) as reference_year,
            any_value(supply.share_of_imports) as share_of_imports,
            any_value(supply.flow_source) as flow_source,
            any_value(supply.evidence_grade) as evidence_grade,
            any_value(supply.source_edition_id) as source_edition_id,
            any_value(supply.source_edition_ids) as source_edition_ids,
            coalesce(bool_or(states.status = 'in_force' and states.covers = 'whole'), false)
                as is_whole,
            coalesce(bool_or(states.status = 'in_force'), false) as is_touched,
            coalesce(bool_or(states.status = 'outcome_unknown'), false) as is_unknown,
            coalesce(bool_or(states.status = 'announced'), false) as is_announced,
            coalesce(bool_or(states.status = 'suspended'), false) as is_suspended,
            list(distinct states.event_id) filter (where states.status = 'in_force') as in_force,
            list(distinct states.event_id) filter (where states.status = 'announced')
                as announced,
            list(distinct states.event_id) filter (where states.status = 'suspended')
                as suspended,
            list(distinct states.event_id) filter (where states.status = 'outcome_unknown')
                as outcome_unknown,
            min(states.expiry_date) as expiry_date
        from supply
        left join controls_by_day as states
            on
                supply.as_of_date = states.as_of_date
                and supply.material = states.material
                and supply.stage = states.stage
                and supply.partner_iso3 = states.issuing_iso3
                and states.target_iso3 in ('WLD', supply.importer_iso3)
                and supply.importer_iso3 != states.issuing_iso3
        group by
            supply.as_of_date, supply.importer_iso3, supply.material, supply.stage,
            supply.basis, supply.partner_iso3
    ),
    weighed as (
        select
            *,
            case when is_whole then share_of_imports else 0 end as low,
            case when is_touched or is_unknown then share_of_imports else 0 end as high,
            case
                when is_whole then share_of_imports
                when is_unknown then null
                when is_touched then share_of_imports * cast(covered_part as double)
                else 0
            end as central
        from by_supplier
    ),
    -- Sums of sorted lists do not follow the order of threads.
    by_importer as (
        select
            as_of_date,
            importer_iso3,
            material,
            stage,
            basis,
            any_value(reference_year) as reference_year,
            case when count(*) = count(central) then list_sum(list_sort(list(central))) end
                as share_under_control,
            list_sum(list_sort(list(low))) as share_under_control_low,
            list_sum(list_sort(list(high))) as share_under_control_high,
            coalesce(
                list_sum(list_sort(list(share_of_imports) filter (where is_announced))), 0
            ) as share_announced,
            coalesce(
                list_sum(list_sort(list(share_of_imports) filter (where is_suspended))), 0
            ) as share_suspended,
            list_sort(list_distinct(coalesce(flatten(list(in_force)), []))) as controls_active,
            list_sort(list_distinct(coalesce(flatten(list(announced)), [])))
                as controls_announced,
            list_sort(list_distinct(coalesce(flatten(list(suspended)), [])))
                as controls_suspended,
            list_sort(list_distinct(coalesce(flatten(list(outcome_unknown)), [])))
                as controls_outcome_unknown,
            min(expiry_date) as next_expiry_date,
            bool_or(is_unknown and not is_whole) as is_open,
            bool_or(is_touched and not is_whole) as is_partly,
            any_value(flow_source) as flow_source,
            max(evidence_grade) as supply_grade,
            any_value(source_edition_id) as source_edition_id,
            list_sort(list_distinct(flatten(list(source_edition_ids)))) as source_edition_ids
        from weighed
        group by as_of_date, importer_iso3, material, stage, basis
    )
    select
        importer_iso3,
        material,
        stage,
        basis,
        as_of_date,
        reference_year,
        share_under_control,
        share_under_control_low,
        share_under_control_high,
        share_announced,
        share_suspended,
        case
            when len(controls_active) > 0 then 'in_force'
            when len(controls_outcome_unknown) > 0 then 'outcome_unknown'
            when len(controls_announced) > 0 then 'announced'
            when len(controls_suspended) > 0 then 'suspended'
            else 'free'
        end as status,
        controls_active,
        controls_announced,
        controls_suspended,
        controls_outcome_unknown,
        next_expiry_date,
        cast(next_expiry_date - as_of_date as integer) as days_to_expiry,
        case
            when share_under_control is not null then null
            when is_open
                then
                    'a state has run out and what came after is not recorded: low and high only'
            when is_partly
                then
                    'part of what the code holds is controlled and trade does not tell which: '
                    || 'low and high only'
        end as reason,
        case when is_open or is_partly then greatest(supply_grade, 'D') else supply_grade end
            as evidence_grade,
        flow_source,
        source_edition_id,
        source_edition_ids
    from by_importer
{%- endmacro %}

{% macro asked_days(days, messages) -%}
    days as (
        select {{ days }} as as_of_date
        union all
        {{ refused(messages, ["as_of_date"]) }}
    )
{%- endmacro %}

{% macro create_policy_measures() -%}
    {%- set choices = "years_back := 5, vintage := 'latest', "
        ~ "shares := 'mart_import_dependency', controls := 'dim_control'" -%}
    {%- set one_day = unless("as_of is not null", "as_of", "a day") -%}
    {%- set assumed = [
        unless(
            "covered_part is null or cast(covered_part as double) between 0 and 1",
            "covered_part", "the part of a line under control, 0 to 1, or nothing"
        ),
        unless("years_back >= 0", "years_back", "a number of years, 0 or more")
    ] -%}
    {%- set macros = [
        "policy_exposure(as_of, covered_part := null, " ~ choices ~ ") as table
            with " ~ asked_days("cast(as_of as date)", [one_day] + assumed) ~ ",
            " ~ exposure_of_importers(),
        "policy_exposure_on(dates, covered_part := null, " ~ choices ~ ")
            as table
            with " ~ asked_days(
                "unnest(cast(dates as date []))",
                [
                    unless(
                        "coalesce(list_count(dates) = len(dates), true)",
                        "dates", "days, none of them null"
                    )
                ] + assumed
            ) ~ ",
            " ~ exposure_of_importers(),
        "policy_alerts(as_of, within_days := 90, controls := 'dim_control') as table
            with " ~ asked_days(
                "cast(as_of as date)",
                [
                    one_day,
                    unless("within_days >= 0", "within_days", "a number of days, 0 or more")
                ]
            ) ~ ",
            " ~ controls_on_dates(only_exports=false) ~ "
            select
                event_id,
                issuing_iso3,
                target_iso3,
                is_export_control,
                as_of_date,
                status,
                case
                    when status = 'outcome_unknown' then 'outcome_unknown'
                    else status || '_ends'
                end as alert,
                expiry_date,
                cast(expiry_date - as_of_date as integer) as expiry_days,
                coalesce(
                    list_sort(
                        list(distinct material || ' ' || stage) filter (where material is not null)
                    ),
                    []
                ) as covers
            from controls_by_day
            where
                status = 'outcome_unknown'
                or expiry_date - as_of_date <= within_days
            group by
                event_id, issuing_iso3, target_iso3, is_export_control, as_of_date, status,
                expiry_date
            order by expiry_date nulls first, event_id"
    ] -%}
    {%- for macro in macros %}
        {%- do run_query("create or replace macro " ~ target.schema ~ "." ~ macro) %}
    {%- endfor %}
{%- endmacro %}
