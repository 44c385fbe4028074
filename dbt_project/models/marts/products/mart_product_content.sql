-- What imports of derived products hold of an element: gross weight times the content of a tonne of
-- the product times the share of the product in its trade code. Where the importer's own lines tell
-- the product apart (int_product__line_import), they give weight and share instead. Flows without a
-- weight count in dollars only.
with codes as (
    select
        families.family_id,
        families.hs_code,
        families.grade_id,
        coalesce(nullif(materials.basket, ''), materials.material) as material,
        materials.stage
    from {{ ref('ref_product_family') }} as families
    inner join {{ ref('ref_hs_material') }} as materials on families.hs_code = materials.hs_code
),

contents as (
    select
        codes.family_id,
        codes.hs_code,
        grades.element,
        grades.share_low,
        grades.share_central,
        grades.share_high,
        grades.is_verified,
        cast(null as varchar) as content_reason
    from codes
    inner join {{ ref('ref_magnet_grade') }} as grades on codes.grade_id = grades.grade_id
    union all
    select
        codes.family_id,
        codes.hs_code,
        known.element,
        known.share_low,
        known.share_central,
        known.share_high,
        known.is_verified,
        known.reason as content_reason
    from codes
    inner join {{ ref('ref_product_content') }} as known on codes.family_id = known.family_id
),

flows as (
    select
        codes.family_id,
        codes.hs_code,
        choice.flow_source,
        choice.source_edition_id,
        choice.source_edition_ids,
        flows.exporter_iso3,
        flows.importer_iso3,
        flows.reference_year,
        flows.trade_value_usd,
        flows.net_weight_kg
    from {{ ref('fct_trade_flow') }} as flows
    inner join codes on flows.hs_code = codes.hs_code
    inner join {{ ref('int_trade__edition_choice') }} as choice
        on
            choice.vintage_id = 'latest'
            and codes.material = choice.material
            and codes.stage = choice.stage
            and flows.reference_year = choice.reference_year
            and flows.flow_source = choice.flow_source
            and {{ of_choice('flows', 'choice') }}
    where flows.importer_iso3 is not null
),

members as (
    select country_iso3
    from {{ ref('dim_country') }}
    where is_eu27
),

buyers as (
    select * from flows
    union all
    select * replace ('EU27' as importer_iso3)
    from flows
    where
        importer_iso3 in (select country_iso3 from members)
        and (exporter_iso3 is null or exporter_iso3 not in (select country_iso3 from members))
),

-- Sums run over sorted lists: in whatever order threads give the rows, the last digit is the same.
imports as (
    select
        family_id,
        hs_code,
        importer_iso3,
        reference_year,
        any_value(flow_source) as flow_source,
        any_value(source_edition_id) as source_edition_id,
        any_value(source_edition_ids) as source_edition_ids,
        list_sum(list_sort(list(trade_value_usd))) as imports_usd,
        list_sum(list_sort(list(net_weight_kg))) / 1000 as gross_t,
        list_sum(list_sort(list(trade_value_usd) filter (where net_weight_kg is not null)))
            as value_with_weight_usd
    from buyers
    group by family_id, hs_code, importer_iso3, reference_year
),

oxides as (
    select
        symbol as element,
        any_value(element_per_oxide) as element_per_oxide
    from {{ ref('ref_element_content') }}
    group by symbol
),

-- One row an importer, family and year: by its own lines where they narrow the code, else the code.
weighed as (
    select
        family_id,
        hs_code,
        importer_iso3,
        reference_year,
        case when lines.gross_t is null then 'code_range' else 'national_line' end
            as content_method,
        imports.flow_source,
        coalesce(lines.source_edition_id, imports.source_edition_id) as source_edition_id,
        list_sort(list_distinct(list_concat(
            coalesce(imports.source_edition_ids, cast([] as varchar[])),
            coalesce(lines.source_edition_ids, cast([] as varchar[]))
        ))) as source_edition_ids,
        imports.imports_usd,
        coalesce(lines.gross_t, imports.gross_t) as gross_t,
        coalesce(
            lines.weight_coverage, coalesce(imports.value_with_weight_usd, 0) / imports.imports_usd
        ) as weight_coverage,
        coalesce(lines.family_low_t, imports.gross_t * codes.code_share_low) as family_low_t,
        case
            when lines.gross_t is null then imports.gross_t * codes.code_share_central
            else lines.family_central_t
        end as family_central_t,
        coalesce(lines.family_high_t, imports.gross_t * codes.code_share_high) as family_high_t,
        case when lines.gross_t is null then codes.reason else lines.reason end as family_reason
    from imports
    full join {{ ref('int_product__line_import') }} as lines
        using (family_id, hs_code, importer_iso3, reference_year)
    inner join {{ ref('ref_product_family') }} as codes
        using (family_id, hs_code)
),

held as (
    select
        weighed.*,
        contents.element,
        contents.is_verified as is_content_verified,
        weighed.family_low_t * contents.share_low as element_low_t,
        weighed.family_central_t * contents.share_central as element_central_t,
        weighed.family_high_t * contents.share_high as element_high_t,
        weighed.family_high_t * contents.share_central as element_if_whole_t,
        oxides.element_per_oxide,
        case
            when weighed.gross_t is null then 'no weight is held for these flows'
            else coalesce(contents.content_reason, weighed.family_reason)
        end as reason
    from weighed
    inner join contents
        on weighed.family_id = contents.family_id and weighed.hs_code = contents.hs_code
    left join oxides on contents.element = oxides.element
)

select
    {{ row_key([
        'family_id', 'hs_code', 'importer_iso3', 'element', 'reference_year', "'latest'"
    ]) }} as row_key,
    family_id,
    hs_code,
    importer_iso3,
    element,
    reference_year,
    'latest' as vintage_id,
    content_method,
    flow_source,
    source_edition_id,
    source_edition_ids,
    imports_usd,
    gross_t,
    weight_coverage,
    family_low_t,
    family_central_t,
    family_high_t,
    element_low_t,
    element_central_t,
    element_high_t,
    element_if_whole_t,
    reo_equivalent(element_low_t, element_per_oxide) as reo_low_t,
    reo_equivalent(element_central_t, element_per_oxide) as reo_central_t,
    reo_equivalent(element_high_t, element_per_oxide) as reo_high_t,
    reo_equivalent(element_if_whole_t, element_per_oxide) as reo_if_whole_t,
    reason,
    is_content_verified,
    'E' as evidence_grade,
    false as is_official,
    '2' as method_version
from held
