-- How concentrated supply is: in the world's production, in world exports, in an importer's
-- sources.
with measured as (
    select
        *,
        case
            when residual > 0 then list_append(quantities, residual) else quantities
        end as all_quantities,
        hhi(quantities, residual) as hhi_named,
        named_sum + residual as denominator
    from {{ ref('int_concentration') }}
),

doj_2010 as (
    select
        lower as lower_2010,
        upper as upper_2010,
        label as label_2010
    from {{ ref('ref_threshold') }}
    where rule_set = 'doj_2010'
),

doj_2023 as (
    select
        lower as lower_2023,
        upper as upper_2023,
        label as label_2023
    from {{ ref('ref_threshold') }}
    where rule_set = 'doj_2023'
)

select
    {{ row_key([
        'material', 'stage', 'scope', 'geo_iso3', 'reference_year', 'basis', 'vintage_id'
    ]) }} as row_key,
    material,
    stage,
    scope,
    geo_iso3,
    reference_year,
    basis,
    vintage_id,
    source_edition_id,
    source_edition_ids,
    flow_source,
    hhi_named as hhi,
    hhi_named as hhi_low,
    hhi_high(quantities, residual) as hhi_high,
    hhi_high_ordered(quantities, residual) as hhi_high_ordered,
    -- One named supplier has nothing to be compared with, whatever stands beside it unnamed.
    case
        when len(quantities) > 1
            then hhi_norm(hhi_high(quantities, residual), len(all_quantities))
    end as hhi_norm,
    cr(quantities, 1, residual) as cr1,
    cr(quantities, 3, residual) as cr3,
    cr(quantities, 5, residual) as cr5,
    cast(len(quantities) as integer) as n_suppliers,
    cast(n_unquantified as integer) as n_suppliers_unquantified,
    n_eff(hhi_named) as n_eff,
    entropy(all_quantities) as entropy_nats,
    case when len(quantities) > 1 then evenness(all_quantities) end as evenness,
    gini(all_quantities) as gini,
    suppliers[1] as top_supplier,
    cr(quantities, 1, residual) as top_share,
    coalesce(quantities[1] = quantities[2], false) as is_top_tied,
    (quantities[1] - coalesce(quantities[2], 0)) / denominator as margin_to_second,
    denominator as quantity_total,
    residual / denominator as residual_share,
    quantities[1] / nullif(printed_total, 0) as share_of_printed_total,
    printed_total,
    case
        when printed_total > denominator then denominator / printed_total
        when n_unquantified > 0 and printed_total is null then null
        else 1.0
    end as coverage_share,
    label_2010 as label_doj2010,
    label_2023 as label_doj2023,
    cast(n_source_cells as integer) as n_source_cells,
    evidence_grade,
    false as is_official,
    '1' as method_version
from measured
left join doj_2010 on hhi_named >= lower_2010 and hhi_named < upper_2010
left join doj_2023 on hhi_named >= lower_2023 and hhi_named < upper_2023
