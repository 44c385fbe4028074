with source as (

    select *
    from {{ raw_table('unsd_hs', 'raw_unsd_hs__conversion') }}

)

select
    source_edition_id,
    document_name,
    document_sha256,
    sheet,
    row_number,
    from_revision,
    to_revision,
    from_code_text,
    to_code_text,
    from_code,
    to_code,
    kind,
    relationship_text,
    relationship,
    partial_text
from source
