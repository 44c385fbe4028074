with source as (
    select * from {{ raw_table('monazite', 'raw_monazite__edition') }}
)

select
    source_edition_id,
    source_id,
    label as edition_label,
    version as edition_version,
    revision as edition_revision,
    cast(published_date as date) as published_date,
    cast(first_published_date as date) as first_published_date,
    published_precision,
    layout,
    title,
    publisher,
    licence_name,
    redistribution,
    attribution,
    citation,
    doi,
    url,
    is_reexpressed,
    is_official,
    scope as edition_scope,
    digest as edition_digest,
    n_documents,
    rows as n_rows,
    quarantined as n_quarantined,
    out_of_scope as n_out_of_scope
from source
