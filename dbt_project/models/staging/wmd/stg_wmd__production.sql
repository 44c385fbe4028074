with source as (

    select *
    from {{ raw_table('wmd', 'raw_wmd__production') }}

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
    series_text,
    series_label,
    title_text,
    country_text,
    country_label,
    reference_year,
    unit_text,
    unit_label,
    source_text
from source
