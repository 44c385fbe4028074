# ruff: noqa: S608 - names are quoted
"""Making a release out of a built and checked database.

::

    release/
      .building-<release_id>/    written here, unseen
      <release_id>/              renamed to this when whole
        monazite.duckdb          complete, for use inside the house
        release.json             what it is: editions, rows, hashes; no clock time
        public/                  what the licences let pass on
          monazite.duckdb  parquet/<table>.parquet  datapackage.json  dictionary/  LICENCES.md
      current -> <release_id>    switched last, in one atomic step

Whatever happens on the way, ``current`` points at the old release or at the new one, and both are
whole. What a crash leaves behind starts with a dot and is cleared by the next run.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from pipelines.catalog import Catalog
from pipelines.errors import BuildFailed, UsageError
from pipelines.publish import datapackage
from pipelines.publish.attribution import SourceInside, render_licences, sources_inside
from pipelines.publish.database import (
    FILE_NAME,
    Public,
    Resources,
    columns_of,
    count_rows,
    write_complete,
    write_parquet,
    write_public,
)
from pipelines.publish.dictionary import render_html, render_markdown
from pipelines.publish.files import (
    files_below,
    remove_tree,
    sha256,
    switch_link,
    sync_folder,
    sync_tree,
)
from pipelines.publish.licence_gate import LicenceGate, editions_and_sources
from pipelines.publish.manifest import Column, Model, read_manifest
from pipelines.publish.reader import (
    CURRENT,
    RELEASE_FILE,
    ReleaseInfo,
    TableInfo,
    list_releases,
    read_release,
)
from pipelines.publish.sql import cause, quoted
from pipelines.publish.verify import verify_release
from pipelines.settings import Settings

__all__ = ["make_release"]

_RELEASE_ID = re.compile(r"^[0-9a-f]{12}$")
_LOCK = ".lock"


def make_release(
    settings: Settings,
    catalog: Catalog,
    release_id: str,
    manifest_path: Path,
    *,
    stale: Mapping[str, str] | None = None,
) -> ReleaseInfo:
    """Release ``settings.build_dir / "monazite.duckdb"`` as ``release_id``.

    A release of this id that is already there and whole is made current as it is.

    :param release_id: 12 hex digits, a hash of editions and code.
    :param manifest_path: dbt's ``manifest.json`` of the same build.
    :param stale: sources that may lag behind their publisher, each with the reason.
    :raises UsageError: the id is not one.
    :raises BuildFailed: the build cannot be released; the old release stays current.
    """
    if not _RELEASE_ID.match(release_id):
        raise UsageError(f"{release_id!r} is no release id", remedy="give 12 hex digits")
    folder = settings.release_dir
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder):
        _clear_leftovers(folder)
        final = folder / release_id
        if not final.is_dir() or verify_release(final):
            building = folder / f".building-{release_id}"
            try:
                _build(
                    settings,
                    catalog,
                    building,
                    release_id,
                    manifest_path=manifest_path,
                    stale=stale or {},
                )
                sync_tree(building)
                if final.is_dir():
                    remove_tree(final)
                building.replace(final)
                sync_folder(folder)
            except duckdb.Error as error:
                raise BuildFailed(
                    f"the release cannot be written: {cause(error)}", where=str(building)
                ) from error
            except OSError as error:
                raise BuildFailed(f"the release cannot be written: {error}") from error
            finally:
                shutil.rmtree(building, ignore_errors=True)
        switch_link(folder / CURRENT, release_id)
        _prune(settings)
    return read_release(final, is_current=True)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    with (folder / _LOCK).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BuildFailed(
                "another run is making a release", where=str(folder), remedy="wait for it"
            ) from error
        yield


def _clear_leftovers(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name.startswith((".building-", ".removing-")):
            shutil.rmtree(path)


def _prune(settings: Settings) -> None:
    """Keep the newest releases by ordinal; the current one is never removed."""
    releases = list_releases(settings)
    order = sorted(releases, key=lambda info: (info.is_current, info.ordinal), reverse=True)
    for info in order[settings.keep_releases :]:
        remove_tree(info.path)


def _build(
    settings: Settings,
    catalog: Catalog,
    building: Path,
    release_id: str,
    *,
    manifest_path: Path,
    stale: Mapping[str, str],
) -> None:
    models = read_manifest(manifest_path)
    build = settings.build_dir / FILE_NAME
    if not build.is_file():
        raise BuildFailed("there is no built database", where=str(build), remedy="run dbt first")
    spill = building / ".spill"
    public_dir = building / "public"
    public_dir.mkdir(parents=True)
    resources = Resources(settings.threads, settings.memory_limit, spill)

    strangers = write_complete(build, building / FILE_NAME, models)
    gate, public = write_public(
        building / FILE_NAME,
        public_dir / FILE_NAME,
        models,
        lambda connection, columns, name: LicenceGate.of(
            connection, catalog, columns, database=name
        ),
        resources,
    )
    for table in strangers:
        public.leave_out(table, "dbt's manifest does not know it; it is not released at all")
    for reason in gate.reasons:
        edition, _, told = reason.removeprefix("edition ").partition(": ")
        public.leave_out(edition, told)
    write_parquet(public_dir / FILE_NAME, public_dir / "parquet", resources)
    public_rows, inside = _describe_public(catalog, public_dir, public, release_id)
    shutil.rmtree(spill, ignore_errors=True)

    with duckdb.connect(building / FILE_NAME, read_only=True) as connection:
        rows = {table: count_rows(connection, table) for table in columns_of(connection)}
    previous = _current_release(settings)
    ordinals = [info.ordinal for info in list_releases(settings)]
    files = {
        str(path.relative_to(building)): (path.stat().st_size, sha256(path))
        for path in files_below(building)
    }
    info = ReleaseInfo(
        release_id=release_id,
        path=building,
        ordinal=max(ordinals, default=0) + 1,
        previous=previous,
        editions=tuple(sorted(gate.editions)),
        public_editions=tuple(sorted(e for entry in inside for e in entry.edition_ids)),
        tables={
            table: TableInfo(
                rows=count,
                public_rows=public_rows.get(table),
                parquet_sha256=files.get(f"public/parquet/{table}.parquet", (0, None))[1],
            )
            for table, count in sorted(rows.items())
        },
        left_out={name: tuple(reasons) for name, reasons in sorted(public.left_out.items())},
        stale=dict(sorted(stale.items())),
        files=files,
    )
    text = json.dumps(info.document(), ensure_ascii=False, indent=2) + "\n"
    (building / RELEASE_FILE).write_text(text, encoding="utf-8")


def _current_release(settings: Settings) -> str | None:
    return next((i.release_id for i in list_releases(settings) if i.is_current), None)


def _describe_public(
    catalog: Catalog, folder: Path, public: Public, release_id: str
) -> tuple[dict[str, int], list[SourceInside]]:
    """Write all that describes the public files; returns rows by table and the sources inside."""
    resources: list[datapackage.Resource] = []
    all_sources: set[str] = set()
    all_editions: set[str] = set()
    with duckdb.connect(folder / FILE_NAME, read_only=True) as connection:
        columns = columns_of(connection)
        for model in sorted(public.tables, key=lambda model: model.name):
            types = columns[model.name]
            editions, sources = editions_and_sources(
                connection, f"main.{quoted(model.name)}", types
            )
            named = sources | {edition.split("-", 1)[0] for edition in editions}
            all_sources |= named
            all_editions |= editions
            path = folder / "parquet" / f"{model.name}.parquet"
            resources.append(
                datapackage.Resource(
                    model=model,
                    path=str(path.relative_to(folder)),
                    size_bytes=path.stat().st_size,
                    sha256=sha256(path),
                    rows=count_rows(connection, model.name),
                    types=types,
                    has_null_key=_has_null(connection, model),
                    sources=named,
                )
            )
        views = [_typed(view, _view_types(connection, view.name)) for view in public.views]
    inside = sources_inside(catalog, all_sources, all_editions)
    present = {entry.source.source_id for entry in inside}
    documented = [
        *(_built_from(_typed(r.model, r.types), r.sources or present) for r in resources),
        *(_built_from(view, present) for view in views),
    ]
    if resources:
        document = datapackage.descriptor(release_id, resources, inside)
        _write(folder / "datapackage.json", datapackage.render(document))
    for name, text in render_markdown(documented, catalog).items():
        _write(folder / "dictionary" / name, text)
    _write(folder / "dictionary" / "index.html", render_html(documented, catalog))
    _write(folder / "LICENCES.md", render_licences(inside))
    return {resource.model.name: resource.rows for resource in resources}, inside


def _has_null(connection: duckdb.DuckDBPyConnection, model: Model) -> bool:
    if not model.key:
        return False
    condition = " OR ".join(f"{quoted(column)} IS NULL" for column in model.key)
    found = connection.execute(
        f"SELECT 1 FROM main.{quoted(model.name)} WHERE {condition} LIMIT 1"
    ).fetchone()
    return found is not None


def _view_types(connection: duckdb.DuckDBPyConnection, view: str) -> dict[str, str]:
    rows = connection.execute(f"DESCRIBE SELECT * FROM main.{quoted(view)}").fetchall()
    return {row[0]: row[1] for row in rows}


def _typed(model: Model, types: Mapping[str, str]) -> Model:
    """The model with the columns that stand in the file, in their order, described or not."""
    told = {column.name: column for column in model.columns}
    columns = tuple(
        replace(told.get(name, Column(name=name)), data_type=data_type)
        for name, data_type in types.items()
    )
    return replace(model, columns=columns)


def _built_from(model: Model, sources: Collection[str]) -> Model:
    """The model without the sources that did not come through the gate."""
    return replace(model, sources=tuple(s for s in model.sources if s in sources))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
