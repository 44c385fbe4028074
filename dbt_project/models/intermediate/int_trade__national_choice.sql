-- The national lines that count for a reporter, flow, HS code and year: one source
-- (ref_source_priority), of it a year's own figures before its months, and of these the deepest
-- lines. `is_whole_year` says whether all twelve months, or the year itself, are told.
with lines as (
    select
        cells.*,
        cast(priorities.priority as integer) as priority
    from {{ ref('int_trade__national_newest') }} as cells
    inner join {{ ref('ref_source_priority') }} as priorities
        on cells.source_id = priorities.source_id and priorities.scope = 'national_trade'
    where cells.flow in ('import', 'export')
),

-- A month of which the reporter told any line is told for all: where a line has no row, nothing
-- was traded.
told as (
    select
        source_id,
        reporter_iso3,
        flow,
        reference_year,
        count(distinct reference_month) as n_months
    from lines
    group by all
),

one_source as (
    select *
    from lines
    qualify
        priority = min(priority) over (partition by reporter_iso3, flow, hs_code, reference_year)
),

-- A year's own figure counts before the sum of its months.
one_frequency as (
    select *
    from one_source
    qualify
        (reference_month is null)
        = bool_or(reference_month is null) over (
            partition by reporter_iso3, flow, hs_code, reference_year
        )
),

deepest as (
    select *
    from one_frequency
    qualify
        code_level = max(code_level) over (
            partition by reporter_iso3, flow, hs_code, reference_year
        )
)

select
    deepest.*,
    deepest.reference_month is null or told.n_months = 12 as is_whole_year
from deepest
left join told
    on
        deepest.source_id = told.source_id
        and deepest.reporter_iso3 = told.reporter_iso3
        and deepest.flow = told.flow
        and deepest.reference_year = told.reference_year
