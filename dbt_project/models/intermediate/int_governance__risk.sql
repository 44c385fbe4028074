-- Governance as a risk, by vintage, country and year: the mean of the six indicators, turned over
-- and put on a scale of 0 (best) to 10 (worst). Of each vintage the newest edition known then.
with chosen as (
    select
        vintage_id,
        source_edition_id
    from {{ ref('int_edition__by_vintage') }}
    where source_id = 'wb_wgi' and recency = 1
)

select
    chosen.vintage_id,
    chosen.source_edition_id,
    countries.country_iso3,
    cells.reference_year,
    wgi_risk(avg(cells.value)) as governance_risk,
    avg(cells.value) as mean_estimate,
    max(cells.value) filter (where cells.indicator = 'pv') as political_stability,
    max(cells.cell_id) filter (where cells.indicator = 'pv') as political_stability_cell_id,
    count(*) as n_indicators,
    list(cells.cell_id order by cells.cell_id) as cell_ids
from {{ ref('stg_wb_wgi__estimate') }} as cells
inner join chosen using (source_edition_id)
inner join {{ ref('country__wgi') }} as countries
    on cells.country_label = countries.country_label
where
    cells.measure = 'estimate'
    and cells.value is not null
    and countries.country_iso3 is not null
group by all
