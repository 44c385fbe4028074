-- What a balance is made of besides imports: exports and production of the importer. Figures of
-- drawn lists keep their error; what the Union sold is what its members sold to others. A published
-- demand, which supply without its largest supplier is set against, errs as production of its grade
-- does.
{% set digits = uncertainty_setting('least_digits') %}
with asked as (
    select
        *,
        concat_ws('|', geo_iso3, material, stage, reference_year) as balance_key
    from {{ ref('int_uncertainty__list') }}
    where vintage_id = 'latest' and scope = 'import_sources' and basis = 'gross_t'
),

members as (
    select country_iso3
    from {{ ref('dim_country') }}
    where is_eu27
),

-- The countries that an importer consists of.
countries as (
    select
        geo_iso3,
        geo_iso3 as country_iso3
    from asked
    group by geo_iso3
    having geo_iso3 != 'EU27'
    union all
    select
        'EU27' as geo_iso3,
        country_iso3
    from members
),

produced as (
    select
        asked.balance_key,
        asked.geo_iso3,
        asked.material,
        asked.stage,
        asked.reference_year,
        worlds.list_key
    from asked
    inner join {{ ref('ref_chain_step') }} as steps
        on asked.material = steps.material and asked.stage = steps.stage
    inner join {{ ref('int_uncertainty__list') }} as worlds
        on
            worlds.vintage_id = 'latest'
            and worlds.scope = 'world_production'
            and worlds.material = steps.production_material
            and worlds.stage = steps.production_stage
            and worlds.basis = steps.production_basis
            and worlds.reference_year = asked.reference_year
    where steps.relation != 'none'
),

-- Sums over importers, in order, so that the last digit does not hang on the number of threads.
sold_by_members as (
    select
        choice.material,
        choice.stage,
        flows.reference_year,
        flows.exporter_iso3,
        list_sort(list(flows.quantity)) as quantities,
        list_sort(list(flows.quantity * sqrt(exp(power(flows.sigma_ln, 2)) - 1))) as spreads
    from {{ ref('int_uncertainty__flow') }} as flows
    inner join members as sellers on flows.exporter_iso3 = sellers.country_iso3
    left join members as buyers on flows.importer_iso3 = buyers.country_iso3
    inner join {{ ref('ref_hs_material') }} as codes on flows.hs_code = codes.hs_code
    inner join {{ ref('int_trade__edition_choice') }} as choice
        on
            choice.vintage_id = 'latest'
            and choice.material = coalesce(nullif(codes.basket, ''), codes.material)
            and codes.stage = choice.stage
            and flows.reference_year = choice.reference_year
            and flows.flow_source = choice.flow_source
            and {{ of_choice('flows', 'choice') }}
    where flows.subject = 'trade_weight' and buyers.country_iso3 is null
    group by choice.material, choice.stage, flows.reference_year, flows.exporter_iso3
)

select
    produced.balance_key,
    'production' as role,
    suppliers.error_key,
    suppliers.reference_year,
    suppliers.quantity,
    suppliers.sigma_ln,
    suppliers.half_width
from produced
inner join countries on produced.geo_iso3 = countries.geo_iso3
inner join {{ ref('int_uncertainty__supplier') }} as suppliers
    on
        produced.list_key = suppliers.list_key
        and countries.country_iso3 = suppliers.supplier_iso3
union all
select
    asked.balance_key,
    'exports' as role,
    suppliers.error_key,
    suppliers.reference_year,
    suppliers.quantity,
    suppliers.sigma_ln,
    suppliers.half_width
from asked
inner join {{ ref('int_uncertainty__list') }} as worlds
    on
        worlds.vintage_id = 'latest'
        and worlds.scope = 'world_exports'
        and asked.material = worlds.material
        and asked.stage = worlds.stage
        and asked.basis = worlds.basis
        and asked.reference_year = worlds.reference_year
inner join {{ ref('int_uncertainty__supplier') }} as suppliers
    on worlds.list_key = suppliers.list_key and asked.geo_iso3 = suppliers.supplier_iso3
union all
select
    asked.balance_key,
    'exports' as role,
    sold.exporter_iso3 as error_key,
    asked.reference_year,
    list_sum(sold.quantities) as quantity,
    sum_sigma(
        list_sum(sold.quantities),
        list_sum(sold.spreads),
        list_sum(list_transform(sold.spreads, lambda s: s * s)),
        {{ uncertainty_setting('same_exporter_correlation') }}
    ) as sigma_ln,
    0.0 as half_width
from asked
inner join sold_by_members as sold using (material, stage, reference_year)
where asked.geo_iso3 = 'EU27'
union all
select
    marts.row_key as balance_key,
    'demand' as role,
    'demand|' || balances.country_iso3 as error_key,
    balances.reference_year,
    balances.value as quantity,
    by_grade.sigma_ln,
    {{ half_unit('cells.value_text', 'false', digits) }} as half_width
from {{ ref('mart_n1_coverage') }} as marts
inner join {{ ref('fct_supply_balance') }} as balances
    on marts.world_demand_cell_id = balances.cell_id
inner join {{ ref('fct_source_cell') }} as cells on balances.cell_id = cells.cell_id
inner join {{ ref('ref_uncertainty') }} as by_grade
    on by_grade.subject = 'production' and balances.evidence_grade = by_grade.evidence_grade
