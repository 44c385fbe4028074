with source as (

    select *
    from {{ raw_table('iso_3166', 'raw_iso_3166__country') }}

)

select
    source_edition_id,
    document_name,
    document_sha256,
    sheet,
    row_number,
    iso2_code,
    iso3_code,
    numeric_text,
    numeric_code,
    name_text,
    region_name,
    sub_region_name,
    independence_text
from source
