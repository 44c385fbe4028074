-- Who supplies how much, in one form for every scope: what concentration and dependency are made
-- of. One row a vintage, scope, material, stage, basis, buyer (geo), year and supplier; a supplier
-- that the publisher does not name ("Other") is a residual row without iso3.
with production as (
    select
        choice.vintage_id,
        'world_production' as scope,
        facts.material,
        facts.stage,
        facts.basis,
        'WLD' as geo_iso3,
        facts.reference_year,
        case when facts.area_type in ('country', 'historical') then facts.country_iso3 end
            as supplier_iso3,
        sum(facts.value) as quantity,
        sum(facts.value_low) as quantity_low,
        sum(facts.value_high) as quantity_high,
        count(*) as n_cells,
        count(*) filter (where facts.value is null and facts.value_flag != 'blank')
            as n_unquantified,
        any_value(facts.source_edition_id) as source_edition_id,
        list_distinct(flatten(list(facts.source_edition_ids))) as source_edition_ids,
        flatten(list(facts.cell_ids)) as cell_ids,
        cast(null as varchar) as flow_source,
        bool_and(facts.is_official) as is_official,
        max(facts.evidence_grade) as evidence_grade
    from {{ ref('fct_production') }} as facts
    inner join {{ ref('int_production__edition_choice') }} as choice
        using (source_edition_id, material, stage, basis, reference_year)
    where
        facts.measure = 'production'
        and facts.is_primary
        -- Derived mine output of an element has no central value for China, so whoever is left
        -- would come out as the largest supplier.
        and facts.derivation = 'published'
        and facts.area_type != 'aggregate'
    group by
        choice.vintage_id, facts.material, facts.stage, facts.basis, facts.reference_year,
        case when facts.area_type in ('country', 'historical') then facts.country_iso3 end
),

agency_editions as (
    select
        editions.vintage_id,
        cells.source_edition_id,
        series.material,
        series.stage,
        cells.detail_text,
        cells.period_end
    from {{ ref('stg_usgs_mcs__import_sources') }} as cells
    inner join {{ ref('import_source_series__usgs_mcs') }} as series
        on
            cells.commodity_label = series.commodity_label
            and coalesce(cells.detail_text, '') = coalesce(series.detail_text, '')
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on cells.source_edition_id = editions.source_edition_id
    where series.material is not null
    qualify
        row_number() over (
            partition by
                editions.vintage_id, series.material, series.stage, cells.period_end
            order by editions.recency, cells.row_number
        ) = 1
),

agency_shares as (
    select
        agency_editions.vintage_id,
        'import_sources' as scope,
        agency_editions.material,
        agency_editions.stage,
        'share' as basis,
        'USA' as geo_iso3,
        cast(cells.period_end as smallint) as reference_year,
        case when countries.area_type = 'country' then countries.country_iso3 end
            as supplier_iso3,
        sum(cells.value) / 100 as quantity,
        sum(cells.value_low) / 100 as quantity_low,
        sum(cells.value_high) / 100 as quantity_high,
        count(*) as n_cells,
        count(*) filter (where cells.value is null) as n_unquantified,
        any_value(cells.source_edition_id) as source_edition_id,
        list_distinct(list(cells.source_edition_id)) as source_edition_ids,
        list(cells.cell_id) as cell_ids,
        cast(null as varchar) as flow_source,
        true as is_official,
        'B' as evidence_grade
    from {{ ref('stg_usgs_mcs__import_sources') }} as cells
    inner join agency_editions
        on
            cells.source_edition_id = agency_editions.source_edition_id
            and cells.detail_text is not distinct from agency_editions.detail_text
            and cells.period_end = agency_editions.period_end
    inner join {{ ref('import_source_series__usgs_mcs') }} as series
        on
            cells.commodity_label = series.commodity_label
            and coalesce(cells.detail_text, '') = coalesce(series.detail_text, '')
            and agency_editions.material = series.material
            and agency_editions.stage = series.stage
    inner join {{ ref('country__usgs') }} as countries
        on cells.country_label = countries.country_label
    where countries.area_type != 'aggregate'
    group by
        agency_editions.vintage_id, agency_editions.material, agency_editions.stage,
        cells.period_end,
        case when countries.area_type = 'country' then countries.country_iso3 end
),

chosen_flows as (
    select
        choice.vintage_id,
        choice.source_edition_ids,
        flows.* replace (choice.source_edition_id as source_edition_id)
    from {{ ref('int_trade__by_material') }} as flows
    inner join {{ ref('int_trade__edition_choice') }} as choice
        on
            flows.material = choice.material
            and flows.stage = choice.stage
            and flows.reference_year = choice.reference_year
            and flows.flow_source = choice.flow_source
            and {{ of_choice('flows', 'choice') }}
),

trade as (
    select
        vintage_id,
        'import_sources' as scope,
        material,
        stage,
        importer_iso3 as geo_iso3,
        reference_year,
        exporter_iso3 as supplier_iso3,
        value_usd,
        weight_gross_t,
        value_with_weight_usd,
        n_flows,
        source_edition_id,
        source_edition_ids,
        flow_source,
        evidence_grade
    from chosen_flows
    where
        importer_iso3 is not null
        and importer_iso3 != 'WLD'
        and coalesce(exporter_iso3, '') not in ('WLD', 'EU27')
    union all
    select
        vintage_id,
        'world_exports' as scope,
        material,
        stage,
        'WLD' as geo_iso3,
        reference_year,
        exporter_iso3 as supplier_iso3,
        value_usd,
        weight_gross_t,
        value_with_weight_usd,
        n_flows,
        source_edition_id,
        source_edition_ids,
        flow_source,
        evidence_grade
    from chosen_flows
    where not is_eu27_total
),

trade_summed as (
    select
        vintage_id,
        scope,
        material,
        stage,
        geo_iso3,
        reference_year,
        supplier_iso3,
        flow_source,
        sum(value_usd) as value_usd,
        sum(weight_gross_t) as weight_gross_t,
        sum(n_flows) as n_flows,
        any_value(source_edition_id) as source_edition_id,
        any_value(source_edition_ids) as source_edition_ids,
        max(evidence_grade) as evidence_grade
    from trade
    group by
        vintage_id, scope, material, stage, geo_iso3, reference_year, supplier_iso3, flow_source
),

trade_by_basis as (
    select
        vintage_id,
        scope,
        material,
        stage,
        basis,
        geo_iso3,
        reference_year,
        supplier_iso3,
        case basis when 'usd' then value_usd else weight_gross_t end as quantity,
        n_flows,
        source_edition_id,
        source_edition_ids,
        flow_source,
        evidence_grade
    from trade_summed, (values ('usd'), ('gross_t')) as bases (basis)
)

select
    *,
    supplier_iso3 is null as is_residual
from production
union all
select
    *,
    supplier_iso3 is null as is_residual
from agency_shares
union all
select
    vintage_id,
    scope,
    material,
    stage,
    basis,
    geo_iso3,
    reference_year,
    supplier_iso3,
    quantity,
    quantity as quantity_low,
    quantity as quantity_high,
    n_flows as n_cells,
    cast(quantity is null as integer) as n_unquantified,
    source_edition_id,
    source_edition_ids,
    cast(null as varchar[]) as cell_ids,
    flow_source,
    false as is_official,
    evidence_grade,
    supplier_iso3 is null as is_residual
from trade_by_basis
