-- Where concentration is going: the slope of its logarithm over five years, within one vintage.
with windowed as (
    select
        *,
        list(reference_year) over five_years as years,
        list(ln(hhi)) over five_years as ln_hhi,
        first_value(top_share) over five_years as first_top_share,
        first_value(top_supplier) over five_years as first_top_supplier,
        first_value(hhi) over five_years as first_hhi,
        list(source_edition_ids) over five_years as editions,
        min(source_edition_id) over five_years = max(source_edition_id) over five_years
            as is_one_edition,
        max(evidence_grade) over five_years as worst_grade
    from {{ ref('mart_concentration') }}
    window five_years as (
        partition by vintage_id, scope, material, stage, basis, geo_iso3
        order by reference_year
        range between 4 preceding and current row
    )
)

select
    {{ row_key([
        'geo_iso3', 'material', 'stage', 'scope', 'reference_year', 'basis', 'vintage_id'
    ]) }} as row_key,
    geo_iso3,
    material,
    stage,
    scope,
    reference_year,
    basis,
    vintage_id,
    ols_slope(years, ln_hhi) as dln_hhi_5y,
    hhi - first_hhi as delta_hhi,
    100 * (top_share - first_top_share) as delta_top_share_pp,
    top_supplier,
    first_top_supplier,
    is_one_edition as vintage_consistent,
    flow_source,
    source_edition_id,
    case
        when is_one_edition then source_edition_ids
        else list_sort(list_distinct(flatten(editions)))
    end as source_edition_ids,
    worst_grade as evidence_grade,
    false as is_official,
    '1' as method_version
from windowed
where len(years) = 5
