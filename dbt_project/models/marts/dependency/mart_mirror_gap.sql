-- How far the two reports of a flow lie apart, as reported and after freight is taken off.
select
    {{ row_key(['exporter_iso3', 'importer_iso3', 'hs_code', 'reference_year', "'latest'"]) }}
        as row_key,
    exporter_iso3,
    importer_iso3,
    hs_code,
    reference_year,
    'latest' as vintage_id,
    source_edition_id,
    source_edition_ids,
    x_usd,
    m_cif_usd,
    m_fob_usd,
    x_kg,
    m_kg,
    x_usd / m_cif_usd as value_ratio_reported,
    x_kg / nullif(m_kg, 0) as weight_ratio_reported,
    ln_ratio,
    rel_gap,
    sigma_ln,
    freight_share,
    reliability_e as reporter_reliability_e,
    reliability_m as reporter_reliability_m,
    evidence_grade as grade,
    false as is_official
from {{ ref('int_trade__reconciled') }}
where n_reports = 2
