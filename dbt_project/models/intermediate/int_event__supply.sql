-- What each importer took from the states that issue controls, by year and, where monthly reports
-- are held, by month; a market that took nothing from such a state has a row with zero.
with issuers as (
    select distinct issuing_iso3
    from {{ ref('dim_control') }}
    where is_export_control
),

yearly as (
    select
        'year' as frequency,
        importer_iso3,
        material,
        stage,
        cast(reference_year as integer) as period_number,
        partner_iso3,
        sum(imports_usd) as value_usd,
        sum(imports_gross_t) as weight_gross_t,
        any_value(flow_source) as flow_source,
        any_value(source_edition_id) as source_edition_id,
        max(evidence_grade) as evidence_grade
    from {{ ref('mart_import_dependency') }}
    where vintage_id = 'latest' and basis in ('usd', 'gross_t')
    group by all
),

-- As the importer reports; a month is known by the months since the year 0.
monthly as (
    select
        'month' as frequency,
        reports.reporter_iso3 as importer_iso3,
        coalesce(nullif(codes.basket, ''), codes.material) as material,
        codes.stage,
        12 * cast(reports.reference_year as integer) + reports.reference_month - 1
            as period_number,
        reports.partner_iso3,
        sum(reports.trade_value_usd) as value_usd,
        sum(reports.net_weight_kg) / 1000 as weight_gross_t,
        cast(null as varchar) as flow_source,
        max(reports.source_edition_id) as source_edition_id,
        'D' as evidence_grade
    from {{ ref('fct_trade_report') }} as reports
    inner join {{ ref('ref_hs_material') }} as codes on reports.hs_code = codes.hs_code
    where
        reports.reference_month is not null
        and reports.flow = 'import'
        and coalesce(reports.partner_iso3, '') != 'WLD'
        and codes.stage is not null
    group by all
),

flows as (
    select * from yearly
    union all
    select * from monthly
),

markets as (
    select
        frequency,
        importer_iso3,
        material,
        stage,
        period_number,
        sum(value_usd) as market_usd,
        max(flow_source) as flow_source,
        max(source_edition_id) as source_edition_id,
        max(evidence_grade) as evidence_grade
    from flows
    group by all
    having sum(value_usd) > 0
)

select
    markets.frequency,
    issuers.issuing_iso3,
    markets.importer_iso3,
    markets.material,
    markets.stage,
    markets.period_number,
    coalesce(flows.value_usd, 0) / markets.market_usd as share,
    case when flows.partner_iso3 is null then 0 else flows.weight_gross_t end as weight_gross_t,
    markets.flow_source,
    markets.source_edition_id,
    markets.evidence_grade
from markets
cross join issuers
left join flows
    on
        markets.frequency = flows.frequency
        and markets.importer_iso3 = flows.importer_iso3
        and markets.material = flows.material
        and markets.stage = flows.stage
        and markets.period_number = flows.period_number
        and issuers.issuing_iso3 = flows.partner_iso3
where markets.importer_iso3 != issuers.issuing_iso3
