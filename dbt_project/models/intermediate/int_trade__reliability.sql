-- How well a country's reports agree with its partners': by year, for its exports and its imports,
-- for values and for weights. The log gap of a flow's two reports is decomposed into what the
-- exporter and what the importer contribute, as Gaulier and Zignago (2010) do:
--     E abs(ln(X / M)) = h_k (a_i + c_j)        reliability = 1 / a_i and 1 / c_j
-- h_k is the gap of the code relative to all codes. With gaps exponential about that mean the
-- likelihood is largest where
--     a_i = a_i * (sum_j s_ij / (a_i + c_j)^2) / (sum_j n_ij / (a_i + c_j))
-- and likewise c_j; n_ij flows and the sum s_ij of their gaps over h_k say all about a pair. Each
-- reporter and each code gets 40 pseudo-flows of the mean gap (a reporter's with a typical
-- partner), so that few flows say little; they also settle what the likelihood leaves open, how
-- much of all gaps falls to either role. benchmarks/compare_baci.md has the held-out likelihood
-- behind the 40. A gap below 0.01 counts as 0.01; flows of 1,000 USD and less are left out.
{% set rounds = 30 %}
{% set prior = 40 %}
{% set key = 'measure, reference_year' %}
with gaps as (
    select
        'value' as measure,
        reference_year,
        exporter_iso3,
        importer_iso3,
        hs_code,
        greatest(0.01, abs(mirror_ln_ratio(x_usd, m_fob_usd))) as gap
    from {{ ref('int_trade__comparable') }}
    where x_usd is not null and m_fob_usd is not null and greatest(x_usd, m_fob_usd) > 1000
    union all
    select
        'weight' as measure,
        reference_year,
        exporter_iso3,
        importer_iso3,
        hs_code,
        greatest(0.01, abs(mirror_ln_ratio(x_kg, m_kg))) as gap
    from {{ ref('int_trade__comparable') }}
    where
        x_ln_uv is not null
        and m_ln_uv is not null
        and greatest(x_usd, m_fob_usd) > 1000
),

overall as (
    select
        {{ key }},
        avg(gap) as mean_gap
    from gaps
    group by {{ key }}
),

codes as (
    select
        {{ key }},
        gaps.hs_code,
        (sum(gaps.gap) + {{ prior }} * any_value(overall.mean_gap))
        / (count(*) + {{ prior }}) / any_value(overall.mean_gap) as relative_gap
    from gaps
    inner join overall using ({{ key }})
    group by {{ key }}, gaps.hs_code
),

pairs as materialized (
    select
        {{ key }},
        exporter_iso3,
        importer_iso3,
        -- One number a year and reporter: sixty joins are faster by it.
        dense_rank() over (order by {{ key }}, exporter_iso3) as exporter_id,
        dense_rank() over (order by {{ key }}, importer_iso3) as importer_id,
        count(*) as n,
        sum(gaps.gap / codes.relative_gap) as s
    from gaps
    inner join codes using ({{ key }}, hs_code)
    group by {{ key }}, exporter_iso3, importer_iso3
),

years as materialized (
    select
        {{ key }},
        sum(s) / sum(n) as mean_gap,
        sum(s) / sum(n) / 2 as typical
    from pairs
    group by {{ key }}
),

a_0 as materialized (
    select distinct
        pairs.exporter_id,
        years.mean_gap,
        years.typical,
        years.typical as a
    from pairs
    inner join years using ({{ key }})
),

c_0 as materialized (
    select distinct
        pairs.importer_id,
        years.mean_gap,
        years.typical,
        years.typical as c
    from pairs
    inner join years using ({{ key }})
),

{% for k in range(1, rounds + 1) %}
{% for own, role, exporters, importers in [
    ('a', 'exporter', 'a_%d' % (k - 1), 'c_%d' % (k - 1)),
    ('c', 'importer', 'a_%d' % k, 'c_%d' % (k - 1))
] %}
{{ own }}_{{ k }} as materialized (
    select
        {{ role }}_id,
        any_value({{ role }}s.mean_gap) as mean_gap,
        any_value({{ role }}s.typical) as typical,
        any_value({{ own }})
        * (
            sum(pairs.s / (a + c) ^ 2)
            + {{ prior }}
            * any_value({{ role }}s.mean_gap / ({{ own }} + {{ role }}s.typical) ^ 2)
        )
        / (
            sum(pairs.n / (a + c))
            + {{ prior }} * any_value(1 / ({{ own }} + {{ role }}s.typical))
        ) as {{ own }}
    from pairs
    inner join {{ exporters }} as exporters using (exporter_id)
    inner join {{ importers }} as importers using (importer_id)
    group by {{ role }}_id
),

{% endfor %}
{% endfor %}
estimated as (
    select distinct
        {{ key }},
        'exporter' as role,
        pairs.exporter_iso3 as country_iso3,
        1 / last_a.a as reliability
    from pairs
    inner join a_{{ rounds }} as last_a using (exporter_id)
    union all
    select distinct
        {{ key }},
        'importer' as role,
        pairs.importer_iso3 as country_iso3,
        1 / last_c.c as reliability
    from pairs
    inner join c_{{ rounds }} as last_c using (importer_id)
),

reporters as (
    select
        measures.measure,
        countries.*
    from (
        select distinct
            reference_year,
            'exporter' as role,
            exporter_iso3 as country_iso3
        from {{ ref('int_trade__comparable') }}
        union all
        select distinct
            reference_year,
            'importer' as role,
            importer_iso3 as country_iso3
        from {{ ref('int_trade__comparable') }}
    ) as countries
    cross join (values ('value'), ('weight')) as measures (measure)
)

select
    {{ key }},
    role,
    country_iso3,
    -- A year in which nothing can be compared has no scale: all are alike. Rounded, because the
    -- order in which threads add up moves the last digits.
    round(coalesce(estimated.reliability, 1 / years.typical, 1.0), 9) as reliability
from reporters
left join estimated using ({{ key }}, role, country_iso3)
left join years using ({{ key }})
