-- Net import reliance of an importer with the balance that it is computed from, beside the
-- published one where there is one. The row tells which of the two counts, or why neither does.
select
    {{ row_key(['importer_iso3', 'material', 'stage', 'reference_year', 'vintage_id']) }}
        as row_key,
    importer_iso3,
    material,
    stage,
    reference_year,
    vintage_id,
    coalesce(published_edition_id, flow_edition_id) as source_edition_id,
    list_sort(list_distinct(
        list_concat(
            coalesce(computed_edition_ids, []),
            case when published_edition_id is null then [] else [published_edition_id] end
        )
    )) as source_edition_ids,
    flow_source,
    flow_edition_id,
    production_edition_id,
    production_gross_t_low,
    production_gross_t_high,
    imports_gross_t,
    imports_gross_t_low,
    imports_gross_t_high,
    exports_gross_t,
    exports_gross_t_low,
    exports_gross_t_high,
    case
        when computed_reliance_high is not null
            then
                greatest(
                    0,
                    apparent_consumption(
                        production_gross_t_low, imports_gross_t_low, exports_gross_t_high
                    )
                )
    end as consumption_gross_t_low,
    case
        when computed_reliance_high is not null
            then
                apparent_consumption(
                    production_gross_t_high, imports_gross_t_high, exports_gross_t_low
                )
    end as consumption_gross_t_high,
    import_reliance,
    import_reliance_low,
    import_reliance_high,
    import_reliance_source,
    reason,
    published_reliance,
    published_reliance_low,
    published_reliance_high,
    published_flag,
    published_cell_id,
    computed_reliance,
    computed_reliance_low,
    computed_reliance_high,
    computed_reason,
    evidence_grade,
    false as is_official
from {{ ref('int_import_reliance') }}
