-- The share of the CIF value that is freight and insurance, by code and year: the median of
-- 1 - FOB/CIF over imports of at least 10,000 USD, the FOB value being the importer's own where it
-- gives one and else the exporter's report. A code with few such flows is drawn towards the median
-- of all codes, and a year with few towards the flat 8 % of older practice (20 pseudo-observations
-- each). Held within 0 and 0.2.
-- BACI (Gaulier and Zignago 2010) and the Growth Lab regress on gravity variables, not held here.
{% set prior = 20 %}
{% set flat = '(1 - 1 / 1.08)' %}
with two_sided as (
    select
        hs_code,
        reference_year,
        1 - coalesce(m_own_fob_usd, x_usd) / m_cif_usd as freight_share
    from {{ ref('int_trade__mirror') }}
    where
        m_has_freight
        and coalesce(m_own_fob_usd, x_usd) >= 10000
        and m_cif_usd >= 10000
        and abs(ln(coalesce(m_own_fob_usd, x_usd) / m_cif_usd)) < ln(2)
),

pooled as (
    select
        reference_year,
        (count(*) * median(freight_share) + {{ prior }} * {{ flat }}) / (count(*) + {{ prior }})
            as pooled_share
    from two_sided
    group by reference_year
),

by_code as (
    select
        hs_code,
        reference_year,
        median(freight_share) as code_share,
        count(*) as n_flows
    from two_sided
    group by hs_code, reference_year
),

codes as (
    select distinct
        hs_code,
        reference_year
    from {{ ref('int_trade__mirror') }}
)

select
    codes.hs_code,
    codes.reference_year,
    coalesce(by_code.n_flows, 0) as n_flows,
    least(
        0.2,
        greatest(
            0.0,
            (
                coalesce(by_code.n_flows * by_code.code_share, 0)
                + {{ prior }} * coalesce(pooled.pooled_share, {{ flat }})
            )
            / (coalesce(by_code.n_flows, 0) + {{ prior }})
        )
    ) as freight_share
from codes
left join by_code using (hs_code, reference_year)
left join pooled using (reference_year)
