"""What dbt says about the tables of a release: its ``manifest.json``, read once.

A model is released when it stands in schema ``main``. Its YAML tells what the release needs::

    models:
      - name: mart_concentration
        description: ...
        config:
          meta: {key: [row_key], licence_gate: edition}
        columns:
          - name: hhi
            data_type: double
            description: ...
            config: {meta: {unit: "index, 0 to 1"}}

Nothing here asks the database: what dbt declared is kept apart from what was built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipelines.errors import BuildFailed

__all__ = ["FACT_PREFIX", "RELEASED_SCHEMA", "Column", "Gate", "Model", "read_manifest"]

#: The schema whose tables and views are released.
RELEASED_SCHEMA = "main"
FACT_PREFIX = "fct_"

_REF = re.compile(r"""ref\(\s*['"]([^'"]+)['"]""")
#: A column's unit as its name tells it, where the YAML states none. The longest ending wins.
_UNIT_ENDINGS: dict[str, str] = {
    "_usd_per_kg": "US dollars per kilogram",
    "_usd_per_t": "US dollars per tonne",
    "_gross_t": "tonnes, gross weight",
    "_reo_t": "tonnes of rare earth oxide",
    "_element_t": "tonnes of contained element",
    "_t": "tonnes",
    "_kg": "kilograms",
    "_usd": "US dollars",
    "_pct": "per cent",
    "_pp": "percentage points",
    "_share": "share, 0 to 1",
    "_days": "days",
    "_bytes": "bytes",
    "_year": "calendar year",
    "_nats": "nats",
}


class Gate(StrEnum):
    """How the licence gate tells where a table's rows come from.

    ``edition``: rows carry ``source_edition_id`` or ``source_edition_ids``. ``source``: rows
    carry ``source_id``. ``open``: our own reference data, nothing of upstream.
    """

    EDITION = "edition"
    SOURCE = "source"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the YAML describes it. ``data_type`` is DuckDB's name, or None if not stated."""

    name: str
    description: str = ""
    data_type: str | None = None
    unit: str | None = None
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A released table or view.

    :ivar key: columns that tell rows apart and give their order; empty if the YAML has none.
    :ivar gate: None if the YAML states none or one that does not exist: nothing of it is public.
    :ivar sources: ids of the sources that it is built from, however far upstream.
    """

    name: str
    is_view: bool = False
    description: str = ""
    columns: tuple[Column, ...] = ()
    key: tuple[str, ...] = ()
    gate: Gate | None = None
    sources: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()

    @property
    def is_fact(self) -> bool:
        """Whether rows are a publisher's figures (``fct_``) rather than derived ones.

        What is neither dimension, reference, mart nor view counts as fact: the strict side.
        """
        return not self.name.startswith(("dim_", "ref_", "mart_", "view_"))


def read_manifest(path: Path) -> dict[str, Model]:
    """The released models by table name, in the order of their names.

    :raises BuildFailed: the file is missing or is not dbt's manifest.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        models = _models(document)
    except OSError as error:
        raise BuildFailed(
            "dbt's manifest cannot be read", where=str(path), remedy="run dbt first"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildFailed(
            f"this is not a manifest of dbt ({error!r})", where=str(path), remedy="run dbt again"
        ) from error
    return dict(sorted(models.items()))


def _models(document: Mapping[str, Any]) -> dict[str, Model]:
    nodes: Mapping[str, Any] = document["nodes"]
    table_checks, column_checks = _checks(nodes)
    lineage = _Lineage(nodes, document.get("sources", {}))
    models: dict[str, Model] = {}
    for unique_id, node in nodes.items():
        config = node.get("config") or {}
        materialized = config.get("materialized")
        if (
            node.get("resource_type") not in {"model", "seed", "snapshot"}
            or node.get("schema") != RELEASED_SCHEMA
            or materialized == "ephemeral"
        ):
            continue
        name = str(node.get("alias") or node["name"])
        meta = {**(node.get("meta") or {}), **(config.get("meta") or {})}
        checks = column_checks.get(unique_id, {})
        models[name] = Model(
            name=name,
            # A view over a file of the build is written out; the release has no such file.
            is_view=materialized == "view" and not (config.get("meta") or {}).get("stored"),
            description=_text(node.get("description")),
            columns=tuple(
                _column(column, checks.get(str(column["name"]), ()))
                for column in (node.get("columns") or {}).values()
            ),
            key=_names(meta.get("key")),
            gate=_gate(meta.get("licence_gate")),
            sources=lineage.sources(unique_id),
            checks=tuple(table_checks.get(unique_id, ())),
        )
    return models


def _column(column: Mapping[str, Any], checks: list[str] | tuple[()]) -> Column:
    config = column.get("config") or {}
    meta = {**(column.get("meta") or {}), **(config.get("meta") or {})}
    name = str(column["name"])
    stated = [
        str(constraint.get("type", "")).replace("_", " ")
        for constraint in column.get("constraints") or ()
    ]
    data_type = column.get("data_type")
    return Column(
        name=name,
        description=_text(column.get("description")),
        data_type=str(data_type).upper() if data_type else None,
        unit=str(meta["unit"]) if meta.get("unit") else _unit_of(name),
        checks=tuple(sorted({*stated, *checks} - {""})),
    )


def _unit_of(name: str) -> str | None:
    endings = (ending for ending in _UNIT_ENDINGS if name.endswith(ending))
    longest = max(endings, key=len, default=None)
    return _UNIT_ENDINGS[longest] if longest else None


def _text(value: object) -> str:
    return " ".join(str(value or "").split())


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(name) for name in value) if isinstance(value, list) else ()


def _gate(value: object) -> Gate | None:
    return Gate(value) if isinstance(value, str) and value in set(Gate) else None


def _checks(
    nodes: Mapping[str, Any],
) -> tuple[dict[str, list[str]], dict[str, dict[str, list[str]]]]:
    """Checks in words: of tables, and of columns, by the unique id of the model."""
    tables: dict[str, list[str]] = {}
    columns: dict[str, dict[str, list[str]]] = {}
    for _, node in sorted(nodes.items()):
        if node.get("resource_type") != "test" or not node.get("test_metadata"):
            continue
        model = node.get("attached_node")
        if not model:
            continue
        text = _check_in_words(node["test_metadata"])
        column = node.get("column_name")
        if column:
            columns.setdefault(model, {}).setdefault(str(column), []).append(text)
        else:
            tables.setdefault(model, []).append(text)
    return tables, columns


def _check_in_words(metadata: Mapping[str, Any]) -> str:
    name = str(metadata["name"])
    arguments = {
        key: value
        for key, value in (metadata.get("kwargs") or {}).items()
        if key not in {"model", "column_name"} and value is not None
    }
    if name == "accepted_values":
        return "one of " + ", ".join(str(value) for value in arguments.get("values", ()))
    if name == "relationships":
        found = _REF.search(str(arguments.get("to", "")))
        target = found.group(1) if found else str(arguments.get("to", ""))
        return f"found in {target}.{arguments.get('field', '')}"
    told = ", ".join(f"{key}: {_argument(value)}" for key, value in sorted(arguments.items()))
    words = name.replace("_", " ")
    return f"{words} ({told})" if told else words


def _argument(value: object) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


class _Lineage:
    """Which sources stand behind a model, found by going up dbt's graph once."""

    def __init__(self, nodes: Mapping[str, Any], sources: Mapping[str, Any]) -> None:
        self._nodes = nodes
        self._sources = sources
        self._known: dict[str, frozenset[str]] = {}

    def sources(self, unique_id: str) -> tuple[str, ...]:
        return tuple(sorted(self._find(unique_id)))

    def _find(self, unique_id: str) -> frozenset[str]:
        if unique_id in self._sources:
            return frozenset({str(self._sources[unique_id]["source_name"])})
        if unique_id not in self._known:
            self._known[unique_id] = frozenset()
            parents = (self._nodes.get(unique_id, {}).get("depends_on") or {}).get("nodes") or ()
            self._known[unique_id] = frozenset().union(*(self._find(p) for p in parents))
        return self._known[unique_id]
