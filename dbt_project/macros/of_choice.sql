{#-
    Whether a flow belongs to the edition that is chosen for its series and year: of BACI one edition
    is taken, flows reconciled here rest on all extracts (int_trade__edition_choice).
-#}
{% macro of_choice(flows, choice) -%}
    (
        {{ choice }}.flow_source = 'monazite'
        or {{ flows }}.source_edition_id = {{ choice }}.source_edition_id
    )
{%- endmacro %}
