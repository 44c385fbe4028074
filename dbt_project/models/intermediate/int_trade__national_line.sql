-- How a country's own lines divide its trade with a partner in an HS code and year: the share of
-- each set of elements and form in weight and in value. `side` says whose report it is. A side of
-- which a weight is missing divides nothing.
with lines as (
    select
        *,
        case flow when 'import' then 'importer' else 'exporter' end as side,
        case flow when 'import' then partner_iso3 else reporter_iso3 end as exporter_iso3,
        case flow when 'import' then reporter_iso3 else partner_iso3 end as importer_iso3
    from {{ ref('int_trade__national_choice') }}
    where
        partner_area_type = 'country'
        and hs_code in (select hs_code from {{ ref('ref_allocated_code') }})
        and trade_value > 0
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
    from lines
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
