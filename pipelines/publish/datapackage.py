"""``datapackage.json``: what is in ``public/``, for machines.

A descriptor after the Data Package standard, version 2 (https://datapackage.org), one resource a
Parquet file. It holds no date: the same content gives the same descriptor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.publish.attribution import SourceInside
from pipelines.publish.manifest import Model

__all__ = ["MEDIA_TYPE", "PROFILE", "Resource", "descriptor", "field_type", "render"]

PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
MEDIA_TYPE = "application/vnd.apache.parquet"

_TYPES: dict[str, str] = {
    "BOOLEAN": "boolean",
    "TINYINT": "integer",
    "SMALLINT": "integer",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "HUGEINT": "integer",
    "UTINYINT": "integer",
    "USMALLINT": "integer",
    "UINTEGER": "integer",
    "UBIGINT": "integer",
    "UHUGEINT": "integer",
    "FLOAT": "number",
    "DOUBLE": "number",
    "VARCHAR": "string",
    "UUID": "string",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "datetime",
    "INTERVAL": "duration",
    "JSON": "any",
}
#: Types that a list's items may have.
_ITEM_TYPES = {"string", "integer", "boolean", "number", "datetime", "date", "time"}


@dataclass(frozen=True, slots=True)
class Resource:
    """A Parquet file of ``public/``.

    :ivar path: relative to ``public/``.
    :ivar types: DuckDB's type by column, in the order of the file.
    :ivar has_null_key: whether a column of the key is null in some row.
    :ivar sources: ids of the sources whose editions its rows name.
    """

    model: Model
    path: str
    size_bytes: int
    sha256: str
    rows: int
    types: Mapping[str, str]
    has_null_key: bool
    sources: Collection[str]


def field_type(data_type: str) -> dict[str, str]:
    """A column's type in the words of the Table Schema: ``{"type": ...}``, with ``itemType``."""
    if data_type.endswith("]"):
        item = field_type(data_type[: data_type.rindex("[")])["type"]
        if item in _ITEM_TYPES:
            return {"type": "list", "itemType": item}
        return {"type": "array"}
    if data_type.startswith(("STRUCT", "MAP")):
        return {"type": "object"}
    if data_type.startswith("ENUM"):
        return {"type": "string"}
    if data_type.startswith("DECIMAL"):
        return {"type": "integer" if re.search(r",\s*0\)$", data_type) else "number"}
    if data_type.startswith("TIMESTAMP"):
        return {"type": "datetime"}
    return {"type": _TYPES.get(data_type, "any")}


def descriptor(
    release_id: str, resources: Sequence[Resource], inside: Sequence[SourceInside]
) -> dict[str, Any]:
    """The descriptor of a package; at least one resource is needed."""
    entries = {entry.source.source_id: _source(entry) for entry in inside}
    document: dict[str, Any] = {
        "$schema": PROFILE,
        "name": "monazite",
        "title": "Monazite: who depends on whom for critical minerals",
        "description": (
            "Tables of dependency and concentration by material, stage, country and year, with "
            "the publishers' figures behind them where their licences allow it. Shares and "
            "indices run from 0 to 1; columns tell their unit in their name."
        ),
        "version": release_id,
        "keywords": ["critical minerals", "rare earths", "supply risk", "trade", "concentration"],
        "licenses": _licences(inside),
    }
    if entries:
        document["sources"] = list(entries.values())
    document["resources"] = [
        {
            "name": resource.model.name,
            "type": "table",
            "path": resource.path,
            "format": "parquet",
            "mediatype": MEDIA_TYPE,
            "bytes": resource.size_bytes,
            "hash": f"sha256:{resource.sha256}",
            **_described(resource.model.description),
            "rows": resource.rows,
            "sources": [
                {"title": entries[s]["title"], "path": entries[s]["path"]}
                for s in sorted(resource.sources)
                if s in entries
            ],
            "schema": _schema(resource),
        }
        for resource in resources
    ]
    return document


def _schema(resource: Resource) -> dict[str, Any]:
    told = {column.name: column for column in resource.model.columns}
    fields: list[dict[str, Any]] = []
    for name, data_type in resource.types.items():
        entry: dict[str, Any] = {"name": name, **field_type(data_type)}
        column = told.get(name)
        if column is not None:
            entry |= _described(column.description)
            if column.unit:
                entry["unit"] = column.unit
        fields.append(entry)
    # Parquet has nulls of its own; an empty text is an empty text.
    schema: dict[str, Any] = {"fields": fields, "missingValues": []}
    key = list(resource.model.key)
    if key and resource.has_null_key:
        schema["uniqueKeys"] = [key]
    elif key:
        schema["primaryKey"] = key
    return schema


def _described(text: str) -> dict[str, str]:
    return {"description": text} if text else {}


def _source(entry: SourceInside) -> dict[str, Any]:
    source = entry.source
    document: dict[str, Any] = {"title": source.title, "path": source.homepage}
    labels = [e.label if not e.version else f"{e.label} v{e.version}" for e in entry.editions]
    if labels or entry.unlisted:
        document["version"] = "; ".join([*labels, *entry.unlisted])
    document["publisher"] = source.publisher
    document["attribution"] = " ".join(source.licence.attribution.split())
    document["citations"] = [" ".join(text.split()) for text in entry.citations]
    document["licenses"] = [_licence(entry)]
    document["editions"] = list(entry.edition_ids)
    return document


def _licences(inside: Sequence[SourceInside]) -> list[dict[str, str]]:
    own = {"title": "The terms of each source, with its attribution", "path": "LICENCES.md"}
    found = [own, *(_licence(entry) for entry in inside)]
    return [dict(pairs) for pairs in dict.fromkeys(tuple(entry.items()) for entry in found)]


def _licence(entry: SourceInside) -> dict[str, str]:
    licence = entry.source.licence
    return {"title": licence.name, "path": licence.url or "LICENCES.md"}


def render(document: Mapping[str, Any]) -> str:
    """The descriptor as text, ending in a line feed."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
