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
        row_number() over (
            order by
                rule_id, source_id, reporter_iso3, partner_iso3, flow, nomenclature, code,
                line_meaning
        ) as series_id,
        rule_id,
        source_id,
        reporter_iso3,
        partner_iso3,
        flow,
        code,
        any_value(hs_code) as hs_code,
        nomenclature,
        line_meaning,
        min(month_number) as first_month
    from monthly
    group by
        rule_id, source_id, reporter_iso3, partner_iso3, flow, nomenclature, code, line_meaning
),

told as (
    select
        series.series_id,
        monthly.month_number,
        monthly.kg,
        monthly.source_edition_id
    from monthly
    inner join series
        using (
            rule_id, source_id, reporter_iso3, partner_iso3, flow, nomenclature, code, line_meaning
        )
),

filled as (
    select
        series.series_id,
        reported.month_number,
        case
            when told.series_id is not null then told.kg
            -- No total is no zero: a total may be left out of an extract.
            when series.partner_iso3 != 'WLD' and not reported.is_open then 0
        end as kg,
        coalesce(told.source_edition_id, reported.source_edition_id) as source_edition_id
    from series
    inner join reported
        on
            series.rule_id = reported.rule_id
            and series.source_id = reported.source_id
            and series.reporter_iso3 = reported.reporter_iso3
            and series.flow = reported.flow
            and series.nomenclature = reported.nomenclature
            and series.code = reported.code
            and series.line_meaning = reported.line_meaning
            and series.first_month <= reported.month_number
    left join told
        on
            series.series_id = told.series_id
            and reported.month_number = told.month_number
),

-- One row a series and month, so the row of a year, or a month, before is found by its number.
with_year_before as (
    select
        *,
        max(kg) over (
            partition by series_id
            order by month_number
            range between 12 preceding and 12 preceding
        ) as kg_year_before
    from filled
),

changed as (
    select
        *,
        case
            -- Nothing in both years is no change of anything.
            when kg > 0 or kg_year_before > 0 then yoy_ln(kg, kg_year_before)
        end as yoy_ln
    from with_year_before
),

scored as (
    select
        *,
        robust_z(yoy_ln, list(yoy_ln) over three_years_before) as robust_z,
        count(yoy_ln) over three_years_before as n_months_before
    from changed
    window three_years_before as (
        partition by series_id
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
    max(scored.robust_z) over (
        partition by scored.series_id
        order by scored.month_number
        range between 1 preceding and 1 preceding
    ) as z_month_before,
    series.rule_id,
    series.source_id,
    series.reporter_iso3,
    series.partner_iso3,
    series.flow,
    series.code,
    series.hs_code,
    case series.rule_id when 'line_drop' then series.nomenclature end as national_system,
    case series.rule_id when 'line_drop' then series.code end as national_code,
    series.line_meaning,
    contents.material,
    contents.stage,
    contents.elements
from scored
inner join series on scored.series_id = series.series_id
left join contents
    on
        series.nomenclature = contents.nomenclature
        and series.code = contents.code
        and series.line_meaning = contents.line_meaning
