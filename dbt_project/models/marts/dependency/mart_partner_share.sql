-- What a set of countries supplies: of the world, of the EU, and of importers that belong to the
-- set as it stands. A version is a fixed set, taken for every year, so that shares of years can be
-- compared; is_in_force says whether it stood then.
with groups as (
    select
        group_id,
        group_version,
        max(valid_from) as valid_from,
        min(valid_to) as valid_to,
        list(distinct country_iso3) as members
    from {{ ref('ref_country_group') }}
    group by group_id, group_version
),

members as (
    select distinct
        group_id,
        group_version,
        country_iso3
    from {{ ref('ref_country_group') }}
),

eu as (
    select list(country_iso3) as members
    from {{ ref('ref_country') }}
    where is_eu27
),

buyers as (
    select
        'WLD' as geo_iso3,
        group_id,
        group_version
    from groups
    union all
    -- Trade within the EU is left out, so a set of members supplies it nothing.
    select
        'EU27' as geo_iso3,
        groups.group_id,
        groups.group_version
    from groups
    cross join eu
    where groups.valid_to is null and not list_has_all(eu.members, groups.members)
    union all
    select
        unnest(members) as geo_iso3,
        group_id,
        group_version
    from groups
    where valid_to is null and len(members) > 1
),

supply as (
    select
        supplies.vintage_id,
        supplies.scope,
        supplies.material,
        supplies.stage,
        supplies.basis,
        supplies.geo_iso3,
        supplies.reference_year,
        buyers.group_id,
        buyers.group_version,
        supplies.supplier_iso3,
        supplies.quantity,
        members.country_iso3 is not null as is_member
    from {{ ref('int_supplier_quantity') }} as supplies
    inner join buyers on supplies.geo_iso3 = buyers.geo_iso3
    left join members
        on
            buyers.group_id = members.group_id
            and buyers.group_version = members.group_version
            and supplies.supplier_iso3 = members.country_iso3
    where
        supplies.quantity > 0
        and supplies.supplier_iso3 is not null
        and (supplies.scope != 'import_sources' or supplies.basis in ('usd', 'share'))
),

-- Sorted, so that sums do not follow the order of threads; ties go to the alphabet.
split as (
    select
        vintage_id,
        scope,
        material,
        stage,
        basis,
        geo_iso3,
        reference_year,
        group_id,
        group_version,
        coalesce(list(quantity order by quantity) filter (where is_member), []) as inside,
        min({ 'below': -quantity, 'supplier': supplier_iso3 }) filter (where not is_member)
            as outside
    from supply
    group by
        vintage_id, scope, material, stage, basis, geo_iso3, reference_year, group_id,
        group_version
)

select
    {{ row_key([
        'world.geo_iso3', 'world.material', 'world.stage', 'world.scope', 'split.group_id',
        'split.group_version', 'world.reference_year', 'world.basis', 'world.vintage_id'
    ]) }} as row_key,
    world.geo_iso3,
    world.material,
    world.stage,
    world.scope,
    split.group_id,
    split.group_version,
    world.reference_year,
    world.basis,
    world.vintage_id,
    world.source_edition_id,
    world.source_edition_ids,
    world.flow_source,
    groups.valid_from <= make_date(world.reference_year, 12, 31)
    and coalesce(groups.valid_to >= make_date(world.reference_year, 12, 31), true) as is_in_force,
    coalesce(list_sum(split.inside), 0) / world.quantity_total as group_share,
    hhi(split.inside) as group_hhi,
    cast(len(split.inside) as integer) as n_group_suppliers,
    split.outside.supplier as non_group_top,
    -split.outside.below / world.quantity_total as non_group_top_share,
    world.residual_share as unnamed_share,
    world.n_suppliers_unquantified,
    world.row_key as concentration_key,
    world.evidence_grade,
    false as is_official,
    '1' as method_version
from split
inner join groups
    on split.group_id = groups.group_id and split.group_version = groups.group_version
inner join {{ ref('mart_concentration') }} as world
    on
        split.vintage_id = world.vintage_id
        and split.scope = world.scope
        and split.material = world.material
        and split.stage = world.stage
        and split.basis = world.basis
        and split.geo_iso3 = world.geo_iso3
        and split.reference_year = world.reference_year
