-- Every document of every edition, with its hash and where its bytes or figures are from.
select
    source_edition_id,
    document_name,
    document_sha256,
    size_bytes,
    url,
    is_reexpressed,
    original_url,
    original_sha256,
    original_place
from {{ ref('stg_monazite__document') }}
