-- Net import reliance by balance: production, imports and exports in the weight of the trade, where
-- ref_chain_step names a production that the trade codes carry. Stock changes are not known by
-- country. Production lies between a floor and a ceiling, and so does the reliance.
with limits as (
    select
        max(lower) filter (where rule_set = 'reliance_weight') as weight_coverage,
        max(lower) filter (where rule_set = 'reliance_unit_value') as unit_value_ratio,
        max(upper) filter (where rule_set = 'reliance_range') as widest_range
    from {{ ref('ref_threshold') }}
),

steps as (
    select
        market.*,
        chain.trade_covers_production,
        chain.note
    from {{ ref('int_lookthrough__market') }} as market
    inner join {{ ref('ref_chain_step') }} as chain
        on market.material = chain.material and market.stage = chain.stage
    where market.relation != 'none'
),

revisions as (
    select
        steps.material,
        steps.stage,
        steps.vintage_id,
        steps.reference_year,
        steps.flow_source,
        steps.source_edition_id,
        -- Reports come in the revision that their year asks for.
        case choice.hs_revision
            when 'as_reported' then arg_max(revisions.hs_revision, revisions.first_year)
            else choice.hs_revision
        end as hs_revision
    from steps
    inner join {{ ref('int_trade__edition_choice') }} as choice
        using (vintage_id, material, stage, reference_year)
    inner join {{ ref('ref_hs_revision') }} as revisions
        on steps.reference_year >= revisions.first_year
    group by
        steps.material, steps.stage, steps.vintage_id, steps.reference_year, steps.flow_source,
        steps.source_edition_id, choice.hs_revision
),

held_codes as (
    select distinct
        flow_source,
        case flow_source when 'baci' then source_edition_id end as baci_edition_id,
        hs_code
    from {{ ref('fct_trade_flow') }}
),

codes as (
    select
        revisions.vintage_id,
        revisions.material,
        revisions.stage,
        revisions.reference_year,
        count(*) as n_codes,
        count(held_codes.hs_code) as n_codes_held
    from revisions
    inner join {{ ref('ref_hs_material') }} as names
        on
            revisions.material = coalesce(nullif(names.basket, ''), names.material)
            and revisions.stage = names.stage
            and list_contains(string_split(names.valid_revisions, '|'), revisions.hs_revision)
    left join held_codes
        on
            names.hs_code = held_codes.hs_code
            and revisions.flow_source = held_codes.flow_source
            and (
                revisions.flow_source = 'monazite'
                or revisions.source_edition_id = held_codes.baci_edition_id
            )
    group by
        revisions.vintage_id, revisions.material, revisions.stage, revisions.reference_year
),

flows as (
    select
        steps.vintage_id,
        steps.material,
        steps.stage,
        steps.reference_year,
        steps.source_edition_id,
        trade.exporter_iso3,
        trade.importer_iso3,
        trade.weight_gross_t,
        trade.value_usd,
        coalesce(trade.value_with_weight_usd, 0) as value_with_weight_usd
    from {{ ref('int_trade__by_material') }} as trade
    inner join steps
        on
            trade.material = steps.material
            and trade.stage = steps.stage
            and trade.reference_year = steps.reference_year
            and trade.flow_source = steps.flow_source
            and {{ of_choice('trade', 'steps') }}
    where
        coalesce(trade.importer_iso3, '') != 'WLD'
        and coalesce(trade.exporter_iso3, '') != 'WLD'
),

-- A weight may be wrong where the unit value leaves what the pair had in its own five years and the
-- move is not that of the pairs of the code at large. It would then be what those two give.
usual as (
    select
        *,
        median_5y_usd_per_kg * exp(
            median(ln(uv_usd_per_kg / median_5y_usd_per_kg)) over (
                partition by source_edition_id, hs_code, reference_year
            )
        ) as usual_usd_per_kg
    from {{ ref('mart_unit_value') }}
    where outlier_flag is not null
),

doubtful as (
    select
        usual.material,
        usual.stage,
        usual.reference_year,
        usual.source_edition_id,
        usual.exporter_iso3,
        usual.importer_iso3,
        (usual.trade_value_usd / usual.usual_usd_per_kg - usual.net_weight_kg) / 1000
            as usual_less_held_t
    from usual
    cross join limits
    where
        usual.outlier_flag
        and abs(ln(usual.uv_usd_per_kg / usual.usual_usd_per_kg)) > ln(limits.unit_value_ratio)
),

members as (
    select country_iso3
    from {{ ref('dim_country') }}
    where is_eu27
),

doubtful_sides as (
    select
        *,
        importer_iso3 as country_iso3,
        true as is_import
    from doubtful
    union all
    select
        *,
        exporter_iso3 as country_iso3,
        false as is_import
    from doubtful
    union all
    -- The Union bought and sold what its members did with others.
    select
        *,
        'EU27' as country_iso3,
        importer_iso3 in (select country_iso3 from members) as is_import
    from doubtful
    where
        (importer_iso3 in (select country_iso3 from members))
        != (exporter_iso3 in (select country_iso3 from members))
),

doubts as (
    select
        source_edition_id,
        material,
        stage,
        reference_year,
        country_iso3,
        sum(least(usual_less_held_t, 0)) filter (where is_import) as imports_down_t,
        sum(greatest(usual_less_held_t, 0)) filter (where is_import) as imports_up_t,
        sum(least(usual_less_held_t, 0)) filter (where not is_import) as exports_down_t,
        sum(greatest(usual_less_held_t, 0)) filter (where not is_import) as exports_up_t
    from doubtful_sides
    group by source_edition_id, material, stage, reference_year, country_iso3
),

-- What a member trades with the Union as one partner is already in its trade with the members.
traded as (
    select
        vintage_id,
        source_edition_id,
        material,
        stage,
        reference_year,
        country_iso3,
        sum(weight_gross_t) filter (where is_import) as imports_gross_t,
        coalesce(sum(weight_gross_t) filter (where not is_import), 0) as exports_gross_t,
        sum(value_with_weight_usd) / nullif(sum(value_usd), 0) as weight_coverage
    from (
        select
            *,
            importer_iso3 as country_iso3,
            true as is_import
        from flows
        where coalesce(exporter_iso3, '') != 'EU27'
        union all
        select
            *,
            exporter_iso3 as country_iso3,
            false as is_import
        from flows
        where coalesce(importer_iso3, '') != 'EU27'
    )
    where country_iso3 is not null
    group by vintage_id, source_edition_id, material, stage, reference_year, country_iso3
),

trade as (
    select
        traded.vintage_id,
        traded.material,
        traded.stage,
        traded.reference_year,
        traded.country_iso3,
        traded.weight_coverage,
        round(traded.imports_gross_t, 6) as imports_gross_t,
        round(traded.exports_gross_t, 6) as exports_gross_t,
        round(traded.imports_gross_t + coalesce(doubts.imports_down_t, 0), 6)
            as imports_gross_t_low,
        round(traded.imports_gross_t + coalesce(doubts.imports_up_t, 0), 6)
            as imports_gross_t_high,
        round(traded.exports_gross_t + coalesce(doubts.exports_down_t, 0), 6)
            as exports_gross_t_low,
        round(traded.exports_gross_t + coalesce(doubts.exports_up_t, 0), 6)
            as exports_gross_t_high
    from traded
    left join doubts
        using (source_edition_id, material, stage, reference_year, country_iso3)
),

named as (
    select
        vintage_id,
        material,
        stage,
        reference_year,
        country_iso3,
        floor,
        ceiling
    from {{ ref('int_lookthrough__production') }}
    where country_iso3 is not null
    union all
    select
        vintage_id,
        material,
        stage,
        reference_year,
        'EU27' as country_iso3,
        round(sum(floor), 6) as floor,
        case when count(ceiling) = count(*) then round(sum(ceiling), 6) end as ceiling
    from {{ ref('int_lookthrough__production') }}
    where country_iso3 in (select country_iso3 from members)
    group by vintage_id, material, stage, reference_year
),

-- What the publisher names no country for may be of any country that it does not name.
unnamed as (
    select
        vintage_id,
        material,
        stage,
        reference_year,
        ceiling
    from {{ ref('int_lookthrough__production') }}
    where country_iso3 is null
),

balances as (
    select
        trade.*,
        steps.flow_source,
        steps.source_edition_id,
        steps.source_edition_ids,
        steps.production_edition_id,
        steps.relation,
        steps.trade_covers_production,
        steps.note,
        codes.n_codes,
        codes.n_codes_held,
        coalesce(named.floor, 0) as production_gross_t_low,
        case
            when named.country_iso3 is not null and trade.country_iso3 != 'EU27' then named.ceiling
            when named.country_iso3 is not null and named.ceiling is null then null
            when unnamed.material is null then coalesce(named.ceiling, 0)
            else coalesce(named.ceiling, 0) + unnamed.ceiling
        end as production_gross_t_high,
        named.country_iso3 is not null as is_named,
        greatest(steps.trade_grade, steps.production_grade) as evidence_grade
    from trade
    inner join steps using (vintage_id, material, stage, reference_year)
    inner join codes using (vintage_id, material, stage, reference_year)
    left join named using (vintage_id, material, stage, reference_year, country_iso3)
    left join unnamed using (vintage_id, material, stage, reference_year)
    where trade.imports_gross_t > 0
),

judged as (
    select
        balances.*,
        case
            when not balances.trade_covers_production
                then 'the codes do not carry all that counts as production: ' || balances.note
            when balances.n_codes_held < balances.n_codes
                then
                    'the trade held has ' || balances.n_codes_held || ' of ' || balances.n_codes
                    || ' codes of this material and stage'
            when coalesce(balances.weight_coverage, 0) < limits.weight_coverage
                then 'too little of the trade has a weight'
            when
                apparent_consumption(
                    balances.production_gross_t_high,
                    balances.imports_gross_t_high, balances.exports_gross_t_low
                ) <= 0
                then 'exports are not less than production and imports together'
        end as refusal,
        limits.widest_range
    from balances
    cross join limits
),

bounded as (
    select
        *,
        -- Without a ceiling consumption may be any multiple of net imports.
        case
            when refusal is not null then null
            when production_gross_t_high is null or imports_gross_t_low <= exports_gross_t_high
                then 0
            else
                net_import_reliance(
                    production_gross_t_high,
                    apparent_consumption(
                        production_gross_t_high, imports_gross_t_low, exports_gross_t_high
                    )
                )
        end as reliance_low,
        case
            when refusal is not null then null
            when imports_gross_t_high <= exports_gross_t_low then 0
            else
                net_import_reliance(
                    production_gross_t_low,
                    apparent_consumption(
                        production_gross_t_low, imports_gross_t_high, exports_gross_t_low
                    )
                )
        end as reliance_high
    from judged
)

select
    vintage_id,
    country_iso3 as importer_iso3,
    material,
    stage,
    reference_year,
    flow_source,
    source_edition_id,
    source_edition_ids,
    production_edition_id,
    imports_gross_t,
    imports_gross_t_low,
    imports_gross_t_high,
    exports_gross_t,
    exports_gross_t_low,
    exports_gross_t_high,
    production_gross_t_low,
    production_gross_t_high,
    -- A range that publishers would print as one number is one: its middle.
    case
        when reliance_high - reliance_low <= widest_range then (reliance_low + reliance_high) / 2
    end as import_reliance,
    reliance_low as import_reliance_low,
    reliance_high as import_reliance_high,
    case
        when refusal is not null then refusal
        when reliance_high - reliance_low <= widest_range then null
        else concat_ws(
            '; ',
            'bounds only',
            case
                when relation = 'content'
                    then 'production is known by what it contains, which is less than it weighs'
                when not is_named
                    then 'the publisher does not name the country but puts others together'
                when production_gross_t_low is distinct from production_gross_t_high
                    then 'production is withheld, bounded or partly of unnamed countries'
            end,
            case
                when
                    imports_gross_t_low < imports_gross_t_high
                    or exports_gross_t_low < exports_gross_t_high
                    then 'a weight of its trade is out of line with other years'
            end
        )
    end as reason,
    evidence_grade
from bounded
