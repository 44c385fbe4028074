-- The register of controls: measure, what it covers and its states in time, ready to be asked for
-- any day.
with states as (
    select
        event_id,
        status,
        valid_from,
        lead(valid_from) over (partition by event_id order by valid_from) - interval 1 day
            as valid_until,
        expiry_date,
        legal_reference,
        date_precision,
        verification,
        source
    from {{ ref('ref_control_status') }}
)

select
    measures.event_id,
    measures.title,
    measures.issuing_iso3,
    measures.event_type,
    measures.is_export_control,
    scopes.material,
    scopes.stage,
    scopes.target_iso3,
    scopes.covers,
    states.status,
    states.valid_from,
    cast(states.valid_until as date) as valid_until,
    states.expiry_date,
    states.legal_reference,
    states.date_precision,
    states.verification,
    states.source
from {{ ref('ref_control_event') }} as measures
inner join states on measures.event_id = states.event_id
-- A measure that does not bear on exports of a material covers none.
left join {{ ref('ref_control_scope') }} as scopes on measures.event_id = scopes.event_id
