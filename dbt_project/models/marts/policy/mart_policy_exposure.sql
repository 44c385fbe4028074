-- Which supply of each importer stands under an export control, on the days on which a control
-- changed and on the last day of a state and the day after it. The macro policy_exposure(as_of)
-- asks the same of any other day. No clock is read.
-- depends_on: {{ ref('mart_import_dependency') }}
with change_days as (
    select valid_from as as_of_date
    from {{ ref('dim_control') }}
    where is_export_control
    union
    select expiry_date as as_of_date
    from {{ ref('dim_control') }}
    where is_export_control and expiry_date is not null
    union
    select expiry_date + 1 as as_of_date
    from {{ ref('dim_control') }}
    where is_export_control and expiry_date is not null
)

select
    {{ row_key(['importer_iso3', 'material', 'stage', 'basis', 'as_of_date']) }} as row_key,
    *,
    false as is_official,
    '1' as method_version
from
    policy_exposure_on(
        (select list(as_of_date) as days from change_days)
    )
