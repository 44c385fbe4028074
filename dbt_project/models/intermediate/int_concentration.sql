-- Supplier lists gathered to one row a series and year: what the measures are applied to.
with listed as (
    select
        vintage_id,
        scope,
        material,
        stage,
        basis,
        geo_iso3,
        reference_year,
        -- Sorted once: largest first, ties by the alphabet.
        list_sort(
            list({ 'negative': -quantity, 'supplier': supplier_iso3 })
            filter (where not is_residual and quantity > 0)
        ) as ranked,
        coalesce(sum(quantity) filter (where is_residual), 0) as named_other,
        sum(n_cells) as n_source_cells,
        sum(n_unquantified) as n_unquantified,
        any_value(source_edition_id) as source_edition_id,
        -- A series takes its cells from one edition, so all of its rows carry the same list, but
        -- for a supplier derived from a second document.
        arg_max(source_edition_ids, len(source_edition_ids)) as source_edition_ids,
        any_value(flow_source) as flow_source,
        -- A withheld producer is graded as well: the list lacks it.
        max(evidence_grade) filter (where quantity > 0 or n_unquantified > 0) as evidence_grade
    from {{ ref('int_supplier_quantity') }}
    group by vintage_id, scope, material, stage, basis, geo_iso3, reference_year
),

gathered as (
    select
        * exclude (ranked),
        list_transform(ranked, lambda r: -r.negative) as quantities,
        list_transform(ranked, lambda r: r.supplier) as suppliers
    from listed
),

printed_totals as (
    select
        choice.vintage_id,
        facts.material,
        facts.stage,
        facts.basis,
        facts.reference_year,
        max(facts.value) as printed_total
    from {{ ref('fct_production') }} as facts
    inner join {{ ref('int_production__edition_choice') }} as choice
        using (source_edition_id, material, stage, basis, reference_year)
    where
        facts.measure = 'production'
        and facts.is_primary
        and facts.country_iso3 = 'WLD'
        and facts.area_type = 'aggregate'
    group by all
)

select
    gathered.*,
    list_sum(gathered.quantities) as named_sum,
    -- Shares are rounded: what is missing to 1 is a residual only beyond the rounding.
    gathered.named_other
    + case
        when
            gathered.basis = 'share'
            and 1 - list_sum(gathered.quantities) - gathered.named_other
            > 0.0005 * len(gathered.quantities) + 0.0005
            then 1 - list_sum(gathered.quantities) - gathered.named_other
        else 0
    end as residual,
    case
        when gathered.scope = 'world_production' then printed_totals.printed_total
    end as printed_total
from gathered
left join printed_totals
    using (vintage_id, material, stage, basis, reference_year)
where len(gathered.quantities) > 0
