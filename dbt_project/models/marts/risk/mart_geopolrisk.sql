-- Supply risk of importers after the GeoPolRisk method: concentration of world production, times
-- the imported share of an importer's supply, weighted by the instability of the states that it
-- comes from. Trade and production are weights of the same goods (ref_chain_step), or there is no
-- figure.
with markets as (
    select *
    from {{ ref('int_lookthrough__market') }}
    -- Years for which production by country is held at all.
    where reference_year in (
        select reference_year from {{ ref('int_lookthrough__market') }} where relation != 'none'
    )
),

flows as (
    select
        supply.vintage_id,
        supply.material,
        supply.stage,
        supply.reference_year,
        supply.geo_iso3 as importer_iso3,
        supply.supplier_iso3,
        supply.quantity,
        supply.evidence_grade,
        political_risk(governance.political_stability) as risk,
        governance.political_stability_cell_id,
        governance.source_edition_id as governance_edition_id
    from {{ ref('int_supplier_quantity') }} as supply
    semi join markets using (vintage_id, material, stage, reference_year)
    left join {{ ref('int_governance__risk') }} as governance
        on
            supply.vintage_id = governance.vintage_id
            and supply.supplier_iso3 = governance.country_iso3
            and supply.reference_year = governance.reference_year
    where
        supply.scope = 'import_sources'
        and supply.basis = 'gross_t'
        and supply.quantity > 0
        -- Its own goods that come back are in its production.
        and supply.supplier_iso3 is distinct from supply.geo_iso3
),

-- Sorted, so that sums do not follow the order of threads.
imports as (
    select
        vintage_id,
        material,
        stage,
        reference_year,
        importer_iso3,
        list_sum(list(quantity order by quantity, supplier_iso3)) as imports,
        list_sum(
            list(quantity * risk order by quantity, supplier_iso3) filter (where risk is not null)
        ) as risk_weighted_imports,
        list_sum(
            list(case when risk is null then quantity else 0 end order by quantity, supplier_iso3)
        ) as imports_without_governance,
        list_filter(
            list(political_stability_cell_id order by political_stability_cell_id),
            lambda c: c is not null
        ) as governance_cell_ids,
        max(governance_edition_id) as governance_edition_id,
        max(evidence_grade) as evidence_grade
    from flows
    group by vintage_id, material, stage, reference_year, importer_iso3
),

concentrations as (
    select
        steps.material,
        steps.stage,
        world.reference_year,
        world.vintage_id,
        world.row_key as concentration_key,
        world.hhi,
        world.hhi_low,
        world.hhi_high,
        world.evidence_grade as concentration_grade
    from {{ ref('mart_concentration') }} as world
    inner join {{ ref('ref_chain_step') }} as steps
        on
            world.material = steps.production_material
            and world.stage = steps.production_stage
            and world.basis = steps.production_basis
    where world.scope = 'world_production' and steps.relation = 'weight'
),

governed_years as (
    select distinct
        vintage_id,
        reference_year
    from {{ ref('int_governance__risk') }}
    where political_stability is not null
),

limits as (
    select upper as widest_range
    from {{ ref('ref_threshold') }}
    where rule_set = 'geopolrisk_range'
),

gathered as (
    select
        imports.*,
        markets.relation,
        markets.basis as market_basis,
        markets.weight_coverage,
        markets.flow_source,
        markets.source_edition_id,
        markets.source_edition_ids,
        markets.production_grade,
        markets.unnamed_share,
        concentrations.concentration_key,
        concentrations.concentration_grade,
        concentrations.hhi,
        concentrations.hhi_low,
        concentrations.hhi_high,
        balances.production_gross_t_low as production_low,
        balances.production_gross_t_high as production_high,
        case
            when balances.production_gross_t_low is not null
                then coalesce(balances.production_gross_t_high, cast('infinity' as double))
        end as most_production,
        imports.imports_without_governance / imports.imports as share_without_governance,
        governed_years.reference_year is not null as is_year_governed
    from imports
    inner join markets using (vintage_id, material, stage, reference_year)
    left join {{ ref('mart_import_reliance') }} as balances
        on
            markets.relation = 'weight'
            and imports.vintage_id = balances.vintage_id
            and imports.material = balances.material
            and imports.stage = balances.stage
            and imports.reference_year = balances.reference_year
            and imports.importer_iso3 = balances.importer_iso3
    left join concentrations
        on
            markets.relation = 'weight'
            and imports.vintage_id = concentrations.vintage_id
            and imports.material = concentrations.material
            and imports.stage = concentrations.stage
            and imports.reference_year = concentrations.reference_year
    left join governed_years using (vintage_id, reference_year)
),

-- As with the EU's supply risk, a twentieth may lack an indicator; it then counts nothing. The more
-- an importer makes itself, the less it risks; without a ceiling it may make any multiple.
bounded as (
    select
        *,
        case
            when share_without_governance <= 0.05
                then geopolrisk_score(hhi_low, risk_weighted_imports, imports, most_production)
        end as score_low,
        case
            when share_without_governance <= 0.05
                then geopolrisk_score(hhi_high, risk_weighted_imports, imports, production_low)
        end as score_high
    from gathered
),

scored as (
    select
        bounded.*,
        case
            when bounded.score_high - bounded.score_low <= limits.widest_range
                then (bounded.score_low + bounded.score_high) / 2
        end as score
    from bounded
    cross join limits
)

select
    {{ row_key(['importer_iso3', 'material', 'stage', 'reference_year', 'vintage_id']) }}
        as row_key,
    importer_iso3,
    material,
    stage,
    cast(reference_year as integer) as reference_year,
    vintage_id,
    source_edition_id,
    list_sort(list_distinct(list_concat(
        source_edition_ids,
        case when score_high is null then [] else [governance_edition_id] end
    ))) as source_edition_ids,
    flow_source,
    score as supply_risk,
    score_low as supply_risk_low,
    score_high as supply_risk_high,
    hhi as hhi_production,
    hhi_low as hhi_production_low,
    hhi_high as hhi_production_high,
    risk_weighted_imports / nullif(imports - imports_without_governance, 0) as mean_instability,
    imports as imports_gross_t,
    production_low as production_gross_t_low,
    production_high as production_gross_t_high,
    imports / nullif(imports + most_production, 0) as import_share_of_supply_low,
    imports / nullif(imports + production_low, 0) as import_share_of_supply_high,
    share_without_governance,
    unnamed_share as production_unnamed_share,
    weight_coverage,
    case
        when score is not null then null
        when market_basis = 'usd' then 'too little of the trade has a weight'
        when relation = 'none'
            then 'production by country is not published in the unit of the trade'
        when relation = 'content'
            then 'production is published as what the goods contain, not in their weight'
        when hhi is null then 'no producer is named with a figure'
        when not is_year_governed then 'governance of the year is not held'
        when share_without_governance > 0.05
            then 'governance of too large a part of the imports is not held'
        when production_low is null then 'production of the importer is not held'
        when production_high is null then 'bounds only; production of the importer is withheld'
        when production_low < production_high
            then
                'bounds only; production of the importer is bounded or may be among countries that '
                || 'the publisher does not name'
        else 'bounds only; too much of world production is of countries that are not named'
    end as reason,
    concentration_key,
    case when score_high is not null then governance_cell_ids end as governance_cell_ids,
    case
        when score_high is null then evidence_grade
        else greatest(evidence_grade, production_grade, concentration_grade)
    end as evidence_grade,
    false as is_official,
    '2' as method_version
from scored
