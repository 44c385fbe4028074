# ruff: noqa: S608 - names are quoted, texts are escaped, and nobody from outside gives either
"""Writing the two DuckDB files of a release.

``monazite.duckdb`` is complete. ``public/monazite.duckdb`` is written anew from it, row by row
that passes the licence gate: nothing is deleted in place, so nothing deleted can linger.

Rows of the public file stand in the order of their key. The order makes scans by key quick and,
since DuckDB keeps it when it writes Parquet, makes the Parquet the same bit for bit.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pipelines.errors import BuildFailed
from pipelines.publish.licence_gate import LicenceGate, is_provenance
from pipelines.publish.manifest import RELEASED_SCHEMA, Model
from pipelines.publish.sql import cause, literal, name_list, quoted, without_database

__all__ = [
    "FILE_NAME",
    "STORAGE_VERSION",
    "Public",
    "Resources",
    "SchemaObject",
    "attached",
    "columns_of",
    "count_rows",
    "declared_objects",
    "write_complete",
    "write_parquet",
    "write_public",
    "writer",
]

#: Views may name their own database, so the file keeps its name wherever it lies.
FILE_NAME = "monazite.duckdb"
#: Clients from DuckDB 1.4 on open the file.
STORAGE_VERSION = "v1.4.0"
# No statement below takes parameters: DuckDB imports pandas to bind one, a second each time.

#: Fixed, so that the bytes do not follow a default of DuckDB.
_ROW_GROUP_ROWS = 122_880

_BUILD = "build"
_COMPLETE = "complete"

Columns = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Resources:
    """What DuckDB may use: threads, memory and a folder for what does not fit into it."""

    threads: int
    memory_limit: str
    spill: Path


@dataclass(frozen=True, slots=True)
class SchemaObject:
    """A view or a macro: ``kind`` is ``view`` or ``macro``, ``sql`` creates it."""

    kind: str
    name: str
    sql: str
    comment: str | None = None

    @property
    def is_table_macro(self) -> bool:
        """Whether it is a macro that gives rows."""
        return self.kind == "macro" and " AS TABLE " in self.sql


@dataclass(slots=True)
class Public:
    """What came out of the gate.

    :ivar tables: the models whose tables are public, cleaned of withheld names.
    :ivar views: the same for views.
    :ivar left_out: why a table, view or macro is not public, or not whole, by name.
    """

    tables: list[Model] = field(default_factory=list)
    views: list[Model] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def leave_out(self, name: str, *reasons: str) -> None:
        """Note why something of ``name`` stays out."""
        self.left_out.setdefault(name, []).extend(reasons)


@contextmanager
def writer(path: Path, resources: Resources) -> Iterator[duckdb.DuckDBPyConnection]:
    """A new database file, whole on the disk when the block ends."""
    connection = duckdb.connect(
        path,
        config={
            "storage_compatibility_version": STORAGE_VERSION,
            "threads": resources.threads,
            "memory_limit": resources.memory_limit,
            "temp_directory": str(resources.spill),
            "preserve_insertion_order": True,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    try:
        yield connection
        connection.execute("CHECKPOINT")
    finally:
        connection.close()


@contextmanager
def attached(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> Iterator[str]:
    """Another database file, read-only, under ``name``."""
    connection.execute(f"ATTACH {literal(str(path))} AS {quoted(name)} (READ_ONLY)")
    try:
        yield name
    finally:
        connection.execute(f"DETACH {quoted(name)}")


def columns_of(connection: duckdb.DuckDBPyConnection, database: str | None = None) -> Columns:
    """Types by column by table of schema ``main``, views left out."""
    where = literal(database) if database else "current_database()"
    rows = connection.execute(
        "SELECT c.table_name, c.column_name, c.data_type "
        "FROM duckdb_columns() AS c INNER JOIN duckdb_tables() AS t "
        "USING (database_name, schema_name, table_name) "
        f"WHERE c.database_name = {where} AND c.schema_name = '{RELEASED_SCHEMA}' "
        "AND NOT t.temporary ORDER BY c.table_name, c.column_index"
    ).fetchall()
    tables: Columns = {}
    for table, column, data_type in rows:
        tables.setdefault(table, {})[column] = data_type
    return tables


def count_rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many rows a table of schema ``main`` has."""
    row = connection.execute(f"SELECT count(*) FROM main.{quoted(table)}").fetchone()
    return int(row[0]) if row else 0


def write_complete(build: Path, target: Path, models: Mapping[str, Model]) -> list[str]:
    """Make the build's file the complete file: copied, views over build files written out.

    Rows stand in the order in which they were built; what only the build needs has a file of its
    own, and what of it is here all the same is taken out. Views and macros are written anew with
    names that say no database.

    :returns: tables of the build that dbt's manifest does not know; they are taken out.
    :raises BuildFailed: a model was not built, a key column does not exist, or a view cannot be
        carried over.
    """
    shutil.copyfile(build, target)
    objects = [
        found
        for found in declared_objects(build)
        if found.kind == "macro" or (found.name in models and models[found.name].is_view)
    ]
    with duckdb.connect(target) as connection:
        views = _views(connection)
        for name in sorted(views):
            if name in models and not models[name].is_view:
                _write_out(connection, name)
            else:
                connection.execute(f"DROP VIEW {quoted(name)}")
        for schema in _other_schemas(connection):
            connection.execute(f"DROP SCHEMA {quoted(schema)} CASCADE")
        for found in objects:
            if found.kind == "macro":
                kind = "MACRO TABLE" if found.is_table_macro else "MACRO"
                connection.execute(f"DROP {kind} {quoted(found.name)}")
        columns = columns_of(connection)
        for model in models.values():
            if model.name not in (views if model.is_view else columns):
                kind = "view" if model.is_view else "table"
                raise BuildFailed(f"{kind} {model.name} was not built", remedy="run dbt again")
            if not model.is_view:
                _refuse_unknown_key(model, columns[model.name])
                _comment(connection, model, columns[model.name])
        strangers = sorted(set(columns) - set(models))
        for table in strangers:
            connection.execute(f"DROP TABLE {quoted(table)}")
        for name, error in _create(connection, objects).items():
            raise BuildFailed(f"{name} cannot be carried into the release: {cause(error)}")
        _comment_objects(connection, objects, models)
        connection.execute("CHECKPOINT")
    return strangers


def _views(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE database_name = current_database() "
        f"AND schema_name = '{RELEASED_SCHEMA}' AND NOT internal"
    ).fetchall()
    return {row[0] for row in rows}


def _other_schemas(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database() "
        f"AND NOT internal AND schema_name <> '{RELEASED_SCHEMA}' ORDER BY ALL"
    ).fetchall()
    return [row[0] for row in rows]


def _write_out(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Put a table in the place of a view."""
    connection.execute(f"CREATE TABLE {quoted(name + '__rows')} AS SELECT * FROM {quoted(name)}")
    connection.execute(f"DROP VIEW {quoted(name)}")
    connection.execute(f"ALTER TABLE {quoted(name + '__rows')} RENAME TO {quoted(name)}")


def _refuse_unknown_key(model: Model, columns: Collection[str]) -> None:
    unknown = [column for column in model.key if column not in columns]
    if unknown:
        raise BuildFailed(
            f"key column {unknown[0]} is not in table {model.name}",
            remedy="correct meta.key in the YAML of the model",
        )


def write_public(
    complete: Path,
    target: Path,
    models: Mapping[str, Model],
    gate_of: Callable[[duckdb.DuckDBPyConnection, Columns, str], LicenceGate],
    resources: Resources,
) -> tuple[LicenceGate, Public]:
    """Write what the gate lets pass into a new file.

    :param gate_of: makes the gate from a connection, the tables and the name of their database.
    """
    objects = declared_objects(complete)
    public = Public()
    with writer(target, resources) as connection:
        with attached(connection, complete, _COMPLETE):
            columns = columns_of(connection, _COMPLETE)
            gate = gate_of(connection, columns, _COMPLETE)
            tables = [model for model in models.values() if not model.is_view]
            # Provenance comes last: it follows the marts that are already there.
            for model in sorted(tables, key=lambda m: (is_provenance(columns[m.name]), m.name)):
                _copy_what_passes(connection, model, columns, gate, public)
        absent = set(columns) - {model.name for model in public.tables}
        passing = []
        for found in objects:
            if gate.withheld.mentioned(f"{found.name} {found.sql} {found.comment or ''}"):
                public.leave_out(found.name, "its SQL names a withheld source")
            elif touched := sorted(_identifiers(found.sql) & absent):
                public.leave_out(found.name, f"it reads {touched[0]}, which is not public")
            else:
                passing.append(found)
        failed = _create(connection, passing)
        for name, error in failed.items():
            public.leave_out(name, cause(error))
        created = [found for found in passing if found.name not in failed]
        cleaned = {model.name: gate.withheld.cleaned_model(model) for model in models.values()}
        public.tables = [cleaned[model.name] for model in public.tables]
        public.views = [cleaned[o.name] for o in created if o.kind == "view" and o.name in models]
        for model in public.tables:
            _comment(connection, model, columns[model.name])
        _comment_objects(connection, created, cleaned)
    return gate, public


def _copy_what_passes(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    columns: Mapping[str, Mapping[str, str]],
    gate: LicenceGate,
    public: Public,
) -> None:
    types = columns[model.name]
    passage = gate.passage(model, types)
    if passage.where is None:
        public.leave_out(model.name, *passage.reasons)
        return
    where = passage.where
    if is_provenance(types):
        where += f" AND ({_explains_a_public_row(public, columns)})"
    # An enumeration would carry all its labels into the file, those of withheld rows included.
    values = ", ".join(
        f"CAST({quoted(c)} AS VARCHAR) AS {quoted(c)}" if t.startswith("ENUM") else quoted(c)
        for c, t in types.items()
    )
    source = f"{_COMPLETE}.main.{quoted(model.name)}"
    order = ", ".join(f"{quoted(k)} ASC NULLS FIRST" for k in model.key) or "ALL ASC NULLS FIRST"
    connection.execute(
        f"CREATE TABLE {quoted(model.name)} AS "
        f"SELECT {values} FROM {source} WHERE {where} ORDER BY {order}"
    )
    _refuse_duplicates(connection, model)
    whole = connection.execute(f"SELECT count(*) FROM {source}").fetchone()
    withheld = (int(whole[0]) if whole else 0) - count_rows(connection, model.name)
    if withheld:
        rows = "1 row" if withheld == 1 else f"{withheld:,} rows"
        public.leave_out(model.name, f"{rows} did not pass")
    public.tables.append(model)


def _refuse_duplicates(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Rows of the same key have no order, so that the next Parquet would have other bytes."""
    if not model.key:
        return
    row = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {quoted(model.name)} "
        f"GROUP BY {name_list(model.key)} HAVING count(*) > 1)"
    ).fetchone()
    if row and row[0]:
        raise BuildFailed(
            f"the key of {model.name} ({', '.join(model.key)}) does not tell its rows apart: "
            f"{row[0]:,} keys stand more than once",
            remedy="add a uniqueness test to the model, or correct meta.key",
        )


def _explains_a_public_row(public: Public, columns: Mapping[str, Mapping[str, str]]) -> str:
    """A condition on provenance: its mart row is public. Only marts that lost rows are asked."""
    names = [
        model.name
        for model in public.tables
        if "row_key" in columns[model.name] and not is_provenance(columns[model.name])
    ]
    whole = [literal(name) for name in names if name not in public.left_out]
    conditions = [f"mart IN ({', '.join(whole)})"] if whole else []
    conditions += [
        f"(mart = {literal(name)} AND row_key IN (SELECT row_key FROM main.{quoted(name)}))"
        for name in names
        if name in public.left_out
    ]
    return " OR ".join(conditions) or "false"


def declared_objects(path: Path) -> list[SchemaObject]:
    """Views and macros of schema ``main``, with names that say no database.

    ``duckdb_functions()`` forgets the defaults of a macro's parameters, so the statements are
    taken from an export of the schema alone, through an empty database in memory.

    :raises BuildFailed: DuckDB cannot read the schema.
    """
    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as folder:
        with attached(connection, path, _BUILD):
            database = path.stem
            own = (
                f"database_name = '{_BUILD}' AND schema_name = '{RELEASED_SCHEMA}' AND NOT internal"
            )
            views = connection.execute(
                f"SELECT view_name, sql, comment FROM duckdb_views() WHERE {own} ORDER BY ALL"
            ).fetchall()
            macros = connection.execute(
                f"SELECT DISTINCT function_name, comment FROM duckdb_functions() WHERE {own} "
                "ORDER BY ALL"
            ).fetchall()
            connection.execute("ATTACH ':memory:' AS scratch")
            connection.execute(f"COPY FROM DATABASE {_BUILD} TO scratch (SCHEMA)")
        connection.execute("USE scratch")
        connection.execute(f"EXPORT DATABASE {literal(folder)}")
        script = (Path(folder) / "schema.sql").read_text(encoding="utf-8")
        statements = [s.query.strip() for s in connection.extract_statements(script)]
    found = [
        SchemaObject("view", name, without_database(sql, database), comment)
        for name, sql, comment in views
    ]
    for name, comment in macros:
        spelled = f"(?:{re.escape(name)}|{re.escape(quoted(name))})"
        start = re.compile(rf"CREATE\s+(?:MACRO|FUNCTION)\s+(?:main\.)?{spelled}\s*\(", re.I)
        sql = next((s for s in statements if start.match(s)), None)
        if sql is None:
            raise BuildFailed(f"macro {name} cannot be carried over", where=str(path))
        found.append(SchemaObject("macro", name, without_database(sql, database), comment))
    return found


def _create(
    connection: duckdb.DuckDBPyConnection, objects: Collection[SchemaObject]
) -> dict[str, duckdb.Error]:
    """Create them in whatever order works; returns the errors of those that never do."""
    pending = list(objects)
    while pending:
        errors: dict[str, duckdb.Error] = {}
        for found in pending:
            try:
                connection.execute(found.sql)
            except duckdb.Error as error:
                errors[found.name] = error
        if len(errors) == len(pending):
            return errors
        pending = [found for found in pending if found.name in errors]
    return {}


def _identifiers(sql: str) -> set[str]:
    """Words of a statement that may be names of tables."""
    return {word.strip('"') for word in re.findall(r'"[^"]+"|\w+', sql)}


def _comment(connection: duckdb.DuckDBPyConnection, model: Model, columns: Collection[str]) -> None:
    kind = "VIEW" if model.is_view else "TABLE"
    if model.description:
        text = literal(model.description)
        connection.execute(f"COMMENT ON {kind} {quoted(model.name)} IS {text}")
    for column in model.columns:
        if column.name in columns and column.description:
            place = f"{quoted(model.name)}.{quoted(column.name)}"
            connection.execute(f"COMMENT ON COLUMN {place} IS {literal(column.description)}")


def _comment_objects(
    connection: duckdb.DuckDBPyConnection,
    objects: Collection[SchemaObject],
    models: Mapping[str, Model],
) -> None:
    for found in objects:
        if found.kind == "macro":
            if found.comment:
                kind = "MACRO TABLE" if found.is_table_macro else "MACRO"
                connection.execute(
                    f"COMMENT ON {kind} {quoted(found.name)} IS {literal(found.comment)}"
                )
        elif found.name in models:
            rows = connection.execute(
                "SELECT column_name FROM duckdb_columns() "
                f"WHERE database_name = current_database() AND schema_name = '{RELEASED_SCHEMA}' "
                f"AND table_name = {literal(found.name)}"
            ).fetchall()
            _comment(connection, models[found.name], {row[0] for row in rows})


def write_parquet(database: Path, folder: Path, resources: Resources) -> dict[str, int]:
    """Write each table of a finished file as ``<table>.parquet``, in the order of its rows.

    :returns: rows by table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, int] = {}
    with (
        duckdb.connect(
            config={
                "threads": resources.threads,
                "memory_limit": resources.memory_limit,
                "temp_directory": str(resources.spill),
                "preserve_insertion_order": True,
            }
        ) as connection,
        attached(connection, database, _COMPLETE),
    ):
        for table in columns_of(connection, _COMPLETE):
            target = literal(str(folder / f"{table}.parquet"))
            counted = connection.execute(
                f"COPY (SELECT * FROM {_COMPLETE}.main.{quoted(table)}) TO {target} "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP_ROWS})"
            ).fetchone()
            rows[table] = int(counted[0]) if counted else 0
    return rows
