with source as (

    select *
    from {{ raw_table('unsd_hs', 'raw_unsd_hs__code') }}

)

select
    source_edition_id,
    document_name,
    document_sha256,
    sheet,
    row_number,
    hs_revision,
    hs_code,
    description_text,
    regexp_replace(description_text, '^' || hs_code || ' - ', '') as description,
    parent_code,
    level,
    unit_text,
    is_leaf
from source
