-- What a kilogram of a flow was worth, beside what it was worth between the same two countries in
-- the five years that end with it. A weight that was itself worked out from a unit value says
-- nothing of one: it is flagged, and no other year is held against it.
with thresholds as (
    select
        max(lower) filter (where threshold_id = 'unit_value_flow') as least_usd,
        max(lower) filter (where threshold_id = 'unit_value_outlier') as outlier_above
    from {{ ref('ref_threshold') }}
),

codes as (
    select
        hs_code,
        coalesce(nullif(basket, ''), material) as material,
        stage
    from {{ ref('ref_hs_material') }}
    where stage is not null
),

-- Editions of the five years that end with each.
choices as (
    select
        *,
        list_sort(list_distinct(flatten(list(source_edition_ids) over five_years)))
            as five_years_edition_ids
    from {{ ref('int_trade__edition_choice') }}
    where vintage_id = 'latest'
    window five_years as (
        partition by material, stage
        order by reference_year
        range between 4 preceding and current row
    )
),

-- Two of the publisher's codes can stand for one country.
flows as (
    select
        flows.exporter_iso3,
        flows.importer_iso3,
        flows.hs_code,
        flows.reference_year,
        any_value(codes.material) as material,
        any_value(codes.stage) as stage,
        any_value(choice.flow_source) as flow_source,
        any_value(choice.source_edition_id) as source_edition_id,
        any_value(choice.five_years_edition_ids) as source_edition_ids,
        sum(flows.trade_value_usd) as trade_value_usd,
        sum(flows.net_weight_kg) as net_weight_kg,
        -- BACI does not say which of its weights are estimates.
        case
            when bool_and(flows.quantity_method != 'reconciled_by_cepii')
                then bool_or(flows.quantity_method = 'median_unit_value')
        end as qty_imputed_flag,
        max(flows.evidence_grade) as evidence_grade
    from {{ ref('fct_trade_flow') }} as flows
    inner join codes on flows.hs_code = codes.hs_code
    inner join choices as choice
        on
            codes.material = choice.material
            and codes.stage = choice.stage
            and flows.reference_year = choice.reference_year
            and flows.flow_source = choice.flow_source
            and {{ of_choice('flows', 'choice') }}
    where
        flows.net_weight_kg > 0
        and flows.exporter_iso3 is not null
        and flows.importer_iso3 is not null
    group by flows.exporter_iso3, flows.importer_iso3, flows.hs_code, flows.reference_year
    having sum(flows.trade_value_usd) >= (select least_usd from thresholds)
),

observed as (
    select
        *,
        unit_value(trade_value_usd, net_weight_kg) as uv_usd_per_kg,
        case
            when qty_imputed_flag is not true then ln(unit_value(trade_value_usd, net_weight_kg))
        end as ln_uv
    from flows
),

with_history as (
    select
        *,
        list(ln_uv) over five_years as history
    from observed
    window five_years as (
        partition by hs_code, exporter_iso3, importer_iso3
        order by reference_year
        range between 4 preceding and current row
    )
),

compared as (
    select
        *,
        exp(list_median(history)) as median_5y_usd_per_kg,
        robust_z(ln_uv, history, least_n := 3) as robust_z,
        list_count(history) as n_years
    from with_history
)

select
    {{ row_key(['exporter_iso3', 'importer_iso3', 'hs_code', 'reference_year', "'latest'"]) }}
        as row_key,
    exporter_iso3,
    importer_iso3,
    hs_code,
    material,
    stage,
    reference_year,
    'latest' as vintage_id,
    flow_source,
    source_edition_id,
    source_edition_ids,
    trade_value_usd,
    net_weight_kg,
    uv_usd_per_kg,
    median_5y_usd_per_kg,
    robust_z,
    cast(n_years as integer) as n_years,
    abs(robust_z) > thresholds.outlier_above as outlier_flag,
    qty_imputed_flag,
    case when qty_imputed_flag then 'E' else evidence_grade end as evidence_grade,
    false as is_official,
    '1' as method_version
from compared
cross join thresholds
