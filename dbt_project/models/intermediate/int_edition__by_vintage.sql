-- Which editions are known at which vintage, newest first within a source.
-- An edition whose date nobody knows counts as known at `latest` only, and as the oldest there.
select
    vintages.vintage_id,
    vintages.vintage_order,
    editions.source_edition_id,
    editions.source_id,
    editions.published_date,
    row_number() over (
        partition by vintages.vintage_id, editions.source_id
        order by
            coalesce(editions.published_date, editions.first_published_date) desc nulls last,
            editions.edition_label desc,
            editions.edition_revision desc,
            editions.source_edition_id desc
    ) as recency
from {{ ref('dim_vintage') }} as vintages
inner join {{ ref('dim_edition') }} as editions
    on vintages.is_latest or editions.published_date <= vintages.as_of_date
