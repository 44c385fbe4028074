with source as (

    select *
    from {{ raw_table('wb_wgi', 'raw_wb_wgi__estimate') }}

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
    indicator,
    country_code_text,
    country_text,
    country_label,
    reference_year,
    measure
from source
