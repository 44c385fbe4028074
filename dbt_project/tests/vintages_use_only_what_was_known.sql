-- A row of a vintage rests on editions published by its date, so that no later edition, nor the
-- loss of one, changes it.
with used as (
    select distinct
        vintage_id,
        source_edition_ids
    from {{ ref('mart_concentration') }}
    union
    select distinct
        vintage_id,
        source_edition_ids
    from {{ ref('mart_import_dependency') }}
    union
    select distinct
        vintage_id,
        source_edition_ids
    from {{ ref('mart_dependency_flags') }}
    union
    select distinct
        vintage_id,
        source_edition_ids
    from {{ ref('mart_n1_coverage') }}
    union
    select distinct
        vintage_id,
        source_edition_ids
    from {{ ref('mart_country_profile') }}
),

each_edition as (
    select distinct
        vintage_id,
        unnest(source_edition_ids) as source_edition_id
    from used
)

select
    each_edition.vintage_id,
    each_edition.source_edition_id,
    editions.published_date
from each_edition
inner join {{ ref('dim_vintage') }} as vintages
    on each_edition.vintage_id = vintages.vintage_id
left join {{ ref('dim_edition') }} as editions
    on each_edition.source_edition_id = editions.source_edition_id
where
    editions.source_edition_id is null
    or (
        not vintages.is_latest
        and coalesce(editions.published_date > vintages.as_of_date, true)
    )
