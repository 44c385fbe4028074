-- One figure a flow from both reports, with the method of each cell. Value: the export report and
-- the import report free on board, each counted in proportion to its reporter's reliability, so
-- that the figure divides the gap as the two are expected to have caused it. Weight: likewise, by
-- the reliability of weights; of one side's alone its unit value counts, so that weight and value
-- speak of the same trade; where none is left, value over the median unit value of code and year.
with reliability as (
    select
        reference_year,
        role,
        country_iso3,
        any_value(reliability) filter (where measure = 'value') as of_value,
        any_value(reliability) filter (where measure = 'weight') as of_weight
    from {{ ref('int_trade__reliability') }}
    group by reference_year, role, country_iso3
),

sides as (
    select
        flows.*,
        exporters.of_value as reliability_e,
        importers.of_value as reliability_m,
        case
            when flows.x_usd is null then 0.0
            when flows.m_cif_usd is null then 1.0
            else exporters.of_value / (exporters.of_value + importers.of_value)
        end as weight_x,
        exporters.of_weight / (exporters.of_weight + importers.of_weight) as weight_x_of_kg
    from {{ ref('int_trade__comparable') }} as flows
    inner join reliability as exporters
        on
            flows.exporter_iso3 = exporters.country_iso3
            and flows.reference_year = exporters.reference_year
            and exporters.role = 'exporter'
    inner join reliability as importers
        on
            flows.importer_iso3 = importers.country_iso3
            and flows.reference_year = importers.reference_year
            and importers.role = 'importer'
),

valued as (
    select
        *,
        weight_x * coalesce(x_usd, 0) + (1 - weight_x) * coalesce(m_fob_usd, 0) as reconciled_usd
    from sides
)

select
    exporter_iso3,
    importer_iso3,
    hs_code,
    reference_year,
    source_edition_id,
    source_edition_ids,
    x_usd,
    m_cif_usd,
    m_fob_usd,
    1 - m_fob_usd / m_cif_usd as freight_share,
    x_kg,
    m_kg,
    reliability_e,
    reliability_m,
    weight_x,
    reconciled_usd,
    case
        when x_kg_good is not null and m_kg_good is not null
            then weight_x_of_kg * x_kg_good + (1 - weight_x_of_kg) * m_kg_good
        else
            coalesce(
                x_kg_good * reconciled_usd / x_usd,
                m_kg_good * reconciled_usd / m_fob_usd,
                reconciled_usd / exp(median_ln_uv)
            )
    end as reconciled_kg,
    case
        when x_usd is not null and m_cif_usd is not null then 'both_reports'
        when x_usd is not null then 'export_report'
        when m_has_freight and m_own_fob_usd is null then 'import_report_less_freight'
        else 'import_report_at_fob'
    end as method_id,
    case
        when x_kg_good is not null and m_kg_good is not null then 'both_reports'
        when x_kg_good is not null then 'export_report'
        when m_kg_good is not null then 'import_report'
        when median_ln_uv is not null then 'median_unit_value'
        else 'not_available'
    end as quantity_method,
    (x_usd is not null)::integer + (m_cif_usd is not null)::integer as n_reports,
    mirror_ln_ratio(x_usd, m_fob_usd) as ln_ratio,
    mirror_rel_gap(x_usd, m_fob_usd) as rel_gap,
    mirror_sigma(mirror_ln_ratio(x_usd, m_fob_usd)) as sigma_ln,
    case
        when x_usd is null or m_cif_usd is null then 'D'
        when abs(x_usd / m_fob_usd - 1) <= 0.10 then 'A'
        when abs(x_usd / m_fob_usd - 1) <= 0.25 then 'B'
        else 'C'
    end as evidence_grade
from valued
