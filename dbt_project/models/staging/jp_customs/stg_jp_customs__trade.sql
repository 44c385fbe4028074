with source as (

    select *
    from {{ raw_table('jp_customs', 'raw_jp_customs__trade') }}

)

select
    source_edition_id,
    'JP' as reporter_code,
    partner_code,
    flow,
    'JP9' as national_system,
    national_code,
    cast(code_level as integer) as code_level,
    reference_year,
    reference_month,
    trade_value_kjpy * 1000 as trade_value,
    'JPY' as currency_code,
    case flow when 'import' then 'cif' else 'fob' end as valuation,
    net_weight_kg,
    supplementary_quantity,
    supplementary_unit,
    cast(null as boolean) as is_confidential,
    document_name,
    row_number
from source
