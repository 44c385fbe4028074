-- The share of the CIF value that is freight and insurance, by code: 1 - FOB/CIF over imports of at
-- least 10,000 USD, the FOB value being the importer's own where it gives one and else the
-- exporter's report. A pair of countries counts once, by its median over all years held: its route
-- and its habits of reporting stay, so that its years are not so many witnesses, and the few pairs
-- of a single year say little. Of the pairs the median counts; a code with few is drawn towards the
-- median of all codes, and that towards the flat 8 % of older practice (20 pseudo-pairs each). Held
-- within 0 and 0.2. benchmarks/compare_baci.md has the error on pairs held out.
-- BACI (Gaulier and Zignago 2010) and the Growth Lab regress on gravity variables, not held here.
{% set prior = 20 %}
{% set flat = '(1 - 1 / 1.08)' %}
with pairs as (
    select
        hs_code,
        exporter_iso3,
        importer_iso3,
        median(1 - coalesce(m_own_fob_usd, x_usd) / m_cif_usd) as freight_share
    from {{ ref('int_trade__mirror') }}
    where
        m_has_freight
        and coalesce(m_own_fob_usd, x_usd) >= 10000
        and m_cif_usd >= 10000
        and abs(ln(coalesce(m_own_fob_usd, x_usd) / m_cif_usd)) < ln(2)
    group by hs_code, exporter_iso3, importer_iso3
),

pooled as (
    select
        (count(*) * coalesce(median(freight_share), 0) + {{ prior }} * {{ flat }})
        / (count(*) + {{ prior }}) as pooled_share
    from pairs
),

by_code as (
    select
        hs_code,
        median(freight_share) as code_share,
        count(*) as n_pairs
    from pairs
    group by hs_code
),

codes as (
    select distinct hs_code
    from {{ ref('int_trade__mirror') }}
)

select
    codes.hs_code,
    coalesce(by_code.n_pairs, 0) as n_pairs,
    least(
        0.2,
        greatest(
            0.0,
            (
                coalesce(by_code.n_pairs * by_code.code_share, 0)
                + {{ prior }} * pooled.pooled_share
            )
            / (coalesce(by_code.n_pairs, 0) + {{ prior }})
        )
    ) as freight_share
from codes
left join by_code on codes.hs_code = by_code.hs_code
cross join pooled
