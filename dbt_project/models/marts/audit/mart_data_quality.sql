-- Every check of this build: the quality suites on marts and on drift between editions, and what
-- each edition had to leave in quarantine. Built last.
select
    {{ row_key(['check_id', 'source_id']) }} as row_key,
    source_id,
    check_id,
    suite,
    table_name,
    severity,
    status,
    n_evaluated,
    n_failed,
    detail
from {{ raw_table('monazite', 'raw_monazite__quality') }}
union all
select
    {{ row_key(["'quarantined_rows'", 'source_edition_id']) }} as row_key,
    source_id,
    'quarantined_rows' as check_id,
    'ingest' as suite,
    source_edition_id as table_name,
    'warning' as severity,
    case when n_quarantined = 0 then 'passed' else 'warned' end as status,
    n_rows + n_quarantined as n_evaluated,
    n_quarantined as n_failed,
    n_quarantined || ' of ' || (n_rows + n_quarantined) || ' rows are in quarantine' as detail
from {{ ref('dim_edition') }}
