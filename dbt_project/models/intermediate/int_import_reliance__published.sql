-- Net import reliance as a publisher states it, by vintage: one edition, the newest that has the
-- year. A net exporter is 0. A bound (">95") has no central value, only low and high. Where one
-- material and stage has several forms, none is taken, because it is not known which applies.
with held as (
    select
        editions.vintage_id,
        facts.country_iso3 as importer_iso3,
        facts.material,
        facts.stage,
        facts.reference_year,
        facts.source_edition_id,
        facts.cell_id,
        facts.form,
        facts.value_flag,
        facts.evidence_grade,
        case facts.value_flag when 'net_exporter' then 0.0 else facts.value end as reliance,
        case facts.value_flag when 'net_exporter' then 0.0 else facts.value_low end
            as reliance_low,
        case facts.value_flag when 'net_exporter' then 0.0 else facts.value_high end
            as reliance_high,
        editions.recency
    from {{ ref('fct_supply_balance') }} as facts
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on facts.source_edition_id = editions.source_edition_id
    where
        facts.measure = 'net_import_reliance'
        and (facts.value_high is not null or facts.value_flag = 'net_exporter')
),

newest as (
    select *
    from held
    qualify
        recency = min(recency) over (
            partition by vintage_id, importer_iso3, material, stage, reference_year
        )
)

select
    vintage_id,
    importer_iso3,
    material,
    stage,
    reference_year,
    any_value(source_edition_id) as source_edition_id,
    any_value(cell_id) as cell_id,
    any_value(value_flag) as value_flag,
    any_value(evidence_grade) as evidence_grade,
    any_value(reliance) as import_reliance,
    any_value(reliance_low) as import_reliance_low,
    any_value(reliance_high) as import_reliance_high
from newest
group by vintage_id, importer_iso3, material, stage, reference_year
having count(*) = 1
