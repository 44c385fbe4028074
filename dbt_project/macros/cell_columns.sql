{#- The columns of fct_source_cell, as every staging model of a cell table has them. -#}
{% macro cell_columns() -%}
    cell_id,
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
    value_flag
{%- endmacro %}
