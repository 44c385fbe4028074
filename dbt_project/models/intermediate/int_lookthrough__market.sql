-- What each market that is looked through rests on: the editions and the weakest grade of its
-- flows and of its production, how much of its trade has a weight, and so in what it is followed.
with flows as (
    select
        choice.vintage_id,
        choice.material,
        choice.stage,
        choice.reference_year,
        choice.flow_source,
        any_value(choice.source_edition_id) as source_edition_id,
        any_value(choice.source_edition_ids) as trade_edition_ids,
        max(flows.evidence_grade) as trade_grade,
        coalesce(sum(flows.value_with_weight_usd) / nullif(sum(flows.value_usd), 0), 0)
            as weight_coverage
    from {{ ref('int_trade__edition_choice') }} as choice
    inner join {{ ref('int_trade__by_material') }} as flows
        on
            choice.material = flows.material
            and choice.stage = flows.stage
            and choice.reference_year = flows.reference_year
            and choice.flow_source = flows.flow_source
            and {{ of_choice('flows', 'choice') }}
    where not flows.is_eu27_total
    group by
        choice.vintage_id, choice.material, choice.stage, choice.reference_year,
        choice.flow_source
),

production as (
    select
        supply.vintage_id,
        steps.material,
        steps.stage,
        supply.reference_year,
        any_value(steps.relation) as relation,
        any_value(supply.source_edition_id) as production_edition_id,
        list_distinct(flatten(list(supply.source_edition_ids))) as production_edition_ids,
        max(supply.evidence_grade) as production_grade,
        coalesce(sum(supply.quantity) filter (where supply.supplier_iso3 is null), 0)
        / nullif(sum(supply.quantity), 0) as unnamed_share
    from {{ ref('int_supplier_quantity') }} as supply
    inner join {{ ref('ref_chain_step') }} as steps
        on
            supply.material = steps.production_material
            and supply.stage = steps.production_stage
            and supply.basis = steps.production_basis
    where supply.scope = 'world_production'
    group by supply.vintage_id, steps.material, steps.stage, supply.reference_year
),

followed as (
    select
        flows.*,
        case when flows.weight_coverage >= thresholds.lower then 'gross_t' else 'usd' end as basis
    from flows
    cross join {{ ref('ref_threshold') }} as thresholds
    where thresholds.rule_set = 'lookthrough_weight'
)

select
    followed.*,
    coalesce(production.relation, 'none') as relation,
    list_sort(list_distinct(
        list_concat(followed.trade_edition_ids, coalesce(production.production_edition_ids, []))
    )) as source_edition_ids,
    production.production_edition_id,
    production.production_grade,
    production.unnamed_share
from followed
left join production
    on
        followed.basis = 'gross_t'
        and followed.vintage_id = production.vintage_id
        and followed.material = production.material
        and followed.stage = production.stage
        and followed.reference_year = production.reference_year
