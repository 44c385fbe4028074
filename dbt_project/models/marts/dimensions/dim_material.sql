-- Elements, groups, commodities, baskets of trade codes and products.
select
    material,
    material_name,
    material_kind,
    symbol,
    note
from {{ ref('ref_material') }}
