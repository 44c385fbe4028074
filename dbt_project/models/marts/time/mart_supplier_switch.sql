-- How much of an importer's supply, by value, went to other suppliers from one year to the next.
with supply as (
    select
        importer_iso3,
        material,
        stage,
        vintage_id,
        reference_year,
        partner_iso3,
        share_of_imports
    from {{ ref('mart_import_dependency') }}
    where basis = 'usd'
),

-- A supplier of either year: what it delivered before and after.
by_partner as (
    select
        importer_iso3,
        material,
        stage,
        vintage_id,
        reference_year,
        partner_iso3,
        coalesce(max(share_before), 0) as share_before,
        coalesce(max(share_after), 0) as share_after
    from (
        select
            * exclude (share_of_imports),
            cast(null as double) as share_before,
            share_of_imports as share_after
        from supply
        union all
        select
            * exclude (share_of_imports) replace (reference_year + 1 as reference_year),
            share_of_imports as share_before,
            cast(null as double) as share_after
        from supply
    ) as both_years
    group by importer_iso3, material, stage, vintage_id, reference_year, partner_iso3
),

-- Sorted, so that sums do not follow the order of threads.
gathered as (
    select
        importer_iso3,
        material,
        stage,
        vintage_id,
        reference_year,
        list_sort(
            list({ 'partner': partner_iso3, 'before': share_before, 'after': share_after })
        ) as partners
    from by_partner
    group by importer_iso3, material, stage, vintage_id, reference_year
    having max(share_before) > 0 and max(share_after) > 0
),

named as (
    select
        *,
        list_filter(partners, lambda p: p.partner is not null) as named_partners
    from gathered
),

partners as (
    select coalesce(list(country_iso3), []) as members
    from {{ ref('ref_country_group') }}
    where is_partner_set
),

-- Ties go to the first in the alphabet.
ranked as (
    select
        *,
        list_sort(
            list_transform(
                named_partners,
                lambda p: { 'change': p.before - p.after, 'partner': p.partner }
            )
        )[1] as gainer,
        list_sort(
            list_transform(
                named_partners,
                lambda p: { 'change': p.after - p.before, 'partner': p.partner }
            )
        )[1] as loser,
        100 * coalesce(
            list_sum(
                list_transform(
                    list_filter(
                        named_partners, lambda p: list_contains(partners.members, p.partner)
                    ),
                    lambda p: p.after - p.before
                )
            ),
            0
        ) as to_group_pp
    from named
    cross join partners
)

select
    {{ row_key([
        'ranked.importer_iso3', 'ranked.material', 'ranked.stage', 'ranked.reference_year',
        'ranked.vintage_id'
    ]) }} as row_key,
    ranked.importer_iso3,
    ranked.material,
    ranked.stage,
    ranked.reference_year,
    ranked.vintage_id,
    reallocation(
        list_transform(ranked.partners, lambda p: p.before),
        list_transform(ranked.partners, lambda p: p.after)
    ) as reallocation,
    cast(len(list_filter(ranked.named_partners, lambda p: p.before = 0)) as integer) as entries,
    cast(len(list_filter(ranked.named_partners, lambda p: p.after = 0)) as integer) as exits,
    coalesce(
        list_sum(
            list_transform(
                ranked.named_partners,
                lambda p: case when p.before = 0 then p.after else 0 end
            )
        ),
        0
    ) as share_of_entries,
    coalesce(
        list_sum(
            list_transform(
                ranked.named_partners,
                lambda p: case when p.after = 0 then p.before else 0 end
            )
        ),
        0
    ) as share_of_exits,
    case when ranked.gainer.change < 0 then ranked.gainer.partner end as largest_gain_iso3,
    case when ranked.loser.change < 0 then ranked.loser.partner end as largest_loss_iso3,
    ranked.to_group_pp,
    after_year.source_edition_id = before_year.source_edition_id as vintage_consistent,
    after_year.flow_source,
    after_year.source_edition_id,
    case
        when after_year.source_edition_ids = before_year.source_edition_ids
            then after_year.source_edition_ids
        else
            list_sort(list_distinct(
                list_concat(before_year.source_edition_ids, after_year.source_edition_ids)
            ))
    end as source_edition_ids,
    greatest(before_year.evidence_grade, after_year.evidence_grade) as evidence_grade,
    false as is_official,
    '1' as method_version
from ranked
inner join {{ ref('mart_concentration') }} as after_year
    on
        after_year.scope = 'import_sources'
        and after_year.basis = 'usd'
        and ranked.vintage_id = after_year.vintage_id
        and ranked.importer_iso3 = after_year.geo_iso3
        and ranked.material = after_year.material
        and ranked.stage = after_year.stage
        and ranked.reference_year = after_year.reference_year
inner join {{ ref('mart_concentration') }} as before_year
    on
        before_year.scope = 'import_sources'
        and before_year.basis = 'usd'
        and ranked.vintage_id = before_year.vintage_id
        and ranked.importer_iso3 = before_year.geo_iso3
        and ranked.material = before_year.material
        and ranked.stage = before_year.stage
        and ranked.reference_year = before_year.reference_year + 1
