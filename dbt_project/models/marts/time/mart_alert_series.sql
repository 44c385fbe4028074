-- Which monthly series the alerts look at, and which they cannot judge, with the reason: a series
-- without an alert is calm only where its last month has a score.
with months as (
    select
        *,
        row_number() over (
            partition by rule_id, source_id, reporter_iso3, partner_iso3, flow, code, line_meaning
            order by month_number desc
        ) as months_back
    from {{ ref('int_trade__monthly_change') }}
),

series as (
    select
        rule_id,
        source_id,
        reporter_iso3,
        partner_iso3,
        flow,
        code,
        line_meaning,
        any_value(hs_code) as hs_code,
        any_value(national_system) as national_system,
        any_value(national_code) as national_code,
        any_value(elements) as elements,
        any_value(material) as material,
        any_value(stage) as stage,
        min(month_number) as first_month,
        max(month_number) as last_month,
        count(*) as n_months,
        count(kg) as n_months_known,
        count(*) filter (where kg > 0) as n_months_traded,
        count(robust_z) as n_months_scored,
        max(kg) filter (where months_back = 1) as last_kg,
        max(kg_year_before) filter (where months_back = 1) as last_kg_year_before,
        max(n_months_before) filter (where months_back = 1) as n_months_before,
        max(yoy_ln) filter (where months_back = 1) as last_yoy_ln,
        max(robust_z) filter (where months_back = 1) as last_robust_z,
        max(source_edition_id) filter (where months_back = 1) as source_edition_id,
        list(distinct source_edition_id order by source_edition_id) as source_edition_ids
    from months
    group by
        rule_id, source_id, reporter_iso3, partner_iso3, flow, code, line_meaning
)

select
    {{ row_key([
        'rule_id', 'source_id', 'reporter_iso3', 'partner_iso3', 'flow', 'code',
        'series.first_month // 12', 'series.first_month % 12 + 1'
    ]) }} as row_key,
    rule_id,
    source_id,
    reporter_iso3,
    partner_iso3,
    flow,
    hs_code,
    national_system,
    national_code,
    elements,
    material,
    stage,
    cast(series.first_month // 12 as integer) as first_year,
    cast(series.first_month % 12 + 1 as integer) as first_month,
    cast(series.last_month // 12 as integer) as last_year,
    cast(series.last_month % 12 + 1 as integer) as last_month,
    cast(n_months as integer) as n_months,
    cast(n_months_known as integer) as n_months_known,
    cast(n_months_traded as integer) as n_months_traded,
    cast(n_months_scored as integer) as n_months_scored,
    cast(n_months_before as integer) as n_months_before,
    last_kg as net_weight_kg,
    last_yoy_ln as yoy_ln,
    last_robust_z as robust_z,
    last_robust_z is not null as is_judged,
    case
        when last_robust_z is not null then null
        when n_months_traded = 0 then 'no month has a weight'
        when last_kg is null
            then 'the last month is unknown: no weight, or a part of the trade is kept back'
        when n_months_scored = 0 and n_months < 37
            then 'the series is too short: a score needs 24 changes on the year before'
        when last_kg_year_before is null then 'the month of the year before is unknown'
        when last_yoy_ln is null then 'nothing was traded in the last month of either year'
        else 'too few months are known: a score needs 24 changes among the 36 months before'
    end as reason,
    source_edition_id,
    source_edition_ids,
    'D' as evidence_grade,
    false as is_official,
    '1' as method_version
from series
