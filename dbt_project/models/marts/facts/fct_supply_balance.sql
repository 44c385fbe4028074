-- The balance as the publisher prints it: production, imports, exports, stocks, consumption and
-- net import reliance of the United States, and reserves by country. Nothing is recomputed.
with salient as (
    select
        cells.cell_id,
        cells.source_edition_id,
        'usgs_mcs' as source_id,
        series.material,
        series.stage,
        cells.statistic as measure,
        cells.form_label as form,
        case
            when cells.statistic = 'net_import_reliance' then 'share'
            else series.basis
        end as basis,
        'USA' as country_iso3,
        'United States' as country_name_reported,
        'country' as area_type,
        cells.reference_year,
        case
            when cells.statistic = 'net_import_reliance' then 0.01
            else units.factor_to_t
        end as factor,
        cells.value,
        cells.value_low,
        cells.value_high,
        cells.value_flag
    from {{ ref('stg_usgs_mcs__salient') }} as cells
    inner join {{ ref('salient_series__usgs_mcs') }} as series
        on
            cells.commodity_label = series.commodity_label
            and cells.statistic = series.statistic
            and coalesce(cells.form_label, '') = coalesce(series.form_label, '')
    inner join {{ ref('unit__usgs') }} as units on cells.unit_label = units.unit_label
    where
        series.material is not null
        and cells.statistic not in ('price', 'employment')
        and (cells.statistic = 'net_import_reliance' or series.basis is not null)
),

reserves as (
    select
        cell_id,
        source_edition_id,
        source_id,
        material,
        stage,
        'reserves' as measure,
        series_label as form,
        basis,
        country_iso3,
        country_name_reported,
        area_type,
        reference_year,
        1.0 as factor,
        value,
        value_low,
        value_high,
        value_flag
    from {{ ref('int_production__harmonised') }}
    where measure = 'reserves'
),

together as (
    select * from salient
    union all
    select * from reserves
)

select
    {{ row_key([
        'material', 'stage', 'measure', 'form', 'basis', 'country_name_reported',
        'reference_year', 'source_edition_id'
    ]) }} as row_key,
    source_edition_id,
    source_id,
    material,
    stage,
    measure,
    form,
    basis,
    country_iso3,
    country_name_reported,
    area_type,
    reference_year,
    value * factor as value,
    value_low * factor as value_low,
    value_high * factor as value_high,
    value_flag,
    case when value_flag = 'estimated' then 'B' else 'A' end as evidence_grade,
    true as is_official,
    cell_id
from together
