-- Who is concerned where the state of a control runs out within 90 days, or has run out.
select
    row_key,
    importer_iso3,
    material,
    stage,
    basis,
    as_of_date,
    case
        when len(controls_outcome_unknown) > 0 then 'outcome_unknown'
        else 'expires_soon'
    end as alert,
    share_under_control_low,
    share_under_control_high,
    share_announced,
    share_suspended,
    next_expiry_date,
    days_to_expiry as expiry_days
from {{ ref('mart_policy_exposure') }}
where len(controls_outcome_unknown) > 0 or days_to_expiry <= 90
