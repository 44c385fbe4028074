-- Every cell of every measured document, as printed and as read. Bulk trade stays in row form
-- (fct_trade_flow, fct_trade_report): its rows carry document and row number themselves.
{% set tables = [
    'stg_usgs_mcs__world_production',
    'stg_usgs_mcs__salient',
    'stg_usgs_mcs__import_sources',
    'stg_usgs_myb__production',
    'stg_usgs_myb__oxide_distribution',
    'stg_usgs_myb__price',
    'stg_eu_crm__supply_share',
    'stg_eu_crm__criticality',
    'stg_iea_cm__supply',
    'stg_bgs_wms__production',
    'stg_wmd__production',
    'stg_wb_wgi__estimate',
    'stg_usitc_dataweb__trade'
] %}

{% for table in tables %}
select
    '{{ table | replace('stg_', 'raw_') }}' as raw_table,
    {{ cell_columns() }}
from {{ ref(table) }}
{% if not loop.last %}
union all
{% endif %}
{% endfor %}
