with source as (

    select *
    from {{ raw_table('usitc_dataweb', 'raw_usitc_dataweb__query') }}

)

select
    source_edition_id,
    document_name,
    document_sha256,
    sheet,
    row_number,
    step_text,
    key,
    value
from source
