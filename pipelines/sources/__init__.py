"""One module a publisher: how its documents are fetched and read. No Dagster here.

Every module of this package that is named after a catalogue entry offers

* ``TABLES``: ``{table name: TableSpec}``, the raw tables it writes;
* ``parse(edition, documents) -> Parsed``: every cell of the documents, typed and in long form;
* ``fetch(...)``, where the publisher has an address that a program may ask.

``base`` holds what they share: documents, table specifications, the accounting of rows.
"""

from __future__ import annotations

from importlib import import_module

from pipelines.sources.base import SourceModule

__all__ = ["load_source"]


def load_source(source_id: str) -> SourceModule:
    """The module that reads this source's documents.

    :raises ModuleNotFoundError: the catalogue names a source that nobody has written a reader for.
    """
    return import_module(f"pipelines.sources.{source_id}")
