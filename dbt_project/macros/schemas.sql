{#- Schemas are named plainly: marts stand in `main`, so that analysts type no prefix. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
