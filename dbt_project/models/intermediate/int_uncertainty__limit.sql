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
            'doj_2010', 'doj_2023', 'geodep_world', 'geodep_imports', 'ec_cdi1', 'crma_65'
        )
        and lower > 0
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
)

select
    *,
    dense_rank() over (partition by drawn_metric order by threshold) as position
from applied
