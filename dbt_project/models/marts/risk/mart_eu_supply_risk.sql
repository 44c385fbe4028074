-- The EU's supply risk, recomputed from the study's own shares and the governance indicators, by
-- material, stage and formula. Not official: the published index stands beside it.
with by_scope as (
    select
        vintage_id,
        material,
        stage,
        scope,
        min(period_start_year) as window_start_year,
        max(reference_year) as reference_year,
        sum(share) as share_sum,
        coalesce(sum(share) filter (where governance_risk is null), 0) as share_without_governance,
        hhi_wgi(
            list(share order by cell_id) filter (where governance_risk is not null),
            list(governance_risk order by cell_id) filter (where governance_risk is not null),
            list(trade_parameter order by cell_id) filter (where governance_risk is not null)
        ) as hhi_of_governed,
        bool_or(is_of_group) as is_of_group,
        count(*) as n_cells,
        any_value(source_edition_id) as source_edition_id,
        list_concat(list(source_edition_id), list(wgi_edition_id)) as edition_ids
    from {{ ref('int_eu_supply_risk__supplier') }}
    group by vintage_id, material, stage, scope
),

-- An index that leaves out a twentieth of the supply for want of an indicator is none.
covered as (
    select
        *,
        case
            when share_without_governance <= 0.05 * share_sum then hhi_of_governed
        end as hhi
    from by_scope
),

indexed as (
    select
        vintage_id,
        material,
        stage,
        min(window_start_year) as window_start_year,
        max(reference_year) as reference_year,
        max(hhi) filter (where scope = 'world') as hhi_wgi_gs,
        max(hhi) filter (where scope = 'eu') as hhi_wgi_eu,
        max(share_sum) filter (where scope = 'world') as share_sum_gs,
        max(share_sum) filter (where scope = 'eu') as share_sum_eu,
        max(share_without_governance) filter (where scope = 'world') as share_without_governance_gs,
        max(share_without_governance) filter (where scope = 'eu') as share_without_governance_eu,
        coalesce(bool_or(is_of_group), false) as is_eu_sourcing_of_group,
        cast(sum(n_cells) as integer) as n_source_cells,
        any_value(source_edition_id) as source_edition_id,
        list_sort(list_distinct(flatten(list(edition_ids)))) as source_edition_ids
    from covered
    group by vintage_id, material, stage
),

by_formula as (
    select
        indexed.*,
        unnest(['GS+EU', 'GS', 'EU']) as formula
    from indexed
),

measured as (
    select
        rows.vintage_id,
        rows.material,
        rows.stage,
        rows.formula,
        rows.window_start_year,
        rows.reference_year,
        case when rows.formula != 'EU' then rows.hhi_wgi_gs end as hhi_wgi_gs,
        case when rows.formula != 'GS' then rows.hhi_wgi_eu end as hhi_wgi_eu,
        rows.share_sum_gs,
        rows.share_sum_eu,
        rows.formula != 'GS' and rows.is_eu_sourcing_of_group as is_eu_sourcing_of_group,
        rows.share_without_governance_gs,
        rows.share_without_governance_eu,
        inputs.import_reliance,
        inputs.eol_rir,
        inputs.substitution_index,
        inputs.published_formula,
        inputs.published_sr as published_sr_stage,
        inputs.deviation_note,
        rows.n_source_cells,
        rows.source_edition_id,
        rows.source_edition_ids,
        case
            -- One half of the fuller formula is no result of it.
            when rows.formula = 'GS+EU' and (rows.hhi_wgi_gs is null or rows.hhi_wgi_eu is null)
                then null
            else
                eu_supply_risk(
                    case when rows.formula != 'EU' then rows.hhi_wgi_gs end,
                    case when rows.formula != 'GS' then rows.hhi_wgi_eu end,
                    inputs.import_reliance,
                    inputs.eol_rir,
                    inputs.substitution_index
                )
        end as sr_stage
    from by_formula as rows
    left join {{ ref('ref_eu_supply_risk_input') }} as inputs
        on rows.material = inputs.material and rows.stage = inputs.stage
    where
        (rows.formula = 'EU' or rows.share_sum_gs is not null)
        and (rows.formula = 'GS' or rows.share_sum_eu is not null)
),

-- The formula that the study took for the stage, where it is held and can be computed; else the
-- fullest that the shares allow.
studied as (
    select
        *,
        row_number() over (
            partition by vintage_id, material, stage
            order by
                (formula = published_formula) desc nulls last,
                case formula when 'GS+EU' then 1 when 'GS' then 2 else 3 end
        ) = 1 as is_study_formula
    from measured
),

published as (
    select
        editions.vintage_id,
        materials.material,
        max(cells.value) as published_sr
    from {{ ref('stg_eu_crm__criticality') }} as cells
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on
            cells.source_edition_id = editions.source_edition_id
            and editions.source_id = 'eu_crm' and editions.recency = 1
    inner join {{ ref('material__eu_crm') }} as materials
        on cells.material_label = materials.material_label
    where
        cells.measure = 'sr'
        and cells.value is not null
        and cells.assessment_year = (
            select max(assessment_year) from {{ ref('ref_eu_supply_risk_input') }}
        )
    group by all
),

with_material as (
    select
        studied.*,
        max(sr_stage) filter (where is_study_formula)
            over (partition by studied.vintage_id, studied.material) as sr_material,
        published.published_sr
    from studied
    left join published
        on studied.vintage_id = published.vintage_id and studied.material = published.material
)

select
    {{ row_key(['material', 'stage', 'formula', 'reference_year', 'vintage_id']) }} as row_key,
    material,
    stage,
    formula,
    is_study_formula,
    cast(window_start_year as integer) as window_start_year,
    cast(reference_year as integer) as reference_year,
    vintage_id,
    source_edition_id,
    source_edition_ids,
    hhi_wgi_gs,
    hhi_wgi_eu,
    share_sum_gs,
    share_sum_eu,
    is_eu_sourcing_of_group,
    share_without_governance_gs,
    share_without_governance_eu,
    import_reliance,
    eol_rir,
    substitution_index,
    sr_stage,
    sr_material,
    published_formula,
    published_sr_stage,
    published_sr as published_sr_material,
    case when is_study_formula then sr_stage - published_sr_stage end as difference,
    case
        when sr_stage is not null then null
        when hhi_wgi_gs is null and hhi_wgi_eu is null
            then 'governance of too large a part of the supply is not held at this vintage'
        when substitution_index is null
            then 'recycling and substitution of this material are not held: the concentration only'
        else 'import reliance of this stage is not held'
    end as reason,
    deviation_note,
    n_source_cells,
    case
        when sr_stage is null then 'C'
        when formula = 'GS+EU' then 'C'
        else 'D'
    end as evidence_grade,
    false as is_official,
    '1' as method_version
from with_material
