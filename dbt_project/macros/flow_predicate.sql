{#-
    The flows behind a mart row, as a predicate on fct_trade_flow. The EU as importer is its members,
    trade within it left out. `codes` is the CTE that lists the codes of material and stage. A row
    about several years names its first (an expression) and its last (a column); such a row may rest
    on several editions. With `side` exporter_iso3 they are what the area sold;
    without a buyer they are all flows of the market.
-#}
{% macro flow_predicate(mart, buyer, first_year=none, last_year='reference_year', side='importer_iso3') -%}
    {%- set other_side = 'exporter_iso3' if side == 'importer_iso3' else 'importer_iso3' -%}
    'flow_source = ''' || {{ mart }}.flow_source
    || case
        when {{ mart }}.flow_source = 'baci'
    {%- if first_year is none %}
            then ''' and source_edition_id = ''' || {{ mart }}.source_edition_id || ''''
    {%- else %}
            then
                ''' and source_edition_id in ('''
                || array_to_string({{ mart }}.source_edition_ids, ''', ''') || ''')'
    {%- endif %}
        else ''''
    end
    || ' and hs_code in (' || codes.hs_codes || ') and reference_year '
    {%- if first_year is none %}
    || '= ' || {{ mart }}.{{ last_year }}
    {%- else %}
    || 'between ' || ({{ first_year }}) || ' and ' || {{ mart }}.{{ last_year }}
    {%- endif %}
    {%- if buyer is not none %}
    || case {{ mart }}.{{ buyer }}
        when 'WLD' then ''
        when 'EU27'
            then
                ' and {{ side }} in (select country_iso3 from dim_country where is_eu27)'
                || ' and {{ other_side }} not in (select country_iso3 from dim_country where is_eu27)'
        else ' and {{ side }} = ''' || {{ mart }}.{{ buyer }} || ''''
    end
    {%- endif %}
{%- endmacro %}
