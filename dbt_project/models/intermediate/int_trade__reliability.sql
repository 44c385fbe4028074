-- How well a country's reports agree with its partners': e for its exports, m for its imports, by
-- year. d is the relative gap of a pair's total value; 25 rounds of
--     e_i = n_i / sum_j d_ij m_j        m_j = n_j / sum_i d_ij e_i
-- Source: Growth Lab's mirroring of Comtrade. This is the likelihood's maximum where d_ij is
-- exponential with
-- mean 1 / (e_i m_j), so that few pairs say little: each country gets 20 pseudo-pairs of the year's
-- mean gap with a typical partner, which also fixes the scale that the rounds leave open, and gives
-- a country without pairs the typical reliability. benchmarks/compare_baci.py has the held-out
-- likelihood behind the 20. A gap below 0.01 counts as 0.01.
{% set rounds = 25 %}
{% set prior = 20 %}
with pairs as (
    select
        mirror.reference_year,
        mirror.exporter_iso3,
        mirror.importer_iso3,
        sum(mirror.x_usd) as x_usd,
        sum({{ import_at_fob('mirror', 'freight') }}) as m_fob_usd
    from {{ ref('int_trade__mirror') }} as mirror
    inner join {{ ref('int_trade__freight') }} as freight using (hs_code, reference_year)
    where mirror.x_usd is not null and mirror.m_cif_usd is not null
    group by mirror.reference_year, mirror.exporter_iso3, mirror.importer_iso3
    having sum(mirror.x_usd) + sum(mirror.m_cif_usd) >= 100000
),

gaps as materialized (
    select
        reference_year,
        exporter_iso3,
        importer_iso3,
        greatest(0.01, mirror_rel_gap(x_usd, m_fob_usd)) as d
    from pairs
),

years as materialized (
    select
        reference_year,
        {{ prior }} * sqrt(avg(d)) as prior_gap,
        1 / sqrt(avg(d)) as typical
    from gaps
    group by reference_year
),

m_0 as (
    select distinct
        gaps.reference_year,
        gaps.importer_iso3,
        years.typical as m
    from gaps
    inner join years using (reference_year)
),

{% for k in range(1, rounds + 1) %}
e_{{ k }} as materialized (
    select
        gaps.reference_year,
        gaps.exporter_iso3,
        (count(*) + {{ prior }}) / (sum(gaps.d * others.m) + any_value(years.prior_gap)) as e
    from gaps
    inner join m_{{ k - 1 }} as others using (reference_year, importer_iso3)
    inner join years using (reference_year)
    group by gaps.reference_year, gaps.exporter_iso3
),

m_{{ k }} as materialized (
    select
        gaps.reference_year,
        gaps.importer_iso3,
        (count(*) + {{ prior }}) / (sum(gaps.d * others.e) + any_value(years.prior_gap)) as m
    from gaps
    inner join e_{{ k }} as others using (reference_year, exporter_iso3)
    inner join years using (reference_year)
    group by gaps.reference_year, gaps.importer_iso3
),

{% endfor %}
reporters as (
    select distinct
        reference_year,
        'exporter' as role,
        exporter_iso3 as country_iso3
    from {{ ref('int_trade__mirror') }}
    union
    select distinct
        reference_year,
        'importer' as role,
        importer_iso3 as country_iso3
    from {{ ref('int_trade__mirror') }}
),

estimated as (
    select
        reference_year,
        'exporter' as role,
        exporter_iso3 as country_iso3,
        e as reliability
    from e_{{ rounds }}
    union all
    select
        reference_year,
        'importer' as role,
        importer_iso3 as country_iso3,
        m as reliability
    from m_{{ rounds }}
)

select
    reporters.reference_year,
    reporters.role,
    reporters.country_iso3,
    -- A year in which no pair can be compared has no scale: all are alike.
    coalesce(estimated.reliability, years.typical, 1.0) as reliability
from reporters
left join estimated using (reference_year, role, country_iso3)
left join years using (reference_year)
