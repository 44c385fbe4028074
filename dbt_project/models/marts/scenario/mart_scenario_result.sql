-- depends_on: {{ ref('mart_import_dependency') }}
-- depends_on: {{ ref('dim_country') }}
-- What the cuts of ref_scenario would leave importers without, by the table macro that analysts
-- call with parameters of their own.
{% set scenarios = run_query("select * from " ~ ref("ref_scenario")).rows if execute else [] %}
with results as (
    {% for scenario in scenarios %}
    select
        '{{ scenario.scenario_id }}' as scenario_id,
        found.*
    from
        scenario(
            string_split('{{ scenario.cut_countries }}', ';'),
            '{{ scenario.material }}',
            '{{ scenario.stage }}',
            {{ scenario.reference_year }},
            fraction := {{ scenario.fraction }},
            months := {{ scenario.months }},
            spare_capacity := {{ scenario.spare_capacity }},
            stock_months := {{ scenario.stock_months }},
            partners := {{ (scenario.partners or '').split(';') | reject('equalto', '') | list }},
            quantity_basis := '{{ scenario.quantity_basis }}',
            elasticity_low := {{ scenario.elasticity_low }},
            elasticity_high := {{ scenario.elasticity_high }}
        ) as found
    {{ "union all" if not loop.last }}
    {% endfor %}
),

-- The share of consumption rests on the editions of net import reliance as well.
reliances as (
    select
        importer_iso3,
        material,
        stage,
        reference_year,
        basis,
        list_distinct(flatten(list(source_edition_ids))) as source_edition_ids
    from {{ ref('mart_import_dependency') }}
    where vintage_id = 'latest' and import_reliance is not null
    group by importer_iso3, material, stage, reference_year, basis
)

select
    {{ row_key(['results.scenario_id', 'results.importer_iso3', "'latest'"]) }} as row_key,
    results.scenario_id,
    results.importer_iso3,
    scenarios.material,
    scenarios.stage,
    scenarios.reference_year,
    results.basis,
    'latest' as vintage_id,
    results.flow_source,
    results.source_edition_id,
    case
        when results.gap_share_of_consumption is null then [results.source_edition_id]
        else
            list_sort(list_distinct(
                list_append(reliances.source_edition_ids, results.source_edition_id)
            ))
    end as source_edition_ids,
    results.imports_quantity,
    results.loss_quantity,
    results.offset_spare_quantity,
    results.offset_stock_quantity,
    results.gap_quantity,
    results.gap_share_of_imports,
    results.gap_share_of_consumption,
    case
        when results.gap_share_of_consumption is null
            then
                'net import reliance of this importer, material, stage and year is neither '
                || 'published nor can it be balanced'
    end as reason,
    results.covered_days,
    results.is_served_first,
    results.world_ln_price_change_low,
    results.world_ln_price_change_high,
    'E' as evidence_grade,
    false as is_official,
    '1' as method_version
from results
inner join {{ ref('ref_scenario') }} as scenarios using (scenario_id)
left join reliances
    on
        results.importer_iso3 = reliances.importer_iso3
        and scenarios.material = reliances.material
        and scenarios.stage = reliances.stage
        and scenarios.reference_year = reliances.reference_year
        and results.basis = reliances.basis
