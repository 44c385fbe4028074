with source as (

    select *
    from {{ raw_table('us_census', 'raw_us_census__trade') }}

)

select
    source_edition_id,
    '1000' as reporter_code,
    partner_code,
    flow,
    case
        when code_level = 6 then 'HS6'
        when flow = 'import' then 'HTS10'
        else 'SCHB10'
    end as national_system,
    national_code,
    cast(code_level as integer) as code_level,
    reference_year,
    reference_month,
    trade_value_usd as trade_value,
    'USD' as currency_code,
    case flow when 'import' then 'customs' else 'fas' end as valuation,
    net_weight_kg,
    supplementary_quantity,
    supplementary_unit,
    cast(null as boolean) as is_confidential,
    document_name,
    row_number
from source
