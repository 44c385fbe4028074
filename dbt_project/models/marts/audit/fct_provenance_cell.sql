-- Mart rows to the cells of measured documents that they are made of: the listed part of
-- mart_provenance.
with supplier_cells as (
    select
        vintage_id,
        scope,
        material,
        stage,
        basis,
        geo_iso3,
        reference_year,
        supplier_iso3,
        is_residual,
        quantity,
        unnest(cell_ids) as cell_id
    from {{ ref('int_supplier_quantity') }}
    where cell_ids is not null
),

cells as (
    select
        cell_id,
        source_edition_id
    from {{ ref('fct_source_cell') }}
),

concentration_cells as (
    select distinct
        'mart_concentration' as mart,
        {{ row_key([
            'supplier_cells.material', 'supplier_cells.stage', 'supplier_cells.scope',
            'supplier_cells.geo_iso3', 'supplier_cells.reference_year', 'supplier_cells.basis',
            'supplier_cells.vintage_id'
        ]) }} as row_key,
        supplier_cells.cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        case when supplier_cells.is_residual then 'residual' else 'supplier' end as role,
        'as published > shares > index' as method_chain
    from supplier_cells
    inner join cells using (cell_id)
    inner join {{ ref('int_concentration') }} as gathered
        using (vintage_id, scope, material, stage, basis, geo_iso3, reference_year)
),

dependency_cells as (
    select
        'mart_import_dependency' as mart,
        {{ row_key([
            'supplier_cells.geo_iso3', 'supplier_cells.material', 'supplier_cells.stage',
            'supplier_cells.supplier_iso3', 'supplier_cells.reference_year',
            'supplier_cells.basis', 'supplier_cells.vintage_id'
        ]) }} as row_key,
        supplier_cells.cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        'share of imports' as role,
        'as published' as method_chain
    from supplier_cells
    inner join cells using (cell_id)
    where supplier_cells.scope = 'import_sources' and supplier_cells.quantity > 0
),

flag_cells as (
    select
        'mart_dependency_flags' as mart,
        flags.row_key,
        supplier_cells.cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        'share of imports' as role,
        'as published > index > threshold' as method_chain
    from {{ ref('mart_dependency_flags') }} as flags
    inner join supplier_cells
        on
            supplier_cells.scope = 'import_sources'
            and flags.vintage_id = supplier_cells.vintage_id
            and flags.importer_iso3 = supplier_cells.geo_iso3
            and flags.material = supplier_cells.material
            and flags.stage = supplier_cells.stage
            and flags.reference_year = supplier_cells.reference_year
            and flags.basis = supplier_cells.basis
    inner join cells using (cell_id)
    where supplier_cells.quantity > 0
),

reliance_cells as (
    select
        'mart_import_reliance' as mart,
        reliance.row_key,
        reliance.published_cell_id as cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        'net import reliance' as role,
        'as published' as method_chain
    from {{ ref('mart_import_reliance') }} as reliance
    inner join cells on reliance.published_cell_id = cells.cell_id
),

dependency_reliance_cells as (
    select
        'mart_import_dependency' as mart,
        dependency.row_key,
        reliance.published_cell_id as cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        'net import reliance' as role,
        'share of imports x net import reliance' as method_chain
    from {{ ref('mart_import_dependency') }} as dependency
    inner join {{ ref('mart_import_reliance') }} as reliance
        using (importer_iso3, material, stage, reference_year, vintage_id)
    inner join cells on reliance.published_cell_id = cells.cell_id
),

revision_cells as (
    select
        'mart_revision_diff' as mart,
        marts.row_key,
        drivers.cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        drivers.role,
        'difference of two vintages' as method_chain
    from {{ ref('mart_revision_diff') }} as marts,
        lateral (
            select
                unnest(list_transform(marts.driver_cells, lambda c: c.cell_id_from)) as cell_id,
                'earlier' as role
            union all
            select
                unnest(list_transform(marts.driver_cells, lambda c: c.cell_id_to)) as cell_id,
                'later' as role
        ) as drivers
    inner join cells on drivers.cell_id = cells.cell_id
),

trend_cells as (
    select distinct
        'mart_trend' as mart,
        trends.row_key,
        supplier_cells.cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        'supplier of one of five years' as role,
        'as published > shares > index > slope over five years' as method_chain
    from {{ ref('mart_trend') }} as trends
    inner join supplier_cells
        on
            trends.vintage_id = supplier_cells.vintage_id
            and trends.scope = supplier_cells.scope
            and trends.geo_iso3 = supplier_cells.geo_iso3
            and trends.material = supplier_cells.material
            and trends.stage = supplier_cells.stage
            and trends.basis = supplier_cells.basis
            and supplier_cells.reference_year
            between trends.reference_year - 4 and trends.reference_year
    inner join cells on supplier_cells.cell_id = cells.cell_id
    where trends.flow_source is null
),

exposure_cells as (
    select distinct
        'mart_policy_exposure' as mart,
        exposures.row_key,
        supplier_cells.cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        'share of imports' as role,
        'as published > controls of the day' as method_chain
    from {{ ref('mart_policy_exposure') }} as exposures
    inner join supplier_cells
        on
            supplier_cells.scope = 'import_sources'
            and supplier_cells.vintage_id = 'latest'
            and exposures.importer_iso3 = supplier_cells.geo_iso3
            and exposures.material = supplier_cells.material
            and exposures.stage = supplier_cells.stage
            and exposures.basis = supplier_cells.basis
            and exposures.reference_year = supplier_cells.reference_year
    inner join cells on supplier_cells.cell_id = cells.cell_id
    where exposures.flow_source is null
),

-- Groups, and other sets of the trade parameter, rest on these rows: see mart_provenance.
supply_risk_suppliers as (
    select
        marts.row_key,
        suppliers.cell_id,
        suppliers.wgi_cell_ids
    from {{ ref('mart_eu_supply_risk') }} as marts
    inner join {{ ref('int_eu_supply_risk__supplier') }} as suppliers
        on
            marts.vintage_id = suppliers.vintage_id
            and marts.material = suppliers.material
            and marts.stage = suppliers.stage
            and (marts.formula != 'GS' or suppliers.scope = 'world')
            and (marts.formula != 'EU' or suppliers.scope = 'eu')
    where marts.formula != 'mean' and marts.t_set = 'study'
),

supply_risk_cells as (
    select distinct
        'mart_eu_supply_risk' as mart,
        found.row_key,
        cells.cell_id,
        cast(null as varchar) as row_set,
        cells.source_edition_id,
        found.role,
        'shares x governance > index > formula of the study' as method_chain
    from (
        select
            row_key,
            cell_id,
            'share' as role
        from supply_risk_suppliers
        union all
        select
            row_key,
            unnest(wgi_cell_ids) as cell_id,
            'governance' as role
        from supply_risk_suppliers
    ) as found
    inner join cells on found.cell_id = cells.cell_id
)

select * from concentration_cells
union all
select * from dependency_cells
union all
select * from flag_cells
union all
select * from reliance_cells
union all
select * from dependency_reliance_cells
union all
select * from revision_cells
union all
select * from trend_cells
union all
select * from exposure_cells
union all
select * from supply_risk_cells
