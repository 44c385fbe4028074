{#-
    The identity of a cell: edition, document, sheet, row and column, as one short text.
    The same cell has the same id in every build, so explanations can be quoted.
-#}
{% macro cell_id() -%}
    md5(concat_ws(
        '|', source_edition_id, document_name, coalesce(sheet, ''), row_number, column_number
    ))
{%- endmacro %}
