-- Supplier lists whose measures are drawn: production and published shares at every vintage; trade
-- at the latest vintage, of the newest years; importers with a published net import reliance in
-- every year. The reliance comes with its ends: a printed percentage is rounded, a printed bound is
-- a range, and a balanced reliance lies between its own ends.
{% set digits = uncertainty_setting('least_digits') %}
with lists as (
    select
        row_key as list_key,
        vintage_id,
        scope,
        material,
        stage,
        basis,
        geo_iso3,
        reference_year,
        flow_source,
        max(reference_year) filter (where flow_source is not null) over () as newest_trade_year
    from {{ ref('mart_concentration') }}
),

stated as (
    select
        held.vintage_id,
        held.importer_iso3,
        held.material,
        held.stage,
        held.reference_year,
        concat_ws('|', held.importer_iso3, held.material, held.stage, held.reference_year)
            as reliance_key,
        held.import_reliance_low,
        held.import_reliance_high,
        held.import_reliance_source,
        case
            when held.import_reliance_source = 'published' and held.import_reliance > 0
                then {{ half_unit('cells.value_text', 'true', digits) }} / 100
            else 0
        end as half_unit
    from {{ ref('int_import_reliance') }} as held
    left join {{ ref('fct_source_cell') }} as cells on held.published_cell_id = cells.cell_id
    where held.import_reliance_high is not null
),

reliance as (
    select
        *,
        greatest(0, import_reliance_low - half_unit) as reliance_low,
        least(1, import_reliance_high + half_unit) as reliance_high
    from stated
)

select
    lists.* exclude (newest_trade_year),
    reliance.reliance_key,
    reliance.reliance_low,
    reliance.reliance_high
from lists
left join reliance
    on
        lists.scope = 'import_sources'
        and lists.vintage_id = reliance.vintage_id
        and lists.geo_iso3 = reliance.importer_iso3
        and lists.material = reliance.material
        and lists.stage = reliance.stage
        and lists.reference_year = reliance.reference_year
where
    lists.flow_source is null
    or (
        lists.vintage_id = 'latest'
        and (
            lists.reference_year
            > lists.newest_trade_year - {{ uncertainty_setting('years_of_trade') }}
            or reliance.import_reliance_source = 'published'
        )
    )
