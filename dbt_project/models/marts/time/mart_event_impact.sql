-- How an importer's share of supply from the issuing state moved around a control, and how unusual
-- that is among materials that no control touched in the same years: three years before and after
-- the year of the control, twelve months where monthly reports are held.
with windows as (
    select *
    from (values ('year', 3), ('month', 12)) as lengths (frequency, n_periods)
),

starts as (
    select
        event_id,
        issuing_iso3,
        material,
        stage,
        target_iso3,
        min(valid_from) as first_day
    from {{ ref('dim_control') }}
    where is_export_control and status = 'in_force'
    group by all
),

dated as (
    select
        starts.*,
        windows.frequency,
        windows.n_periods,
        case windows.frequency
            when 'year' then year(starts.first_day)
            else 12 * year(starts.first_day) + month(starts.first_day) - 1
        end as start_number
    from starts
    cross join windows
),

cases as (
    select distinct
        issuing_iso3,
        frequency,
        n_periods,
        start_number
    from dated
),

-- Every market of every importer around every start: the treated and those to compare with. Means
-- are of sorted lists, so that their last digits do not follow the order of threads.
shifts as (
    select
        cases.issuing_iso3,
        cases.frequency,
        cases.n_periods,
        cases.start_number,
        supply.importer_iso3,
        supply.material,
        supply.stage,
        list_avg(
            list(supply.share order by supply.period_number)
            filter (where supply.period_number < cases.start_number)
        ) as share_before,
        list_avg(
            list(supply.share order by supply.period_number)
            filter (where supply.period_number > cases.start_number)
        ) as share_after,
        list_avg(
            list(supply.weight_gross_t order by supply.period_number)
            filter (where supply.period_number < cases.start_number)
        ) as weight_before,
        list_avg(
            list(supply.weight_gross_t order by supply.period_number)
            filter (where supply.period_number > cases.start_number)
        ) as weight_after,
        count(*) filter (where supply.period_number < cases.start_number) as n_before,
        count(*) filter (where supply.period_number > cases.start_number) as n_after,
        min(supply.period_number) as first_period,
        max(supply.period_number) as last_period,
        max(supply.flow_source) as flow_source,
        max(supply.source_edition_id) as source_edition_id,
        list_sort(list_distinct(list(supply.source_edition_id))) as source_edition_ids,
        max(supply.evidence_grade) as evidence_grade
    from cases
    inner join {{ ref('int_event__supply') }} as supply
        on
            cases.issuing_iso3 = supply.issuing_iso3
            and cases.frequency = supply.frequency
            and abs(supply.period_number - cases.start_number) <= cases.n_periods
            and supply.period_number != cases.start_number
    group by all
    having n_before > 0 and n_after > 0
),

-- Markets of the same supplier and importer that no control touched within the window.
placebos as (
    select
        shifts.issuing_iso3,
        shifts.frequency,
        shifts.start_number,
        shifts.importer_iso3,
        list_sort(list(shifts.share_after - shifts.share_before)) as placebo_shifts
    from shifts
    where
        shifts.share_before > 0
        and not exists (
            select 1
            from dated
            where
                dated.issuing_iso3 = shifts.issuing_iso3
                and dated.frequency = shifts.frequency
                and dated.material = shifts.material
                and dated.stage = shifts.stage
                and abs(dated.start_number - shifts.start_number) <= shifts.n_periods
        )
    group by all
)

select
    {{ row_key([
        'dated.event_id', 'shifts.importer_iso3', 'shifts.material', 'shifts.stage',
        'dated.frequency'
    ]) }} as row_key,
    dated.event_id,
    shifts.importer_iso3,
    shifts.material,
    shifts.stage,
    dated.frequency,
    dated.issuing_iso3,
    dated.first_day,
    cast(dated.n_periods as integer) as n_periods,
    cast(shifts.n_before as integer) as n_periods_before,
    cast(shifts.n_after as integer) as n_periods_after,
    cast(shifts.first_period as integer) as first_period,
    cast(shifts.last_period as integer) as last_period,
    shifts.share_before,
    shifts.share_after,
    100 * (shifts.share_after - shifts.share_before) as shift_pp,
    100 * (shifts.weight_after / nullif(shifts.weight_before, 0) - 1) as qty_change_pct,
    placebo_rank_p(
        shifts.share_after - shifts.share_before, placebos.placebo_shifts
    ) as placebo_rank_p,
    cast(coalesce(len(placebos.placebo_shifts), 0) as integer) as n_placebos,
    shifts.flow_source,
    shifts.source_edition_id,
    shifts.source_edition_ids,
    shifts.evidence_grade,
    false as is_official,
    '1' as method_version
from dated
inner join shifts
    on
        dated.issuing_iso3 = shifts.issuing_iso3
        and dated.frequency = shifts.frequency
        and dated.start_number = shifts.start_number
        and dated.material = shifts.material
        and dated.stage = shifts.stage
        and dated.target_iso3 in ('WLD', shifts.importer_iso3)
left join placebos
    on
        shifts.issuing_iso3 = placebos.issuing_iso3
        and shifts.frequency = placebos.frequency
        and shifts.start_number = placebos.start_number
        and shifts.importer_iso3 = placebos.importer_iso3
where shifts.share_before > 0 or shifts.share_after > 0
