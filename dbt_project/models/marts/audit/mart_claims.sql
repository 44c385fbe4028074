-- What others publish beside what this warehouse computes, with the scope of both and, where they
-- differ, the reason. A claim that nothing here can meet stands with a null and says why.
with wanted_shares as (
    -- A claim may cover several of our series: their quantities are summed.
    select
        claim_id,
        unnest(string_split(computed_material, '|')) as material,
        unnest(string_split(computed_stage, '|')) as stage,
        len(string_split(computed_material, '|')) as n_materials,
        computed_scope as scope,
        computed_basis as basis,
        computed_geo_iso3 as geo_iso3,
        computed_partner_iso3 as supplier_iso3,
        coalesce(computed_year_from, computed_year) as first_year,
        computed_year as last_year
    from {{ ref('ref_claim') }}
    where computed_measure = 'supplier_share'
),

computed_shares as (
    select
        wanted.claim_id,
        sum(quantities.quantity) / sum(gathered.named_sum + gathered.residual) as computed_value,
        list_sort(list_distinct(flatten(list(gathered.source_edition_ids)))) as edition_ids,
        'mart_concentration' as computed_mart,
        list(
            {{ row_key([
                'gathered.material', 'gathered.stage', 'gathered.scope', 'gathered.geo_iso3',
                'gathered.reference_year', 'gathered.basis', 'gathered.vintage_id'
            ]) }}
            order by gathered.reference_year, gathered.material
        ) as computed_row_keys,
        cast([] as varchar[]) as computed_cell_ids
    from wanted_shares as wanted
    inner join {{ ref('int_concentration') }} as gathered
        on
            gathered.vintage_id = 'latest'
            and wanted.scope = gathered.scope
            and wanted.material = gathered.material
            and wanted.stage = gathered.stage
            and wanted.basis = gathered.basis
            and wanted.geo_iso3 = gathered.geo_iso3
            and gathered.reference_year between wanted.first_year and wanted.last_year
    left join {{ ref('int_supplier_quantity') }} as quantities
        on
            gathered.vintage_id = quantities.vintage_id
            and gathered.scope = quantities.scope
            and gathered.material = quantities.material
            and gathered.stage = quantities.stage
            and gathered.basis = quantities.basis
            and gathered.geo_iso3 = quantities.geo_iso3
            and gathered.reference_year = quantities.reference_year
            and wanted.supplier_iso3 = quantities.supplier_iso3
    group by wanted.claim_id
    -- Nothing is set beside a claim of which a part is not held.
    having
        count(*)
        = any_value(wanted.n_materials) * (any_value(wanted.last_year - wanted.first_year) + 1)
),

measures as (
    unpivot (
        select
            scope,
            material,
            stage,
            basis,
            geo_iso3,
            reference_year,
            source_edition_ids,
            row_key,
            hhi,
            hhi_high,
            cr3,
            quantity_total
        from {{ ref('mart_concentration') }}
        where vintage_id = 'latest'
    )
    on hhi, hhi_high, cr3, quantity_total
    into name measure value computed_value
),

computed_measures as (
    select
        claims.claim_id,
        measures.computed_value,
        measures.source_edition_ids as edition_ids,
        'mart_concentration' as computed_mart,
        [measures.row_key] as computed_row_keys,
        cast([] as varchar[]) as computed_cell_ids
    from {{ ref('ref_claim') }} as claims
    inner join measures
        on
            claims.computed_measure = measures.measure
            and claims.computed_scope = measures.scope
            and claims.computed_material = measures.material
            and claims.computed_stage = measures.stage
            and claims.computed_basis = measures.basis
            and claims.computed_geo_iso3 = measures.geo_iso3
            and claims.computed_year = measures.reference_year
),

computed_supply_risk as (
    select
        claims.claim_id,
        any_value(risks.sr_material) as computed_value,
        list_sort(list_distinct(flatten(list(risks.source_edition_ids)))) as edition_ids,
        'mart_eu_supply_risk' as computed_mart,
        list(risks.row_key order by risks.row_key) as computed_row_keys,
        cast([] as varchar[]) as computed_cell_ids
    from {{ ref('ref_claim') }} as claims
    inner join {{ ref('mart_eu_supply_risk') }} as risks
        on
            claims.computed_measure = 'eu_supply_risk'
            and risks.vintage_id = 'latest'
            and risks.is_study_formula
            and risks.t_set = 'study'
            and claims.computed_material = risks.material
            and claims.computed_year = risks.reference_year
    group by claims.claim_id
),

published_cells as (
    select
        'published_eu_share' as measure,
        'EU27' as geo_iso3,
        materials.material,
        cells.stage,
        countries.country_iso3 as partner_iso3,
        cells.reference_year,
        cells.value / 100 as computed_value,
        cells.source_edition_id,
        cells.cell_id
    from {{ ref('stg_eu_crm__supply_share') }} as cells
    inner join {{ ref('material__eu_crm') }} as materials
        on cells.material_label = materials.material_label
    inner join {{ ref('country__eu_crm') }} as countries
        on cells.country_label = countries.country_label
    where cells.scope = 'eu'
    union all
    select
        'published_' || cells.measure as measure,
        'EU27' as geo_iso3,
        materials.material,
        null as stage,
        null as partner_iso3,
        cells.assessment_year as reference_year,
        cells.value as computed_value,
        cells.source_edition_id,
        cells.cell_id
    from {{ ref('stg_eu_crm__criticality') }} as cells
    inner join {{ ref('material__eu_crm') }} as materials
        on cells.material_label = materials.material_label
    union all
    select
        'net_import_reliance' as measure,
        importer_iso3 as geo_iso3,
        material,
        stage,
        null as partner_iso3,
        reference_year,
        import_reliance as computed_value,
        source_edition_id,
        cell_id
    from {{ ref('int_import_reliance__published') }}
    where vintage_id = 'latest'
),

computed_cells as (
    select
        claims.claim_id,
        cells.computed_value,
        [cells.source_edition_id] as edition_ids,
        cast(null as varchar) as computed_mart,
        cast([] as varchar[]) as computed_row_keys,
        [cells.cell_id] as computed_cell_ids
    from {{ ref('ref_claim') }} as claims
    inner join published_cells as cells
        on
            claims.computed_measure = cells.measure
            and claims.computed_material = cells.material
            and claims.computed_year = cells.reference_year
            and coalesce(claims.computed_geo_iso3 = cells.geo_iso3, true)
            and coalesce(claims.computed_stage = cells.stage, true)
            and coalesce(claims.computed_partner_iso3 = cells.partner_iso3, true)
),

-- Projections stand in no mart: a claim about one is met by the agency's own table. Of what it
-- prints, countries and the rest of the world are summed; its totals mix names and uses.
projected as (
    select
        materials.material,
        cells.stage,
        cells.reference_year,
        cells.row_kind = 'country' as is_country,
        countries.country_iso3,
        cells.value,
        cells.source_edition_id,
        cells.cell_id
    from {{ ref('stg_iea_cm__supply') }} as cells
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on cells.source_edition_id = editions.source_edition_id
    inner join {{ ref('material__iea_cm') }} as materials
        on cells.material_label = materials.material_label
    inner join {{ ref('country__iea') }} as countries
        on cells.country_label = countries.country_label
    where
        editions.vintage_id = 'latest'
        and cells.is_projection
        and cells.row_kind in ('country', 'residual')
    qualify
        editions.recency
        = min(editions.recency) over (
            partition by materials.material, cells.stage, cells.reference_year
        )
),

claimed_projections as (
    select
        claims.claim_id,
        any_value(claims.computed_measure) as computed_measure,
        list_sum(list_sort(list(cells.value))) as supply,
        max(cells.value) filter (where cells.is_country) as top_supply,
        max(cells.value) filter (where cells.country_iso3 = claims.computed_partner_iso3)
            as partner_supply,
        list_sort(list_distinct(list(cells.source_edition_id))) as edition_ids,
        list(cells.cell_id order by cells.cell_id) as computed_cell_ids
    from {{ ref('ref_claim') }} as claims
    inner join projected as cells
        on
            claims.computed_measure in ('projected_share', 'projected_n1')
            and claims.computed_material = cells.material
            and claims.computed_stage = cells.stage
            and claims.computed_year = cells.reference_year
    group by claims.claim_id
),

computed_projections as (
    select
        claim_id,
        case computed_measure
            when 'projected_share' then partner_supply / supply
            else n1_gross(supply, top_supply, supply)
        end as computed_value,
        edition_ids,
        cast(null as varchar) as computed_mart,
        cast([] as varchar[]) as computed_row_keys,
        computed_cell_ids
    from claimed_projections
),

found as (
    select * from computed_shares
    union all
    select * from computed_measures
    union all
    select * from computed_supply_risk
    union all
    select * from computed_cells
    union all
    select * from computed_projections
),

-- Draws of the same figure. A supplier's share of world supply is drawn as that of the largest,
-- which is meant where the supplier is the largest.
drawn_keys as (
    select
        found.claim_id,
        'mart_import_dependency' as mart,
        'share_of_imports' as metric,
        {{ row_key([
            'claims.computed_geo_iso3', 'claims.computed_material', 'claims.computed_stage',
            'claims.computed_partner_iso3', 'claims.computed_year', 'claims.computed_basis',
            "'latest'"
        ]) }} as mart_row_key
    from found
    inner join {{ ref('ref_claim') }} as claims on found.claim_id = claims.claim_id
    where
        claims.computed_measure = 'supplier_share'
        and claims.computed_scope = 'import_sources'
        and len(found.computed_row_keys) = 1
    union all
    select
        found.claim_id,
        'mart_concentration' as mart,
        'cr1' as metric,
        lists.row_key as mart_row_key
    from found
    inner join {{ ref('ref_claim') }} as claims on found.claim_id = claims.claim_id
    inner join {{ ref('mart_concentration') }} as lists
        on found.computed_row_keys[1] = lists.row_key
    where
        claims.computed_measure = 'supplier_share'
        and claims.computed_scope != 'import_sources'
        and len(found.computed_row_keys) = 1
        and claims.computed_partner_iso3 = lists.top_supplier
    union all
    select
        found.claim_id,
        'mart_concentration' as mart,
        claims.computed_measure as metric,
        found.computed_row_keys[1] as mart_row_key
    from found
    inner join {{ ref('ref_claim') }} as claims on found.claim_id = claims.claim_id
    where claims.computed_measure in ('hhi', 'cr3')
),

drawn as (
    select
        drawn_keys.claim_id,
        -- One row a threshold, the quantiles the same in each.
        any_value(draws.p05) as p05,
        any_value(draws.p95) as p95
    from drawn_keys
    inner join {{ ref('mart_uncertainty') }} as draws
        on
            drawn_keys.mart = draws.mart
            and drawn_keys.metric = draws.metric
            and drawn_keys.mart_row_key = draws.mart_row_key
    group by drawn_keys.claim_id
),

joined as (
    select
        claims.*,
        found.computed_value,
        drawn.p05 as computed_p05,
        drawn.p95 as computed_p95,
        coalesce(found.edition_ids, []) as source_edition_ids,
        found.computed_mart,
        coalesce(found.computed_row_keys, []) as computed_row_keys,
        coalesce(found.computed_cell_ids, []) as computed_cell_ids
    from {{ ref('ref_claim') }} as claims
    left join found on claims.claim_id = found.claim_id
    left join drawn on claims.claim_id = drawn.claim_id
)

select
    claim_id as row_key,
    claim_id,
    metric,
    geo_iso3,
    partner_iso3,
    material,
    stage,
    scope_text,
    period,
    claimed_low,
    claimed_high,
    unit,
    published_by,
    confidence,
    source,
    'latest' as vintage_id,
    source_edition_ids,
    computed_measure,
    computed_year,
    computed_value,
    computed_p05,
    computed_p95,
    computed_mart,
    computed_row_keys,
    computed_cell_ids,
    case
        when computed_value is null or unit != 'share' then null
        when computed_value < claimed_low then (computed_value - claimed_low) * 100
        when computed_value > claimed_high then (computed_value - claimed_high) * 100
        else 0.0
    end as gap_pp,
    scope_match,
    explanation,
    false as is_official
from joined
