-- How long stocks would last: what holders report, each on its own, over net imports and
-- consumption of the same edition. What a government plans to buy stands beside it and is no stock.
with held as (
    select
        editions.vintage_id,
        facts.country_iso3,
        facts.material,
        facts.stage,
        facts.form,
        facts.basis,
        facts.reference_year,
        facts.value as stock,
        facts.value_flag,
        facts.cell_id,
        facts.source_edition_id,
        facts.evidence_grade
    from {{ ref('fct_supply_balance') }} as facts
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on facts.source_edition_id = editions.source_edition_id
    where facts.measure = 'stocks' and facts.value_flag != 'blank'
    qualify
        editions.recency = min(editions.recency) over (
            partition by
                editions.vintage_id, facts.country_iso3, facts.material, facts.stage,
                facts.reference_year
        )
),

-- Several forms of apparent consumption: it is not known which applies, so none is taken.
consumption as (
    select
        source_edition_id,
        country_iso3,
        material,
        stage,
        reference_year,
        any_value(basis) as basis,
        any_value(value) as consumption,
        any_value(cell_id) as cell_id,
        any_value(evidence_grade) as evidence_grade
    from {{ ref('fct_supply_balance') }}
    where measure = 'consumption' and form like '%apparent%' and value is not null
    group by source_edition_id, country_iso3, material, stage, reference_year
    having count(*) = 1
),

covered as (
    select
        held.*,
        consumption.consumption,
        consumption.cell_id as consumption_cell_id,
        consumption.evidence_grade as consumption_grade,
        consumption.basis is not null and consumption.basis != held.basis as is_of_other_unit,
        reliance.import_reliance,
        reliance.cell_id as reliance_cell_id,
        case when consumption.basis = held.basis then consumption.consumption end
            as consumption_per_year,
        case
            when consumption.basis = held.basis
                then consumption.consumption * reliance.import_reliance
        end as net_imports_per_year
    from held
    left join consumption
        on
            held.source_edition_id = consumption.source_edition_id
            and held.country_iso3 = consumption.country_iso3
            and held.material = consumption.material
            and held.stage = consumption.stage
            and held.reference_year = consumption.reference_year
    left join {{ ref('int_import_reliance__published') }} as reliance
        on
            held.vintage_id = reliance.vintage_id
            and held.source_edition_id = reliance.source_edition_id
            and held.country_iso3 = reliance.importer_iso3
            and held.material = reliance.material
            and held.stage = reliance.stage
            and held.reference_year = reliance.reference_year
),

planned as (
    select
        editions.vintage_id,
        plans.plan_id,
        plans.country_iso3,
        plans.material,
        plans.stage,
        plans.form,
        plans.fiscal_year,
        plans.quantity_gross_t,
        editions.source_edition_id
    from {{ ref('ref_stock_plan') }} as plans
    inner join {{ ref('dim_edition') }} as printed
        on plans.source_id = printed.source_id and plans.edition_label = printed.edition_label
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on printed.source_edition_id = editions.source_edition_id
    qualify
        row_number() over (
            partition by editions.vintage_id, plans.plan_id, plans.form order by editions.recency
        ) = 1
),

together as (
    select
        country_iso3,
        material,
        stage,
        form,
        'held' as stock_kind,
        cast(null as varchar) as plan_id,
        reference_year,
        basis,
        vintage_id,
        source_edition_id,
        stock,
        net_imports_per_year / 365 as net_imports_per_day,
        consumption_per_year / 365 as consumption_per_day,
        cover_days(stock, net_imports_per_year) as cover_days,
        cover_days(stock, consumption_per_year) as consumption_cover_days,
        case
            when cover_days(stock, net_imports_per_year) is not null then null
            when stock is null then 'stocks are withheld or not published as a number'
            when is_of_other_unit then 'stocks and consumption are published in different units'
            when consumption_per_year is null
                then 'no single apparent consumption is published for this stage'
            when import_reliance is null
                then 'net import reliance is published as a bound, or not for this stage'
            else 'no net imports'
        end as reason,
        list_filter(
            [cell_id, consumption_cell_id, reliance_cell_id], lambda c: c is not null
        ) as cell_ids,
        greatest(evidence_grade, coalesce(consumption_grade, 'A')) as evidence_grade
    from covered
    union all
    select
        country_iso3,
        material,
        stage,
        form,
        'potential' as stock_kind,
        plan_id,
        fiscal_year as reference_year,
        'gross_t' as basis,
        vintage_id,
        source_edition_id,
        quantity_gross_t as stock,
        null as net_imports_per_day,
        null as consumption_per_day,
        null as cover_days,
        null as consumption_cover_days,
        'a plan to buy is no stock' as reason,
        cast([] as varchar[]) as cell_ids,
        'C' as evidence_grade
    from planned
)

select
    {{ row_key([
        'country_iso3', 'material', 'stage', 'form', 'stock_kind', 'reference_year', 'basis',
        'vintage_id'
    ]) }} as row_key,
    country_iso3,
    material,
    stage,
    form,
    stock_kind,
    plan_id,
    cast(reference_year as integer) as reference_year,
    basis,
    vintage_id,
    source_edition_id,
    stock,
    net_imports_per_day,
    consumption_per_day,
    cover_days,
    consumption_cover_days,
    reason,
    cell_ids,
    evidence_grade,
    false as is_official,
    '1' as method_version
from together
