with source as (

    select *
    from {{ raw_table('cepii_baci', 'raw_cepii_baci__country') }}

)

select
    source_edition_id,
    document_name,
    document_sha256,
    sheet,
    row_number,
    country_code,
    country_name,
    country_name_full,
    country_iso2,
    country_iso3
from source
