-- Which edition a series of production takes at a vintage: the product ranked first in
-- ref_source_priority that has cells for the key, and of it the newest edition known then.
with held as (
    select distinct
        source_edition_id,
        source_id,
        material,
        stage,
        basis,
        reference_year
    from {{ ref('fct_production') }}
    where
        measure = 'production'
        and is_primary
        and area_type not in ('aggregate')
        and (value > 0 or value_high > 0)
)

select
    editions.vintage_id,
    held.material,
    held.stage,
    held.basis,
    held.reference_year,
    held.source_edition_id
from held
inner join {{ ref('int_edition__by_vintage') }} as editions
    on held.source_edition_id = editions.source_edition_id
inner join {{ ref('ref_source_priority') }} as priorities
    on held.source_id = priorities.source_id and priorities.scope = 'world_production'
qualify
    row_number() over (
        partition by
            editions.vintage_id, held.material, held.stage, held.basis, held.reference_year
        order by cast(priorities.priority as integer), editions.recency
    ) = 1
