-- One meaning for every publisher's production: material, stage, basis, country, tonnes or share.
-- The maps are exhaustive (an edition with an unknown label is refused before it gets here), so
-- the joins lose nothing; a series without a material is outside what Monazite covers.
with usgs_summaries as (
    select
        cells.cell_id,
        cells.source_edition_id,
        'usgs_mcs' as source_id,
        cells.measure,
        series.material,
        series.stage,
        series.basis,
        cells.series_label,
        cast(series.is_primary as boolean) as is_primary,
        countries.country_iso3,
        cells.country_label as country_name_reported,
        countries.area_type,
        cells.reference_year,
        cells.value * units.factor_to_t as value,
        cells.value_low * units.factor_to_t as value_low,
        cells.value_high * units.factor_to_t as value_high,
        cells.value_flag
    from {{ ref('stg_usgs_mcs__world_production') }} as cells
    inner join {{ ref('series__usgs_mcs') }} as series
        on cells.series_label = series.series_label and cells.measure = series.measure
    inner join {{ ref('unit__usgs') }} as units on cells.unit_label = units.unit_label
    inner join {{ ref('country__usgs') }} as countries
        on cells.country_label = countries.country_label
    where series.material is not null and series.basis is not null
),

usgs_yearbook as (
    select
        cells.cell_id,
        cells.source_edition_id,
        'usgs_myb' as source_id,
        'production' as measure,
        'REE_total' as material,
        'mine' as stage,
        'reo_t' as basis,
        cells.series_text as series_label,
        true as is_primary,
        countries.country_iso3,
        cells.country_label as country_name_reported,
        countries.area_type,
        cells.reference_year,
        cells.value * units.factor_to_t as value,
        cells.value_low * units.factor_to_t as value_low,
        cells.value_high * units.factor_to_t as value_high,
        cells.value_flag
    from {{ ref('stg_usgs_myb__production') }} as cells
    inner join {{ ref('unit__usgs') }} as units on cells.unit_label = units.unit_label
    inner join {{ ref('country__usgs') }} as countries
        on cells.country_label = countries.country_label
),

eu_study as (
    select
        cells.cell_id,
        cells.source_edition_id,
        'eu_crm' as source_id,
        'production' as measure,
        materials.material,
        cells.stage,
        'share' as basis,
        cells.material_label as series_label,
        true as is_primary,
        countries.country_iso3,
        cells.country_label as country_name_reported,
        countries.area_type,
        -- The last year of the mean that the study gives.
        cells.reference_year,
        cells.value / 100 as value,
        cells.value_low / 100 as value_low,
        cells.value_high / 100 as value_high,
        cells.value_flag
    from {{ ref('stg_eu_crm__supply_share') }} as cells
    inner join {{ ref('material__eu_crm') }} as materials
        on cells.material_label = materials.material_label
    inner join {{ ref('country__eu_crm') }} as countries
        on cells.country_label = countries.country_label
    where cells.scope = 'world'
),

-- The printed "Rest of world" counts a listed country again in some tables (nickel, graphite), so
-- the residual is what the countries leave of the printed total.
iea_supply as (
    select
        * exclude (value, value_low, value_high),
        case when row_kind = 'residual' then coalesce(left_over, value) else value end as value,
        case when row_kind = 'residual' then coalesce(left_over, value_low) else value_low end
            as value_low,
        case when row_kind = 'residual' then coalesce(left_over, value_high) else value_high end
            as value_high
    from (
        select
            *,
            -- greatest() passes over nulls, so a table without a total is told apart first.
            case
                when max(value) filter (where row_kind = 'total') over series is not null
                    then
                        greatest(
                            0,
                            max(value) filter (where row_kind = 'total') over series
                            - coalesce(
                                sum(value) filter (where row_kind = 'country') over series, 0
                            )
                        )
            end as left_over
        from {{ ref('stg_iea_cm__supply') }}
        window series as (
            partition by source_edition_id, material_label, stage, scenario_text, reference_year
        )
    )
),

iea as (
    select
        cells.cell_id,
        cells.source_edition_id,
        'iea_cm' as source_id,
        'production' as measure,
        materials.material,
        cells.stage,
        case
            when materials.material like '%graphite%' then 'gross_t' else 'element_t'
        end as basis,
        cells.mineral_text as series_label,
        true as is_primary,
        countries.country_iso3,
        cells.country_label as country_name_reported,
        countries.area_type,
        cells.reference_year,
        cells.value * units.factor_to_t as value,
        cells.value_low * units.factor_to_t as value_low,
        cells.value_high * units.factor_to_t as value_high,
        cells.value_flag
    from iea_supply as cells
    inner join {{ ref('material__iea_cm') }} as materials
        on cells.material_label = materials.material_label
    inner join {{ ref('unit__usgs') }} as units on cells.unit_label = units.unit_label
    inner join {{ ref('country__iea') }} as countries
        on cells.country_label = countries.country_label
    where cells.row_kind in ('country', 'residual', 'total') and not cells.is_projection
),

-- A series that lacks large producers before some year is not primary until then: its sums would
-- show a concentration that nobody reported.
bgs_statistics as (
    select
        cells.cell_id,
        cells.source_edition_id,
        'bgs_wms' as source_id,
        'production' as measure,
        series.material,
        series.stage,
        series.basis,
        cells.series_label,
        cast(series.is_primary as boolean)
        and cells.reference_year >= coalesce(cast(series.primary_from as integer), 0)
            as is_primary,
        countries.country_iso3,
        cells.country_label as country_name_reported,
        countries.area_type,
        cells.reference_year,
        cells.value * units.factor_to_t as value,
        cells.value_low * units.factor_to_t as value_low,
        cells.value_high * units.factor_to_t as value_high,
        cells.value_flag
    from {{ ref('stg_bgs_wms__production') }} as cells
    inner join {{ ref('series__bgs_wms') }} as series on cells.series_label = series.series_label
    inner join {{ ref('unit__bgs_wms') }} as units on cells.unit_label = units.unit_label
    inner join {{ ref('country__bgs') }} as countries
        on cells.country_label = countries.country_label
    where series.material is not null
),

world_mining_data as (
    select
        cells.cell_id,
        cells.source_edition_id,
        'wmd' as source_id,
        'production' as measure,
        series.material,
        series.stage,
        series.basis,
        cells.series_label,
        cast(series.is_primary as boolean) as is_primary,
        countries.country_iso3,
        cells.country_label as country_name_reported,
        countries.area_type,
        cells.reference_year,
        cells.value * units.factor_to_t as value,
        cells.value_low * units.factor_to_t as value_low,
        cells.value_high * units.factor_to_t as value_high,
        cells.value_flag
    from {{ ref('stg_wmd__production') }} as cells
    inner join {{ ref('series__wmd') }} as series on cells.series_label = series.series_label
    inner join {{ ref('unit__wmd') }} as units on cells.unit_label = units.unit_label
    inner join {{ ref('country__wmd') }} as countries
        on cells.country_label = countries.country_label
    where series.material is not null and units.factor_to_t is not null
),

together as (
    select * from usgs_summaries
    union all
    select * from usgs_yearbook
    union all
    select * from eu_study
    union all
    select * from iea
    union all
    select * from bgs_statistics
    union all
    select * from world_mining_data
)

select
    together.*,
    editions.edition_label,
    dependent.derived_from is null as independence_flag
from together
inner join {{ ref('dim_edition') }} as editions
    on together.source_edition_id = editions.source_edition_id
left join {{ ref('ref_dependent_estimate') }} as dependent
    on
        together.source_id = dependent.source_id
        and together.material = dependent.material
        and together.country_iso3 = dependent.country_iso3
        and coalesce(dependent.edition_label, editions.edition_label) = editions.edition_label
