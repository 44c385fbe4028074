{#-
    The flows behind a mart row, as a predicate on fct_trade_flow. The EU as importer is its members,
    trade within it left out. `codes` is the CTE that lists the codes of material and stage.
-#}
{% macro flow_predicate(mart, buyer) -%}
    'flow_source = ''' || {{ mart }}.flow_source
    || case
        when {{ mart }}.flow_source = 'baci'
            then ''' and source_edition_id = ''' || {{ mart }}.source_edition_id
        else ''
    end
    || ''' and hs_code in (' || codes.hs_codes
    || ') and reference_year = ' || {{ mart }}.reference_year
    || case {{ mart }}.{{ buyer }}
        when 'WLD' then ''
        when 'EU27'
            then
                ' and importer_iso3 in (select country_iso3 from dim_country where is_eu27)'
                || ' and exporter_iso3 not in (select country_iso3 from dim_country where is_eu27)'
        else ' and importer_iso3 = ''' || {{ mart }}.{{ buyer }} || ''''
    end
{%- endmacro %}
