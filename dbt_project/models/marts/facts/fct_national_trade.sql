-- Trade by lines of national nomenclatures, in the reporter's currency, with what a line holds in
-- the year of the figure (ref_national_code).
with meanings as (
    select
        national_system,
        national_code,
        coalesce(valid_from, 0) as valid_from,
        coalesce(valid_to, 9999) as valid_to,
        material,
        form,
        string_split(elements, ';') as elements,
        mapping_quality
    from {{ ref('ref_national_code') }}
),

hs_codes as (
    select
        hs_code,
        coalesce(nullif(basket, ''), material) as material,
        stage
    from {{ ref('ref_hs_material') }}
)

select
    {{ row_key([
        'cells.source_edition_id', 'cells.reporter_reported', 'cells.partner_reported',
        'cells.flow', 'cells.national_system', 'cells.national_code', 'cells.reference_year',
        'cells.reference_month'
    ]) }} as row_key,
    cells.source_edition_id,
    cells.source_id,
    cells.reporter_iso3,
    cells.reporter_reported,
    cells.partner_iso3,
    cells.partner_reported,
    cells.partner_area_type,
    cells.flow,
    cells.national_system,
    cells.national_code,
    cells.code_level,
    left(cells.national_code, 6) as hs_code,
    coalesce(meanings.material, hs_codes.material) as material,
    hs_codes.stage,
    meanings.form,
    meanings.elements,
    meanings.mapping_quality,
    cells.reference_year,
    cells.reference_month,
    cells.trade_value,
    cells.currency_code,
    cells.valuation,
    cells.net_weight_kg,
    cells.supplementary_quantity,
    cells.supplementary_unit,
    cells.is_confidential,
    cells.n_rows,
    cells.document_name,
    cells.row_number
from {{ ref('int_trade__national') }} as cells
left join meanings
    on
        cells.national_system = meanings.national_system
        and cells.national_code = meanings.national_code
        and cells.reference_year between meanings.valid_from and meanings.valid_to
left join hs_codes on left(cells.national_code, 6) = hs_codes.hs_code
