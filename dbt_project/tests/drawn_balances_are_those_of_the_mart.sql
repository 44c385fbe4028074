-- What is drawn of a balance sums to what the mart computed it from: imports and exports to the
-- weight held, and production.
with parts as (
    select
        balance_key,
        coalesce(sum(quantity) filter (where role = 'exports'), 0) as exports,
        coalesce(sum(quantity) filter (where role = 'production'), 0) as production
    from {{ ref('int_uncertainty__part') }}
    group by balance_key
),

imports as (
    select
        balances.balance_key,
        sum(suppliers.quantity) as imports
    from {{ ref('int_uncertainty__balance') }} as balances
    inner join {{ ref('int_uncertainty__supplier') }} as suppliers
        on balances.list_key = suppliers.list_key
    group by balances.balance_key
)

select
    marts.row_key,
    imports.imports,
    parts.exports,
    parts.production
from imports
inner join {{ ref('mart_import_reliance') }} as marts
    on imports.balance_key || '|latest' = marts.row_key
left join parts on imports.balance_key = parts.balance_key
where
    abs(imports.imports - marts.imports_gross_t) > 1e-6 * greatest(1, marts.imports_gross_t)
    or abs(coalesce(parts.exports, 0) - marts.exports_gross_t)
    > 1e-6 * greatest(1, marts.exports_gross_t)
    or abs(coalesce(parts.production, 0) - marts.production_gross_t_low)
    > 1e-6 * greatest(1, marts.production_gross_t_low)
