-- Flows summed to material and stage: a basket such as ree_compounds is the sum of its codes.
-- The EU as one importer or exporter is added, trade within it left out.
with mapped as (
    select
        flows.flow_source,
        flows.source_edition_id,
        flows.hs_revision,
        coalesce(nullif(codes.basket, ''), codes.material) as material,
        codes.stage,
        flows.exporter_iso3,
        flows.importer_iso3,
        flows.reference_year,
        flows.hs_code,
        flows.trade_value_usd,
        flows.net_weight_kg,
        flows.evidence_grade
    from {{ ref('fct_trade_flow') }} as flows
    inner join {{ ref('ref_hs_material') }} as codes on flows.hs_code = codes.hs_code
    where codes.stage is not null
),

summed as (
    select
        flow_source,
        source_edition_id,
        hs_revision,
        material,
        stage,
        exporter_iso3,
        importer_iso3,
        reference_year,
        sum(trade_value_usd) as value_usd,
        sum(net_weight_kg) / 1000 as weight_gross_t,
        sum(trade_value_usd) filter (where net_weight_kg is not null) as value_with_weight_usd,
        count(*) as n_flows,
        max(evidence_grade) as evidence_grade
    from mapped
    group by all
),

members as (
    select country_iso3
    from {{ ref('dim_country') }}
    where is_eu27
),

eu_imports as (
    select
        flow_source,
        source_edition_id,
        hs_revision,
        material,
        stage,
        exporter_iso3,
        'EU27' as importer_iso3,
        reference_year,
        sum(value_usd) as value_usd,
        sum(weight_gross_t) as weight_gross_t,
        sum(value_with_weight_usd) as value_with_weight_usd,
        sum(n_flows) as n_flows,
        max(evidence_grade) as evidence_grade
    from summed
    where
        importer_iso3 in (select country_iso3 from members)
        and (exporter_iso3 is null or exporter_iso3 not in (select country_iso3 from members))
    group by all
),

eu_exports as (
    select
        flow_source,
        source_edition_id,
        hs_revision,
        material,
        stage,
        'EU27' as exporter_iso3,
        importer_iso3,
        reference_year,
        sum(value_usd) as value_usd,
        sum(weight_gross_t) as weight_gross_t,
        sum(value_with_weight_usd) as value_with_weight_usd,
        sum(n_flows) as n_flows,
        max(evidence_grade) as evidence_grade
    from summed
    where
        exporter_iso3 in (select country_iso3 from members)
        and (importer_iso3 is null or importer_iso3 not in (select country_iso3 from members))
    group by all
)

select
    *,
    false as is_eu27_total
from summed
union all
select
    *,
    true as is_eu27_total
from eu_imports
union all
select
    *,
    true as is_eu27_total
from eu_exports
