-- Monthly series of weights, filled with the months in which nothing was traded, and how unusual
-- the change on the same month of the year before is. Two kinds: HS codes of monthly reports
-- (`trade_drop`), and lines of national nomenclatures (`line_drop`), the months that come first. A
-- line that changes its meaning begins a series of its own.
with hs_reports as (
    select
        'trade_drop' as rule_id,
        source_id,
        reporter_iso3,
        partner_iso3,
        flow,
        hs_code as code,
        hs_code,
        'HS' as nomenclature,
        '' as line_meaning,
        12 * cast(reference_year as integer) + reference_month - 1 as month_number,
        -- A report without a weight says nothing of the quantity.
        case when count(*) = count(net_weight_kg) then sum(net_weight_kg) end as kg,
        max(source_edition_id) as source_edition_id
    from {{ ref('fct_trade_report') }}
    where
        reference_month is not null
        and partner_iso3 is not null
        and flow in ('import', 'export')
        -- Longer codes are national lines.
        and code_level <= 6
    group by all
),

lines as (
    select
        *,
        coalesce(material, '') || ' ' || coalesce(form, '')
        || ' ' || coalesce(mapping_quality, '')
        || ' ' || coalesce(array_to_string(list_sort(elements), ';'), '') as line_meaning,
        12 * cast(reference_year as integer) + reference_month - 1 as month_number
    from {{ ref('int_trade__national_newest') }}
    where
        reference_month is not null
        and flow in ('import', 'export')
),

line_reports as (
    select
        'line_drop' as rule_id,
        source_id,
        reporter_iso3,
        partner_iso3,
        flow,
        national_code as code,
        hs_code,
        national_system as nomenclature,
        line_meaning,
        month_number,
        -- What is kept back in part is more than what is told.
        case
            when count(*) = count(net_weight_kg) and not bool_or(coalesce(is_confidential, false))
                then list_sum(list_sort(list(net_weight_kg)))
        end as kg,
        max(source_edition_id) as source_edition_id
    from lines
    where partner_iso3 is not null
    group by all
),

-- Months in which a part of the trade in an HS code has no partner, or is kept back: who has no row
-- in them may have traded all the same.
open_months as (
    select distinct
        source_id,
        reporter_iso3,
        flow,
        hs_code,
        month_number
    from lines
    where
        coalesce(is_confidential, false)
        or (partner_iso3 is null and coalesce(partner_area_type, '') != 'aggregate')
),

monthly as (
    select * from hs_reports
    union all
    select * from line_reports
),

-- Months for which a reporter said anything of a code and flow: a partner without a row then took
-- or sent nothing.
hs_months as (
    select
        rule_id,
        source_id,
        reporter_iso3,
        flow,
        code,
        nomenclature,
        line_meaning,
        month_number,
        false as is_open,
        max(source_edition_id) as source_edition_id
    from hs_reports
    group by all
),

-- A line in which nobody traded has no row at all. It stands in all months of a year in which it
-- has one, as far as the reporter told of any line; nomenclatures change with the year.
line_years as (
    select distinct
        source_id,
        reporter_iso3,
        flow,
        national_code as code,
        hs_code,
        national_system as nomenclature,
        line_meaning,
        reference_year
    from lines
),

told_months as (
    select
        source_id,
        reporter_iso3,
        flow,
        reference_year,
        month_number,
        max(source_edition_id) as source_edition_id
    from lines
    group by all
),

line_months as (
    select
        'line_drop' as rule_id,
        line_years.source_id,
        line_years.reporter_iso3,
        line_years.flow,
        line_years.code,
        line_years.nomenclature,
        line_years.line_meaning,
        told_months.month_number,
        open_months.month_number is not null as is_open,
        told_months.source_edition_id
    from line_years
    inner join told_months
        on
            line_years.source_id = told_months.source_id
            and line_years.reporter_iso3 = told_months.reporter_iso3
            and line_years.flow = told_months.flow
            and line_years.reference_year = told_months.reference_year
    left join open_months
        on
            line_years.source_id = open_months.source_id
            and line_years.reporter_iso3 = open_months.reporter_iso3
            and line_years.flow = open_months.flow
            and line_years.hs_code = open_months.hs_code
            and told_months.month_number = open_months.month_number
),

reported as (
    select * from hs_months
    union all
    select * from line_months
),

series as (
    select
        rule_id,
        source_id,
        reporter_iso3,
        partner_iso3,
        flow,
        code,
        hs_code,
        nomenclature,
        line_meaning,
        min(month_number) as first_month
    from monthly
    group by all
),

filled as (
    select
        series.* exclude (first_month),
        reported.month_number,
        case
            when monthly.source_id is not null then monthly.kg
            -- No total is no zero: a total may be left out of an extract.
            when series.partner_iso3 != 'WLD' and not reported.is_open then 0
        end as kg,
        coalesce(monthly.source_edition_id, reported.source_edition_id) as source_edition_id
    from series
    inner join reported
        on
            series.rule_id = reported.rule_id
            and series.source_id = reported.source_id
            and series.reporter_iso3 = reported.reporter_iso3
            and series.flow = reported.flow
            and series.code = reported.code
            and series.nomenclature = reported.nomenclature
            and series.line_meaning = reported.line_meaning
            and series.first_month <= reported.month_number
    left join monthly
        on
            series.rule_id = monthly.rule_id
            and series.source_id = monthly.source_id
            and series.reporter_iso3 = monthly.reporter_iso3
            and series.partner_iso3 = monthly.partner_iso3
            and series.flow = monthly.flow
            and series.code = monthly.code
            and series.nomenclature = monthly.nomenclature
            and series.line_meaning = monthly.line_meaning
            and reported.month_number = monthly.month_number
),

-- One row a series and month, so the row a year, or a month, before is found by its number.
yearly_change as (
    select
        this_month.*,
        year_before.kg as kg_year_before,
        case
            -- Nothing in both years is no change of anything.
            when this_month.kg > 0 or year_before.kg > 0
                then yoy_ln(this_month.kg, year_before.kg)
        end as yoy_ln
    from filled as this_month
    left join filled as year_before
        on
            this_month.rule_id = year_before.rule_id
            and this_month.source_id = year_before.source_id
            and this_month.reporter_iso3 = year_before.reporter_iso3
            and this_month.partner_iso3 = year_before.partner_iso3
            and this_month.flow = year_before.flow
            and this_month.code = year_before.code
            and this_month.nomenclature = year_before.nomenclature
            and this_month.line_meaning = year_before.line_meaning
            and this_month.month_number = year_before.month_number + 12
),

scored as (
    select
        *,
        robust_z(yoy_ln, list(yoy_ln) over three_years_before) as robust_z,
        count(yoy_ln) over three_years_before as n_months_before
    from yearly_change
    window three_years_before as (
        partition by
            rule_id, source_id, reporter_iso3, partner_iso3, flow, code, nomenclature, line_meaning
        order by month_number
        range between 36 preceding and 1 preceding
    )
),

-- What a code holds: of a line in that meaning, else of the HS code.
contents as (
    select
        national_system as nomenclature,
        national_code as code,
        line_meaning,
        any_value(material) as material,
        any_value(stage) as stage,
        any_value(elements) as elements
    from lines
    group by all
    union all
    select
        'HS' as nomenclature,
        hs_code as code,
        '' as line_meaning,
        coalesce(nullif(basket, ''), material) as material,
        stage,
        cast(null as varchar[]) as elements
    from {{ ref('ref_hs_material') }}
)

select
    scored.*,
    case scored.rule_id when 'line_drop' then scored.nomenclature end as national_system,
    case scored.rule_id when 'line_drop' then scored.code end as national_code,
    contents.material,
    contents.stage,
    contents.elements,
    max(scored.robust_z) over month_before as z_month_before
from scored
left join contents
    on
        scored.nomenclature = contents.nomenclature
        and scored.code = contents.code
        and scored.line_meaning = contents.line_meaning
window month_before as (
    partition by
        scored.rule_id, scored.source_id, scored.reporter_iso3, scored.partner_iso3, scored.flow,
        scored.code, scored.nomenclature, scored.line_meaning
    order by scored.month_number
    range between 1 preceding and 1 preceding
)
