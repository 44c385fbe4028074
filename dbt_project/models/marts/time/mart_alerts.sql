-- Months in which a monthly trade flow fell far below what is usual for it: robust z of the change
-- on the same month of the year before (int_trade__monthly_change). Only monthly reports and lines
-- count; where none are held the table is empty.
with thresholds as (
    select
        max(upper) filter (where threshold_id = 'alert_watch') as watch_below,
        max(upper) filter (where threshold_id = 'alert_alert') as alert_below
    from {{ ref('ref_threshold') }}
    where rule_set = 'alert_export_drop'
),

levelled as (
    select
        months.*,
        alert_level(
            robust_z, z_month_before, kg = 0,
            watch := thresholds.watch_below, alert := thresholds.alert_below
        ) as level
    from {{ ref('int_trade__monthly_change') }} as months
    cross join thresholds
),

fired as (
    select * from levelled
    where level is not null
),

-- A score rests on three years of changes, each on the year before.
rested_on as (
    select
        fired.series_id,
        fired.month_number,
        list(distinct months.source_edition_id order by months.source_edition_id)
            as source_edition_ids
    from fired
    inner join {{ ref('int_trade__monthly_change') }} as months
        on
            fired.series_id = months.series_id
            and months.month_number between fired.month_number - 48 and fired.month_number
    group by fired.series_id, fired.month_number
),

-- The first state of knowledge that holds the report.
seen as (
    select
        editions.source_edition_id,
        arg_min(vintages.vintage_id, vintages.vintage_order) as first_seen_vintage
    from {{ ref('dim_edition') }} as editions
    inner join {{ ref('dim_vintage') }} as vintages
        on vintages.is_latest or editions.published_date <= vintages.as_of_date
    group by editions.source_edition_id
)

select
    {{ row_key([
        'fired.rule_id', 'fired.source_id', 'fired.reporter_iso3', 'fired.partner_iso3',
        'fired.flow', 'fired.code', 'fired.month_number // 12', 'fired.month_number % 12 + 1'
    ]) }} as row_key,
    fired.rule_id,
    fired.source_id,
    fired.reporter_iso3,
    fired.partner_iso3,
    fired.flow,
    fired.hs_code,
    fired.national_system,
    fired.national_code,
    fired.elements,
    fired.material,
    fired.stage,
    cast(fired.month_number // 12 as integer) as reference_year,
    cast(fired.month_number % 12 + 1 as integer) as reference_month,
    fired.kg as net_weight_kg,
    fired.kg_year_before as net_weight_kg_year_before,
    fired.yoy_ln,
    fired.robust_z,
    cast(fired.n_months_before as integer) as n_months_before,
    fired.level,
    seen.first_seen_vintage,
    fired.source_edition_id,
    rested_on.source_edition_ids,
    'D' as evidence_grade,
    false as is_official,
    '1' as method_version
from fired
inner join rested_on
    on fired.series_id = rested_on.series_id and fired.month_number = rested_on.month_number
left join seen on fired.source_edition_id = seen.source_edition_id
