-- What each partner supplies of an importer's imports and, where net import reliance is published
-- or can be balanced, of its consumption. Otherwise the dependency is null and says why.
with imports as (
    select
        *,
        sum(quantity) over (
            partition by vintage_id, material, stage, basis, geo_iso3, reference_year
        ) as total
    from {{ ref('int_supplier_quantity') }}
    where scope = 'import_sources' and quantity > 0
)

select
    {{ row_key([
        'imports.geo_iso3', 'imports.material', 'imports.stage', 'imports.supplier_iso3',
        'imports.reference_year', 'imports.basis', 'imports.vintage_id'
    ]) }} as row_key,
    imports.geo_iso3 as importer_iso3,
    imports.material,
    imports.stage,
    imports.supplier_iso3 as partner_iso3,
    imports.is_residual,
    imports.reference_year,
    imports.basis,
    imports.vintage_id,
    imports.source_edition_id,
    case reliance.import_reliance_source
        when 'published'
            then
                list_sort(list_distinct(
                    list_append(imports.source_edition_ids, reliance.published_edition_id)
                ))
        when 'computed'
            then
                list_sort(list_distinct(
                    list_concat(imports.source_edition_ids, reliance.computed_edition_ids)
                ))
        else imports.source_edition_ids
    end as source_edition_ids,
    imports.flow_source,
    case when imports.basis = 'usd' then imports.quantity end as imports_usd,
    case when imports.basis = 'gross_t' then imports.quantity end as imports_gross_t,
    imports.quantity / imports.total as share_of_imports,
    reliance.import_reliance,
    reliance.import_reliance_low,
    reliance.import_reliance_high,
    consumption_share(reliance.import_reliance, imports.quantity / imports.total)
        as dependency,
    consumption_share(reliance.import_reliance_low, imports.quantity / imports.total)
        as dependency_low,
    consumption_share(reliance.import_reliance_high, imports.quantity / imports.total)
        as dependency_high,
    reliance.import_reliance_source,
    case reliance.import_reliance_source when 'published' then reliance.published_flag end
        as import_reliance_flag,
    case
        when reliance.importer_iso3 is null
            then
                'net import reliance is neither published nor can it be balanced: no production '
                || 'is held that the trade in this material and stage carries'
        else reliance.reason
    end as reason,
    case reliance.import_reliance_source
        when 'computed' then greatest(imports.evidence_grade, reliance.evidence_grade)
        else imports.evidence_grade
    end as evidence_grade,
    false as is_official
from imports
left join {{ ref('int_import_reliance') }} as reliance
    on
        imports.vintage_id = reliance.vintage_id
        and imports.geo_iso3 = reliance.importer_iso3
        and imports.material = reliance.material
        and imports.stage = reliance.stage
        and imports.reference_year = reliance.reference_year
