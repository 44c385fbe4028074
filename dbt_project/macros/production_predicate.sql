{#-
    The production behind a mart row, as a predicate on fct_production. `steps` is the row of
    ref_chain_step that names the production.
-#}
{% macro production_predicate(mart) -%}
    'fct_production where material = ''' || steps.production_material
    || ''' and stage = ''' || steps.production_stage
    || ''' and basis = ''' || steps.production_basis
    || ''' and reference_year = ' || {{ mart }}.reference_year
    || ' and source_edition_id = ''' || {{ mart }}.production_edition_id
    || ''' and measure = ''production'' and is_primary and derivation = ''published'''
    || ' and area_type != ''aggregate'''
{%- endmacro %}
