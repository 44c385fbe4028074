-- Suppliers of the EU study with the governance of its own years: what its supply risk is made of.
-- Where the study gives the EU's sourcing for a group only (heavy rare earths at the mine), it
-- counts for each member that has none of its own.
-- A share of which only a bound is known ("<0.1%") counts nothing: squared it would change nothing.
with chosen as (
    select
        vintage_id,
        source_edition_id
    from {{ ref('int_edition__by_vintage') }}
    where source_id = 'eu_crm' and recency = 1
),

shares as (
    select
        chosen.vintage_id,
        cells.source_edition_id,
        materials.material,
        cells.stage,
        cells.scope,
        countries.country_iso3,
        cells.period_start_year,
        cells.reference_year,
        cells.value / 100 as share,
        coalesce(cells.trade_parameter, 1.0) as trade_parameter,
        cells.cell_id
    from {{ ref('stg_eu_crm__supply_share') }} as cells
    inner join chosen using (source_edition_id)
    inner join {{ ref('material__eu_crm') }} as materials
        on cells.material_label = materials.material_label
    left join {{ ref('country__eu_crm') }} as countries
        on cells.country_label = countries.country_label
    where cells.value > 0 and materials.material is not null
),

of_groups as (
    select shares.* replace (members.material as material)
    from shares
    inner join {{ ref('ref_eu_material_group') }} as members
        on shares.material = members.material_group
    anti join shares as own
        on
            shares.vintage_id = own.vintage_id
            and members.material = own.material
            and shares.stage = own.stage
            and own.scope = 'eu'
    where shares.scope = 'eu'
),

all_shares as (
    select
        *,
        false as is_of_group
    from shares
    union all
    select
        *,
        true as is_of_group
    from of_groups
)

select
    shares.*,
    mean_of_years.governance_risk,
    mean_of_years.wgi_edition_id,
    mean_of_years.wgi_cell_ids
from all_shares as shares
left join lateral (
    select
        -- The mean over the years is turned over: the same as year by year unless clipped.
        wgi_risk(avg(risks.mean_estimate)) as governance_risk,
        any_value(risks.source_edition_id) as wgi_edition_id,
        flatten(list(risks.cell_ids order by risks.reference_year)) as wgi_cell_ids
    from {{ ref('int_governance__risk') }} as risks
    where
        risks.vintage_id = shares.vintage_id
        and risks.country_iso3 = shares.country_iso3
        and risks.reference_year between shares.period_start_year and shares.reference_year
) as mean_of_years on true
