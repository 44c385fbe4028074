with source as (

    select *
    from {{ raw_table('iea_cm', 'raw_iea_cm__supply') }}

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
    mineral_text,
    material_label,
    stage,
    country_text,
    country_label,
    row_kind,
    scenario_text,
    reference_year,
    is_projection,
    unit_text,
    unit_label
from source
