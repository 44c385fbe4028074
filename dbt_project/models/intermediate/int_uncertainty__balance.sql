-- Balances behind a net import reliance that are drawn: the list of what was imported, by weight,
-- and the ends of imports and exports over what is held.
select
    lists.reliance_key,
    lists.list_key,
    lists.geo_iso3 as importer_iso3,
    concat_ws('|', lists.geo_iso3, lists.material, lists.stage, lists.reference_year)
        as balance_key,
    held.imports_gross_t_low / held.imports_gross_t as imports_low,
    held.imports_gross_t_high / held.imports_gross_t as imports_high,
    coalesce(held.exports_gross_t_low / nullif(held.exports_gross_t, 0), 1) as exports_low,
    coalesce(held.exports_gross_t_high / nullif(held.exports_gross_t, 0), 1) as exports_high
from {{ ref('int_uncertainty__list') }} as lists
inner join {{ ref('int_import_reliance') }} as held
    on
        lists.vintage_id = held.vintage_id
        and lists.geo_iso3 = held.importer_iso3
        and lists.material = held.material
        and lists.stage = held.stage
        and lists.reference_year = held.reference_year
where
    lists.vintage_id = 'latest' and lists.scope = 'import_sources' and lists.basis = 'gross_t'
    and held.import_reliance_source = 'computed'
    and held.production_gross_t_low = held.production_gross_t_high
