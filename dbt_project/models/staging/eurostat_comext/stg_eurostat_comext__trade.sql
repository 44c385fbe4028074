-- One row a flow and month: the indicators of the raw table side by side, breakdowns by mode of
-- transport and procedure (bulk files) added up, and a partner left out whose trade stands in
-- another partner's row of the same flow as well.
with source as (

    select *
    from {{ raw_table('eurostat_comext', 'raw_eurostat_comext__trade') }}

),

counted_once as (
    select
        *,
        { 'document_name': document_name, 'row_number': row_number } as place
    from source
    qualify
        partner_part_of is null
        or not bool_or(partner_part_of is null) over (
            partition by
                source_edition_id, reporter_code, coalesce(partner_part_of, partner_code),
                flow, product_code, reference_year, reference_month
        )
),

flows as (
    select
        source_edition_id,
        reporter_code,
        partner_code,
        flow,
        valuation,
        product_code,
        code_level,
        reference_year,
        reference_month,
        sum(value) filter (where measure = 'trade_value_eur') as trade_value,
        -- No weight or quantity is known where only zeros stand beside a value.
        nullif(sum(value) filter (where measure = 'net_weight_kg'), 0) as net_weight_kg,
        nullif(sum(value) filter (where measure = 'supplementary_quantity'), 0)
            as supplementary_quantity,
        max(supplementary_unit) as supplementary_unit,
        bool_or(is_confidential) as is_confidential,
        max(obs_flag) filter (where measure = 'trade_value_eur') as value_flag,
        coalesce(min(place) filter (where measure = 'trade_value_eur'), min(place)) as place
    from counted_once
    group by
        source_edition_id,
        reporter_code,
        partner_code,
        flow,
        valuation,
        product_code,
        code_level,
        reference_year,
        reference_month
)

select
    source_edition_id,
    reporter_code,
    partner_code,
    flow,
    'CN8' as national_system,
    product_code as national_code,
    cast(code_level as integer) as code_level,
    reference_year,
    reference_month,
    trade_value,
    'EUR' as currency_code,
    valuation,
    net_weight_kg,
    supplementary_quantity,
    supplementary_unit,
    is_confidential,
    value_flag,
    place.document_name,
    place.row_number
from flows
