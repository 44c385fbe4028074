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

-- Only a producer of which no number is known has no ceiling.
production as (
    select
        produced.vintage_id,
        produced.material,
        produced.stage,
        produced.reference_year,
        produced.country_iso3 as importer_iso3,
        sum(produced.ceiling) as production,
        bool_or(produced.ceiling is null) as is_withheld
    from (
        select *
        from {{ ref('int_lookthrough__production') }}
        union all
        select made.* replace ('EU27' as country_iso3)
        from {{ ref('int_lookthrough__production') }} as made
        inner join {{ ref('ref_country') }} as members
            on made.country_iso3 = members.country_iso3
        where members.is_eu27
    ) as produced
    where produced.is_known and produced.country_iso3 is not null
    group by
        produced.vintage_id, produced.material, produced.stage, produced.reference_year,
        produced.country_iso3
),

concentrations as (
    select
        steps.material,
        steps.stage,
        world.reference_year,
        world.vintage_id,
        world.row_key as concentration_key,
        world.hhi
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
        concentrations.hhi,
        case
            when markets.relation = 'weight' and not coalesce(production.is_withheld, false)
                then coalesce(production.production, 0)
        end as production,
        imports.imports_without_governance / imports.imports as share_without_governance,
        governed_years.reference_year is not null as is_year_governed
    from imports
    inner join markets using (vintage_id, material, stage, reference_year)
    left join production using (vintage_id, material, stage, reference_year, importer_iso3)
    left join concentrations using (vintage_id, material, stage, reference_year)
    left join governed_years using (vintage_id, reference_year)
),

scored as (
    select
        *,
        -- As with the EU's supply risk, a twentieth may lack an indicator; it then counts nothing.
        case
            when share_without_governance <= 0.05
                then geopolrisk_score(hhi, risk_weighted_imports, imports, production)
        end as score
    from gathered
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
        case when score is null then [] else [governance_edition_id] end
    ))) as source_edition_ids,
    flow_source,
    score as supply_risk,
    hhi as hhi_production,
    risk_weighted_imports / nullif(imports - imports_without_governance, 0) as mean_instability,
    imports as imports_gross_t,
    production as production_gross_t,
    imports / nullif(imports + production, 0) as import_share_of_supply,
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
        when production is null then 'production of the importer is withheld'
        when not is_year_governed then 'governance of the year is not held'
        else 'governance of too large a part of the imports is not held'
    end as reason,
    case when score is not null then concentration_key end as concentration_key,
    case when score is not null then governance_cell_ids end as governance_cell_ids,
    case when score is null then evidence_grade else greatest(evidence_grade, production_grade) end
        as evidence_grade,
    false as is_official,
    '1' as method_version
from scored
