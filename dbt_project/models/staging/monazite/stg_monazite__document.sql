with source as (
    select * from {{ raw_table('monazite', 'raw_monazite__document') }}
)

select
    source_edition_id,
    document_name,
    sha256 as document_sha256,
    size_bytes,
    url,
    etag,
    cast(published as date) as published_date,
    is_reexpressed,
    original_url,
    original_sha256,
    original_place
from source
