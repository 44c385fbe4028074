-- One figure a bilateral flow. `flow_source` says whose reconciliation it is: `baci` (CEPII) or
-- `monazite` (from both reports, by the method of the cell). A series never mixes the two.
with baci as (
    select
        'baci' as flow_source,
        flows.source_edition_id,
        [flows.source_edition_id] as source_edition_ids,
        flows.hs_revision,
        flows.hs_code,
        exporters.country_iso3 as exporter_iso3,
        importers.country_iso3 as importer_iso3,
        flows.exporter_code as exporter_reported,
        flows.importer_code as importer_reported,
        flows.reference_year,
        round(flows.value_kusd * 1000, 3) as trade_value_usd,
        round(flows.quantity_t * 1000, 3) as net_weight_kg,
        cast(null as double) as x_usd,
        cast(null as double) as m_fob_usd,
        cast(null as double) as sigma_ln,
        cast(null as integer) as n_reports,
        'reconciled_by_cepii' as method_id,
        case
            when flows.quantity_t is null then 'not_available' else 'reconciled_by_cepii'
        end as quantity_method,
        'B' as evidence_grade,
        flows.document_name,
        flows.row_number
    from {{ ref('stg_cepii_baci__trade') }} as flows
    inner join {{ ref('country__un') }} as exporters
        on flows.exporter_code = exporters.country_label
    inner join {{ ref('country__un') }} as importers
        on flows.importer_code = importers.country_label
),

monazite as (
    select
        'monazite' as flow_source,
        source_edition_id,
        source_edition_ids,
        'as_reported' as hs_revision,
        hs_code,
        exporter_iso3,
        importer_iso3,
        exporter_iso3 as exporter_reported,
        importer_iso3 as importer_reported,
        reference_year,
        reconciled_usd as trade_value_usd,
        reconciled_kg as net_weight_kg,
        x_usd,
        m_fob_usd,
        sigma_ln,
        n_reports,
        method_id,
        quantity_method,
        evidence_grade,
        cast(null as varchar) as document_name,
        cast(null as bigint) as row_number
    from {{ ref('int_trade__reconciled') }}
),

together as (
    select * from baci
    union all
    select * from monazite
)

-- A flow that is probably something else than its code says is weak, whoever reconciled it.
select
    together.* replace (
        case
            when doubts.hs_code is null then together.evidence_grade
            else greatest(together.evidence_grade, 'D')
        end as evidence_grade
    ),
    doubts.doubt
from together
left join {{ ref('ref_flow_doubt') }} as doubts
    on
        together.exporter_iso3 = doubts.exporter_iso3
        and together.importer_iso3 = doubts.importer_iso3
        and together.hs_code = doubts.hs_code
        and together.reference_year
        between doubts.first_year and coalesce(doubts.last_year, together.reference_year)
