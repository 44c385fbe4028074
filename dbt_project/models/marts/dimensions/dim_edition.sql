-- Every edition that the archive holds: what was published, when, under which terms.
select
    source_edition_id,
    source_id,
    edition_label,
    edition_version,
    edition_revision,
    published_date,
    first_published_date,
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
    edition_digest,
    n_documents,
    n_rows,
    n_quarantined
from {{ ref('stg_monazite__edition') }}
