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

-- Nobody has more of consumption than of imports, by whichever basis that is told.
ceilings as (
    select
        vintage_id,
        geo_iso3 as importer_iso3,
        material,
        stage,
        reference_year,
        max(top_share) as max_share_of_imports
    from {{ ref('mart_concentration') }}
    where scope = 'import_sources'
    group by vintage_id, geo_iso3, material, stage, reference_year
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
            and {{ of_choice('flows', 'choice') }}
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
            and {{ of_choice('flows', 'choice') }}
    where
        flows.importer_iso3 in (select country_iso3 from members)
        and not flows.is_eu27_total
    group by all
),

-- The largest partner by the shares that go with the reliance: the agency's own or by value where
-- it is published, by weight where it is balanced in tonnes. Of several bases the largest counts.
dependency as (
    select
        vintage_id,
        importer_iso3,
        material,
        stage,
        reference_year,
        basis as dependency_basis,
        import_reliance_source,
        max(dependency) filter (where not is_residual) as max_dependency,
        max(dependency_low) filter (where not is_residual) as max_dependency_low,
        max(dependency_high) filter (where not is_residual) as max_dependency_high,
        max(evidence_grade) as dependency_grade,
        flatten(list(source_edition_ids)) as dependency_edition_ids
    from {{ ref('mart_import_dependency') }}
    where
        dependency_high is not null
        and (import_reliance_source = 'computed') = (basis = 'gross_t')
    group by
        vintage_id, importer_iso3, material, stage, reference_year, basis, import_reliance_source
    qualify
        row_number() over (
            partition by vintage_id, importer_iso3, material, stage, reference_year
            order by max_dependency_high desc, basis
        ) = 1
),

published_consumption as (
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

consumption as (
    select
        vintage_id,
        importer_iso3,
        material,
        stage,
        reference_year,
        coalesce(
            published_consumption.consumption_t,
            case
                when
                    reliance.consumption_gross_t_low = reliance.consumption_gross_t_high
                    then reliance.consumption_gross_t_low
            end
        ) as consumption_t,
        reliance.reason as reliance_reason
    from published_consumption
    full join {{ ref('mart_import_reliance') }} as reliance
        using (vintage_id, importer_iso3, material, stage, reference_year)
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
        dependency.dependency_basis,
        ceilings.max_share_of_imports,
        dependency.import_reliance_source,
        dependency.dependency_grade,
        dependency.dependency_edition_ids,
        consumption.consumption_t,
        consumption.reliance_reason
    from imports
    left join world using (vintage_id, material, stage, reference_year)
    left join ceilings using (vintage_id, importer_iso3, material, stage, reference_year)
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
        coalesce(
            exceeds(
                thresholds.crma,
                together.max_dependency, together.max_dependency_low, together.max_dependency_high
            ),
            exceeds(thresholds.crma, null, null, together.max_share_of_imports)
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
    list_sort(list_distinct(
        list_concat(source_edition_ids, coalesce(dependency_edition_ids, []))
    )) as source_edition_ids,
    flow_source,
    basis,
    crma65_flag,
    max_dependency,
    max_dependency_low,
    max_dependency_high,
    dependency_basis,
    import_reliance_source,
    case
        when crma65_flag is not null then null
        when max_dependency_high is not null
            then 'the share of consumption is bounded, and the limit lies between the bounds'
        else
            coalesce(
                reliance_reason,
                'net import reliance is neither published nor can it be balanced, '
                || 'so the share of consumption is not known'
            )
    end as crma65_reason,
    cast(
        count(*) filter (where crma65_flag) over three_years as integer
    ) as crma65_years_of_3,
    hhi_imports,
    cdi1_flag,
    cast(count(*) filter (where cdi1_flag) over three_years as integer) as cdi1_years_of_3,
    cdi2_flag,
    extra_eu_share,
    import_to_export as cdi3_ratio,
    hhi_world_exports,
    geodep_flag,
    cast(count(*) filter (where geodep_flag) over three_years as integer) as geodep_years_of_3,
    consumption_t,
    imports_usd,
    exports_usd,
    top_partner,
    top_share,
    greatest(evidence_grade, dependency_grade) as evidence_grade,
    false as is_official
from flagged
window
    three_years as (
        partition by importer_iso3, material, stage, vintage_id
        order by reference_year
        range between 2 preceding and current row
    )
