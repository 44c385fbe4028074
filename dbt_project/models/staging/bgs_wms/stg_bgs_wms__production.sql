with source as (

    select *
    from {{ raw_table('bgs_wms', 'raw_bgs_wms__production') }}

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
    quantity_text,
    precision_text,
    commodity_text,
    sub_commodity_text,
    commodity_label,
    series_label,
    yearbook_table_text,
    country_text,
    country_label,
    country_iso3_text,
    reference_year,
    unit_label,
    figure_notes_text,
    table_notes_text
from source
