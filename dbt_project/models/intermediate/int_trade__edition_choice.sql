-- Which edition a trade series takes at a vintage: one source throughout a series, BACI where it is
-- held (ref_source_priority); within a source and year the oldest HS revision (it gives the longest
-- unbroken series), then the newest edition.
with held as (
    select distinct
        flows.flow_source,
        flows.source_edition_id,
        flows.hs_revision,
        flows.material,
        flows.stage,
        flows.reference_year
    from {{ ref('int_trade__by_material') }} as flows
),

known as (
    select
        editions.vintage_id,
        held.*,
        editions.recency,
        priorities.priority
    from held
    inner join {{ ref('int_edition__by_vintage') }} as editions
        on held.source_edition_id = editions.source_edition_id
    inner join {{ ref('ref_source_priority') }} as priorities
        on editions.source_id = priorities.source_id and priorities.scope = 'trade_flow'
    -- Flows reconciled here rest on everything that is held, which is `latest` only.
    where held.flow_source = 'baci' or editions.vintage_id = 'latest'
),

one_source as (
    select *
    from known
    qualify
        cast(priority as integer)
        = min(cast(priority as integer)) over (partition by vintage_id, material, stage)
)

select
    vintage_id,
    material,
    stage,
    reference_year,
    flow_source,
    source_edition_id,
    -- Flows reconciled here rest on several extracts; of BACI one edition is taken.
    case
        when flow_source = 'baci' then [source_edition_id]
        else (
            select list(distinct held.source_edition_id order by held.source_edition_id)
            from held
            where held.flow_source = 'monazite'
        )
    end as source_edition_ids,
    hs_revision
from one_source
qualify
    row_number() over (
        partition by vintage_id, material, stage, reference_year
        order by
            -- HS92 before HS96, HS02 and so on; two-digit years after 90 are of the last century.
            case
                when hs_revision like 'HS9%' then 0 else 1
            end,
            hs_revision,
            recency
    ) = 1
