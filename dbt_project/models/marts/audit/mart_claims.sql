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
        sum(quantities.quantity) / sum(gathered.named_sum + gathered.residual) as computed_share,
        list_sort(list_distinct(flatten(list(gathered.source_edition_ids)))) as source_edition_ids
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

eu_sourcing as (
    select
        materials.material,
        cells.stage,
        countries.country_iso3 as supplier_iso3,
        cells.reference_year,
        cells.value / 100 as share,
        cells.source_edition_id
    from {{ ref('stg_eu_crm__supply_share') }} as cells
    inner join {{ ref('material__eu_crm') }} as materials
        on cells.material_label = materials.material_label
    inner join {{ ref('country__eu_crm') }} as countries
        on cells.country_label = countries.country_label
    where cells.scope = 'eu'
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

criticality as (
    select
        materials.material,
        cells.measure,
        cells.assessment_year,
        cells.value,
        cells.source_edition_id
    from {{ ref('stg_eu_crm__criticality') }} as cells
    inner join {{ ref('material__eu_crm') }} as materials
        on cells.material_label = materials.material_label
),

joined as (
    select
        claims.*,
        coalesce(
            computed_shares.computed_share,
            measures.computed_value,
            eu_sourcing.share,
            reliance.import_reliance,
            criticality.value
        ) as computed_value,
        list_concat(
            coalesce(computed_shares.source_edition_ids, measures.source_edition_ids, []),
            [
                eu_sourcing.source_edition_id,
                reliance.source_edition_id,
                criticality.source_edition_id
            ]
        ) as found_edition_ids
    from {{ ref('ref_claim') }} as claims
    left join computed_shares
        on claims.claim_id = computed_shares.claim_id
    left join eu_sourcing
        on
            claims.computed_measure = 'published_eu_share'
            and claims.computed_material = eu_sourcing.material
            and claims.computed_stage = eu_sourcing.stage
            and claims.computed_partner_iso3 = eu_sourcing.supplier_iso3
            and claims.computed_year = eu_sourcing.reference_year
    left join measures
        on
            claims.computed_measure = measures.measure
            and claims.computed_scope = measures.scope
            and claims.computed_material = measures.material
            and claims.computed_stage = measures.stage
            and claims.computed_basis = measures.basis
            and claims.computed_geo_iso3 = measures.geo_iso3
            and claims.computed_year = measures.reference_year
    left join {{ ref('int_import_reliance') }} as reliance
        on
            claims.computed_measure = 'net_import_reliance'
            and reliance.vintage_id = 'latest'
            and claims.computed_material = reliance.material
            and claims.computed_stage = reliance.stage
            and claims.computed_geo_iso3 = reliance.importer_iso3
            and claims.computed_year = reliance.reference_year
    left join criticality
        on
            claims.computed_measure = 'published_' || criticality.measure
            and claims.computed_material = criticality.material
            and claims.computed_year = criticality.assessment_year
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
    list_filter(found_edition_ids, lambda e: e is not null) as source_edition_ids,
    computed_measure,
    computed_year,
    computed_value,
    case
        when computed_value is null or unit not in ('share') then null
        when computed_value between claimed_low and claimed_high then 0.0
        when computed_value < claimed_low then (computed_value - claimed_low) * 100
        else (computed_value - claimed_high) * 100
    end as gap_pp,
    scope_match,
    explanation,
    false as is_official
from joined
