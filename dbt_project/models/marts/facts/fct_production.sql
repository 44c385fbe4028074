-- Production and capacity by material, stage, country, year and edition, as published, and the
-- mine output of single rare-earth elements derived from it.
with published as (
    select
        source_edition_id,
        [source_edition_id] as source_edition_ids,
        source_id,
        material,
        stage,
        basis,
        measure,
        series_label,
        country_iso3,
        country_name_reported,
        area_type,
        reference_year,
        value,
        value_low,
        value_high,
        value_flag,
        is_primary,
        'published' as derivation,
        independence_flag,
        true as is_official,
        case
            when basis = 'share' then 'C'
            when not independence_flag then 'D'
            when value_flag = 'estimated' then 'B'
            when value_flag in ('reported', 'zero') then 'A'
            else 'C'
        end as evidence_grade,
        cast(null as varchar) as reason,
        [cell_id] as cell_ids
    from {{ ref('int_production__harmonised') }}
    where measure in ('production', 'capacity')
),

derived as (
    select
        source_edition_id,
        list_filter([source_edition_id, factor_edition_id], lambda e: e is not null)
            as source_edition_ids,
        source_id,
        material,
        'mine' as stage,
        'reo_t' as basis,
        'production' as measure,
        'oxide total x oxide distribution of deposits' as series_label,
        country_iso3,
        country_name_reported,
        area_type,
        reference_year,
        value,
        value_low,
        value_high,
        value_flag,
        true as is_primary,
        'oxide_distribution' as derivation,
        independence_flag,
        false as is_official,
        'E' as evidence_grade,
        reason,
        list_concat([cell_id], coalesce(factor_cell_ids, [])) as cell_ids
    from {{ ref('int_production__by_element') }}
)

select
    {{ row_key([
        'material', 'stage', 'basis', 'measure', 'series_label', 'country_name_reported',
        'reference_year', 'source_edition_id'
    ]) }} as row_key,
    *
from (
    select * from published
    union all
    select * from derived
)
