-- What countries report by lines of their own nomenclature, one row a line: the national
-- publishers, and the lines beyond six digits that DataWeb and UN Comtrade carry. Values stay in
-- the reporter's currency and valuation. Rows that the publisher splits further (port, procedure)
-- are summed.
{% set columns -%}
    cells.source_edition_id, cells.flow, cells.national_system, cells.national_code,
    cells.code_level, cells.reference_year, cells.reference_month, cells.trade_value,
    cells.currency_code, cells.valuation, cells.net_weight_kg, cells.supplementary_quantity,
    cells.supplementary_unit, cells.is_confidential, cells.document_name, cells.row_number
{%- endset %}
with comext as (
    select
        'eurostat_comext' as source_id,
        reporters.country_iso3 as reporter_iso3,
        cells.reporter_code as reporter_reported,
        partners.country_iso3 as partner_iso3,
        cells.partner_code as partner_reported,
        partners.area_type as partner_area_type,
        {{ columns }}
    from {{ ref('stg_eurostat_comext__trade') }} as cells
    inner join {{ ref('country__comext') }} as reporters
        on cells.reporter_code = reporters.country_label
    inner join {{ ref('country__comext') }} as partners
        on cells.partner_code = partners.country_label
),

{% for source_id, model, map, reporter in [
    ('us_census', 'stg_us_census__trade', 'country__census', 'USA'),
    ('uk_hmrc', 'stg_uk_hmrc__trade', 'country__hmrc', 'GBR'),
    ('jp_customs', 'stg_jp_customs__trade', 'country__jp_customs', 'JPN')
] %}
{{ source_id }} as (
    select
        '{{ source_id }}' as source_id,
        '{{ reporter }}' as reporter_iso3,
        cells.reporter_code as reporter_reported,
        partners.country_iso3 as partner_iso3,
        cells.partner_code as partner_reported,
        partners.area_type as partner_area_type,
        {{ columns }}
    from {{ ref(model) }} as cells
    inner join {{ ref(map) }} as partners
        on cells.partner_code = partners.country_label
),

{% endfor %}
-- Extracts of DataWeb and UN Comtrade tariff lines; six digits and fewer stay in fct_trade_report.
systems as (
    select
        systems.national_system,
        systems.code_digits,
        reporters.country_iso3 as reporter_iso3,
        unnest(string_split(systems.flows, '|')) as flow
    from {{ ref('ref_national_system') }} as systems
    inner join {{ ref('dim_country') }} as reporters
        on
            systems.reporter = reporters.country_iso3
            or (systems.reporter = 'EU27' and reporters.is_eu27)
),

extracts as (
    select
        reports.source_id,
        reports.reporter_iso3,
        reports.reporter_reported,
        reports.partner_iso3,
        reports.partner_reported,
        reports.partner_area_type,
        reports.source_edition_id,
        reports.flow,
        systems.national_system,
        reports.hs_code as national_code,
        reports.code_level,
        reports.reference_year,
        reports.reference_month,
        reports.trade_value_usd as trade_value,
        'USD' as currency_code,
        reports.valuation,
        reports.net_weight_kg,
        cast(null as double) as supplementary_quantity,
        cast(null as varchar) as supplementary_unit,
        false as is_confidential,
        reports.document_name,
        reports.row_number
    from {{ ref('fct_trade_report') }} as reports
    inner join systems
        on
            reports.reporter_iso3 = systems.reporter_iso3
            and reports.flow = systems.flow
            and reports.code_level = systems.code_digits
    where reports.code_level > 6
),

reported as (
    select * from comext
    union all by name
    select * from us_census
    union all by name
    select * from uk_hmrc
    union all by name
    select * from jp_customs
    union all by name
    select * from extracts
)

select
    source_edition_id,
    source_id,
    reporter_iso3,
    reporter_reported,
    any_value(partner_iso3) as partner_iso3,
    partner_reported,
    any_value(partner_area_type) as partner_area_type,
    flow,
    national_system,
    national_code,
    any_value(cast(code_level as tinyint)) as code_level,
    cast(reference_year as smallint) as reference_year,
    cast(reference_month as smallint) as reference_month,
    list_sum(list_sort(list(cast(trade_value as double)))) as trade_value,
    min(currency_code) as currency_code,
    min(valuation) as valuation,
    -- A weight that covers only part of the value would give a wrong unit value.
    case
        when count(net_weight_kg) = count(*)
            then list_sum(list_sort(list(cast(net_weight_kg as double))))
    end as net_weight_kg,
    case
        when count(distinct supplementary_unit) = 1 and count(supplementary_quantity) = count(*)
            then list_sum(list_sort(list(cast(supplementary_quantity as double))))
    end as supplementary_quantity,
    case
        when count(distinct supplementary_unit) = 1 then any_value(supplementary_unit)
    end as supplementary_unit,
    coalesce(bool_or(is_confidential), false) as is_confidential,
    cast(count(*) as integer) as n_rows,
    min(document_name) as document_name,
    min(row_number) as row_number
from reported
group by
    source_edition_id, source_id, reporter_iso3, reporter_reported, partner_reported, flow,
    national_system, national_code, reference_year, reference_month
