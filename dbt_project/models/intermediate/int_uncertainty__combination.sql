-- Which drawn lists a measure is made of: one row a measured row and list. Rows of which a list is
-- not drawn are left out. The position tells the lists of a row apart: the stage that is held to be
-- the bottleneck is 1 and the others follow, years run from 1 on.
with members as (
    select
        group_id,
        group_version,
        list(distinct country_iso3) as members
    from {{ ref('ref_country_group') }}
    group by group_id, group_version
),

stages as (
    select
        row_key,
        bottleneck_stage,
        n_stages_observed,
        unnest(concentration_keys) as list_key
    from {{ ref('mart_stage_bottleneck') }}
),

found as (
    select
        'mart_partner_share' as mart,
        marts.row_key as mart_row_key,
        1 as position,
        1 as n_lists,
        lists.list_key,
        cast(null as varchar) as balance_key,
        members.members
    from {{ ref('mart_partner_share') }} as marts
    inner join {{ ref('int_uncertainty__list') }} as lists
        on marts.concentration_key = lists.list_key
    inner join members
        on
            marts.group_id = members.group_id
            and marts.group_version = members.group_version
    union all
    select
        'mart_n1_coverage' as mart,
        marts.row_key as mart_row_key,
        1 as position,
        1 as n_lists,
        lists.list_key,
        case when marts.world_demand_cell_id is not null then marts.row_key end as balance_key,
        cast(null as varchar[]) as members
    from {{ ref('mart_n1_coverage') }} as marts
    inner join {{ ref('int_uncertainty__list') }} as lists
        on marts.concentration_key = lists.list_key
    -- What is left of consumption has the ends of the balance.
    where marts.demand_source != 'production and trade'
    union all
    select
        'mart_stage_bottleneck' as mart,
        stages.row_key as mart_row_key,
        row_number() over (
            partition by stages.row_key
            order by lists.stage != stages.bottleneck_stage, lists.stage
        ) as position,
        stages.n_stages_observed as n_lists,
        lists.list_key,
        cast(null as varchar) as balance_key,
        cast(null as varchar[]) as members
    from stages
    inner join {{ ref('int_uncertainty__list') }} as lists on stages.list_key = lists.list_key
    union all
    select
        'mart_trend' as mart,
        marts.row_key as mart_row_key,
        lists.reference_year - marts.reference_year + 5 as position,
        5 as n_lists,
        lists.list_key,
        cast(null as varchar) as balance_key,
        cast(null as varchar[]) as members
    from {{ ref('mart_trend') }} as marts
    inner join {{ ref('int_uncertainty__list') }} as lists
        on
            marts.vintage_id = lists.vintage_id
            and marts.scope = lists.scope
            and marts.material = lists.material
            and marts.stage = lists.stage
            and marts.basis = lists.basis
            and marts.geo_iso3 = lists.geo_iso3
            and lists.reference_year between marts.reference_year - 4 and marts.reference_year
    union all
    select
        'mart_supplier_switch' as mart,
        marts.row_key as mart_row_key,
        lists.reference_year - marts.reference_year + 2 as position,
        2 as n_lists,
        lists.list_key,
        cast(null as varchar) as balance_key,
        cast(null as varchar[]) as members
    from {{ ref('mart_supplier_switch') }} as marts
    inner join {{ ref('int_uncertainty__list') }} as lists
        on
            lists.scope = 'import_sources'
            and lists.basis = 'usd'
            and marts.vintage_id = lists.vintage_id
            and marts.material = lists.material
            and marts.stage = lists.stage
            and marts.importer_iso3 = lists.geo_iso3
            and lists.reference_year between marts.reference_year - 1 and marts.reference_year
    union all
    -- The importer's own suppliers are in int_uncertainty__governed, with their governance.
    select
        'mart_geopolrisk' as mart,
        governed.mart_row_key,
        1 as position,
        1 as n_lists,
        marts.concentration_key as list_key,
        concat_ws(
            '|', marts.importer_iso3, marts.material, marts.stage, marts.reference_year
        ) as balance_key,
        cast(null as varchar[]) as members
    from (
        select distinct mart_row_key
        from {{ ref('int_uncertainty__governed') }}
        where mart = 'mart_geopolrisk'
    ) as governed
    inner join {{ ref('mart_geopolrisk') }} as marts on governed.mart_row_key = marts.row_key
)

select * exclude (n_lists)
from found
qualify count(*) over (partition by mart, mart_row_key) = n_lists
