-- Every pair of vintages, the earlier first.
select
    earlier.vintage_id as vintage_from,
    later.vintage_id as vintage_to
from {{ ref('dim_vintage') }} as earlier
inner join {{ ref('dim_vintage') }} as later on earlier.vintage_order < later.vintage_order
