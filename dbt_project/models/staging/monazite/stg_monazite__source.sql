with source as (
    select * from {{ raw_table('monazite', 'raw_monazite__source') }}
)

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
    scope as edition_scope,
    is_official,
    note
from source
