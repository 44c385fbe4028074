-- Which monthly series the alerts look at, and which they cannot judge, with the reason: a series
-- without an alert is calm only where its last month has a score.
with series as (
    select
        any_value(rule_id) as rule_id,
        any_value(source_id) as source_id,
        any_value(reporter_iso3) as reporter_iso3,
        any_value(partner_iso3) as partner_iso3,
        any_value(flow) as flow,
        any_value(code) as code,
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
        arg_max(
            {
                'kg': kg, 'kg_year_before': kg_year_before, 'yoy_ln': yoy_ln,
                'robust_z': robust_z, 'n_months_before': n_months_before,
                'source_edition_id': source_edition_id
            },
            month_number
        ) as newest,
        list(distinct source_edition_id order by source_edition_id) as source_edition_ids
    from {{ ref('int_trade__monthly_change') }}
    group by series_id
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
    cast(newest.n_months_before as integer) as n_months_before,
    newest.kg as net_weight_kg,
    newest.yoy_ln,
    newest.robust_z,
    newest.robust_z is not null as is_judged,
    case
        when newest.robust_z is not null then null
        when n_months_traded = 0 then 'no month has a weight'
        when newest.kg is null
            then 'the last month is unknown: no weight, or a part of the trade is kept back'
        when n_months_scored = 0 and n_months < 37
            then 'the series is too short: a score needs 24 changes on the year before'
        when newest.kg_year_before is null then 'the month of the year before is unknown'
        when newest.yoy_ln is null then 'nothing was traded in the last month of either year'
        else 'too few months are known: a score needs 24 changes among the 36 months before'
    end as reason,
    newest.source_edition_id,
    source_edition_ids,
    'D' as evidence_grade,
    false as is_official,
    '1' as method_version
from series
