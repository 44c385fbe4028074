"""What is known about publishers: one YAML each, beside this file.

A catalogue entry says who publishes, under which licence, how often, which editions exist and how
an edition is told from a file's name. It holds facts, no code: a new edition in a known layout is
a new entry here and nothing else.
"""

from pipelines.catalog.models import (
    Catalog,
    Edition,
    EditionScope,
    Licence,
    Redistribution,
    Source,
    load_catalog,
)

__all__ = [
    "Catalog",
    "Edition",
    "EditionScope",
    "Licence",
    "Redistribution",
    "Source",
    "load_catalog",
]
