-- Published production of what is traded, by ref_chain_step: between floor and ceiling by country
-- where it is known in the weight of the trade, only a floor where it is what the goods contain. A
-- producer that is withheld has no ceiling (null). The row without a country holds what the
-- publisher names no country for.
select
    supply.vintage_id,
    steps.material,
    steps.stage,
    supply.reference_year,
    supply.supplier_iso3 as country_iso3,
    coalesce(supply.quantity, supply.quantity_low, 0) as floor,
    case when steps.relation = 'weight' then coalesce(supply.quantity, supply.quantity_high) end
        as ceiling,
    steps.relation = 'weight' as is_known
from {{ ref('int_supplier_quantity') }} as supply
inner join {{ ref('ref_chain_step') }} as steps
    on
        supply.material = steps.production_material
        and supply.stage = steps.production_stage
        and supply.basis = steps.production_basis
inner join {{ ref('int_lookthrough__market') }} as market
    on
        supply.vintage_id = market.vintage_id
        and steps.material = market.material
        and steps.stage = market.stage
        and supply.reference_year = market.reference_year
where
    market.relation != 'none'
    and supply.scope = 'world_production'
    and (
        coalesce(supply.quantity, supply.quantity_low, supply.quantity_high) is not null
        or supply.n_unquantified > 0
    )
