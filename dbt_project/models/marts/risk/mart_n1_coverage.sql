-- What is left of supply without its largest supplier, over demand: of the world, and of every
-- importer whose largest partner falls out. World demand is seldom published: where it is not,
-- supply of the year stands for it. An importer's demand is its consumption where production and
-- trade can be balanced, else its imports; demand_source says which.
with consumption as (
    select
        editions.vintage_id,
        facts.country_iso3,
        facts.material,
        facts.stage,
        facts.basis,
        facts.reference_year,
        facts.value as consumption,
        facts.cell_id,
        facts.source_edition_id,
        editions.recency
    from {{ ref('fct_supply_balance') }} as facts
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on facts.source_edition_id = editions.source_edition_id
    where facts.measure = 'consumption' and facts.form like '%apparent%' and facts.value is not null
),

newest as (
    select *
    from consumption
    qualify
        recency = min(recency) over (
            partition by vintage_id, country_iso3, material, stage, basis, reference_year
        )
),

-- Several forms of one material and stage: it is not known which applies, so none is taken.
single as (
    select *
    from newest
    qualify
        count(*) over (
            partition by vintage_id, country_iso3, material, stage, basis, reference_year
        ) = 1
),

balances as (
    select *
    from {{ ref('mart_import_reliance') }}
    where computed_reliance_high is not null
),

-- Consumption by balance is in the unit of the production where goods weigh what is published.
balanced as (
    select
        balances.vintage_id,
        balances.importer_iso3 as country_iso3,
        steps.production_material as material,
        steps.production_stage as stage,
        steps.production_basis as basis,
        balances.reference_year,
        balances.consumption_gross_t_low,
        balances.consumption_gross_t_high,
        balances.row_key as reliance_key,
        balances.source_edition_ids
    from balances
    inner join {{ ref('ref_chain_step') }} as steps
        on balances.material = steps.material and balances.stage = steps.stage
    where steps.relation = 'weight'
),

supply as (
    select
        row_key as concentration_key,
        scope,
        material,
        stage,
        geo_iso3,
        reference_year,
        basis,
        vintage_id,
        source_edition_id,
        source_edition_ids,
        top_supplier,
        is_top_tied,
        quantity_total as supply,
        top_share * quantity_total as top_supply,
        n_suppliers_unquantified,
        evidence_grade
    from {{ ref('mart_concentration') }}
    where scope in ('world_production', 'import_sources') and top_supplier is not null
),

of_world as (
    select
        supply.*,
        supply.supply as supply_low,
        supply.supply as supply_high,
        coalesce(world.consumption, supply.supply) as demand_low,
        coalesce(world.consumption, supply.supply) as demand_high,
        case when world.consumption is null then 'supply of the year' else 'published' end
            as demand_source,
        n1_gross(supply.supply, supply.top_supply, coalesce(world.consumption, supply.supply))
            as n1_gross_low,
        n1_gross(supply.supply, supply.top_supply, coalesce(world.consumption, supply.supply))
            as n1_gross_high,
        coalesce(removed.consumption, balanced.consumption_gross_t_low) as removed_demand_low,
        coalesce(removed.consumption, balanced.consumption_gross_t_high) as removed_demand_high,
        world.cell_id as world_demand_cell_id,
        removed.cell_id as removed_demand_cell_id,
        case when removed.cell_id is null then balanced.reliance_key end as reliance_key,
        list_concat(
            list_filter(
                [world.source_edition_id, removed.source_edition_id], lambda e: e is not null
            ),
            case when removed.cell_id is null then balanced.source_edition_ids end
        ) as demand_edition_ids
    from supply
    left join single as world
        on
            world.country_iso3 = 'WLD'
            and supply.vintage_id = world.vintage_id
            and supply.material = world.material
            and supply.stage = world.stage
            and supply.basis = world.basis
            and supply.reference_year = world.reference_year
    left join single as removed
        on
            supply.top_supplier = removed.country_iso3
            and supply.vintage_id = removed.vintage_id
            and supply.material = removed.material
            and supply.stage = removed.stage
            and supply.basis = removed.basis
            and supply.reference_year = removed.reference_year
    left join balanced
        on
            supply.top_supplier = balanced.country_iso3
            and supply.vintage_id = balanced.vintage_id
            and supply.material = balanced.material
            and supply.stage = balanced.stage
            and supply.basis = balanced.basis
            and supply.reference_year = balanced.reference_year
    where supply.scope = 'world_production'
),

-- A weight in doubt may be the largest partner's or another's: both are let reach that far.
parts as (
    select
        supply.*,
        balances.production_gross_t_low + balances.imports_gross_t_low as supply_low,
        balances.production_gross_t_high + balances.imports_gross_t_high as supply_high,
        balances.consumption_gross_t_low as demand_low,
        balances.consumption_gross_t_high as demand_high,
        balances.production_gross_t_low
        + greatest(0, balances.imports_gross_t_low - supply.top_supply) as rest_low,
        balances.production_gross_t_high + balances.imports_gross_t_high - supply.top_supply
            as rest_high,
        greatest(
            0, supply.top_supply + balances.imports_gross_t_low - balances.imports_gross_t
        ) as top_low,
        supply.top_supply + balances.imports_gross_t_high - balances.imports_gross_t as top_high,
        balances.exports_gross_t_low as exports_low,
        balances.exports_gross_t_high as exports_high,
        balances.row_key as reliance_key,
        balances.source_edition_ids as demand_edition_ids,
        greatest(supply.evidence_grade, balances.evidence_grade) as weaker_grade
    from supply
    inner join balances
        on
            supply.vintage_id = balances.vintage_id
            and supply.geo_iso3 = balances.importer_iso3
            and supply.material = balances.material
            and supply.stage = balances.stage
            and supply.reference_year = balances.reference_year
    where supply.scope = 'import_sources' and supply.basis = 'gross_t'
),

of_consumption as (
    select
        * exclude (rest_low, rest_high, top_low, top_high, exports_low, exports_high, weaker_grade)
        replace (weaker_grade as evidence_grade),
        'production and trade' as demand_source,
        n1_low(rest_low, rest_high, top_high, exports_low) as n1_gross_low,
        n1_high(rest_low, rest_high, top_low, exports_high) as n1_gross_high
    from parts
),

newest_years as (
    select
        vintage_id,
        material,
        stage,
        max(reference_year) as reference_year
    from supply
    where scope = 'import_sources'
    group by vintage_id, material, stage
),

-- By value where trade is held, else by the shares that the agency publishes; of the newest year
-- of the market, since it says no more than the share of the partner.
of_imports as (
    select
        supply.*,
        supply.supply as supply_low,
        supply.supply as supply_high,
        supply.supply as demand_low,
        supply.supply as demand_high,
        'imports of the year' as demand_source,
        n1_gross(supply.supply, supply.top_supply, supply.supply) as n1_gross_low,
        n1_gross(supply.supply, supply.top_supply, supply.supply) as n1_gross_high
    from supply
    inner join newest_years using (vintage_id, material, stage, reference_year)
    anti join of_consumption
        on
            supply.vintage_id = of_consumption.vintage_id
            and supply.geo_iso3 = of_consumption.geo_iso3
            and supply.material = of_consumption.material
            and supply.stage = of_consumption.stage
            and supply.reference_year = of_consumption.reference_year
    where supply.scope = 'import_sources' and supply.basis in ('usd', 'share')
    qualify
        row_number() over (
            partition by
                supply.vintage_id, supply.geo_iso3, supply.material, supply.stage,
                supply.reference_year
            order by supply.basis = 'usd' desc
        ) = 1
),

together as (
    select * from of_world
    union all by name
    select * from of_consumption
    union all by name
    select * from of_imports
),

measured as (
    select
        together.*,
        n1_net(supply, top_supply, demand_high, removed_demand_low) as n1_net_low,
        n1_net(supply, top_supply, demand_high, removed_demand_high) as n1_net_high,
        limits.upper as widest_range
    from together
    cross join {{ ref('ref_threshold') }} as limits
    where limits.rule_set = 'reliance_range'
)

select
    {{ row_key(['material', 'stage', 'geo_iso3', 'reference_year', 'basis', 'vintage_id']) }}
        as row_key,
    material,
    stage,
    geo_iso3,
    reference_year,
    basis,
    vintage_id,
    source_edition_id,
    list_sort(list_distinct(list_concat(source_edition_ids, demand_edition_ids)))
        as source_edition_ids,
    concentration_key,
    reliance_key,
    top_supplier as removed_country,
    is_top_tied,
    case when supply_low = supply_high then supply_low end as supply,
    supply_low,
    supply_high,
    top_supply as removed_supply,
    case when demand_low = demand_high then demand_low end as demand,
    demand_low,
    demand_high,
    demand_source,
    case when removed_demand_low = removed_demand_high then removed_demand_low end
        as removed_demand,
    removed_demand_low,
    removed_demand_high,
    -- A range that is as narrow as a reliance that is told as one number is one: its middle.
    case
        when n1_gross_high - n1_gross_low <= widest_range then (n1_gross_low + n1_gross_high) / 2
    end as n1_gross,
    n1_gross_low,
    n1_gross_high,
    case
        when n1_gross_high - n1_gross_low <= widest_range then null
        else 'bounds only: consumption is known as a range'
    end as n1_gross_reason,
    case
        when n1_net_high - n1_net_low <= widest_range then (n1_net_low + n1_net_high) / 2
    end as n1_net,
    n1_net_low,
    n1_net_high,
    case
        when n1_net_high - n1_net_low <= widest_range then null
        when geo_iso3 != 'WLD' then 'the demand of an importer holds none of the country removed'
        when removed_demand_low is null
            then
                'consumption of the country removed is not published in this unit, nor can it be '
                || 'balanced'
        when n1_net_low is null
            then 'the country removed consumes as much as there is demand'
        else 'bounds only: consumption of the country removed is known as a range'
    end as n1_net_reason,
    world_demand_cell_id,
    removed_demand_cell_id,
    n_suppliers_unquantified,
    evidence_grade,
    false as is_official,
    '1' as method_version
from measured
