with source as (

    select *
    from {{ raw_table('cepii_baci', 'raw_cepii_baci__product') }}

)

select
    source_edition_id,
    document_name,
    document_sha256,
    sheet,
    row_number,
    hs_revision,
    hs_code,
    description as product_description
from source
