{#- The identity of a mart row as readable text: its key columns joined by a bar. -#}
{% macro row_key(columns) -%}
    concat_ws(
        '|'
        {%- for column in columns %}, coalesce(cast({{ column }} as varchar), ''){% endfor -%}
    )
{%- endmacro %}
