{#- A raw table: every edition's Parquet file below MONAZITE_HOME/raw. One place per engine. -#}
{% macro raw_table(source_name, table_name) -%}
    {{ return(adapter.dispatch('raw_table')(source_name, table_name)) }}
{%- endmacro %}

{% macro default__raw_table(source_name, table_name) -%}
    {{ return(source(source_name, table_name)) }}
{%- endmacro %}
