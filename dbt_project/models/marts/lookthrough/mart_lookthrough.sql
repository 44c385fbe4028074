-- Who produced what an importer gets, behind the countries that pass it on. Where production is
-- published in the weight of the trade, shares of the importer's supply; elsewhere only what trade
-- alone allows, as bounds on the shares of its imports.
-- depends_on: {{ ref('ref_chain_step') }}
{% set shares = ref('int_lookthrough__shares') %}
with default_set as (
    select country_iso3
    from {{ ref('ref_country_group') }}
    where is_default_set and valid_to is null
),

members as (
    select country_iso3
    from {{ ref('dim_country') }}
    where is_eu27
),

exposure as (
    select
        vintage_id,
        material,
        stage,
        reference_year,
        importer_iso3,
        any_stage_exposure
    from any_stage_exposure(
        (select list(country_iso3) from default_set),
        lookthrough := '{{ shares }}'
    )
),

chained as (
    select
        vintage_id,
        material,
        stage,
        reference_year,
        importer_iso3,
        origin_iso3,
        'supply' as universe,
        n_stages,
        origin_share
    from origins_through_stages(lookthrough := '{{ shares }}')
),

pairs as (
    select
        coalesce(shares.vintage_id, chained.vintage_id) as vintage_id,
        coalesce(shares.material, chained.material) as material,
        coalesce(shares.stage, chained.stage) as stage,
        coalesce(shares.reference_year, chained.reference_year) as reference_year,
        coalesce(shares.importer_iso3, chained.importer_iso3) as importer_iso3,
        coalesce(shares.origin_iso3, chained.origin_iso3) as origin_iso3,
        coalesce(shares.universe, chained.universe) as universe,
        -- An origin of the first stage alone delivers nothing at this one.
        coalesce(shares.direct_share, 0) as direct_share,
        case
            when chained.n_stages is null then shares.lookthrough_share
            else coalesce(shares.lookthrough_share, 0)
        end as lookthrough_share,
        coalesce(shares.lookthrough_low, 0) as lookthrough_low,
        coalesce(shares.lookthrough_high, 0) as lookthrough_high,
        shares.quantity,
        shares.iterations,
        shares.residual,
        chained.origin_share,
        chained.n_stages
    from {{ shares }} as shares
    full outer join chained
        on
            shares.vintage_id = chained.vintage_id
            and shares.material = chained.material
            and shares.stage = chained.stage
            and shares.reference_year = chained.reference_year
            and shares.importer_iso3 = chained.importer_iso3
            and shares.universe = chained.universe
            and shares.origin_iso3 is not distinct from chained.origin_iso3
),

completed as (
    select
        -- The goods of a member are the union's own.
        coalesce(
            pairs.origin_iso3 = pairs.importer_iso3
            or (
                pairs.importer_iso3 = 'EU27'
                and pairs.origin_iso3 in (select country_iso3 from members)
            ),
            false
        ) as is_own,
        pairs.* replace (
            coalesce(pairs.quantity, max(pairs.quantity) over importers) as quantity,
            case pairs.universe
                when 'supply' then coalesce(pairs.n_stages, max(pairs.n_stages) over importers)
            end as n_stages,
            case pairs.universe when 'supply' then coalesce(pairs.origin_share, 0) end
                as origin_share
        ),
        market.* exclude (vintage_id, material, stage, reference_year)
    from pairs
    inner join {{ ref('int_lookthrough__market') }} as market
        on
            pairs.vintage_id = market.vintage_id
            and pairs.material = market.material
            and pairs.stage = market.stage
            and pairs.reference_year = market.reference_year
    window importers as (
        partition by
            pairs.vintage_id, pairs.material, pairs.stage, pairs.reference_year,
            pairs.importer_iso3, pairs.universe
    )
)

select
    {{ row_key([
        'completed.importer_iso3', 'completed.material', 'completed.stage',
        'completed.origin_iso3', 'completed.reference_year', 'completed.universe',
        'completed.basis', 'completed.vintage_id'
    ]) }} as row_key,
    completed.importer_iso3,
    completed.material,
    completed.stage,
    completed.origin_iso3,
    completed.origin_iso3 is null as is_residual,
    completed.is_own and completed.universe = 'imports' as is_own_return,
    cast(completed.reference_year as integer) as reference_year,
    completed.universe,
    completed.basis,
    completed.vintage_id,
    completed.source_edition_id,
    completed.source_edition_ids,
    completed.flow_source,
    completed.production_edition_id,
    case completed.relation
        when 'weight' then 'published'
        when 'content' then 'content_floor'
        else 'net_exports_floor'
    end as production_basis,
    completed.direct_share,
    completed.lookthrough_share,
    completed.lookthrough_low,
    completed.lookthrough_high,
    case
        when not completed.is_own
            then 100 * (completed.lookthrough_share - completed.direct_share)
    end as hidden_pp,
    completed.origin_share as first_stage_share,
    -- No country of the set depends on itself.
    case
        when
            completed.universe = 'supply'
            and completed.importer_iso3 not in (select country_iso3 from default_set)
            then exposure.any_stage_exposure
    end as any_stage_exposure,
    completed.n_stages as n_stages_chained,
    completed.quantity as universe_quantity,
    completed.unnamed_share as production_unnamed_share,
    completed.weight_coverage,
    completed.iterations,
    completed.residual,
    case completed.relation
        when 'content'
            then
                'production is published as what the goods contain, which is only a floor of '
                || 'their weight: bounds from trade and that floor'
        when 'none'
            then
                'production by country is not published in the unit of the trade: bounds from '
                || 'trade alone'
    end as reason,
    case completed.relation
        when 'weight' then greatest(completed.trade_grade, completed.production_grade)
        else 'E'
    end as evidence_grade,
    false as is_official,
    '1' as method_version
from completed
left join exposure
    on
        completed.vintage_id = exposure.vintage_id
        and completed.material = exposure.material
        and completed.stage = exposure.stage
        and completed.reference_year = exposure.reference_year
        and completed.importer_iso3 = exposure.importer_iso3
