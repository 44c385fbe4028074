-- Which stage of a chain depends most on one country: of world production, or of an importer's
-- sources. One row a chain, buyer, year and vintage of which two stages or more are observed.
with staged as (
    select
        concentration.row_key as concentration_key,
        concentration.scope,
        concentration.geo_iso3,
        concentration.reference_year,
        concentration.vintage_id,
        coalesce(steps.chain_id, concentration.material) as chain_id,
        concentration.material,
        concentration.stage,
        stages.stage_order,
        concentration.basis,
        concentration.hhi,
        concentration.top_supplier,
        concentration.top_share,
        concentration.flow_source,
        concentration.source_edition_id,
        concentration.source_edition_ids,
        concentration.evidence_grade
    from {{ ref('mart_concentration') }} as concentration
    left join {{ ref('ref_chain_step') }} as steps
        on concentration.material = steps.material and concentration.stage = steps.stage
    inner join {{ ref('dim_stage') }} as stages on concentration.stage = stages.stage
    where
        concentration.top_supplier is not null
        and (
            concentration.scope = 'world_production'
            or (concentration.scope = 'import_sources' and concentration.basis = 'usd')
        )
),

long_chains as (
    select
        scope,
        chain_id
    from staged
    group by scope, chain_id
    having count(distinct stage) > 1
),

-- A stage that is published in several units, or for several materials of a chain, counts once:
-- tonnes before shares of a study, the better grade first.
chosen as (
    select staged.*
    from staged
    semi join long_chains using (scope, chain_id)
    qualify
        row_number() over (
            partition by scope, geo_iso3, reference_year, vintage_id, chain_id, stage
            order by basis = 'share', evidence_grade, material, basis
        ) = 1
),

gathered as (
    select
        scope,
        geo_iso3,
        reference_year,
        vintage_id,
        chain_id,
        {% for stage in ['mine', 'refining', 'metal', 'product'] -%}
        max(hhi) filter (where stage = '{{ stage }}') as hhi_{{ stage }},
        {% endfor -%}
        -- The first stage of those that tie.
        list(
            { 'stage': stage, 'supplier': top_supplier, 'share': top_share }
            order by top_share desc, stage_order
        ) as by_share,
        list({ 'stage': stage, 'hhi': hhi } order by hhi desc, stage_order) as by_hhi,
        count(*) as n_stages,
        count(distinct basis) = 1 as is_basis_uniform,
        list(concentration_key order by stage_order) as concentration_keys,
        any_value(flow_source) as flow_source,
        arg_min(source_edition_id, stage_order) as source_edition_id,
        list_sort(list_distinct(flatten(list(source_edition_ids)))) as source_edition_ids,
        max(evidence_grade) as evidence_grade
    from chosen
    group by scope, geo_iso3, reference_year, vintage_id, chain_id
    having count(*) > 1
)

select
    {{ row_key(['chain_id', 'scope', 'geo_iso3', 'reference_year', 'vintage_id']) }} as row_key,
    chain_id,
    scope,
    geo_iso3,
    reference_year,
    vintage_id,
    source_edition_id,
    source_edition_ids,
    flow_source,
    hhi_mine,
    hhi_refining,
    hhi_metal,
    hhi_product,
    by_share[1].stage as bottleneck_stage,
    by_share[1].supplier as bottleneck_top_supplier,
    by_share[1].share as bottleneck_top_share,
    by_hhi[1].stage as max_hhi_stage,
    by_hhi[1].hhi as max_hhi,
    cast(n_stages as integer) as n_stages_observed,
    is_basis_uniform,
    concentration_keys,
    evidence_grade,
    false as is_official,
    '1' as method_version
from gathered
