with source as (

    select *
    from {{ raw_table('usgs_mcs', 'raw_usgs_mcs__world_production') }}

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
    chapter_label,
    section_text,
    commodity_text,
    country_text,
    country_label,
    type_text,
    series_label,
    measure,
    unit_text,
    unit_label,
    reference_year,
    is_estimated_column,
    note_text,
    basis_text,
    critical_text,
    -- The flag of the list of critical minerals exists in the long file only.
    case lower(critical_text) when 'yes' then true when 'no' then false end as is_critical
from source
