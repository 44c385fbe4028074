with source as (

    select *
    from {{ raw_table('eu_crm', 'raw_eu_crm__criticality') }}

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
    material_text,
    material_label,
    assessment_year,
    measure
from source
