-- mart_concentration for readers: HHI on the 0 to 10,000 scale, shares in percent, names.
select
    concentration.material,
    materials.material_name,
    concentration.stage,
    concentration.scope,
    concentration.geo_iso3,
    countries.country_name as geo_name,
    concentration.reference_year,
    concentration.basis,
    concentration.vintage_id,
    round(concentration.hhi * 10000) as hhi_10000,
    round(concentration.hhi_high * 10000) as hhi_high_10000,
    concentration.n_suppliers,
    concentration.top_supplier,
    suppliers.country_name as top_supplier_name,
    round(concentration.top_share * 100, 1) as top_share_percent,
    round(concentration.cr3 * 100, 1) as cr3_percent,
    concentration.evidence_grade
from {{ ref('mart_concentration') }} as concentration
inner join {{ ref('dim_material') }} as materials using (material)
inner join {{ ref('dim_country') }} as countries
    on concentration.geo_iso3 = countries.country_iso3
left join {{ ref('dim_country') }} as suppliers
    on concentration.top_supplier = suppliers.country_iso3
