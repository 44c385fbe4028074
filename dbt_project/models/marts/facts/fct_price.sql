-- Yearly mean prices as published, in the publisher's own unit.
with summaries as (
    select
        cells.cell_id,
        cells.source_edition_id,
        'usgs_mcs' as source_id,
        series.material,
        series.stage,
        cells.form_label as form,
        cells.unit_label as unit,
        cells.reference_year,
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
    where cells.statistic = 'price' and series.material is not null
),

yearbook as (
    select
        cell_id,
        source_edition_id,
        'usgs_myb' as source_id,
        element as material,
        'refining' as stage,
        product_text as form,
        unit_label as unit,
        reference_year,
        value,
        value_low,
        value_high,
        value_flag
    from {{ ref('stg_usgs_myb__price') }}
    where element is not null
),

together as (
    select * from summaries
    union all
    select * from yearbook
)

select
    {{ row_key(['material', 'form', 'unit', 'reference_year', 'source_edition_id']) }} as row_key,
    together.source_edition_id,
    together.source_id,
    together.material,
    together.stage,
    together.form,
    together.unit,
    together.reference_year,
    together.value * prices.factor_to_usd_per_kg as price_usd_per_kg,
    together.value,
    together.value_low,
    together.value_high,
    together.value_flag,
    case when together.value_flag = 'estimated' then 'B' else 'A' end as evidence_grade,
    true as is_official,
    together.cell_id
from together
left join {{ ref('ref_price_unit') }} as prices on together.unit = prices.unit_label
