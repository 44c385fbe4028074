with source as (

    select *
    from {{ raw_table('usgs_mcs', 'raw_usgs_mcs__salient') }}

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
    statistic_text,
    repeat_number,
    statistic,
    form_label,
    unit_text,
    unit_label,
    cast(reference_year as smallint) as reference_year,
    is_estimated_column,
    note_text,
    basis_text,
    critical_text
from source
