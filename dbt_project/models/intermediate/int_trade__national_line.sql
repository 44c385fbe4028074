-- How a country's own lines divide its trade with a partner in an HS code and year: the share of
-- each set of elements and form in weight and in value. `side` says whose report it is. One source
-- a reporter and year (ref_source_priority), of it the newest edition that holds the code and
-- month, and of that the deepest lines. A side of which a weight is missing divides nothing.
with lines as (
    select
        cells.*,
        cast(priorities.priority as integer) as priority,
        case cells.flow when 'import' then 'importer' else 'exporter' end as side,
        case cells.flow
            when 'import' then cells.partner_iso3
            else cells.reporter_iso3
        end as exporter_iso3,
        case cells.flow
            when 'import' then cells.reporter_iso3
            else cells.partner_iso3
        end as importer_iso3
    from {{ ref('int_trade__national_newest') }} as cells
    inner join {{ ref('ref_source_priority') }} as priorities
        on cells.source_id = priorities.source_id and priorities.scope = 'national_trade'
    where
        cells.flow in ('import', 'export')
        and cells.partner_area_type = 'country'
        and cells.hs_code in (select hs_code from {{ ref('ref_allocated_code') }})
        and cells.trade_value > 0
),

one_source as (
    select *
    from lines
    qualify priority = min(priority) over (partition by reporter_iso3, flow, reference_year)
),

-- A year's own figure counts before the sum of its months.
one_frequency as (
    select *
    from one_source
    qualify
        (reference_month is null)
        = bool_or(reference_month is null) over (
            partition by reporter_iso3, flow, hs_code, reference_year
        )
),

deepest as (
    select *
    from one_frequency
    qualify
        code_level = max(code_level) over (
            partition by reporter_iso3, flow, hs_code, reference_year
        )
),

divided as (
    select
        side,
        exporter_iso3,
        importer_iso3,
        hs_code,
        reference_year,
        form,
        case
            when mapping_quality in ('element', 'group') then list_sort(elements)
            when mapping_quality = 'none' then cast([] as varchar[])
        end as elements,
        list_sum(list_sort(list(trade_value))) as trade_value,
        list_sum(list_sort(list(net_weight_kg))) as net_weight_kg,
        bool_and(net_weight_kg is not null) as is_weighed,
        list(distinct source_edition_id order by source_edition_id) as source_edition_ids
    from deepest
    group by all
)

select
    side,
    exporter_iso3,
    importer_iso3,
    hs_code,
    reference_year,
    form,
    elements,
    net_weight_kg / list_sum(list_sort(list(net_weight_kg) over pair)) as weight_share,
    trade_value / list_sum(list_sort(list(trade_value) over pair)) as value_share,
    source_edition_ids
from divided
window pair as (partition by side, exporter_iso3, importer_iso3, hs_code, reference_year)
qualify bool_and(is_weighed) over pair and sum(net_weight_kg) over pair > 0
