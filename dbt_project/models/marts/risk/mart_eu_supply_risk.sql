-- The EU's supply risk, recomputed from the study's own shares and the governance indicators, by
-- material, stage, formula and set of trade parameters; groups as the mean of their members. Not
-- official: the published index stands beside it.
--
-- The register of controls is asked for the day of the vintage; at `latest` for the day of its own
-- last entry, since no clock is read.
with register_days as (
    select
        vintage_id,
        coalesce(as_of_date, (select max(valid_from) from {{ ref('dim_control') }})) as as_of_date
    from {{ ref('dim_vintage') }}
),

-- Controls that bear on what the EU buys: on exports to all, or to the EU.
restrictions as (
    select
        days.vintage_id,
        controls.material,
        controls.stage,
        controls.issuing_iso3 as country_iso3,
        list_sort(list_distinct(list(controls.event_id))) as event_ids
    from register_days as days
    inner join {{ ref('dim_control') }} as controls
        on
            days.as_of_date between controls.valid_from
            and least(
                coalesce(controls.valid_until, days.as_of_date),
                coalesce(controls.expiry_date, days.as_of_date)
            )
    where
        controls.is_export_control
        and controls.status = 'in_force'
        and controls.target_iso3 in ('WLD', 'EU27')
    group by days.vintage_id, controls.material, controls.stage, controls.issuing_iso3
),

suppliers as (
    select
        shares.*,
        sets.t_set,
        case
            when sets.t_all is not null then sets.t_all
            when sets.t_restricted is not null and restrictions.event_ids is not null
                then greatest(shares.trade_parameter, sets.t_restricted)
            else shares.trade_parameter
        end as t,
        case when sets.t_restricted is not null then restrictions.event_ids end as control_event_ids
    from {{ ref('int_eu_supply_risk__supplier') }} as shares
    cross join {{ ref('ref_eu_trade_set') }} as sets
    left join restrictions
        on
            shares.vintage_id = restrictions.vintage_id
            and shares.material = restrictions.material
            and shares.stage = restrictions.stage
            and shares.country_iso3 = restrictions.country_iso3
),

by_scope as (
    select
        vintage_id,
        material,
        stage,
        t_set,
        scope,
        min(period_start_year) as window_start_year,
        max(reference_year) as reference_year,
        list_sum(list(share order by cell_id)) as share_sum,
        coalesce(list_sum(list(share order by cell_id) filter (where t > 1)), 0)
            as share_restricted,
        coalesce(sum(share) filter (where governance_risk is null), 0) as share_without_governance,
        hhi_wgi(
            list(share order by cell_id) filter (where governance_risk is not null),
            list(governance_risk order by cell_id) filter (where governance_risk is not null),
            list(t order by cell_id) filter (where governance_risk is not null)
        ) as hhi_of_governed,
        flatten(list(control_event_ids)) as control_event_ids,
        bool_or(is_of_group) as is_of_group,
        list(cell_id) as cell_ids,
        any_value(source_edition_id) as source_edition_id,
        list_concat(list(source_edition_id), list(wgi_edition_id)) as edition_ids
    from suppliers
    group by vintage_id, material, stage, t_set, scope
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
        t_set,
        min(window_start_year) as window_start_year,
        max(reference_year) as reference_year,
        max(hhi) filter (where scope = 'world') as hhi_wgi_gs,
        max(hhi) filter (where scope = 'eu') as hhi_wgi_eu,
        max(share_sum) filter (where scope = 'world') as share_sum_gs,
        max(share_sum) filter (where scope = 'eu') as share_sum_eu,
        max(share_restricted) filter (where scope = 'world') as share_restricted_gs,
        max(share_restricted) filter (where scope = 'eu') as share_restricted_eu,
        max(share_without_governance) filter (where scope = 'world') as share_without_governance_gs,
        max(share_without_governance) filter (where scope = 'eu') as share_without_governance_eu,
        coalesce(bool_or(is_of_group), false) as is_eu_sourcing_of_group,
        list_sort(list_distinct(flatten(list(control_event_ids)))) as control_event_ids,
        flatten(list(cell_ids)) as cell_ids,
        any_value(source_edition_id) as source_edition_id,
        list_sort(list_distinct(flatten(list(edition_ids)))) as source_edition_ids
    from covered
    group by vintage_id, material, stage, t_set
),

by_formula as (
    select
        indexed.*,
        unnest(['GS+EU', 'GS', 'EU']) as formula
    from indexed
),

measured as (
    select
        rows.* replace (
            case when rows.formula != 'EU' then rows.hhi_wgi_gs end as hhi_wgi_gs,
            case when rows.formula != 'GS' then rows.hhi_wgi_eu end as hhi_wgi_eu,
            rows.formula != 'GS' and rows.is_eu_sourcing_of_group as is_eu_sourcing_of_group
        ),
        inputs.import_reliance,
        inputs.eol_rir,
        inputs.substitution_index,
        inputs.published_formula,
        inputs.published_sr as published_sr_stage,
        inputs.deviation_note,
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
-- fullest that the shares allow. The study's index of a group is the mean of its members.
studied as (
    select
        *,
        material not in (select material_group from {{ ref('ref_eu_material_group') }})
        and row_number() over (
            partition by vintage_id, material, stage, t_set
            order by
                (formula = published_formula) desc nulls last,
                case formula when 'GS+EU' then 1 when 'GS' then 2 else 3 end
        ) = 1 as is_study_formula
    from measured
),

keyed as (
    select
        *,
        {{ row_key(['material', 'stage', 'formula', 't_set', 'reference_year', 'vintage_id']) }}
            as row_key,
        {{ row_key(['material', 'stage', 'formula', "'study'", 'reference_year', 'vintage_id']) }}
            as evidence_row_key,
        case when sr_stage is null or formula = 'GS+EU' then 'C' else 'D' end as evidence_grade,
        max(sr_stage) filter (where is_study_formula)
            over (partition by vintage_id, material, t_set) as sr_material
    from studied
),

stages_of_members as (
    select *
    from keyed
    where is_study_formula
),

-- Every member of every group, whether anything is held of it or not.
seats as (
    select
        variants.vintage_id,
        variants.t_set,
        members.material_group,
        members.material
    from {{ ref('ref_eu_material_group') }} as members
    cross join (
        select distinct
            vintage_id,
            t_set
        from stages_of_members
    ) as variants
),

groups as (
    select
        seats.vintage_id,
        seats.t_set,
        seats.material_group,
        eu_group_mean(list(members.sr_material order by seats.material)) as sr_material,
        list_sort(list_distinct(flatten(list(members.evidence_row_keys)))) as evidence_row_keys
    from seats
    left join (
        select
            vintage_id,
            t_set,
            material,
            any_value(sr_material) as sr_material,
            list(evidence_row_key) as evidence_row_keys
        from stages_of_members
        group by vintage_id, t_set, material
    ) as members
        using (vintage_id, t_set, material)
    group by seats.vintage_id, seats.t_set, seats.material_group
),

group_stages as (
    select
        seats.vintage_id,
        seats.t_set,
        seats.material_group as material,
        stages.stage,
        min(members.window_start_year) as window_start_year,
        max(members.reference_year) as reference_year,
        coalesce(bool_or(members.is_eu_sourcing_of_group), false) as is_eu_sourcing_of_group,
        list_sort(list_distinct(flatten(list(members.control_event_ids)))) as control_event_ids,
        flatten(list(members.cell_ids)) as cell_ids,
        any_value(members.source_edition_id) as source_edition_id,
        list_sort(list_distinct(flatten(list(members.source_edition_ids)))) as source_edition_ids,
        eu_group_mean(list(members.sr_stage order by seats.material)) as sr_stage,
        max(members.evidence_grade) as evidence_grade,
        cast(count(*) as integer) as n_members,
        string_agg(
            case when members.sr_stage is null then seats.material end, ', '
            order by seats.material
        ) as members_without
    from seats
    inner join (
        select distinct
            of_group.material_group,
            rows.stage
        from {{ ref('ref_eu_material_group') }} as of_group
        inner join stages_of_members as rows on of_group.material = rows.material
    ) as stages
        on seats.material_group = stages.material_group
    left join stages_of_members as members
        on
            seats.vintage_id = members.vintage_id
            and seats.t_set = members.t_set
            and seats.material = members.material
            and stages.stage = members.stage
    group by seats.vintage_id, seats.t_set, seats.material_group, stages.stage
),

means as (
    select
        group_stages.*,
        'mean' as formula,
        true as is_study_formula,
        groups.evidence_row_keys,
        inputs.published_formula,
        inputs.published_sr as published_sr_stage,
        inputs.deviation_note
    from group_stages
    left join groups
        on
            group_stages.vintage_id = groups.vintage_id
            and group_stages.t_set = groups.t_set
            and group_stages.material = groups.material_group
    left join {{ ref('ref_eu_supply_risk_input') }} as inputs
        on group_stages.material = inputs.material and group_stages.stage = inputs.stage
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

complete as (
    select
        * exclude (row_key, evidence_row_key, sr_material),
        [evidence_row_key] as evidence_row_keys,
        cast(null as integer) as n_members,
        cast(null as varchar) as members_without
    from keyed
    union all by name
    select *
    from means
),

told as (
    select
        complete.* replace (
            case when sets.t_restricted is not null then complete.control_event_ids end
                as control_event_ids
        ),
        {{ row_key(['material', 'stage', 'formula', 't_set', 'reference_year', 'vintage_id']) }}
            as row_key,
        sets.source as t_source,
        case when sets.t_restricted is not null then days.as_of_date end as t_as_of_date
    from complete
    inner join {{ ref('ref_eu_trade_set') }} as sets using (t_set)
    inner join register_days as days using (vintage_id)
),

-- One index a material, on each of its rows.
materials as (
    select distinct
        vintage_id,
        t_set,
        material,
        sr_material
    from keyed
    where material not in (select material_group from {{ ref('ref_eu_material_group') }})
    union all
    select
        vintage_id,
        t_set,
        material_group as material,
        sr_material
    from groups
)

select
    told.row_key,
    told.material,
    told.stage,
    told.formula,
    told.is_study_formula,
    told.t_set,
    told.t_source,
    told.t_as_of_date,
    told.control_event_ids,
    cast(told.window_start_year as integer) as window_start_year,
    cast(told.reference_year as integer) as reference_year,
    told.vintage_id,
    told.source_edition_id,
    told.source_edition_ids,
    told.hhi_wgi_gs,
    told.hhi_wgi_eu,
    told.share_sum_gs,
    told.share_sum_eu,
    told.is_eu_sourcing_of_group,
    told.share_restricted_gs,
    told.share_restricted_eu,
    told.share_without_governance_gs,
    told.share_without_governance_eu,
    told.import_reliance,
    told.eol_rir,
    told.substitution_index,
    told.n_members,
    told.sr_stage,
    materials.sr_material,
    told.published_formula,
    told.published_sr_stage,
    published.published_sr as published_sr_material,
    case
        when told.is_study_formula and told.t_set = 'study'
            then told.sr_stage - told.published_sr_stage
    end as difference,
    case
        when told.is_study_formula and told.t_set = 'study'
            then materials.sr_material - published.published_sr
    end as difference_material,
    case
        when told.sr_stage is not null then null
        when told.formula = 'mean'
            then 'not every member of the group has an index: ' || told.members_without
        when told.hhi_wgi_gs is null and told.hhi_wgi_eu is null
            then 'governance of too large a part of the supply is not held at this vintage'
        when told.substitution_index is null
            then 'recycling and substitution of this material are not held: the concentration only'
        else 'import reliance of this stage is not held'
    end as reason,
    case when told.t_set = 'study' then told.deviation_note end as deviation_note,
    told.evidence_row_keys,
    cast(len(list_distinct(told.cell_ids)) as integer) as n_source_cells,
    told.evidence_grade,
    false as is_official,
    '2' as method_version
from told
left join materials using (vintage_id, t_set, material)
left join published
    on told.vintage_id = published.vintage_id and told.material = published.material
