{#-
    Provenance of a mart whose rows rest on trade flows: one row a mart row, with the flows that it is
    made of (flow_predicate). `buyer` is the column of who bought, none for all flows of the market.
    `codes` is a CTE of codes: by material and stage, or `single_codes` by code. `also` narrows the
    flows, `where` the rows.
-#}
{% macro flow_evidence(
    mart, buyer, method_chain, where=none, role='flows', first_year=none,
    last_year='reference_year', codes='codes', also=none
) -%}
    select
        '{{ mart }}' as mart,
        marts.row_key,
        cast(null as varchar) as cell_id,
        {{ flow_predicate('marts', buyer, first_year, last_year) }}
        {%- if also %}
        || {{ also }}
        {%- endif %} as row_set,
        marts.source_edition_id,
        '{{ role }}' as role,
        '{{ method_chain }}' as method_chain
    from {{ ref(mart) }} as marts
    {%- if codes == 'single_codes' %}
    inner join single_codes as codes on marts.hs_code = codes.hs_code
    {%- else %}
    inner join codes on marts.material = codes.material and marts.stage = codes.stage
    {%- endif %}
    {%- if where %}
    where {{ where }}
    {%- endif %}
{%- endmacro %}
