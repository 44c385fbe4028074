-- Countries of ISO 3166-1, former states, the world and the EU of 27.
select
    country_iso3,
    country_name,
    iso2,
    m49,
    area_type,
    valid_from,
    valid_to,
    is_eu27,
    note
from {{ ref('ref_country') }}
