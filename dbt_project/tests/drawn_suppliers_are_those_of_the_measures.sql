-- What is drawn sums to what the measure was computed from, but where suppliers with a bound only
-- are drawn on top; and every list that is to be drawn is.
select
    lists.list_key,
    marts.quantity_total,
    sum(suppliers.quantity) as drawn_total
from {{ ref('int_uncertainty__list') }} as lists
inner join {{ ref('mart_concentration') }} as marts on lists.list_key = marts.row_key
left join {{ ref('int_uncertainty__supplier') }} as suppliers on lists.list_key = suppliers.list_key
where marts.n_suppliers_unquantified = 0
group by all
having coalesce(abs(sum(suppliers.quantity) / marts.quantity_total - 1), 1) > 1e-9
