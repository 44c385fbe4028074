with source as (

    select *
    from {{ raw_table('eu_crm', 'raw_eu_crm__supply_share') }}

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
    scope,
    material_text,
    material_label,
    stage_text,
    stage,
    country_text,
    country_label,
    trade_parameter_text,
    trade_parameter,
    period_start_year,
    reference_year
from source
