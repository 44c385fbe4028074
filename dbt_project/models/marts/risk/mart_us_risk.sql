-- Net import reliance of the United States, recomputed from the lines of the same edition and set
-- beside the published one, with the public factors of the supply risk of Nassar and others.
with official as (
    select
        reliance.*,
        cells.evidence_grade
    from {{ ref('int_import_reliance__published') }} as reliance
    inner join {{ ref('fct_supply_balance') }} as cells using (cell_id)
    where reliance.importer_iso3 = 'USA'
),

lines as (
    select
        official.vintage_id,
        official.material,
        official.stage,
        official.reference_year,
        balance.role,
        facts.value,
        facts.value_flag,
        facts.basis,
        facts.cell_id,
        facts.evidence_grade
    from official
    inner join {{ ref('ref_us_balance') }} as balance
        on official.material = balance.material and official.stage = balance.stage
    left join {{ ref('fct_supply_balance') }} as facts
        on
            official.source_edition_id = facts.source_edition_id
            and official.importer_iso3 = facts.country_iso3
            and official.material = facts.material
            and official.reference_year = facts.reference_year
            and balance.line_measure = facts.measure
            and balance.line_stage = facts.stage
            and balance.line_form is not distinct from facts.form
),

-- A line that is withheld or not printed leaves the sum unknown.
balances as (
    select
        vintage_id,
        material,
        stage,
        reference_year,
        max(value) filter (where role = 'consumption') as consumption,
        max(basis) filter (where role = 'consumption') as basis,
        case
            when count(*) filter (where role = 'production' and value is null) = 0
                then list_sum(list(value order by cell_id) filter (where role = 'production'))
        end as production,
        -- Nothing is nothing in any unit.
        list_distinct(
            list(basis) filter (where role = 'production' and value != 0)
        ) as production_bases,
        list(cell_id order by cell_id) filter (where cell_id is not null) as cell_ids,
        max(evidence_grade) as evidence_grade
    from lines
    group by vintage_id, material, stage, reference_year
),

-- Production of the stage, where it is published by country; else that of the mine.
concentrations as (
    select
        official.vintage_id,
        official.material,
        official.stage,
        official.reference_year,
        world.row_key as concentration_key,
        world.stage as production_stage,
        world.hhi as production_concentration,
        world.source_edition_ids
    from official
    inner join {{ ref('mart_concentration') }} as world
        on
            official.vintage_id = world.vintage_id
            and official.material = world.material
            and official.reference_year = world.reference_year
            and (official.stage = world.stage or world.stage = 'mine')
    where world.scope = 'world_production' and world.basis != 'share'
    qualify
        row_number() over (
            partition by
                official.vintage_id, official.material, official.stage, official.reference_year
            order by
                official.stage = world.stage desc, world.evidence_grade, world.basis
        ) = 1
),

recomputed as (
    select
        official.vintage_id,
        official.material,
        official.stage,
        official.reference_year,
        official.source_edition_id,
        official.import_reliance,
        official.import_reliance_low,
        official.import_reliance_high,
        official.value_flag,
        balances.consumption,
        balances.production,
        balances.basis,
        balances.cell_ids is not null as is_balance_known,
        len(list_filter(balances.production_bases, lambda b: b != balances.basis)) > 0
            as is_of_several_units,
        case
            when
                len(list_filter(balances.production_bases, lambda b: b != balances.basis)) > 0
                then null
            else net_import_reliance(balances.production, balances.consumption)
        end as nir_recomputed,
        list_prepend(official.cell_id, coalesce(balances.cell_ids, [])) as cell_ids,
        greatest(official.evidence_grade, coalesce(balances.evidence_grade, 'A'))
            as evidence_grade
    from official
    left join balances using (vintage_id, material, stage, reference_year)
),

exposed as (
    select
        *,
        case
            when nir_recomputed is not null
                then trade_exposure(consumption - production, consumption)
            else import_reliance
        end as te,
        -- Indices of ability and willingness to supply, and value added at risk, are not public.
        cast(null as double) as dp,
        cast(null as double) as ev
    from recomputed
)

select
    {{ row_key([
        'exposed.material', 'exposed.stage', 'exposed.reference_year', 'exposed.vintage_id'
    ]) }} as row_key,
    exposed.material,
    exposed.stage,
    exposed.reference_year,
    exposed.vintage_id,
    exposed.source_edition_id,
    list_sort(list_distinct(list_prepend(
        exposed.source_edition_id, coalesce(concentrations.source_edition_ids, [])
    ))) as source_edition_ids,
    exposed.basis,
    exposed.consumption,
    exposed.production,
    exposed.nir_recomputed,
    exposed.import_reliance as nir_official,
    exposed.import_reliance_low as nir_official_low,
    exposed.import_reliance_high as nir_official_high,
    exposed.value_flag as nir_official_flag,
    case
        when exposed.nir_recomputed < exposed.import_reliance_low
            then exposed.nir_recomputed - exposed.import_reliance_low
        when exposed.nir_recomputed > exposed.import_reliance_high
            then exposed.nir_recomputed - exposed.import_reliance_high
        when exposed.nir_recomputed is not null then 0.0
    end as difference,
    case
        when exposed.nir_recomputed is not null then null
        when not exposed.is_balance_known
            then 'which lines make up consumption of this commodity is not recorded'
        when exposed.consumption is null
            then 'apparent consumption is withheld or published as a bound'
        when exposed.production is null then 'a line of production is withheld or not published'
        when exposed.is_of_several_units
            then 'production and consumption are published in different units'
        else 'no consumption'
    end as nir_reason,
    concentrations.production_concentration,
    concentrations.production_stage,
    concentrations.concentration_key,
    exposed.dp,
    exposed.te,
    case
        when exposed.nir_recomputed is not null then 'recomputed'
        when exposed.te is not null then 'published reliance'
    end as te_source,
    exposed.ev,
    nassar_supply_risk(exposed.dp, exposed.te, exposed.ev) as sr_nassar,
    'ability and willingness to supply (ASI, WSI) and vulnerability (EV) are not public'
        as sr_reason,
    exposed.cell_ids,
    exposed.evidence_grade,
    false as is_official,
    '1' as method_version
from exposed
left join concentrations using (vintage_id, material, stage, reference_year)
