-- Shares of single elements in the trade of a pair of countries in a rare-earth code and year, by
-- the first step of the ladder that answers: (1) the line is of one element, by the importer's
-- nomenclature or the HS code; (2) a line of several is divided as the exporter's lines divide it;
-- (4) what is left is divided as the deposits of the exporter are (weight only: a share of the mass
-- is no share of the value). Step 3, by price, is not taken: unit values of baskets say too little.
-- What no step divides is worked out where the flows are (fct_allocated_flow).
-- Sums run over sorted lists: in whatever order threads give the rows, the last digit is the same.
with codes as (
    select
        allocated.hs_code,
        allocated.mass_basis,
        allocated.form,
        list_sort(string_split(materials.element_scope, '|')) as elements
    from {{ ref('ref_allocated_code') }} as allocated
    inner join {{ ref('ref_hs_material') }} as materials on allocated.hs_code = materials.hs_code
),

pairs as (
    select distinct
        flows.exporter_iso3,
        flows.importer_iso3,
        flows.hs_code,
        flows.reference_year
    from {{ ref('fct_trade_flow') }} as flows
    where
        flows.hs_code in (select hs_code from codes)
        and flows.exporter_iso3 is not null
        and flows.importer_iso3 is not null
        -- What is probably not the good of its code is not divided as that good is.
        and flows.doubt is null
),

-- Step 1: the importer's lines; without them the HS code is one line.
own_lines as (
    select
        pairs.*,
        codes.mass_basis,
        coalesce(lines.elements, codes.elements) as elements,
        coalesce(lines.form, codes.form) as form,
        coalesce(lines.weight_share, 1.0) as weight_share,
        coalesce(lines.value_share, 1.0) as value_share,
        coalesce(lines.source_edition_ids, cast([] as varchar[])) as edition_ids
    from pairs
    inner join codes on pairs.hs_code = codes.hs_code
    left join {{ ref('int_trade__national_line') }} as lines
        on
            pairs.exporter_iso3 = lines.exporter_iso3
            and pairs.importer_iso3 = lines.importer_iso3
            and pairs.hs_code = lines.hs_code
            and pairs.reference_year = lines.reference_year
            and lines.side = 'importer'
),

-- Step 2: of the exporter's lines those that can hold what the importer's line holds.
mirrored as (
    select
        own_lines.* exclude (elements, form, edition_ids),
        own_lines.elements as own_elements,
        own_lines.form as own_form,
        list_sort(list_intersect(coalesce(lines.elements, codes.elements), own_lines.elements))
            as elements,
        case
            when own_lines.form = codes.form then coalesce(lines.form, codes.form)
            else own_lines.form
        end as form,
        lines.weight_share as line_weight,
        lines.value_share as line_value,
        list_concat(own_lines.edition_ids, lines.source_edition_ids) as edition_ids
    from own_lines
    inner join codes on own_lines.hs_code = codes.hs_code
    inner join {{ ref('int_trade__national_line') }} as lines
        on
            own_lines.exporter_iso3 = lines.exporter_iso3
            and own_lines.importer_iso3 = lines.importer_iso3
            and own_lines.hs_code = lines.hs_code
            and own_lines.reference_year = lines.reference_year
            and lines.side = 'exporter'
    where
        len(own_lines.elements) > 1
        and lines.weight_share > 0
        and list_has_any(coalesce(lines.elements, codes.elements), own_lines.elements)
        -- A line of oxides is not divided as chlorides are.
        and (
            own_lines.form = codes.form
            or coalesce(lines.form, codes.form) in (own_lines.form, codes.form)
        )
),

mirror_pieces as (
    select
        * exclude (line_weight, line_value, weight_share, value_share, own_elements, own_form),
        own_elements,
        own_form,
        weight_share * line_weight / list_sum(list_sort(list(line_weight) over own_line))
            as weight_share,
        value_share * line_value / list_sum(list_sort(list(line_value) over own_line))
            as value_share
    from mirrored
    window
        own_line as (
            partition by
                exporter_iso3, importer_iso3, hs_code, reference_year, own_elements, own_form
        )
),

-- At most, an element has its own mirror line and all of those that may hold it as well.
may_hold as (
    select
        exporter_iso3,
        importer_iso3,
        hs_code,
        reference_year,
        own_elements,
        own_form,
        element,
        list_sum(list_sort(list(weight_share))) as weight_share
    from (
        select
            *,
            unnest(elements) as element
        from mirror_pieces
        where len(elements) > 1
    )
    group by exporter_iso3, importer_iso3, hs_code, reference_year, own_elements, own_form, element
),

mirror_named as (
    select
        pieces.*,
        pieces.weight_share + coalesce(may_hold.weight_share, 0) as weight_share_high
    from mirror_pieces as pieces
    left join may_hold
        on
            pieces.exporter_iso3 = may_hold.exporter_iso3
            and pieces.importer_iso3 = may_hold.importer_iso3
            and pieces.hs_code = may_hold.hs_code
            and pieces.reference_year = may_hold.reference_year
            and pieces.own_elements = may_hold.own_elements
            and pieces.own_form = may_hold.own_form
            and pieces.elements[1] = may_hold.element
    where len(pieces.elements) = 1
),

-- Step 4: what neither side's lines tell apart.
left_over as (
    select * exclude (own_elements, own_form)
    from mirror_pieces
    where len(elements) > 1
    union all by name
    select own_lines.*
    from own_lines
    anti join mirrored
        on
            own_lines.exporter_iso3 = mirrored.exporter_iso3
            and own_lines.importer_iso3 = mirrored.importer_iso3
            and own_lines.hs_code = mirrored.hs_code
            and own_lines.reference_year = mirrored.reference_year
            and own_lines.elements = mirrored.own_elements
            and own_lines.form = mirrored.own_form
    where len(own_lines.elements) > 1
),

newest_distribution as (
    select
        deposits.country_iso3,
        cells.deposit_label,
        cells.source_edition_id,
        cells.element,
        content.element_per_oxide,
        deposits.output_share,
        cells.value,
        cells.value_low,
        cells.value_high
    from {{ ref('stg_usgs_myb__oxide_distribution') }} as cells
    inner join {{ ref('ref_deposit') }} as deposits
        on cells.deposit_label = deposits.deposit_label
    inner join {{ ref('ref_element_content') }} as content
        on cells.element = content.symbol and content.form = 'oxide'
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on
            cells.source_edition_id = editions.source_edition_id
            and editions.vintage_id = 'latest'
    qualify
        dense_rank() over (
            order by editions.recency
        ) = 1
),

element_sets as (
    select distinct
        exporter_iso3,
        mass_basis,
        elements
    from left_over
),

-- Within a deposit an element's share of the set is least where the others are at their most.
by_deposit as (
    select
        sets.exporter_iso3,
        sets.mass_basis,
        sets.elements,
        cells.deposit_label,
        cells.source_edition_id,
        cells.element,
        cells.output_share,
        cells.value
        * case sets.mass_basis when 'metal' then cells.element_per_oxide else 1.0 end as mass,
        cells.value_low
        * case sets.mass_basis when 'metal' then cells.element_per_oxide else 1.0 end as mass_low,
        cells.value_high
        * case sets.mass_basis when 'metal' then cells.element_per_oxide else 1.0 end as mass_high
    from element_sets as sets
    inner join newest_distribution as cells
        on
            sets.exporter_iso3 = cells.country_iso3
            and list_contains(sets.elements, cells.element)
),

bounded as (
    select
        *,
        mass_low
        / nullif(mass_low + list_sum(list_sort(list(mass_high) over deposit)) - mass_high, 0)
            as share_low,
        mass_high
        / nullif(mass_high + list_sum(list_sort(list(mass_low) over deposit)) - mass_low, 0)
            as share_high
    from by_deposit
    window deposit as (partition by exporter_iso3, mass_basis, elements, deposit_label)
),

by_country as (
    select
        exporter_iso3,
        mass_basis,
        elements,
        element,
        any_value(source_edition_id) as source_edition_id,
        -- A deposit that does not give the element may have none of it.
        min(coalesce(share_low, 0)) as share_low,
        max(share_high) as share_high,
        case
            when count(output_share) = count(*) and count(mass) = count(*)
                then list_sum(list_sort(list(mass * output_share)))
        end as mass
    from bounded
    group by exporter_iso3, mass_basis, elements, element
    having max(share_high) > 0
),

distribution as (
    select
        * exclude (mass),
        mass
        / list_sum(list_sort(
            list(mass) over (partition by exporter_iso3, mass_basis, elements)
        )) as share
    from by_country
),

allocated as (
    select
        exporter_iso3,
        importer_iso3,
        hs_code,
        reference_year,
        elements[1] as element,
        form,
        1 as allocation_step,
        weight_share as weight_share_low,
        weight_share,
        weight_share as weight_share_high,
        value_share,
        edition_ids
    from own_lines
    where len(elements) = 1
    union all
    select
        exporter_iso3,
        importer_iso3,
        hs_code,
        reference_year,
        elements[1] as element,
        form,
        2 as allocation_step,
        weight_share as weight_share_low,
        weight_share,
        weight_share_high,
        value_share,
        edition_ids
    from mirror_named
    union all
    select
        left_over.exporter_iso3,
        left_over.importer_iso3,
        left_over.hs_code,
        left_over.reference_year,
        distribution.element,
        left_over.form,
        4 as allocation_step,
        left_over.weight_share * distribution.share_low as weight_share_low,
        left_over.weight_share * distribution.share as weight_share,
        left_over.weight_share * distribution.share_high as weight_share_high,
        cast(null as double) as value_share,
        list_append(left_over.edition_ids, distribution.source_edition_id) as edition_ids
    from left_over
    inner join distribution
        on
            left_over.exporter_iso3 = distribution.exporter_iso3
            and left_over.mass_basis = distribution.mass_basis
            and left_over.elements = distribution.elements
)

select
    exporter_iso3,
    importer_iso3,
    hs_code,
    reference_year,
    element,
    form,
    allocation_step,
    list_sum(list_sort(list(weight_share_low))) as weight_share_low,
    case
        when count(weight_share) = count(*) then list_sum(list_sort(list(weight_share)))
    end as weight_share,
    least(1.0, list_sum(list_sort(list(weight_share_high)))) as weight_share_high,
    list_sum(list_sort(list(value_share))) as value_share,
    list_sort(list_distinct(flatten(list(edition_ids)))) as edition_ids
from allocated
group by
    exporter_iso3, importer_iso3, hs_code, reference_year, element, form, allocation_step
