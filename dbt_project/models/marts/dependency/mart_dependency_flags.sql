-- The official and academic yardsticks side by side: concentrated imports (European Commission,
-- CEPII), imports above exports, and the 65 % of consumption of the Critical Raw Materials Act.
with imports as (
    select
        vintage_id,
        geo_iso3 as importer_iso3,
        material,
        stage,
        reference_year,
        source_edition_id,
        source_edition_ids,
        flow_source,
        basis,
        hhi as hhi_imports,
        top_supplier as top_partner,
        top_share,
        case when basis = 'usd' then quantity_total end as imports_usd,
        evidence_grade
    from {{ ref('mart_concentration') }}
    where scope = 'import_sources' and basis in ('usd', 'share')
    -- By value where trade is held, else by the shares that the agency publishes.
    qualify
        row_number() over (
            partition by vintage_id, geo_iso3, material, stage, reference_year
            order by basis = 'usd' desc
        ) = 1
),

world as (
    select
        vintage_id,
        material,
        stage,
        reference_year,
        hhi as hhi_world_exports
    from {{ ref('mart_concentration') }}
    where scope = 'world_exports' and basis = 'usd'
),

exports as (
    select
        choice.vintage_id,
        flows.material,
        flows.stage,
        flows.reference_year,
        flows.exporter_iso3,
        sum(flows.value_usd) as exports_usd
    from {{ ref('int_trade__by_material') }} as flows
    inner join {{ ref('int_trade__edition_choice') }} as choice
        on
            flows.material = choice.material
            and flows.stage = choice.stage
            and flows.reference_year = choice.reference_year
            and flows.flow_source = choice.flow_source
            and (
                choice.flow_source = 'monazite'
                or flows.source_edition_id = choice.source_edition_id
            )
    where coalesce(flows.importer_iso3, '') != 'EU27'
    group by all
),

members as (
    select country_iso3
    from {{ ref('dim_country') }}
    where is_eu27
),

eu_all_imports as (
    select
        choice.vintage_id,
        flows.material,
        flows.stage,
        flows.reference_year,
        sum(flows.value_usd) as imports_with_intra_usd
    from {{ ref('int_trade__by_material') }} as flows
    inner join {{ ref('int_trade__edition_choice') }} as choice
        on
            flows.material = choice.material
            and flows.stage = choice.stage
            and flows.reference_year = choice.reference_year
            and flows.flow_source = choice.flow_source
            and (
                choice.flow_source = 'monazite'
                or flows.source_edition_id = choice.source_edition_id
            )
    where
        flows.importer_iso3 in (select country_iso3 from members)
        and not flows.is_eu27_total
    group by all
),

dependency as (
    select
        vintage_id,
        importer_iso3,
        material,
        stage,
        reference_year,
        max(dependency) filter (where not is_residual) as max_dependency,
        max(dependency_low) filter (where not is_residual) as max_dependency_low,
        max(dependency_high) filter (where not is_residual) as max_dependency_high
    from {{ ref('mart_import_dependency') }}
    where basis in ('usd', 'share') and dependency_high is not null
    group by all
),

consumption as (
    select
        editions.vintage_id,
        facts.country_iso3 as importer_iso3,
        facts.material,
        facts.stage,
        facts.reference_year,
        facts.value as consumption_t
    from {{ ref('fct_supply_balance') }} as facts
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on facts.source_edition_id = editions.source_edition_id
    where facts.measure = 'consumption' and facts.form like '%apparent%' and facts.value is not null
    qualify
        row_number() over (
            partition by
                editions.vintage_id, facts.country_iso3, facts.material, facts.stage,
                facts.reference_year
            order by editions.recency, facts.form
        ) = 1
),

together as (
    select
        imports.*,
        world.hhi_world_exports,
        case when imports.basis = 'usd' then coalesce(exports.exports_usd, 0) end as exports_usd,
        import_to_export_ratio(imports.imports_usd, coalesce(exports.exports_usd, 0))
            as import_to_export,
        imports.imports_usd / nullif(eu_all_imports.imports_with_intra_usd, 0) as extra_eu_share,
        dependency.max_dependency,
        dependency.max_dependency_low,
        dependency.max_dependency_high,
        consumption.consumption_t
    from imports
    left join world using (vintage_id, material, stage, reference_year)
    left join exports
        on
            imports.vintage_id = exports.vintage_id
            and imports.material = exports.material
            and imports.stage = exports.stage
            and imports.reference_year = exports.reference_year
            and imports.importer_iso3 = exports.exporter_iso3
    left join eu_all_imports
        on
            imports.importer_iso3 = 'EU27'
            and imports.vintage_id = eu_all_imports.vintage_id
            and imports.material = eu_all_imports.material
            and imports.stage = eu_all_imports.stage
            and imports.reference_year = eu_all_imports.reference_year
    left join dependency
        on
            imports.vintage_id = dependency.vintage_id
            and imports.importer_iso3 = dependency.importer_iso3
            and imports.material = dependency.material
            and imports.stage = dependency.stage
            and imports.reference_year = dependency.reference_year
    left join consumption
        on
            imports.vintage_id = consumption.vintage_id
            and imports.importer_iso3 = consumption.importer_iso3
            and imports.material = consumption.material
            and imports.stage = consumption.stage
            and imports.reference_year = consumption.reference_year
),

thresholds as (
    select
        max(lower) filter (where rule_set = 'ec_cdi1') as cdi1,
        max(lower) filter (where rule_set = 'ec_cdi2') as cdi2,
        max(lower) filter (where rule_set = 'geodep_imports') as geodep_imports,
        max(lower) filter (where rule_set = 'geodep_world') as geodep_world,
        max(lower) filter (where rule_set = 'geodep_ratio') as geodep_ratio,
        max(lower) filter (where rule_set = 'crma_65') as crma
    from {{ ref('ref_threshold') }}
),

flagged as (
    select
        together.*,
        together.hhi_imports > thresholds.cdi1 as cdi1_flag,
        together.extra_eu_share > thresholds.cdi2 as cdi2_flag,
        geodep(
            together.hhi_imports, together.hhi_world_exports, together.import_to_export,
            thresholds.geodep_imports, thresholds.geodep_world, thresholds.geodep_ratio
        ) as geodep_flag,
        exceeds(
            thresholds.crma,
            together.max_dependency, together.max_dependency_low, together.max_dependency_high
        ) as crma65_flag
    from together
    cross join thresholds
)

select
    {{ row_key(['importer_iso3', 'material', 'stage', 'reference_year', 'vintage_id']) }}
        as row_key,
    importer_iso3,
    material,
    stage,
    reference_year,
    vintage_id,
    source_edition_id,
    source_edition_ids,
    flow_source,
    basis,
    crma65_flag,
    max_dependency,
    case
        when max_dependency is null and max_dependency_low is null
            then 'no net import reliance is published, so the share of consumption is not known'
    end as crma65_reason,
    hhi_imports,
    cdi1_flag,
    cdi2_flag,
    extra_eu_share,
    import_to_export as cdi3_ratio,
    hhi_world_exports,
    geodep_flag,
    cast(
        count(*) filter (where geodep_flag) over (
            partition by importer_iso3, material, stage, vintage_id
            order by reference_year
            range between 2 preceding and current row
        ) as integer
    ) as geodep_years_of_3,
    consumption_t,
    imports_usd,
    exports_usd,
    top_partner,
    top_share,
    evidence_grade,
    false as is_official
from flagged
