-- Net import reliance of an importer: as a publisher states it, else by balance of production and
-- trade. Both are kept beside each other; what a publisher states counts.
select
    vintage_id,
    importer_iso3,
    material,
    stage,
    reference_year,
    case
        when published.cell_id is null then computed.import_reliance
        else published.import_reliance
    end as import_reliance,
    case
        when published.cell_id is null then computed.import_reliance_low
        else published.import_reliance_low
    end as import_reliance_low,
    case
        when published.cell_id is null then computed.import_reliance_high
        else published.import_reliance_high
    end as import_reliance_high,
    case
        when published.cell_id is not null then 'published'
        when computed.import_reliance_high is not null then 'computed'
    end as import_reliance_source,
    case
        when published.import_reliance is not null then null
        when published.cell_id is not null
            then 'net import reliance is published as a bound: low and high only'
        else computed.reason
    end as reason,
    published.cell_id as published_cell_id,
    published.value_flag as published_flag,
    published.source_edition_id as published_edition_id,
    published.import_reliance as published_reliance,
    published.import_reliance_low as published_reliance_low,
    published.import_reliance_high as published_reliance_high,
    computed.import_reliance as computed_reliance,
    computed.import_reliance_low as computed_reliance_low,
    computed.import_reliance_high as computed_reliance_high,
    computed.reason as computed_reason,
    computed.flow_source,
    computed.source_edition_id as flow_edition_id,
    computed.source_edition_ids as computed_edition_ids,
    computed.production_edition_id,
    computed.imports_gross_t,
    computed.imports_gross_t_low,
    computed.imports_gross_t_high,
    computed.exports_gross_t,
    computed.exports_gross_t_low,
    computed.exports_gross_t_high,
    computed.production_gross_t_low,
    computed.production_gross_t_high,
    case
        when published.cell_id is null then computed.evidence_grade
        else published.evidence_grade
    end as evidence_grade
from {{ ref('int_import_reliance__published') }} as published
full join {{ ref('int_import_reliance__computed') }} as computed
    using (vintage_id, importer_iso3, material, stage, reference_year)
