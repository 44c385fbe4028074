with source as (

    select *
    from {{ raw_table('usgs_myb', 'raw_usgs_myb__production') }}

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
    table_label,
    series_text,
    country_text,
    country_label,
    reference_year,
    marker_text,
    unit_text,
    unit_label
from source
