-- How sure the measures are: quantiles of seeded draws of the suppliers' quantities, and how often
-- the draws lie above a threshold. One row a row of a metric mart, measure and threshold. Quantiles
-- are rounded to a millionth, far below what a thousand draws can tell.
{% set digits = 6 %}
{% set quantiles = 'draws.p05, draws.p50, draws.p95, draws.probabilities' -%}
{#- Measures that are drawn by row of their mart: mart, measure, its column, and its bounds. #}
{% set by_row = [
    ('mart_partner_share', 'group_share', 'group_share', none, none),
    ('mart_n1_coverage', 'n1_gross', 'n1_gross', 'n1_gross_low', 'n1_gross_high'),
    ('mart_eu_supply_risk', 'sr_stage', 'sr_stage', none, none),
    (
        'mart_geopolrisk', 'supply_risk', 'supply_risk', 'supply_risk_low', 'supply_risk_high'
    ),
    (
        'mart_import_reliance', 'import_reliance', 'import_reliance',
        'import_reliance_low', 'import_reliance_high'
    ),
    ('mart_supplier_switch', 'reallocation', 'reallocation', none, none),
    ('mart_trend', 'dln_hhi_5y', 'dln_hhi_5y', none, none),
    ('mart_stage_bottleneck', 'bottleneck_margin', 'margin', none, none)
] %}
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
        {{ quantiles }},
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
        {{ quantiles }},
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
        {{ quantiles }},
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

-- What the lists of a row hold besides figures of named suppliers.
lists_of_rows as (
    select
        combinations.mart,
        combinations.mart_row_key,
        bool_or(lists.residual_share > 0) as has_unnamed,
        bool_or(lists.n_suppliers_unquantified > 0) as has_bounds
    from {{ ref('int_uncertainty__combination') }} as combinations
    inner join {{ ref('mart_concentration') }} as lists on combinations.list_key = lists.row_key
    group by combinations.mart, combinations.mart_row_key
),

-- How far the largest share at the named stage is above that of any other.
margins as (
    select
        stages.row_key,
        max(lists.top_share) filter (where lists.stage = stages.bottleneck_stage)
        - max(lists.top_share) filter (where lists.stage != stages.bottleneck_stage) as margin
    from (
        select
            row_key,
            bottleneck_stage,
            unnest(concentration_keys) as concentration_key
        from {{ ref('mart_stage_bottleneck') }}
    ) as stages
    inner join {{ ref('mart_concentration') }} as lists on stages.concentration_key = lists.row_key
    group by stages.row_key
),

stages as (
    select
        marts.*,
        margins.margin
    from {{ ref('mart_stage_bottleneck') }} as marts
    inner join margins on marts.row_key = margins.row_key
),

by_row as (
    {% for mart, metric, point, low, high in by_row -%}
    select
        draws.mart,
        draws.mart_row_key,
        draws.metric,
        draws.metric as drawn_metric,
        marts.vintage_id,
        marts.source_edition_id,
        marts.source_edition_ids,
        false as is_world_exports_by_value,
        marts.{{ point }} as point,
        {{ 'marts.' ~ low if low else 'cast(null as double)' }} as bound_low,
        {{ 'marts.' ~ high if high else 'cast(null as double)' }} as bound_high,
        {{ quantiles }},
        draws.metric in ('supply_risk', 'dln_hhi_5y')
        and coalesce(lists_of_rows.has_unnamed, false) as is_split_by_draws,
        coalesce(lists_of_rows.has_bounds, false) as has_bounds,
        marts.evidence_grade
    from {{ ref('int_uncertainty__draws') }} as draws
    inner join {{ 'stages' if mart == 'mart_stage_bottleneck' else ref(mart) }} as marts
        on draws.mart_row_key = marts.row_key
    left join lists_of_rows
        on draws.mart = lists_of_rows.mart and draws.mart_row_key = lists_of_rows.mart_row_key
    where draws.mart = '{{ mart }}' and draws.metric = '{{ metric }}'
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

together as (
    select * from concentration
    union all
    select * from flags
    union all
    select * from partners
    union all
    select * from by_row
),

-- An end that is the point but for rounding, of itself or of the last digits of the arithmetic, is
-- the point: a point within its interval is so to the last digit.
rounded as (
    select
        * exclude (p05, p50, p95),
        case
            when p05 <= point + 1e-9 * greatest(1, abs(point))
                then least(round(p05, {{ digits }}), point)
            else round(p05, {{ digits }})
        end as p05,
        round(p50, {{ digits }}) as p50,
        case
            when p95 >= point - 1e-9 * greatest(1, abs(point))
                then greatest(round(p95, {{ digits }}), point)
            else round(p95, {{ digits }})
        end as p95
    from together
),

held_against as (
    select
        rounded.*,
        limits.threshold_id,
        limits.threshold,
        rounded.probabilities[limits.position] as probability_above
    from rounded
    left join {{ ref('int_uncertainty__limit') }} as limits
        on
            rounded.mart = limits.mart
            and rounded.metric = limits.metric
            and (limits.rule_set != 'geodep_world' or rounded.is_world_exports_by_value)
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
    p05,
    p50,
    p95,
    bound_low,
    bound_high,
    threshold_id,
    threshold,
    probability_above,
    cast({{ uncertainty_setting('n_draws') }} as integer) as n_draws,
    cast({{ uncertainty_setting('seed') }} as bigint) as seed,
    case
        when point between p05 and p95 or point is null then null
        when metric = 'import_reliance' and point in (0, 1)
            then 'the reliance is an end of what it can be: its rounding lies to one side of it'
        when is_split_by_draws
            then
                'the point takes the suppliers that nobody names as many small ones, '
                || 'the draws as a few'
        when has_bounds
            then
                'the point leaves out suppliers of whom only a bound is published, '
                || 'the draws do not'
        else 'the errors of single figures move the measure to one side of the point'
    end as caveat,
    evidence_grade,
    false as is_official
from held_against
