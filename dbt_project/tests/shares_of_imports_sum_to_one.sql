-- The partners of an importer, the unnamed ones included, supply all of its imports.
select
    vintage_id,
    importer_iso3,
    material,
    stage,
    basis,
    reference_year,
    sum(share_of_imports) as share_total
from {{ ref('mart_import_dependency') }}
group by all
having abs(sum(share_of_imports) - 1) > 1e-9
