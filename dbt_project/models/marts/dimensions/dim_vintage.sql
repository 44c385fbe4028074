-- What was known on a day: the last day of each year from 2023 until the year before the newest
-- edition was published, and `latest`. No clock is read, so that a build can be repeated.
with newest as (
    select coalesce(max(year(published_date)), 2023) as newest_year
    from {{ ref('dim_edition') }}
),

year_ends as (
    select make_date(years.y, 12, 31) as as_of_date
    from newest, unnest(range(2023, newest_year)) as years (y)
),

vintages as (
    select
        strftime(as_of_date, '%Y-%m-%d') as vintage_id,
        as_of_date
    from year_ends
    union all
    select
        'latest' as vintage_id,
        null as as_of_date
)

select
    vintages.vintage_id,
    vintages.as_of_date,
    vintages.vintage_id = 'latest' as is_latest,
    cast(row_number() over (order by vintages.as_of_date nulls last) as integer) as vintage_order,
    cast(count(editions.source_edition_id) as integer) as n_editions
from vintages
left join {{ ref('dim_edition') }} as editions
    on vintages.as_of_date is null or editions.published_date <= vintages.as_of_date
group by vintages.vintage_id, vintages.as_of_date
