with source as (

    select *
    from {{ raw_table('usgs_myb', 'raw_usgs_myb__oxide_distribution') }}

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
    deposit_text,
    deposit_label,
    country_text,
    country_label,
    mineral_text,
    element,
    reference_text,
    marker_text,
    unit_text
from source
