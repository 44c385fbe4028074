-- The flows that looking through follows, by material and stage, between countries: tonnes gross,
-- or US dollars where too little of the market has a weight. In tonnes a flow without a weight is
-- not there; weight_coverage of mart_lookthrough tells how much that is.
select
    market.vintage_id,
    market.material,
    market.stage,
    market.reference_year,
    flows.exporter_iso3,
    flows.importer_iso3,
    sum(case market.basis when 'usd' then flows.value_usd else flows.weight_gross_t end)
        as quantity
from {{ ref('int_trade__by_material') }} as flows
inner join {{ ref('int_lookthrough__market') }} as market
    on
        flows.material = market.material
        and flows.stage = market.stage
        and flows.reference_year = market.reference_year
        and flows.flow_source = market.flow_source
        and {{ of_choice('flows', 'market') }}
where
    not flows.is_eu27_total
    and coalesce(flows.importer_iso3, '') not in ('WLD', 'EU27')
    and coalesce(flows.exporter_iso3, '') not in ('WLD', 'EU27')
group by
    market.vintage_id, market.material, market.stage, market.reference_year,
    flows.exporter_iso3, flows.importer_iso3
having sum(case market.basis when 'usd' then flows.value_usd else flows.weight_gross_t end) > 0
