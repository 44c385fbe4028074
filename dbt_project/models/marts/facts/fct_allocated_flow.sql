-- Trade in rare-earth codes shared out among elements, one row a flow, element, form and step of
-- the ladder (int_trade__element_share), and one row `ree_unallocated` for what no step divides.
-- The flows are those that the marts take at `latest`. Weights and values of the rows of a flow
-- sum to the flow's.
with allocated_codes as (
    select
        allocated.hs_code,
        allocated.form,
        coalesce(nullif(codes.basket, ''), codes.material) as material,
        codes.stage
    from {{ ref('ref_allocated_code') }} as allocated
    inner join {{ ref('ref_hs_material') }} as codes on allocated.hs_code = codes.hs_code
),

flows as (
    select
        flows.*,
        allocated_codes.form,
        allocated_codes.material,
        allocated_codes.stage
    from {{ ref('fct_trade_flow') }} as flows
    inner join allocated_codes on flows.hs_code = allocated_codes.hs_code
    inner join {{ ref('int_trade__edition_choice') }} as choices
        on
            choices.vintage_id = 'latest'
            and allocated_codes.material = choices.material
            and allocated_codes.stage = choices.stage
            and flows.reference_year = choices.reference_year
            and flows.flow_source = choices.flow_source
            and flows.hs_revision = choices.hs_revision
            and list_contains(choices.source_edition_ids, flows.source_edition_id)
),

divided as (
    select
        exporter_iso3,
        importer_iso3,
        hs_code,
        reference_year,
        coalesce(list_sum(list_sort(list(weight_share))), 0) as weight_share,
        coalesce(list_sum(list_sort(list(value_share))), 0) as value_share,
        bool_or(allocation_step = 4) as has_deposits,
        bool_or(allocation_step = 4 and weight_share is null) as lacks_weights
    from {{ ref('int_trade__element_share') }}
    group by exporter_iso3, importer_iso3, hs_code, reference_year
),

elements as (
    select
        flows.*,
        shares.element,
        shares.form as line_form,
        shares.allocation_step,
        shares.weight_share_low,
        shares.weight_share,
        shares.weight_share_high,
        shares.value_share,
        shares.edition_ids,
        case shares.allocation_step
            when 1 then flows.evidence_grade
            when 2 then greatest(flows.evidence_grade, 'D')
            else 'E'
        end as grade,
        case
            when shares.weight_share is null
                then 'weights of the exporter''s deposits are not published, so low and high only'
            when shares.allocation_step = 4
                then 'shares of the mass are no shares of the value, so no value'
        end as reason
    from flows
    inner join {{ ref('int_trade__element_share') }} as shares
        on
            flows.exporter_iso3 = shares.exporter_iso3
            and flows.importer_iso3 = shares.importer_iso3
            and flows.hs_code = shares.hs_code
            and flows.reference_year = shares.reference_year
),

remainders as (
    select
        flows.*,
        greatest(0.0, 1 - coalesce(divided.weight_share, 0)) as weight_share,
        greatest(0.0, 1 - coalesce(divided.value_share, 0)) as value_share,
        case
            when flows.doubt is not null then flows.doubt
            when divided.lacks_weights
                then 'no line tells the elements, and weights of the deposits are not published'
            when divided.has_deposits
                then 'no line tells the elements, and deposits divide the weight, not the value'
            else 'no line tells the elements and no deposit of the exporter is described'
        end as reason
    from flows
    left join divided
        on
            flows.exporter_iso3 = divided.exporter_iso3
            and flows.importer_iso3 = divided.importer_iso3
            and flows.hs_code = divided.hs_code
            and flows.reference_year = divided.reference_year
),

unallocated as (
    select
        * exclude (weight_share, value_share, reason),
        'ree_unallocated' as element,
        form as line_form,
        5 as allocation_step,
        weight_share as weight_share_low,
        weight_share,
        weight_share as weight_share_high,
        value_share,
        cast([] as varchar[]) as edition_ids,
        evidence_grade as grade,
        reason
    from remainders
    -- Less than this is rounding of the shares.
    where weight_share > 1e-9 or value_share > 1e-9
),

rows_of_flows as (
    select * from elements
    union all by name
    select * from unallocated
)

select
    {{ row_key([
        'flows.flow_source', 'flows.source_edition_id', 'flows.hs_code', 'flows.reference_year',
        'flows.exporter_reported', 'flows.importer_reported', 'flows.element', 'flows.line_form',
        'flows.allocation_step'
    ]) }} as row_key,
    flows.flow_source,
    flows.source_edition_id,
    case
        when flows.edition_ids = [] then flows.source_edition_ids
        else list_sort(list_distinct(list_concat(flows.source_edition_ids, flows.edition_ids)))
    end as source_edition_ids,
    flows.hs_code,
    flows.material,
    flows.stage,
    flows.exporter_iso3,
    flows.importer_iso3,
    flows.exporter_reported,
    flows.importer_reported,
    flows.reference_year,
    flows.element,
    flows.line_form as form,
    cast(flows.allocation_step as tinyint) as allocation_step,
    case flows.allocation_step
        when 1 then 'element_line'
        when 2 then 'mirror_line'
        when 4 then 'deposit_distribution'
        when 5 then 'not_allocated'
    end as allocation_method,
    flows.weight_share_low,
    flows.weight_share,
    flows.weight_share_high,
    flows.value_share,
    flows.net_weight_kg * flows.weight_share_low as net_weight_low_kg,
    flows.net_weight_kg * flows.weight_share as net_weight_kg,
    flows.net_weight_kg * flows.weight_share_high as net_weight_high_kg,
    flows.trade_value_usd * flows.value_share as trade_value_usd,
    flows.net_weight_kg * flows.weight_share_low * content.element_share_low / 1000
        as element_low_t,
    case
        when content.element_share_low = content.element_share_high
            then flows.net_weight_kg * flows.weight_share * content.element_share_low / 1000
    end as element_t,
    flows.net_weight_kg * flows.weight_share_high * content.element_share_high / 1000
        as element_high_t,
    flows.net_weight_kg * flows.weight_share_low * content.element_share_low
    / content.element_per_oxide / 1000 as reo_low_t,
    case
        when content.element_share_low = content.element_share_high
            then
                flows.net_weight_kg * flows.weight_share * content.element_share_low
                / content.element_per_oxide / 1000
    end as reo_t,
    flows.net_weight_kg * flows.weight_share_high * content.element_share_high
    / content.element_per_oxide / 1000 as reo_high_t,
    flows.grade as evidence_grade,
    case
        when flows.reason is not null then flows.reason
        when content.element_share_low < content.element_share_high
            then 'which compound it is is not known, so what it contains is low and high only'
    end as reason
from rows_of_flows as flows
left join {{ ref('ref_element_content') }} as content
    on flows.element = content.symbol and flows.line_form = content.form
