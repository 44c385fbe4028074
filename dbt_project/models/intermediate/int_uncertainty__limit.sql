-- The limits that the drawn measures are held against: the measure of the draws, its place among
-- the limits of that measure, and the mart and column that the rule speaks of.
with rules as (
    select
        threshold_id,
        rule_set,
        lower as threshold
    from {{ ref('ref_threshold') }}
    where
        rule_set in (
            'doj_2010', 'doj_2023', 'geodep_world', 'geodep_imports', 'ec_cdi1', 'crma_65',
            'eu_sr', 'bottleneck_named', 'trend_rising'
        )
        -- The lowest band of an index begins at nothing, which is no limit.
        and (lower > 0 or metric != 'hhi')
),

applied as (
    select
        threshold_id,
        rule_set,
        threshold,
        'mart_concentration' as mart,
        'hhi' as metric,
        'hhi' as drawn_metric
    from rules
    where rule_set in ('doj_2010', 'doj_2023', 'geodep_world')
    union all
    select
        threshold_id,
        rule_set,
        threshold,
        'mart_dependency_flags' as mart,
        'hhi_imports' as metric,
        'hhi' as drawn_metric
    from rules
    where rule_set in ('ec_cdi1', 'geodep_imports')
    union all
    select
        threshold_id,
        rule_set,
        threshold,
        'mart_dependency_flags' as mart,
        'max_dependency' as metric,
        'max_dependency' as drawn_metric
    from rules
    where rule_set = 'crma_65'
    union all
    select
        threshold_id,
        rule_set,
        threshold,
        'mart_import_dependency' as mart,
        'dependency' as metric,
        'dependency' as drawn_metric
    from rules
    where rule_set = 'crma_65'
    union all
    select
        threshold_id,
        rule_set,
        threshold,
        'mart_eu_supply_risk' as mart,
        'sr_stage' as metric,
        'sr_stage' as drawn_metric
    from rules
    where rule_set = 'eu_sr'
    union all
    select
        threshold_id,
        rule_set,
        threshold,
        'mart_stage_bottleneck' as mart,
        'bottleneck_margin' as metric,
        'bottleneck_margin' as drawn_metric
    from rules
    where rule_set = 'bottleneck_named'
    union all
    select
        threshold_id,
        rule_set,
        threshold,
        'mart_trend' as mart,
        'dln_hhi_5y' as metric,
        'dln_hhi_5y' as drawn_metric
    from rules
    where rule_set = 'trend_rising'
)

select
    *,
    dense_rank() over (partition by drawn_metric order by threshold) as position
from applied
