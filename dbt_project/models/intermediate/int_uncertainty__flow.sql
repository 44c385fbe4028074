-- Log standard deviation of every flow's value and weight. Both reports held: their gap, shrunk to
-- what is typical of the two reporters in the chapter. One report: the typical one of who reported,
-- made wider. Reconciled by the publisher, or imputed: by evidence grade (ref_uncertainty). None
-- is wider than the largest one that is drawn.
with checked as (
    select
        exporter_iso3,
        importer_iso3,
        left(hs_code, 2) as hs_chapter,
        unnest([
            { 'subject': 'trade_value', 'sigma_ln': sigma_ln },
            {
                'subject': 'trade_weight',
                'sigma_ln': case
                    when quantity_method = 'both_reports'
                        then mirror_sigma(mirror_ln_ratio(x_kg, m_kg))
                end
            }
        ]) as gap
    from {{ ref('int_trade__reconciled') }}
    where n_reports = 2 and reconciled_usd >= {{ uncertainty_setting('least_pair_usd') }}
),

gaps as (
    select
        exporter_iso3,
        importer_iso3,
        hs_chapter,
        gap.subject,
        gap.sigma_ln
    from checked
    where gap.sigma_ln is not null
),

chapters as (
    select
        hs_chapter,
        subject,
        median(sigma_ln) as typical_sigma
    from gaps
    group by hs_chapter, subject
),

exporters as (
    select
        exporter_iso3,
        hs_chapter,
        subject,
        median(sigma_ln) as typical_sigma
    from gaps
    group by exporter_iso3, hs_chapter, subject
    having count(*) >= {{ uncertainty_setting('least_pairs') }}
),

importers as (
    select
        importer_iso3,
        hs_chapter,
        subject,
        median(sigma_ln) as typical_sigma
    from gaps
    group by importer_iso3, hs_chapter, subject
    having count(*) >= {{ uncertainty_setting('least_pairs') }}
),

listed as (
    select
        flows.flow_source,
        flows.source_edition_id,
        flows.hs_code,
        left(flows.hs_code, 2) as hs_chapter,
        flows.exporter_iso3,
        flows.importer_iso3,
        flows.reference_year,
        unnest([
            {
                'subject': 'trade_value',
                'quantity': flows.trade_value_usd,
                'method_id': coalesce(flows.method_id, 'by_publisher'),
                'gap_sigma': flows.sigma_ln,
                'grade': flows.evidence_grade
            },
            {
                'subject': 'trade_weight',
                'quantity': flows.net_weight_kg / 1000,
                'method_id': coalesce(flows.quantity_method, 'by_publisher'),
                'gap_sigma': case
                    when flows.quantity_method = 'both_reports'
                        then mirror_sigma(mirror_ln_ratio(reconciled.x_kg, reconciled.m_kg))
                end,
                'grade': case
                    when flows.quantity_method = 'median_unit_value' then 'E'
                    else flows.evidence_grade
                end
            }
        ]) as figure
    from {{ ref('fct_trade_flow') }} as flows
    left join {{ ref('int_trade__reconciled') }} as reconciled
        on
            flows.flow_source = 'monazite'
            and flows.exporter_iso3 = reconciled.exporter_iso3
            and flows.importer_iso3 = reconciled.importer_iso3
            and flows.hs_code = reconciled.hs_code
            and flows.reference_year = reconciled.reference_year
    where
        flows.reference_year in (
            select reference_year
            from {{ ref('int_uncertainty__list') }}
            where flow_source is not null
        )
),

flows as (
    select
        * exclude (figure),
        figure.subject,
        figure.quantity,
        figure.method_id,
        figure.gap_sigma,
        figure.grade
    from listed
    where figure.quantity > 0
),

typical as (
    select
        flows.*,
        coalesce(exporters.typical_sigma, chapters.typical_sigma, by_grade.sigma_ln)
            as exporter_sigma,
        coalesce(importers.typical_sigma, chapters.typical_sigma, by_grade.sigma_ln)
            as importer_sigma,
        by_grade.sigma_ln as grade_sigma
    from flows
    inner join {{ ref('ref_uncertainty') }} as by_grade
        on
            by_grade.subject
            = case
                when flows.flow_source = 'monazite' then flows.subject
                else replace(flows.subject, 'trade_', 'reconciled_')
            end
            and flows.grade = by_grade.evidence_grade
    left join chapters
        on flows.hs_chapter = chapters.hs_chapter and flows.subject = chapters.subject
    left join exporters
        on
            flows.exporter_iso3 = exporters.exporter_iso3
            and flows.hs_chapter = exporters.hs_chapter
            and flows.subject = exporters.subject
    left join importers
        on
            flows.importer_iso3 = importers.importer_iso3
            and flows.hs_chapter = importers.hs_chapter
            and flows.subject = importers.subject
)

select
    flow_source,
    source_edition_id,
    hs_code,
    exporter_iso3,
    importer_iso3,
    reference_year,
    subject,
    quantity,
    least(
        {{ uncertainty_setting('largest_sigma') }},
        case
            when gap_sigma is not null
                then
                    shrunk_sigma(
                        gap_sigma,
                        sqrt((power(exporter_sigma, 2) + power(importer_sigma, 2)) / 2),
                        {{ uncertainty_setting('prior_weight') }}
                    )
            when method_id = 'export_report'
                then {{ uncertainty_setting('one_report_factor') }} * exporter_sigma
            when method_id like 'import_report%'
                then {{ uncertainty_setting('one_report_factor') }} * importer_sigma
            else grade_sigma
        end
    ) as sigma_ln
from typical
