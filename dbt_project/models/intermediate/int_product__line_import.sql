-- Imports of a trade code by the importer's own lines, where these narrow it to a family of
-- products (ref_product_line): gross weight, and how much of it is the family. Whole years only.
-- The EU is its own reporter here; its imports are those from countries outside.
with families as (
    select
        family_id,
        hs_code,
        code_share_low,
        code_share_central,
        code_share_high,
        reason
    from {{ ref('ref_product_family') }}
),

members as (
    select country_iso3
    from {{ ref('dim_country') }}
    where is_eu27
),

lines as (
    select
        families.family_id,
        cells.hs_code,
        cells.reporter_iso3 as importer_iso3,
        cells.reference_year,
        cells.national_system,
        cells.national_code,
        cells.source_edition_id,
        cells.trade_value,
        cells.net_weight_kg / 1000 as gross_t,
        narrowed.family_id is not null as is_narrowed,
        case when is_narrowed then narrowed.share_low else families.code_share_low end
            as share_low,
        case when is_narrowed then narrowed.share_central else families.code_share_central end
            as share_central,
        case when is_narrowed then narrowed.share_high else families.code_share_high end
            as share_high,
        case when is_narrowed then narrowed.reason else families.reason end as reason
    from {{ ref('int_trade__national_choice') }} as cells
    inner join families on cells.hs_code = families.hs_code
    left join {{ ref('ref_product_line') }} as narrowed
        on
            families.family_id = narrowed.family_id
            and cells.national_system = narrowed.national_system
            and cells.national_code = narrowed.national_code
    where
        cells.flow = 'import'
        and cells.is_whole_year
        and coalesce(cells.partner_area_type, '') != 'aggregate'
        and (
            cells.reporter_iso3 != 'EU27'
            or (
                cells.partner_iso3 is not null
                and cells.partner_iso3 not in (select country_iso3 from members)
            )
        )
),

-- Sums run over sorted lists: in whatever order threads give the rows, the last digit is the same.
summed as (
    select
        family_id,
        hs_code,
        importer_iso3,
        reference_year,
        list_sum(list_sort(list(gross_t))) as gross_t,
        coalesce(
            list_sum(list_sort(list(trade_value) filter (where gross_t is not null)))
            / nullif(list_sum(list_sort(list(trade_value))), 0),
            0
        ) as weight_coverage,
        list_sum(list_sort(list(gross_t * share_low))) as family_low_t,
        case
            when count(*) filter (where gross_t > 0 and share_central is null) = 0
                then list_sum(list_sort(list(gross_t * share_central)))
        end as family_central_t,
        list_sum(list_sort(list(gross_t * share_high))) as family_high_t,
        string_agg(distinct reason, '; ' order by reason) filter (where gross_t > 0) as reason,
        max(source_edition_id) as source_edition_id,
        list(distinct source_edition_id order by source_edition_id) as source_edition_ids
    from lines
    group by family_id, hs_code, importer_iso3, reference_year
    having bool_or(is_narrowed)
)

select summed.*
from summed
inner join {{ ref('ref_threshold') }} as thresholds
    on
        thresholds.threshold_id = 'line_weight_coverage'
        and summed.weight_coverage >= thresholds.lower
where summed.gross_t is not null
