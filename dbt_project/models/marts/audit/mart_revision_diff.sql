-- What a later vintage says differently about the same year, and which cells moved it. Only rows
-- that stand in both vintages and come from different editions.
with metrics as (
    unpivot (
        select
            vintage_id,
            material,
            stage,
            scope,
            geo_iso3,
            reference_year,
            basis,
            source_edition_id,
            hhi,
            hhi_high,
            cr3,
            top_share
        from {{ ref('mart_concentration') }}
    )
    on hhi, hhi_high, cr3, top_share
    into name metric value metric_value
),

reliance as (
    select
        reliance.vintage_id,
        reliance.material,
        reliance.stage,
        'net_import_reliance' as scope,
        reliance.importer_iso3 as geo_iso3,
        reliance.reference_year,
        'share' as basis,
        reliance.source_edition_id,
        'net_import_reliance' as metric,
        reliance.import_reliance as metric_value,
        cells.value_text,
        reliance.cell_id
    from {{ ref('int_import_reliance__published') }} as reliance
    inner join {{ ref('fct_source_cell') }} as cells using (cell_id)
),

quantities as (
    select
        quantities.vintage_id,
        quantities.material,
        quantities.stage,
        quantities.scope,
        quantities.supplier_iso3 as geo_iso3,
        quantities.reference_year,
        quantities.basis,
        quantities.source_edition_id,
        'production' as metric,
        quantities.quantity as metric_value,
        cast(null as varchar) as value_text,
        quantities.cell_ids[1] as cell_id
    from {{ ref('int_supplier_quantity') }} as quantities
    where quantities.scope = 'world_production' and not quantities.is_residual
),

together as (
    select
        vintage_id,
        material,
        stage,
        scope,
        geo_iso3,
        reference_year,
        basis,
        source_edition_id,
        metric,
        metric_value,
        cast(null as varchar) as value_text,
        cast(null as varchar) as cell_id
    from metrics
    union all
    select * from reliance
    union all
    select * from quantities
),

compared as (
    select
        pairs.vintage_from,
        pairs.vintage_to,
        earlier.material,
        earlier.stage,
        earlier.scope,
        earlier.geo_iso3,
        earlier.reference_year,
        earlier.basis,
        earlier.metric,
        earlier.source_edition_id as source_edition_from,
        later.source_edition_id as source_edition_to,
        earlier.metric_value as value_from,
        later.metric_value as value_to,
        earlier.value_text as text_from,
        later.value_text as text_to,
        earlier.cell_id as cell_id_from,
        later.cell_id as cell_id_to
    from {{ ref('int_vintage__pairs') }} as pairs
    inner join together as earlier on pairs.vintage_from = earlier.vintage_id
    inner join together as later
        on
            pairs.vintage_to = later.vintage_id
            and earlier.material = later.material
            and earlier.stage = later.stage
            and earlier.scope = later.scope
            and earlier.geo_iso3 = later.geo_iso3
            and earlier.reference_year = later.reference_year
            and earlier.basis = later.basis
            and earlier.metric = later.metric
    where
        earlier.source_edition_id != later.source_edition_id
        and (
            earlier.metric_value is distinct from later.metric_value
            or earlier.value_text is distinct from later.value_text
        )
),

moved as (
    select
        *,
        row_number() over (
            partition by vintage_from, vintage_to, material, stage, reference_year, basis
            order by abs(value_to - value_from) desc, geo_iso3
        ) as move_rank
    from compared
    where metric = 'production'
),

drivers as (
    select
        vintage_from,
        vintage_to,
        material,
        stage,
        reference_year,
        basis,
        list(
            {
                'country_iso3': geo_iso3,
                'value_from': value_from,
                'value_to': value_to,
                'cell_id_from': cell_id_from,
                'cell_id_to': cell_id_to
            }
            order by move_rank
        ) filter (where move_rank <= 10) as driver_cells
    from moved
    group by all
),

thresholds as (
    select lower as significant_increase
    from {{ ref('ref_threshold') }}
    where threshold_id = 'doj_2023_delta'
)

select
    {{ row_key([
        'compared.metric', 'compared.material', 'compared.stage', 'compared.scope',
        'compared.geo_iso3', 'compared.reference_year', 'compared.basis',
        'compared.vintage_from', 'compared.vintage_to'
    ]) }} as row_key,
    compared.metric,
    compared.material,
    compared.stage,
    compared.scope,
    compared.geo_iso3,
    compared.reference_year,
    compared.basis,
    compared.vintage_from,
    compared.vintage_to,
    compared.source_edition_from,
    compared.source_edition_to,
    list_sort([compared.source_edition_from, compared.source_edition_to]) as source_edition_ids,
    compared.value_from,
    compared.value_to,
    compared.text_from,
    compared.text_to,
    compared.value_to - compared.value_from as delta,
    (compared.value_to - compared.value_from) / nullif(compared.value_from, 0) * 100
        as delta_pct,
    case
        when compared.metric in ('production', 'net_import_reliance')
            then [{
                'country_iso3': compared.geo_iso3,
                'value_from': compared.value_from,
                'value_to': compared.value_to,
                'cell_id_from': compared.cell_id_from,
                'cell_id_to': compared.cell_id_to
            }]
        when compared.scope = 'world_production' then drivers.driver_cells
    end as driver_cells,
    case
        when compared.metric not in ('hhi', 'hhi_high') then null
        when bands_from.label != bands_to.label
            then bands_from.label || ' to ' || bands_to.label
        when compared.value_to - compared.value_from > thresholds.significant_increase
            then 'increase above ' || thresholds.significant_increase * 10000 || ' points'
    end as threshold_crossed,
    false as is_official
from compared
cross join thresholds
left join drivers
    on
        compared.vintage_from = drivers.vintage_from
        and compared.vintage_to = drivers.vintage_to
        and compared.material = drivers.material
        and compared.stage = drivers.stage
        and compared.reference_year = drivers.reference_year
        and compared.basis = drivers.basis
left join {{ ref('ref_threshold') }} as bands_from
    on
        bands_from.rule_set = 'doj_2023'
        and compared.value_from >= bands_from.lower
        and compared.value_from < bands_from.upper
left join {{ ref('ref_threshold') }} as bands_to
    on
        bands_to.rule_set = 'doj_2023'
        and compared.value_to >= bands_to.lower
        and compared.value_to < bands_to.upper
