-- One wide row an importer, material and stage: what the other marts say of the newest year of the
-- market, side by side, with the keys of the rows that say it. Nothing is measured anew here.
with candidates as (
    select
        vintage_id,
        importer_iso3,
        material,
        stage,
        reference_year,
        true as has_sources
    from {{ ref('mart_dependency_flags') }}
    union all
    select
        vintage_id,
        importer_iso3,
        material,
        stage,
        reference_year,
        false as has_sources
    from {{ ref('mart_import_reliance') }}
    where import_reliance_source is not null
),

-- One year a market, so that importers can be compared: the newest with known sources.
markets as (
    select
        vintage_id,
        material,
        stage,
        coalesce(max(reference_year) filter (where has_sources), max(reference_year))
            as reference_year
    from candidates
    group by vintage_id, material, stage
),

spine as (
    select distinct
        vintage_id,
        importer_iso3,
        material,
        stage,
        reference_year
    from candidates
    inner join markets using (vintage_id, material, stage, reference_year)
),

default_set as (
    select country_iso3
    from {{ ref('ref_country_group') }}
    where is_default_set and valid_to is null
),

flags as (
    select flags.*
    from {{ ref('mart_dependency_flags') }} as flags
    inner join spine using (vintage_id, importer_iso3, material, stage, reference_year)
),

sources as (
    select
        concentration.row_key as concentration_key,
        flags.row_key as flags_key,
        concentration.hhi_high,
        concentration.n_eff,
        concentration.n_suppliers
    from {{ ref('mart_concentration') }} as concentration
    inner join flags
        on
            concentration.geo_iso3 = flags.importer_iso3
            and concentration.vintage_id = flags.vintage_id
            and concentration.material = flags.material
            and concentration.stage = flags.stage
            and concentration.reference_year = flags.reference_year
            and concentration.basis = flags.basis
    where concentration.scope = 'import_sources'
),

-- The partner whose share of consumption is the largest, as mart_dependency_flags takes it.
largest as (
    select
        flags.row_key as flags_key,
        dependency.row_key as dependency_key,
        dependency.partner_iso3
    from {{ ref('mart_import_dependency') }} as dependency
    inner join flags
        on
            dependency.importer_iso3 = flags.importer_iso3
            and dependency.vintage_id = flags.vintage_id
            and dependency.material = flags.material
            and dependency.stage = flags.stage
            and dependency.reference_year = flags.reference_year
            and dependency.basis = flags.dependency_basis
    where not dependency.is_residual and dependency.dependency_high is not null
    qualify
        row_number() over (
            partition by flags.row_key
            order by dependency.dependency_high desc, dependency.partner_iso3
        ) = 1
),

drawn as (
    select
        mart_row_key as flags_key,
        any_value(p05) filter (where metric = 'max_dependency') as max_dependency_p05,
        any_value(p95) filter (where metric = 'max_dependency') as max_dependency_p95,
        any_value(probability_above) filter (
            where metric = 'max_dependency' and threshold_id = 'crma_65'
        ) as probability_above_65,
        any_value(p05) filter (where metric = 'hhi_imports') as hhi_imports_p05,
        any_value(p95) filter (where metric = 'hhi_imports') as hhi_imports_p95
    from {{ ref('mart_uncertainty') }}
    where mart = 'mart_dependency_flags'
    group by mart_row_key
),

-- A country of the set is not set against itself.
behind as (
    select
        behind.vintage_id,
        behind.importer_iso3,
        behind.material,
        behind.stage,
        behind.reference_year,
        sum(behind.direct_share) filter (where behind.universe = 'imports') as set_direct_share,
        sum(behind.lookthrough_share) filter (where behind.universe = 'imports')
            as set_lookthrough_share,
        sum(behind.lookthrough_low) filter (where behind.universe = 'imports')
            as set_lookthrough_low,
        least(1, sum(behind.lookthrough_high) filter (where behind.universe = 'imports'))
            as set_lookthrough_high,
        sum(behind.hidden_pp) filter (where behind.universe = 'imports') as set_hidden_pp,
        max(behind.any_stage_exposure) as any_stage_exposure,
        list(behind.row_key order by behind.row_key) as lookthrough_keys,
        max(behind.evidence_grade) as lookthrough_grade,
        list_distinct(flatten(list(behind.source_edition_ids))) as edition_ids
    from {{ ref('mart_lookthrough') }} as behind
    inner join spine using (vintage_id, importer_iso3, material, stage, reference_year)
    where
        behind.origin_iso3 in (select country_iso3 from default_set)
        and behind.importer_iso3 not in (select country_iso3 from default_set)
    group by
        behind.vintage_id, behind.importer_iso3, behind.material, behind.stage,
        behind.reference_year
),

made as (
    select
        quantities.vintage_id,
        quantities.supplier_iso3 as importer_iso3,
        quantities.material,
        quantities.stage,
        quantities.reference_year,
        quantities.basis as production_basis,
        quantities.quantity as production,
        quantities.quantity / world.quantity_total as production_world_share,
        world.row_key as production_key,
        world.source_edition_ids as edition_ids
    from {{ ref('int_supplier_quantity') }} as quantities
    inner join {{ ref('mart_concentration') }} as world
        on
            quantities.scope = world.scope
            and quantities.vintage_id = world.vintage_id
            and quantities.material = world.material
            and quantities.stage = world.stage
            and quantities.basis = world.basis
            and quantities.reference_year = world.reference_year
    where
        quantities.scope = 'world_production'
        and not quantities.is_residual
        and quantities.quantity is not null
    -- Tonnes before shares.
    qualify
        row_number() over (
            partition by
                quantities.vintage_id, quantities.supplier_iso3, quantities.material,
                quantities.stage, quantities.reference_year
            order by quantities.basis = 'share', quantities.basis
        ) = 1
),

-- The state after the last known change of a control; controls are not kept by vintage.
controls as (
    select
        vintages.vintage_id,
        exposure.*
    from {{ ref('mart_policy_exposure') }} as exposure
    cross join {{ ref('dim_vintage') }} as vintages
    where vintages.is_latest
    qualify
        exposure.as_of_date = max(exposure.as_of_date) over (
            partition by exposure.importer_iso3, exposure.material, exposure.stage, exposure.basis
        )
),

groups as (
    select
        shares.vintage_id,
        shares.geo_iso3 as importer_iso3,
        shares.material,
        shares.stage,
        shares.reference_year,
        shares.basis,
        list(
            {
                'group_id': shares.group_id,
                'group_version': shares.group_version,
                'group_share': shares.group_share
            }
            order by shares.group_id, shares.group_version
        ) as group_shares,
        list(shares.row_key order by shares.row_key) as group_share_keys
    from {{ ref('mart_partner_share') }} as shares
    where shares.scope = 'import_sources' and shares.is_in_force
    group by
        shares.vintage_id, shares.geo_iso3, shares.material, shares.stage, shares.reference_year,
        shares.basis
),

-- The last vintage before that said otherwise of the same year; a published reliance first.
revisions as (
    select
        revisions.row_key as revision_key,
        revisions.vintage_to as vintage_id,
        revisions.geo_iso3 as importer_iso3,
        revisions.material,
        revisions.stage,
        revisions.reference_year,
        revisions.metric as revised_metric,
        revisions.vintage_from as revised_from_vintage_id,
        revisions.delta as revision_delta,
        revisions.source_edition_ids as edition_ids
    from {{ ref('mart_revision_diff') }} as revisions
    inner join {{ ref('dim_vintage') }} as vintages
        on revisions.vintage_from = vintages.vintage_id
    where revisions.scope in ('net_import_reliance', 'import_sources')
    qualify
        row_number() over (
            partition by
                revisions.vintage_to, revisions.geo_iso3, revisions.material, revisions.stage,
                revisions.reference_year
            order by
                vintages.vintage_order desc, revisions.scope desc, revisions.metric, revisions.basis
        ) = 1
)

select
    {{ row_key(['spine.importer_iso3', 'spine.material', 'spine.stage', 'spine.vintage_id']) }}
        as row_key,
    spine.importer_iso3,
    spine.material,
    spine.stage,
    spine.reference_year,
    spine.vintage_id,
    coalesce(flags.source_edition_id, reliance.source_edition_id) as source_edition_id,
    list_sort(list_distinct(list_concat(
        coalesce(flags.source_edition_ids, []),
        coalesce(reliance.source_edition_ids, []),
        coalesce(coverage.source_edition_ids, []),
        coalesce(behind.edition_ids, []),
        coalesce(made.edition_ids, []),
        coalesce(controls.source_edition_ids, []),
        coalesce(revisions.edition_ids, [])
    ))) as source_edition_ids,
    flags.flow_source,
    flags.basis,
    made.production,
    made.production_basis,
    made.production_world_share,
    flags.imports_usd,
    flags.exports_usd,
    flags.consumption_t,
    reliance.import_reliance,
    reliance.import_reliance_low,
    reliance.import_reliance_high,
    reliance.import_reliance_source,
    flags.top_partner,
    flags.top_share,
    largest.partner_iso3 as dependency_partner,
    flags.max_dependency,
    flags.max_dependency_low,
    flags.max_dependency_high,
    drawn.max_dependency_p05,
    drawn.max_dependency_p95,
    drawn.probability_above_65,
    case
        when flags.max_dependency is not null then null
        when flags.row_key is null then 'no sources of imports are held for this year'
        else
            coalesce(
                reliance.reason,
                'net import reliance is neither published nor can it be balanced'
            )
    end as dependency_reason,
    flags.hhi_imports,
    sources.hhi_high,
    drawn.hhi_imports_p05,
    drawn.hhi_imports_p95,
    sources.n_eff,
    sources.n_suppliers,
    behind.set_direct_share,
    behind.set_lookthrough_share,
    behind.set_lookthrough_low,
    behind.set_lookthrough_high,
    behind.set_hidden_pp,
    behind.any_stage_exposure,
    flags.crma65_flag,
    flags.cdi1_flag,
    flags.cdi2_flag,
    flags.cdi3_ratio,
    flags.geodep_flag,
    flags.geodep_years_of_3,
    coverage.removed_country,
    coverage.n1_gross,
    coverage.n1_gross_low,
    coverage.n1_gross_high,
    coverage.demand_source,
    controls.share_under_control,
    controls.status as control_status,
    controls.as_of_date as control_as_of_date,
    groups.group_shares,
    revisions.revised_metric,
    revisions.revised_from_vintage_id,
    revisions.revision_delta,
    flags.row_key as flags_key,
    sources.concentration_key,
    largest.dependency_key,
    reliance.row_key as reliance_key,
    made.production_key,
    coalesce(behind.lookthrough_keys, []) as lookthrough_keys,
    coverage.row_key as n1_key,
    controls.row_key as policy_key,
    coalesce(groups.group_share_keys, []) as group_share_keys,
    revisions.revision_key,
    coverage.evidence_grade as n1_grade,
    behind.lookthrough_grade,
    coalesce(flags.evidence_grade, reliance.evidence_grade) as evidence_grade,
    false as is_official,
    '1' as method_version
from spine
left join flags using (vintage_id, importer_iso3, material, stage, reference_year)
left join {{ ref('mart_import_reliance') }} as reliance
    using (vintage_id, importer_iso3, material, stage, reference_year)
left join sources on flags.row_key = sources.flags_key
left join largest on flags.row_key = largest.flags_key
left join drawn on flags.row_key = drawn.flags_key
left join behind using (vintage_id, importer_iso3, material, stage, reference_year)
left join made using (vintage_id, importer_iso3, material, stage, reference_year)
left join {{ ref('mart_n1_coverage') }} as coverage
    on
        spine.vintage_id = coverage.vintage_id
        and spine.importer_iso3 = coverage.geo_iso3
        and spine.material = coverage.material
        and spine.stage = coverage.stage
        and spine.reference_year = coverage.reference_year
left join controls
    on
        spine.vintage_id = controls.vintage_id
        and spine.importer_iso3 = controls.importer_iso3
        and spine.material = controls.material
        and spine.stage = controls.stage
        and flags.basis = controls.basis
left join groups
    on
        spine.vintage_id = groups.vintage_id
        and spine.importer_iso3 = groups.importer_iso3
        and spine.material = groups.material
        and spine.stage = groups.stage
        and spine.reference_year = groups.reference_year
        and flags.basis = groups.basis
left join revisions
    using (vintage_id, importer_iso3, material, stage, reference_year)
