-- One figure a flow from both reports, with the method of each cell. Values: the import report
-- without freight, weighed with the export report by the reliability of the two reporters. Weights:
-- reported ones likewise; one that gives a unit value beyond six robust deviations of its code and
-- year is set aside; of one side's alone its unit value counts, so that weight and value speak of
-- the same trade; where none is left, value over the median unit value.
-- Six deviations, not the usual three, because a code and year spans all partners:
-- up to there the other side's weight is nearer to the reported than to the imputed one
-- (benchmarks/compare_baci.py).
{% set outlier = 6 %}
with sides as (
    select
        mirror.*,
        {{ import_at_fob('mirror', 'freight') }} as m_fob_usd,
        exporters.reliability as reliability_e,
        importers.reliability as reliability_m,
        case
            when mirror.x_usd is null then 0.0
            when mirror.m_cif_usd is null then 1.0
            else
                1 / (1 + exp(
                    greatest(-20, least(20, importers.reliability - exporters.reliability))
                ))
        end as weight_x
    from {{ ref('int_trade__mirror') }} as mirror
    inner join {{ ref('int_trade__freight') }} as freight using (hs_code, reference_year)
    inner join {{ ref('int_trade__reliability') }} as exporters
        on
            mirror.exporter_iso3 = exporters.country_iso3
            and mirror.reference_year = exporters.reference_year
            and exporters.role = 'exporter'
    inner join {{ ref('int_trade__reliability') }} as importers
        on
            mirror.importer_iso3 = importers.country_iso3
            and mirror.reference_year = importers.reference_year
            and importers.role = 'importer'
),

valued as (
    select
        *,
        weight_x * coalesce(x_usd, 0) + (1 - weight_x) * coalesce(m_fob_usd, 0) as reconciled_usd,
        case when x_kg > 0 and not x_kg_is_estimated then ln(x_usd / x_kg) end as x_ln_uv,
        case when m_kg > 0 and not m_kg_is_estimated then ln(m_fob_usd / m_kg) end as m_ln_uv
    from sides
),

unit_values as (
    select
        hs_code,
        reference_year,
        median(ln_uv) as median_ln_uv,
        greatest(0.05, 1.4826 * mad(ln_uv)) as spread_ln_uv
    from (
        select
            hs_code,
            reference_year,
            x_ln_uv as ln_uv
        from valued
        where x_ln_uv is not null and x_usd >= 1000
        union all
        select
            hs_code,
            reference_year,
            m_ln_uv as ln_uv
        from valued
        where m_ln_uv is not null and m_fob_usd >= 1000
    )
    group by hs_code, reference_year
),

judged as (
    select
        valued.*,
        unit_values.median_ln_uv,
        case
            when
                abs(valued.x_ln_uv - unit_values.median_ln_uv)
                <= {{ outlier }} * unit_values.spread_ln_uv
                then valued.x_kg
        end as x_kg_good,
        case
            when
                abs(valued.m_ln_uv - unit_values.median_ln_uv)
                <= {{ outlier }} * unit_values.spread_ln_uv
                then valued.m_kg
        end as m_kg_good
    from valued
    left join unit_values using (hs_code, reference_year)
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
            then weight_x * x_kg_good + (1 - weight_x) * m_kg_good
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
from judged
