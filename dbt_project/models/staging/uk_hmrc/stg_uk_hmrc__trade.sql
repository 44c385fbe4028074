with source as (

    select *
    from {{ raw_table('uk_hmrc', 'raw_uk_hmrc__trade') }}

)

select
    source_edition_id,
    'GB' as reporter_code,
    partner_code,
    flow,
    'UK8' as national_system,
    national_code,
    cast(code_level as integer) as code_level,
    reference_year,
    reference_month,
    trade_value_gbp as trade_value,
    'GBP' as currency_code,
    case flow when 'import' then 'cif' else 'fob' end as valuation,
    net_weight_kg,
    supplementary_quantity,
    supplementary_unit,
    is_confidential,
    document_name,
    row_number
from source
