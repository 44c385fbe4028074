with source as (

    select *
    from {{ raw_table('usitc_dataweb', 'raw_usitc_dataweb__trade') }}

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
    flow,
    flow_text,
    valuation_text,
    measure,
    country_text,
    country_label,
    hts_code,
    code_level,
    quantity_unit_text,
    quantity_unit_label,
    suppressed_text,
    reference_year,
    period_text,
    is_year_to_date
from source
