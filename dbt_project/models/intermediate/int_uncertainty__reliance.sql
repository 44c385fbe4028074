-- Net import reliance with its ends: a printed percentage is rounded, a printed bound is a range, a
-- balanced reliance is drawn from its balance. Rows of equal key share their draws. Where
-- production is withheld, or may be among what nobody is named for, the reliance has ends and
-- nothing is known of what lies between them: it is not drawn.
{% set digits = uncertainty_setting('least_digits') %}
with stated as (
    select
        held.*,
        case
            when held.import_reliance_source = 'published' and held.import_reliance > 0
                then {{ half_unit('cells.value_text', 'true', digits) }} / 100
            else 0
        end as half_unit
    from {{ ref('int_import_reliance') }} as held
    left join {{ ref('fct_source_cell') }} as cells on held.published_cell_id = cells.cell_id
    where
        held.import_reliance_high is not null
        and (
            held.import_reliance_source = 'published'
            or held.production_gross_t_low = held.production_gross_t_high
        )
)

select
    {{ row_key(['importer_iso3', 'material', 'stage', 'reference_year', 'vintage_id']) }}
        as mart_row_key,
    vintage_id,
    importer_iso3,
    material,
    stage,
    reference_year,
    import_reliance_source,
    concat_ws(
        '|',
        case import_reliance_source when 'computed' then 'balance' end,
        importer_iso3, material, stage, reference_year
    ) as reliance_key,
    greatest(0, import_reliance_low - half_unit) as reliance_low,
    least(1, import_reliance_high + half_unit) as reliance_high
from stated
