-- Every flow in a rare-earth code that a series takes stands in fct_allocated_flow with all of its
-- weight and value, to one part in a million.
with parts as (
    select
        flow_source,
        source_edition_id,
        hs_code,
        reference_year,
        exporter_reported,
        importer_reported,
        sum(net_weight_kg) as net_weight_kg,
        sum(trade_value_usd) as trade_value_usd
    from {{ ref('fct_allocated_flow') }}
    group by all
)

select
    flows.flow_source,
    flows.source_edition_id,
    flows.hs_code,
    flows.reference_year,
    flows.exporter_reported,
    flows.importer_reported
from parts
inner join {{ ref('fct_trade_flow') }} as flows
    on
        parts.flow_source = flows.flow_source
        and parts.source_edition_id = flows.source_edition_id
        and parts.hs_code = flows.hs_code
        and parts.reference_year = flows.reference_year
        and parts.exporter_reported = flows.exporter_reported
        and parts.importer_reported = flows.importer_reported
where
    parts.trade_value_usd is null
    or abs(parts.trade_value_usd - flows.trade_value_usd) > 1e-6 * flows.trade_value_usd
    or (parts.net_weight_kg is null) != (flows.net_weight_kg is null)
    or abs(parts.net_weight_kg - flows.net_weight_kg) > 1e-6 * flows.net_weight_kg
union all
select
    flow_source,
    source_edition_id,
    hs_code,
    reference_year,
    exporter_reported,
    importer_reported
from {{ ref('fct_allocated_flow') }}
anti join {{ ref('fct_trade_flow') }}
    using (
        flow_source, source_edition_id, hs_code, reference_year, exporter_reported,
        importer_reported
    )
