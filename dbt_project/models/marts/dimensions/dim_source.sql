-- Every publisher that the catalogue knows, also those of which nothing is held.
select
    source_id,
    title,
    publisher,
    homepage,
    cadence,
    licence_name,
    licence_url,
    redistribution,
    attribution,
    citation,
    is_official,
    note
from {{ ref('stg_monazite__source') }}
