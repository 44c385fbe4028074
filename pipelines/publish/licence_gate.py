# ruff: noqa: S608 - names are quoted, texts are escaped, and nobody from outside gives either
"""What the licences let pass into ``public/``.

==================  ==========================================================
redistribution      what passes
==================  ==========================================================
``yes``             everything
``derived_only``    dimensions, references and marts, but no facts (``fct_*``)
``no``, ``unknown`` nothing: no row, no edition, no name in the documentation
==================  ==========================================================

The gate fails closed. A row passes only if all its editions and sources pass. What cannot be
judged stays out and is reported: a table whose YAML states no gate, a row that names no edition,
an edition of a source that the catalogue does not know, an edition that ``dim_edition`` does not
hold. Beyond the declared columns, every text column is searched for the ids of withheld sources,
so that a row cannot carry one past the gate in another column.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import duckdb

from pipelines.catalog import Catalog, Redistribution
from pipelines.publish.manifest import Column, Gate, Model
from pipelines.publish.sql import literal, quoted, text_list

__all__ = [
    "EDITIONS",
    "PROVENANCE",
    "LicenceGate",
    "Passage",
    "Withheld",
    "editions_and_sources",
    "is_edition_column",
    "is_provenance",
    "is_source_column",
]

#: The table of editions. Where it stands, an edition that it does not hold is unknown.
EDITIONS = "dim_edition"
#: From mart rows to what they are made of.
PROVENANCE = "mart_provenance"

LEFT_OUT = "Left out: the text names a source whose licence does not allow passing it on."

_EDITION_COLUMN = re.compile(r"(?:^|_)source_edition_(?:ids?|from|to)$")
_SOURCE_COLUMN = re.compile(r"(?:^|_)source_ids?$")
_CLOSED = {Redistribution.NO, Redistribution.UNKNOWN}
#: An id that can be searched for without finding half the language.
_SEARCHABLE = re.compile(r"^[a-z][A-Za-z0-9_.\-]{2,}$")
_STRICTNESS = [
    Redistribution.YES,
    Redistribution.DERIVED_ONLY,
    Redistribution.NO,
    Redistribution.UNKNOWN,
]


def is_edition_column(name: str) -> bool:
    """Whether a column names editions (``source_edition_id``, ``source_edition_from``)."""
    return bool(_EDITION_COLUMN.search(name))


def is_source_column(name: str) -> bool:
    """Whether a column names sources (``source_id``, ``source_ids``)."""
    return bool(_SOURCE_COLUMN.search(name))


def is_provenance(columns: Collection[str]) -> bool:
    """Whether a table's rows explain rows of marts, and leave with them."""
    return {"mart", "row_key"} <= set(columns)


def source_of(edition_id: str) -> str:
    """The source that an edition id begins with; ids of sources hold no hyphen."""
    return edition_id.split("-", 1)[0]


def editions_and_sources(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str]
) -> tuple[set[str], set[str]]:
    """The editions and sources that the rows of a table name.

    :param table: name as SQL writes it, with its database.
    :param columns: type by name.
    """
    editions: set[str] = set()
    sources: set[str] = set()
    for name, data_type in columns.items():
        found = editions if is_edition_column(name) else sources if is_source_column(name) else None
        if found is None or data_type not in {"VARCHAR", "VARCHAR[]"}:
            continue
        value = quoted(name)
        distinct = f"SELECT DISTINCT {value} AS id FROM {table} WHERE {value} IS NOT NULL"
        if data_type == "VARCHAR[]":
            distinct = f"SELECT DISTINCT unnest(id) AS id FROM ({distinct})"
        rows = connection.execute(f"SELECT id FROM ({distinct}) WHERE id IS NOT NULL").fetchall()
        found.update(row[0] for row in rows)
    return editions, sources


def _id_pattern(withheld: str) -> str:
    """Where an id stands as a word of its own, or in the name of a raw or staging table.

    What follows an edition's id must not make it the id of another edition.
    """
    follows = r"[^A-Za-z0-9_.\-]|[.](?:\s|$)" if "-" in withheld else r"[^A-Za-z0-9_]"
    return rf"(?:^|[^A-Za-z0-9_]|raw_|stg_){re.escape(withheld)}(?:$|{follows}|__)"


@dataclass(frozen=True, slots=True)
class Withheld:
    """Names that must not appear in ``public/``.

    :ivar ids: of sources, and of single editions; searched for in data and texts.
    :ivar names: titles and publishers, searched for in texts only.
    """

    ids: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def mentioned(self, text: str) -> bool:
        """Whether a text of ours names one of them, in whatever case."""
        patterns = [_id_pattern(name) for name in self.ids]
        patterns += [rf"(?:^|\W){re.escape(name)}(?:\W|$)" for name in self.names]
        return any(re.search(pattern, text, flags=re.IGNORECASE) for pattern in patterns)

    def cleaned(self, text: str) -> str:
        """The text, or a note in its place if it names one of them."""
        return LEFT_OUT if self.mentioned(text) else text

    def cleaned_model(self, model: Model) -> Model:
        """A model whose description may be published."""
        return replace(
            model,
            description=self.cleaned(model.description),
            columns=tuple(self._cleaned_column(column) for column in model.columns),
            sources=tuple(s for s in model.sources if s not in self.ids),
            checks=tuple(check for check in model.checks if not self.mentioned(check)),
        )

    def _cleaned_column(self, column: Column) -> Column:
        return replace(
            column,
            description=self.cleaned(column.description),
            checks=tuple(check for check in column.checks if not self.mentioned(check)),
        )

    def condition(self, columns: Mapping[str, str], *, is_open: bool) -> list[str]:
        """SQL conditions that hold where no text column names a withheld source.

        In our own reference data a value must not *be* such an id; elsewhere it must not hold one.
        """
        conditions: list[str] = []
        for name, data_type in columns.items():
            if "VARCHAR" not in data_type and "ENUM" not in data_type and data_type != "JSON":
                continue
            if is_edition_column(name) or is_source_column(name):
                continue
            value = f"CAST({quoted(name)} AS VARCHAR)"
            for withheld in sorted(self.ids):
                wanted = literal(withheld)
                if is_open:
                    edition = literal(f"{withheld}-")
                    free = f"{value} <> {wanted} AND NOT starts_with({value}, {edition})"
                else:
                    # Nearly all rows are settled by the quick search.
                    pattern = literal(_id_pattern(withheld))
                    free = (
                        f"NOT contains({value}, {wanted}) OR NOT regexp_matches({value}, {pattern})"
                    )
                conditions.append(f"{quoted(name)} IS NULL OR {free}")
        return conditions


@dataclass(frozen=True, slots=True)
class Passage:
    """What of a table passes.

    :ivar where: SQL condition on its rows, or None: the whole table stays out.
    :ivar reasons: why something stays out, one line each.
    """

    where: str | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class LicenceGate:
    """Judges the tables of one build.

    :ivar editions: every edition that the build names, and what its terms allow.
    :ivar sources: the same for sources.
    """

    editions: Mapping[str, Redistribution] = field(default_factory=dict)
    sources: Mapping[str, Redistribution] = field(default_factory=dict)
    withheld: Withheld = field(default_factory=Withheld)
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        connection: duckdb.DuckDBPyConnection,
        catalog: Catalog,
        tables: Mapping[str, Mapping[str, str]],
        *,
        database: str,
    ) -> LicenceGate:
        """The gate for the tables of an attached database.

        :param tables: columns and their types by table.
        """
        editions: set[str] = set()
        sources: set[str] = set()
        for table, columns in tables.items():
            name = f"{quoted(database)}.main.{quoted(table)}"
            of_table = editions_and_sources(connection, name, columns)
            editions |= of_table[0]
            sources |= of_table[1]
        sources |= {source_of(edition) for edition in editions}
        of_source = {
            source_id: catalog.sources[source_id].licence.redistribution
            if source_id in catalog.sources
            else Redistribution.UNKNOWN
            for source_id in sources
        }
        stated = _stated_terms(connection, tables.get(EDITIONS), database)
        of_edition: dict[str, Redistribution] = {}
        reasons: list[str] = []
        for edition in sorted(editions):
            terms = of_source[source_of(edition)]
            if source_of(edition) not in catalog.sources or "-" not in edition:
                terms = Redistribution.UNKNOWN
                reasons.append(f"edition {edition}: the catalogue does not know its source")
            elif stated is not None:
                if edition not in stated:
                    terms = Redistribution.UNKNOWN
                    reasons.append(f"edition {edition}: {EDITIONS} does not hold it")
                else:
                    terms = _strictest(terms, stated[edition])
            of_edition[edition] = terms
        # What is said of a source is said of its editions: where none passes, it does not either.
        for source, allowed in of_source.items():
            held = [terms for e, terms in of_edition.items() if source_of(e) == source]
            if held and all(terms in _CLOSED for terms in held):
                of_source[source] = _strictest(allowed, *held)
        return cls(
            editions=of_edition,
            sources=of_source,
            withheld=_withheld(catalog, of_edition),
            reasons=tuple(reasons),
        )

    def passage(self, model: Model, columns: Mapping[str, str]) -> Passage:
        """Which rows of a table pass.

        :param columns: types by name, as the table has them.
        """
        if model.gate is None:
            return Passage(None, ("its YAML states no licence_gate",))
        if self.withheld.mentioned(" ".join([model.name, *columns])):
            return Passage(None, ("its name or a column's names a withheld source",))
        judged = {
            name: self._passing(
                self.editions if is_edition_column(name) else self.sources, model.is_fact
            )
            for name in columns
            if is_edition_column(name) or is_source_column(name)
        }
        unreadable = [n for n in judged if columns[n] not in {"VARCHAR", "VARCHAR[]"}]
        if unreadable:
            kind = columns[unreadable[0]]
            return Passage(None, (f"column {unreadable[0]} is {kind}, not text or texts",))
        needed = {
            Gate.EDITION: [name for name in judged if is_edition_column(name)],
            Gate.SOURCE: [name for name in judged if is_source_column(name)],
            Gate.OPEN: [],
        }[model.gate]
        if model.gate is not Gate.OPEN and not needed:
            return Passage(None, (f"its licence_gate is {model.gate}, but it has no such column",))
        conditions = [_all_pass(name, columns[name], ids) for name, ids in judged.items()]
        if needed:
            conditions.append(" OR ".join(_is_named(name, columns[name]) for name in needed))
        conditions += self.withheld.condition(columns, is_open=model.gate is Gate.OPEN)
        return Passage(" AND ".join(f"({condition})" for condition in conditions) or "true")

    @staticmethod
    def _passing(terms: Mapping[str, Redistribution], is_fact: bool) -> list[str]:
        allowed = {Redistribution.YES} | (set() if is_fact else {Redistribution.DERIVED_ONLY})
        return [name for name, redistribution in terms.items() if redistribution in allowed]


def _all_pass(name: str, data_type: str, passing: Iterable[str]) -> str:
    value, allowed = quoted(name), text_list(passing)
    if data_type == "VARCHAR":
        return f"{value} IS NULL OR list_contains({allowed}, {value})"
    # A null among the ids is an edition that nobody can judge.
    return (
        f"{value} IS NULL OR "
        f"(list_has_all({allowed}, {value}) AND len({value}) = list_count({value}))"
    )


def _is_named(name: str, data_type: str) -> str:
    value = quoted(name)
    return f"{value} IS NOT NULL" if data_type == "VARCHAR" else f"coalesce(len({value}), 0) > 0"


def _strictest(*terms: Redistribution) -> Redistribution:
    return max(terms, key=_STRICTNESS.index)


def _stated_terms(
    connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str] | None, database: str
) -> dict[str, Redistribution] | None:
    """What ``dim_edition`` says of each edition, or None where there is no such table."""
    if columns is None or "source_edition_id" not in columns:
        return None
    terms = "redistribution" if "redistribution" in columns else "'yes'"
    source = "source_id" if "source_id" in columns else "split_part(source_edition_id, '-', 1)"
    rows = connection.execute(
        f"SELECT source_edition_id, {source}, CAST({terms} AS VARCHAR) "
        f"FROM {quoted(database)}.main.{quoted(EDITIONS)} WHERE source_edition_id IS NOT NULL"
    ).fetchall()
    stated: dict[str, Redistribution] = {}
    for edition, source_id, redistribution in rows:
        known = redistribution in set(Redistribution) and source_id == source_of(edition)
        found = Redistribution(redistribution) if known else Redistribution.UNKNOWN
        stated[edition] = _strictest(stated.get(edition, Redistribution.YES), found)
    return stated


def _withheld(catalog: Catalog, editions: Mapping[str, Redistribution]) -> Withheld:
    held = {i: s for i, s in catalog.sources.items() if s.licence.redistribution in _CLOSED}
    free = [source for i, source in catalog.sources.items() if i not in held]
    known_elsewhere = {s.publisher for s in free} | {s.title for s in free}
    names = {s.publisher for s in held.values()} | {s.title for s in held.values()}
    ids = set(held)
    for edition, terms in editions.items():
        source_id = source_of(edition)
        if terms in _CLOSED and source_id not in held:
            # Of a source that may be passed on, this one edition; of a stranger, everything.
            ids.add(edition if source_id in catalog.sources else source_id)
    return Withheld(
        ids=frozenset(i for i in ids if _SEARCHABLE.match(i)),
        names=frozenset(name for name in names - known_elsewhere if name),
    )
