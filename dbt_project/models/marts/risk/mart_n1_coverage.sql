-- What is left of world supply without its largest supplier, over demand. World demand is seldom
-- published: where it is not, supply of the year stands for it, and demand_source says so. Net of
-- the demand of the country removed, where its consumption is published in the same unit.
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

supply as (
    select
        row_key as concentration_key,
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
    where scope = 'world_production' and top_supplier is not null
),

joined as (
    select
        supply.*,
        world.consumption as world_demand,
        world.cell_id as world_demand_cell_id,
        world.source_edition_id as world_demand_edition_id,
        removed.consumption as removed_demand,
        removed.cell_id as removed_demand_cell_id,
        removed.source_edition_id as removed_demand_edition_id
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
    list_sort(list_distinct(list_concat(
        source_edition_ids,
        list_filter(
            [world_demand_edition_id, removed_demand_edition_id], lambda e: e is not null
        )
    ))) as source_edition_ids,
    concentration_key,
    top_supplier as removed_country,
    is_top_tied,
    supply,
    top_supply as removed_supply,
    coalesce(world_demand, supply) as demand,
    case when world_demand is null then 'supply of the year' else 'published' end as demand_source,
    removed_demand,
    n1_gross(supply, top_supply, coalesce(world_demand, supply)) as n1_gross,
    n1_net(supply, top_supply, coalesce(world_demand, supply), removed_demand) as n1_net,
    case
        when removed_demand is null
            then 'consumption of the country removed is not published in this unit'
        when removed_demand >= coalesce(world_demand, supply)
            then 'the country removed consumes as much as there is demand'
    end as n1_net_reason,
    world_demand_cell_id,
    removed_demand_cell_id,
    n_suppliers_unquantified,
    evidence_grade,
    false as is_official,
    '1' as method_version
from joined
