-- The four stages from the mine to the product.
select
    stage,
    stage_name,
    cast(stage_order as integer) as stage_order,
    observability
from {{ ref('ref_stage') }}
