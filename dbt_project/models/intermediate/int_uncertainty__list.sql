-- Supplier lists whose measures are drawn: production and published shares at every vintage; trade
-- at the latest vintage, of the newest years; importers with a published net import reliance in
-- every year. The reliance comes with its ends (int_uncertainty__reliance).
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
        -- A column of its own: a further condition on one side of the join would make DuckDB try
        -- every list with every reliance.
        case when scope = 'import_sources' then geo_iso3 end as importer_iso3,
        max(reference_year) filter (where flow_source is not null) over () as newest_trade_year
    from {{ ref('mart_concentration') }}
)

select
    lists.* exclude (newest_trade_year, importer_iso3),
    reliance.reliance_key,
    reliance.reliance_low,
    reliance.reliance_high
from lists
left join {{ ref('int_uncertainty__reliance') }} as reliance
    on
        lists.vintage_id = reliance.vintage_id
        and lists.importer_iso3 = reliance.importer_iso3
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
