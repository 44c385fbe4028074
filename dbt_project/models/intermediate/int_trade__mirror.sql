-- Both reports of a flow side by side, by exporter, importer, six-digit code and year. Where
-- several extracts hold the same report, the newest edition counts. Self-trade and unspecified
-- areas are left out here: they have no other side.
-- `m_cif_usd` is the import report in its own valuation; `m_own_fob_usd` the same shipments free on
-- board, where the importer says so itself and leaves at least half of the CIF value: anything less
-- is a slip, or a sample sent by air.
with reports as (
    select reports.*
    from {{ ref('fct_trade_report') }} as reports
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on
            reports.source_edition_id = editions.source_edition_id
            and editions.vintage_id = 'latest'
    where
        reports.flow in ('import', 'export')
        and reports.code_level = 6
        and reports.reference_month is null
        and reports.reporter_iso3 not in ('WLD', 'EU27')
        and reports.partner_iso3 not in ('WLD', 'EU27')
        and reports.reporter_iso3 != reports.partner_iso3
    qualify
        row_number() over (
            partition by
                reports.reporter_iso3, reports.partner_iso3, reports.flow, reports.hs_code,
                reports.reference_year
            order by editions.recency, reports.trade_value_usd desc, reports.row_number
        ) = 1
),

exports as (
    select
        reporter_iso3 as exporter_iso3,
        partner_iso3 as importer_iso3,
        hs_code,
        reference_year,
        source_edition_id,
        trade_value_usd as x_usd,
        net_weight_kg as x_kg,
        is_weight_estimated as x_kg_is_estimated
    from reports
    where flow = 'export' and trade_value_usd > 0
),

imports as (
    select
        partner_iso3 as exporter_iso3,
        reporter_iso3 as importer_iso3,
        hs_code,
        reference_year,
        source_edition_id,
        trade_value_usd as m_cif_usd,
        case
            when fob_value_usd between trade_value_usd / 2 and trade_value_usd then fob_value_usd
        end as m_own_fob_usd,
        valuation = 'cif' as m_has_freight,
        net_weight_kg as m_kg,
        is_weight_estimated as m_kg_is_estimated
    from reports
    where flow = 'import' and trade_value_usd > 0
)

select
    exporter_iso3,
    importer_iso3,
    hs_code,
    reference_year,
    exports.x_usd,
    imports.m_cif_usd,
    imports.m_own_fob_usd,
    imports.m_has_freight,
    exports.x_kg,
    imports.m_kg,
    exports.x_kg_is_estimated,
    imports.m_kg_is_estimated,
    list_sort(list_distinct(list_filter(
        [exports.source_edition_id, imports.source_edition_id], lambda e: e is not null
    ))) as source_edition_ids,
    coalesce(imports.source_edition_id, exports.source_edition_id) as source_edition_id
from exports
full join imports using (exporter_iso3, importer_iso3, hs_code, reference_year)
