-- What is drawn: the suppliers of each list (int_uncertainty__list) with their quantity, the log
-- standard deviation of its error, and half the width of its rounding or range. A supplier with a
-- bound instead of a figure is drawn between its ends; one without either is not drawn. Suppliers
-- that nobody names are one row without iso3.
{% set digits = uncertainty_setting('least_digits') %}
with measured as (
    select
        lists.list_key,
        lists.scope,
        lists.basis,
        held.supplier_iso3,
        held.is_residual,
        held.quantity,
        held.quantity_low,
        held.quantity_high,
        held.evidence_grade,
        held.cell_ids
    from {{ ref('int_supplier_quantity') }} as held
    inner join {{ ref('int_uncertainty__list') }} as lists
        using (vintage_id, scope, material, stage, basis, geo_iso3, reference_year)
    where lists.flow_source is null
),

roundings as (
    select
        asked.list_key,
        asked.supplier_iso3,
        -- Relative, because the model may hold the figure in another unit than the cell.
        max(
            {{ half_unit('cells.value_text', "asked.basis = 'share'", digits) }}
            / nullif(cells.value, 0)
        ) as relative_half_unit
    from (
        select
            list_key,
            supplier_iso3,
            basis,
            unnest(cell_ids) as cell_id
        from measured
    ) as asked
    inner join {{ ref('fct_source_cell') }} as cells using (cell_id)
    group by asked.list_key, asked.supplier_iso3
),

published as (
    select
        measured.list_key,
        measured.supplier_iso3,
        coalesce(
            (measured.quantity_low + coalesce(measured.quantity_high, measured.quantity_low)) / 2,
            measured.quantity
        ) as quantity,
        case when measured.quantity > 0 then by_grade.sigma_ln else 0 end as sigma_ln,
        coalesce((measured.quantity_high - measured.quantity_low) / 2, 0)
        + coalesce(roundings.relative_half_unit * measured.quantity, 0) as half_width
    from measured
    inner join {{ ref('ref_uncertainty') }} as by_grade
        on
            measured.evidence_grade = by_grade.evidence_grade
            and by_grade.subject
            = case measured.basis when 'share' then 'published_share' else 'production' end
    left join roundings
        on
            measured.list_key = roundings.list_key
            and measured.supplier_iso3 is not distinct from roundings.supplier_iso3
    where measured.quantity > 0 or measured.quantity_high > 0
),

-- What is missing to 1 in a list of shares beyond the rounding, and is no printed row.
implied as (
    select
        lists.list_key,
        cast(null as varchar) as supplier_iso3,
        gathered.residual as quantity,
        0.0 as sigma_ln,
        0.0 as half_width
    from {{ ref('int_concentration') }} as gathered
    inner join {{ ref('int_uncertainty__list') }} as lists
        using (vintage_id, scope, material, stage, basis, geo_iso3, reference_year)
    where gathered.basis = 'share' and gathered.residual > 0 and gathered.named_other = 0
),

members as (
    select country_iso3
    from {{ ref('dim_country') }}
    where is_eu27
),

codes as (
    select
        hs_code,
        coalesce(nullif(basket, ''), material) as material,
        stage
    from {{ ref('ref_hs_material') }}
    where stage is not null
),

-- The buyers that a flow counts for: its importer, the EU if it comes from outside, the world.
flows_by_buyer as (
    select
        *,
        'import_sources' as scope,
        importer_iso3 as geo_iso3
    from {{ ref('int_uncertainty__flow') }}
    union all
    select
        *,
        'import_sources' as scope,
        'EU27' as geo_iso3
    from {{ ref('int_uncertainty__flow') }}
    where
        importer_iso3 in (select country_iso3 from members)
        and (exporter_iso3 is null or exporter_iso3 not in (select country_iso3 from members))
    union all
    select
        *,
        'world_exports' as scope,
        'WLD' as geo_iso3
    from {{ ref('int_uncertainty__flow') }}
),

bought as (
    select
        lists.list_key,
        flows.exporter_iso3 as supplier_iso3,
        flows.quantity,
        flows.quantity * sqrt(exp(power(flows.sigma_ln, 2)) - 1) as spread
    from flows_by_buyer as flows
    inner join codes on flows.hs_code = codes.hs_code
    inner join {{ ref('int_uncertainty__list') }} as lists
        on
            lists.vintage_id = 'latest'
            and flows.flow_source = lists.flow_source
            and flows.scope = lists.scope
            and flows.geo_iso3 = lists.geo_iso3
            and codes.material = lists.material
            and codes.stage = lists.stage
            and flows.reference_year = lists.reference_year
            and lists.basis = case flows.subject when 'trade_value' then 'usd' else 'gross_t' end
    inner join {{ ref('int_trade__edition_choice') }} as choice
        on
            choice.vintage_id = 'latest'
            and codes.material = choice.material
            and codes.stage = choice.stage
            and flows.reference_year = choice.reference_year
            and flows.flow_source = choice.flow_source
            and {{ of_choice('flows', 'choice') }}
),

listed as (
    select
        list_key,
        supplier_iso3,
        list_sort(list(quantity)) as quantities,
        list_sort(list(spread)) as spreads
    from bought
    group by list_key, supplier_iso3
),

-- Summed in order, so that the last digit does not hang on the number of threads.
traded as (
    select
        list_key,
        supplier_iso3,
        list_sum(quantities) as quantity,
        sum_sigma(
            list_sum(quantities),
            list_sum(spreads),
            list_sum(list_transform(spreads, lambda s: s * s)),
            {{ uncertainty_setting('same_exporter_correlation') }}
        ) as sigma_ln,
        0.0 as half_width
    from listed
),

together as (
    select * from published
    union all
    select * from implied
    union all
    select * from traded
)

select
    together.*,
    lists.reference_year,
    -- What a country produces and what it trades are counted by different offices.
    case
        when together.supplier_iso3 is null then 'unnamed'
        when lists.scope = 'world_production' then 'production|' || together.supplier_iso3
        else together.supplier_iso3
    end as error_key,
    together.supplier_iso3 is not null
    and lists.scope = 'import_sources'
    and lists.vintage_id = 'latest'
    -- A share of exactly the least one is wanted, whichever way its last digit falls.
    and together.quantity * (1 + 1e-9)
    >= least(
        {{ uncertainty_setting('least_share') }}
        * sum(together.quantity) over (partition by together.list_key),
        max(together.quantity) filter (where together.supplier_iso3 is not null)
            over (partition by together.list_key)
    ) as is_wanted
from together
inner join {{ ref('int_uncertainty__list') }} as lists using (list_key)
