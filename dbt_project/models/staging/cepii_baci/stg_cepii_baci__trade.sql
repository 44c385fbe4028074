with source as (

    select *
    from {{ raw_table('cepii_baci', 'raw_cepii_baci__trade') }}

)

select
    source_edition_id,
    document_name,
    document_sha256,
    sheet,
    row_number,
    hs_revision,
    reference_year,
    exporter_code,
    importer_code,
    hs_code,
    value_kusd_text,
    value_kusd,
    quantity_t_text,
    quantity_t
from source
