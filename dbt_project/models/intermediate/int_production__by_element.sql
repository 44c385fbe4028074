-- An element's mine output: the country's oxide total times the oxide distribution of its
-- deposits, in tonnes of that element's oxide. Low and high span the deposits that are described;
-- a central value stands only where the weight of every deposit is known (ref_deposit).
-- Where no deposit of the country is described, the row is there without figures and says why.
with oxide_totals as (
    select
        production.*,
        editions.published_date
    from {{ ref('int_production__harmonised') }} as production
    inner join {{ ref('dim_edition') }} as editions
        on production.source_edition_id = editions.source_edition_id
    where
        production.material = 'REE_total'
        and production.stage = 'mine'
        and production.basis = 'reo_t'
        and production.measure = 'production'
        and production.is_primary
        and production.area_type = 'country'
        and (production.value > 0 or production.value_high > 0)
),

newest_distribution as (
    select
        cells.*,
        deposits.country_iso3,
        deposits.output_share
    from {{ ref('stg_usgs_myb__oxide_distribution') }} as cells
    inner join {{ ref('ref_deposit') }} as deposits
        on cells.deposit_label = deposits.deposit_label
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on
            cells.source_edition_id = editions.source_edition_id
            and editions.vintage_id = 'latest'
    qualify
        dense_rank() over (
            order by editions.recency
        ) = 1
),

by_country as (
    select
        country_iso3,
        element as material,
        any_value(source_edition_id) as factor_edition_id,
        count(distinct deposit_label) as n_deposits,
        count(value_high) as n_known,
        min(value_low) / 100 as share_low,
        max(value_high) / 100 as share_high,
        case
            when count(output_share) = count(*) and count(value) = count(*)
                then sum(value * output_share) / sum(output_share) / 100
        end as share_central,
        list(cell_id order by cell_id) as factor_cell_ids
    from newest_distribution
    group by country_iso3, element
),

elements as (
    select distinct element as material
    from newest_distribution
)

select
    totals.cell_id,
    totals.source_edition_id,
    distribution.factor_edition_id,
    distribution.factor_cell_ids,
    totals.source_id,
    elements.material,
    totals.country_iso3,
    totals.country_name_reported,
    totals.area_type,
    totals.reference_year,
    totals.value * distribution.share_central as value,
    totals.value_low * distribution.share_low as value_low,
    totals.value_high * distribution.share_high as value_high,
    case
        when distribution.n_known is null or distribution.n_known = 0 then 'not_available'
        when distribution.share_central is null then 'range'
        else 'estimated'
    end as value_flag,
    coalesce(distribution.n_deposits, 0) as n_deposits,
    case
        when distribution.n_deposits is null
            then 'no deposit of this country is described in the oxide distribution'
        when distribution.n_known = 0
            then 'the element is not available in the distribution of the deposits'
        when distribution.share_central is null
            then 'the weights of the deposits are not published, so low and high only'
    end as reason,
    totals.independence_flag
from oxide_totals as totals
cross join elements
left join by_country as distribution
    on
        totals.country_iso3 = distribution.country_iso3
        and elements.material = distribution.material
