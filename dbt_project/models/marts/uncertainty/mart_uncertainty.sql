-- How sure the measures are: quantiles of seeded draws of the suppliers' quantities, and how often
-- the draws lie above a threshold. One row a row of a metric mart, measure and threshold. Quantiles
-- are rounded to a millionth, far below what a thousand draws can tell.
{% set digits = 6 %}
with concentration as (
    select
        'mart_concentration' as mart,
        marts.row_key as mart_row_key,
        draws.metric,
        draws.metric as drawn_metric,
        marts.vintage_id,
        marts.source_edition_id,
        marts.source_edition_ids,
        marts.scope = 'world_exports' and marts.basis = 'usd' as is_world_exports_by_value,
        case draws.metric
            when 'hhi' then marts.hhi
            when 'n_eff' then marts.n_eff
            when 'cr1' then marts.cr1
            when 'cr3' then marts.cr3
        end as point,
        case draws.metric
            when 'hhi' then marts.hhi_low when 'n_eff' then n_eff(marts.hhi_high)
        end as bound_low,
        case draws.metric
            when 'hhi' then marts.hhi_high when 'n_eff' then n_eff(marts.hhi_low)
        end as bound_high,
        draws.* exclude (list_key, supplier_iso3, metric),
        marts.residual_share > 0 and draws.metric in ('hhi', 'n_eff') as is_split_by_draws,
        marts.n_suppliers_unquantified > 0 as has_bounds,
        marts.evidence_grade
    from {{ ref('int_uncertainty__draws') }} as draws
    inner join {{ ref('mart_concentration') }} as marts on draws.list_key = marts.row_key
    where draws.metric in ('hhi', 'n_eff', 'cr1', 'cr3')
),

flags as (
    select
        'mart_dependency_flags' as mart,
        marts.row_key as mart_row_key,
        case draws.metric when 'hhi' then 'hhi_imports' else draws.metric end as metric,
        draws.metric as drawn_metric,
        marts.vintage_id,
        marts.source_edition_id,
        marts.source_edition_ids,
        false as is_world_exports_by_value,
        case draws.metric when 'hhi' then marts.hhi_imports else marts.max_dependency end as point,
        case draws.metric when 'hhi' then lists.hhi_low end as bound_low,
        case draws.metric when 'hhi' then lists.hhi_high end as bound_high,
        draws.* exclude (list_key, supplier_iso3, metric),
        lists.residual_share > 0 and draws.metric = 'hhi' as is_split_by_draws,
        lists.n_suppliers_unquantified > 0 as has_bounds,
        marts.evidence_grade
    from {{ ref('int_uncertainty__draws') }} as draws
    inner join {{ ref('mart_concentration') }} as lists on draws.list_key = lists.row_key
    inner join {{ ref('mart_dependency_flags') }} as marts
        on
            lists.scope = 'import_sources'
            and lists.vintage_id = marts.vintage_id
            and lists.geo_iso3 = marts.importer_iso3
            and lists.material = marts.material
            and lists.stage = marts.stage
            and lists.reference_year = marts.reference_year
    where
        (draws.metric = 'hhi' and lists.basis = marts.basis)
        or (draws.metric = 'max_dependency' and lists.basis = marts.dependency_basis)
),

partners as (
    select
        'mart_import_dependency' as mart,
        marts.row_key as mart_row_key,
        case draws.metric when 'share' then 'share_of_imports' else draws.metric end as metric,
        draws.metric as drawn_metric,
        marts.vintage_id,
        marts.source_edition_id,
        marts.source_edition_ids,
        false as is_world_exports_by_value,
        case draws.metric when 'share' then marts.share_of_imports else marts.dependency end
            as point,
        case draws.metric when 'dependency' then marts.dependency_low end as bound_low,
        case draws.metric when 'dependency' then marts.dependency_high end as bound_high,
        draws.* exclude (list_key, supplier_iso3, metric),
        false as is_split_by_draws,
        lists.n_suppliers_unquantified > 0 as has_bounds,
        marts.evidence_grade
    from {{ ref('int_uncertainty__draws') }} as draws
    inner join {{ ref('mart_concentration') }} as lists on draws.list_key = lists.row_key
    inner join {{ ref('mart_import_dependency') }} as marts
        on
            lists.vintage_id = marts.vintage_id
            and lists.geo_iso3 = marts.importer_iso3
            and lists.material = marts.material
            and lists.stage = marts.stage
            and lists.reference_year = marts.reference_year
            and lists.basis = marts.basis
            and draws.supplier_iso3 = marts.partner_iso3
    where draws.metric in ('share', 'dependency')
),

together as (
    select * from concentration
    union all
    select * from flags
    union all
    select * from partners
),

held_against as (
    select
        together.*,
        limits.threshold_id,
        limits.threshold,
        together.probabilities[limits.position] as probability_above
    from together
    left join {{ ref('int_uncertainty__limit') }} as limits
        on
            together.mart = limits.mart
            and together.metric = limits.metric
            and (limits.rule_set != 'geodep_world' or together.is_world_exports_by_value)
)

select
    {{ row_key(['mart', 'metric', 'threshold_id', 'mart_row_key']) }} as row_key,
    mart,
    mart_row_key,
    metric,
    vintage_id,
    source_edition_id,
    source_edition_ids,
    point,
    round(p05, {{ digits }}) as p05,
    round(p50, {{ digits }}) as p50,
    round(p95, {{ digits }}) as p95,
    bound_low,
    bound_high,
    threshold_id,
    threshold,
    probability_above,
    cast({{ uncertainty_setting('n_draws') }} as integer) as n_draws,
    cast({{ uncertainty_setting('seed') }} as bigint) as seed,
    case
        when point between p05 - 1e-6 and p95 + 1e-6 or point is null then null
        when is_split_by_draws
            then
                'the point takes the suppliers that nobody names as many small ones, '
                || 'the draws as a few'
        when has_bounds
            then
                'the point leaves out suppliers of whom only a bound is published, '
                || 'the draws do not'
        else 'the errors of single suppliers move the measure to one side of the point'
    end as caveat,
    evidence_grade,
    false as is_official
from held_against
