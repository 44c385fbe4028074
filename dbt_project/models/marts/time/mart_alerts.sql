-- Months in which a monthly trade flow fell far below what is usual for it: robust z of the change
-- on the same month of the year before. Only monthly reports count; where none are held the table
-- is empty.
with monthly as (
    select
        source_id,
        reporter_iso3,
        partner_iso3,
        flow,
        hs_code,
        12 * cast(reference_year as integer) + reference_month - 1 as month_number,
        -- A report without a weight says nothing of the quantity.
        case when count(*) = count(net_weight_kg) then sum(net_weight_kg) end as kg,
        max(source_edition_id) as source_edition_id
    from {{ ref('fct_trade_report') }}
    where
        reference_month is not null
        and partner_iso3 is not null
        and flow in ('import', 'export')
    group by all
),

-- Months for which a reporter said anything of a code and flow: a partner without a row then took
-- or sent nothing.
reported as (
    select
        source_id,
        reporter_iso3,
        flow,
        hs_code,
        month_number,
        max(source_edition_id) as source_edition_id
    from monthly
    group by all
),

series as (
    select
        source_id,
        reporter_iso3,
        partner_iso3,
        flow,
        hs_code,
        min(month_number) as first_month
    from monthly
    group by all
),

filled as (
    select
        series.source_id,
        series.reporter_iso3,
        series.partner_iso3,
        series.flow,
        series.hs_code,
        reported.month_number,
        case
            when monthly.source_id is not null then monthly.kg
            -- No total is no zero: a total may be left out of an extract.
            when series.partner_iso3 != 'WLD' then 0
        end as kg,
        coalesce(monthly.source_edition_id, reported.source_edition_id) as source_edition_id
    from series
    inner join reported
        on
            series.source_id = reported.source_id
            and series.reporter_iso3 = reported.reporter_iso3
            and series.flow = reported.flow
            and series.hs_code = reported.hs_code
            and series.first_month <= reported.month_number
    left join monthly
        on
            series.source_id = monthly.source_id
            and series.reporter_iso3 = monthly.reporter_iso3
            and series.partner_iso3 = monthly.partner_iso3
            and series.flow = monthly.flow
            and series.hs_code = monthly.hs_code
            and reported.month_number = monthly.month_number
),

yearly_change as (
    select
        this_month.*,
        year_before.kg as kg_year_before,
        year_before.source_edition_id as edition_year_before,
        case
            -- Nothing in both years is no change of anything.
            when this_month.kg > 0 or year_before.kg > 0
                then yoy_ln(this_month.kg, year_before.kg)
        end as yoy_ln
    from filled as this_month
    inner join filled as year_before
        on
            this_month.source_id = year_before.source_id
            and this_month.reporter_iso3 = year_before.reporter_iso3
            and this_month.partner_iso3 = year_before.partner_iso3
            and this_month.flow = year_before.flow
            and this_month.hs_code = year_before.hs_code
            and this_month.month_number = year_before.month_number + 12
),

scored as (
    select
        *,
        robust_z(yoy_ln, list(yoy_ln) over three_years_before) as robust_z,
        count(yoy_ln) over three_years_before as n_months_before,
        min(source_edition_id) over three_years_before as edition_before
    from yearly_change
    window three_years_before as (
        partition by source_id, reporter_iso3, partner_iso3, flow, hs_code
        order by month_number
        range between 36 preceding and 1 preceding
    )
),

with_month_before as (
    select
        scored.*,
        month_before.robust_z as z_month_before
    from scored
    left join scored as month_before
        on
            scored.source_id = month_before.source_id
            and scored.reporter_iso3 = month_before.reporter_iso3
            and scored.partner_iso3 = month_before.partner_iso3
            and scored.flow = month_before.flow
            and scored.hs_code = month_before.hs_code
            and scored.month_number = month_before.month_number + 1
),

thresholds as (
    select
        max(upper) filter (where threshold_id = 'alert_watch') as watch_below,
        max(upper) filter (where threshold_id = 'alert_alert') as alert_below
    from {{ ref('ref_threshold') }}
    where rule_set = 'alert_export_drop'
),

materials as (
    select
        hs_code,
        coalesce(nullif(basket, ''), material) as material,
        stage
    from {{ ref('ref_hs_material') }}
),

levelled as (
    select
        with_month_before.*,
        materials.material,
        materials.stage,
        alert_level(
            robust_z, z_month_before, kg = 0,
            watch := thresholds.watch_below, alert := thresholds.alert_below
        ) as level
    from with_month_before
    cross join thresholds
    left join materials on with_month_before.hs_code = materials.hs_code
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
        "'trade_drop'", 'levelled.source_id', 'reporter_iso3', 'partner_iso3', 'flow', 'hs_code',
        'month_number // 12', 'month_number % 12 + 1'
    ]) }} as row_key,
    'trade_drop' as rule_id,
    levelled.source_id,
    reporter_iso3,
    partner_iso3,
    flow,
    hs_code,
    material,
    stage,
    cast(month_number // 12 as integer) as reference_year,
    cast(month_number % 12 + 1 as integer) as reference_month,
    kg as net_weight_kg,
    kg_year_before as net_weight_kg_year_before,
    yoy_ln,
    robust_z,
    cast(n_months_before as integer) as n_months_before,
    level,
    seen.first_seen_vintage,
    levelled.source_edition_id,
    list_sort(list_distinct([
        levelled.source_edition_id, levelled.edition_year_before, levelled.edition_before
    ])) as source_edition_ids,
    'D' as evidence_grade,
    false as is_official,
    '1' as method_version
from levelled
left join seen on levelled.source_edition_id = seen.source_edition_id
where level is not null
