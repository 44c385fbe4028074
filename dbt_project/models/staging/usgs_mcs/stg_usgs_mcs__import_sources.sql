with source as (

    select *
    from {{ raw_table('usgs_mcs', 'raw_usgs_mcs__import_sources') }}

)

select
    {{ cell_id() }} as cell_id,
    source_edition_id,
    document_name,
    document_sha256,
    sheet,
    row_number,
    column_number,
    column_name,
    value_text,
    value,
    value_low,
    value_high,
    value_flag,
    chapter_text,
    commodity_text,
    commodity_label,
    detail_text,
    country_text,
    country_label,
    unit_text,
    period_text,
    cast(period_start as smallint) as period_start,
    cast(period_end as smallint) as period_end,
    note_text,
    basis_text,
    critical_text
from source
