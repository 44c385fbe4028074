with source as (

    select *
    from {{ raw_table('un_comtrade', 'raw_un_comtrade__trade') }}

)

select
    source_edition_id,
    document_name,
    document_sha256,
    sheet,
    row_number,
    type_code,
    freq_code,
    reference_year,
    reference_month,
    reporter_code,
    partner_code,
    partner2_code,
    flow_code,
    classification,
    hs_code,
    code_level,
    customs_code,
    mot_code,
    value_text,
    primary_value_usd,
    -- zero stands where the side of the flow has no such value
    nullif(cif_value_usd, 0) as cif_value_usd,
    nullif(fob_value_usd, 0) as fob_value_usd,
    net_weight_text,
    net_weight_kg,
    quantity_text,
    quantity,
    quantity_unit,
    is_reported,
    is_aggregate,
    is_net_weight_estimated,
    is_quantity_estimated,
    is_total,
    n_rows_of_key
from source
