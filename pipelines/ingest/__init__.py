"""How documents become raw tables: one door, whoever brings them.

A nightly run calls, in this order,

1. :func:`refresh_raw`: raw tables as archive and readers say (also after a crash);
2. :func:`ingest_starter` on a fresh archive, :func:`retry_refused`, and :func:`ingest_fetched` for
   each publisher's answer (:func:`known` tells ``fetch`` what is held);
3. :func:`write_edition_tables`: what the archive holds, as tables.

Then :func:`pipelines.archive.fingerprint.release_id` says whether there is anything new to build.
:func:`ingest_documents` is for a person who brings files. Each call takes the archive's lock; who
reads raw tables while others may write holds ``Archive(...).lock()`` as well.
"""

from pipelines.ingest.bring import ingest_documents, ingest_fetched, ingest_starter, known
from pipelines.ingest.editions import write_edition_tables
from pipelines.ingest.incoming import incoming_folder
from pipelines.ingest.raw import ensure_schemas
from pipelines.ingest.refresh import refresh_raw, retry_refused
from pipelines.ingest.result import IngestResult

__all__ = [
    "IngestResult",
    "ensure_schemas",
    "incoming_folder",
    "ingest_documents",
    "ingest_fetched",
    "ingest_starter",
    "known",
    "refresh_raw",
    "retry_refused",
    "write_edition_tables",
]
