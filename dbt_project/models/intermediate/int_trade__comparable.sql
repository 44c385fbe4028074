-- Both reports of a flow made comparable: the import free on board, and the weights that count. Of
-- two reported weights one is set aside where its unit value lies a thousand times or more from the
-- median of code and year and from the other side's (grams or tonnes given as kilograms), and the
-- other side's less than that from the median. A weight that nothing contradicts, or that the other
-- side confirms, stands; one that the source marks as estimated does not count; less than 1,000 USD
-- is too little for a unit value.
-- benchmarks/compare_baci.py has the other side as referee of such weights.
{% set unit_mistake = 1000 %}
{% set least_usd = 1000 %}
with at_fob as (
    select
        mirror.*,
        {{ import_at_fob('mirror', 'freight') }} as m_fob_usd
    from {{ ref('int_trade__mirror') }} as mirror
    inner join {{ ref('int_trade__freight') }} as freight using (hs_code)
),

with_unit_value as (
    select
        *,
        case when x_kg > 0 and not x_kg_is_estimated then ln(x_usd / x_kg) end as x_ln_uv,
        case when m_kg > 0 and not m_kg_is_estimated then ln(m_fob_usd / m_kg) end as m_ln_uv
    from at_fob
),

unit_values as (
    select
        hs_code,
        reference_year,
        median(ln_uv) as median_ln_uv
    from (
        select
            hs_code,
            reference_year,
            x_ln_uv as ln_uv
        from with_unit_value
        where x_ln_uv is not null and x_usd >= {{ least_usd }}
        union all
        select
            hs_code,
            reference_year,
            m_ln_uv as ln_uv
        from with_unit_value
        where m_ln_uv is not null and m_fob_usd >= {{ least_usd }}
    )
    group by hs_code, reference_year
),

judged as (
    select
        flows.*,
        unit_values.median_ln_uv,
        coalesce(abs(flows.x_ln_uv - flows.m_ln_uv) >= ln({{ unit_mistake }}), false)
            as is_contradicted,
        coalesce(
            abs(flows.x_ln_uv - unit_values.median_ln_uv) < ln({{ unit_mistake }})
            or flows.x_usd < {{ least_usd }},
            false
        ) as x_is_usual,
        coalesce(
            abs(flows.m_ln_uv - unit_values.median_ln_uv) < ln({{ unit_mistake }})
            or flows.m_fob_usd < {{ least_usd }},
            false
        ) as m_is_usual
    from with_unit_value as flows
    left join unit_values using (hs_code, reference_year)
)

select
    * exclude (is_contradicted, x_is_usual, m_is_usual),
    case
        when x_ln_uv is not null and not (is_contradicted and not x_is_usual and m_is_usual)
            then x_kg
    end as x_kg_good,
    case
        when m_ln_uv is not null and not (is_contradicted and not m_is_usual and x_is_usual)
            then m_kg
    end as m_kg_good
from judged
