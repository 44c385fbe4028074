-- National lines as the newest edition that holds the source's line and month has them; a year that
-- was fetched again, or a month that came as a file of its own too, counts once.
select
    cells.*,
    editions.recency
from {{ ref('fct_national_trade') }} as cells
inner join {{ ref('int_edition__by_vintage') }} as editions
    on
        cells.source_edition_id = editions.source_edition_id
        and editions.vintage_id = 'latest'
qualify
    editions.recency = min(editions.recency) over (
        partition by
            cells.source_id, cells.reporter_iso3, cells.flow, cells.national_code,
            cells.reference_year, cells.reference_month
    )
