with source as (

    select *
    from {{ raw_table('un_m49', 'raw_un_m49__area') }}

)

select
    source_edition_id,
    document_name,
    document_sha256,
    sheet,
    row_number,
    global_code,
    global_name,
    region_code,
    region_name,
    sub_region_code,
    sub_region_name,
    intermediate_region_code,
    intermediate_region_name,
    area_text,
    m49_text,
    m49_code,
    iso2_code,
    iso3_code,
    is_ldc,
    is_lldc,
    is_sids
from source
