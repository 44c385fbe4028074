{#- A setting of the draws, as a scalar. -#}
{% macro uncertainty_setting(name) -%}
    (select value from {{ ref('ref_uncertainty_setting') }} where setting = '{{ name }}')
{%- endmacro %}
