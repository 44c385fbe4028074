"""What a night does, in plain functions: bring in, choose what is built, tell whether it is due.

Dagster's assets and the command line call these; nothing here knows Dagster.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import TypeAdapter, ValidationError

from pipelines.archive.fingerprint import release_id
from pipelines.archive.profile import RawState
from pipelines.archive.store import Archive
from pipelines.catalog import Catalog, EditionScope, Source
from pipelines.errors import BuildFailed, FetchFailed, KeyMissing, MonaziteError, UsageError
from pipelines.ingest import (
    IngestResult,
    ensure_schemas,
    incoming_folder,
    ingest_fetched,
    ingest_starter,
    known,
    refresh_raw,
    retry_refused,
    write_edition_tables,
)
from pipelines.ingest.result import unchanged
from pipelines.ingest.visits import record_visit
from pipelines.publish.reader import RELEASE_FILE
from pipelines.settings import Settings
from pipelines.sources import load_source
from pipelines.sources.allowance import Allowance, QuotaSpent
from pipelines.sources.http import PublisherClient

__all__ = [
    "QUALITY_SCHEMA",
    "BuildPlan",
    "Observation",
    "asks_by",
    "bring_in",
    "can_fetch",
    "digests",
    "fetch_options",
    "observe",
    "prepare_build",
    "read_plan",
    "release_is_due",
]


#: Results of the quality suites, one row a check; ``mart_data_quality`` shows them.
QUALITY_SCHEMA = pl.Schema(
    {
        "source_id": pl.String(),
        "check_id": pl.String(),
        "suite": pl.String(),
        "table_name": pl.String(),
        "severity": pl.String(),
        "status": pl.String(),
        "n_evaluated": pl.Int64(),
        "n_failed": pl.Int64(),
        "detail": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What the next build would be made of.

    :ivar release_id: hash of editions and code.
    :ivar is_due: false where the current release is just that.
    :ivar edition_ids: editions that go in, sorted.
    """

    release_id: str
    is_due: bool
    edition_ids: list[str]


def can_fetch(source_id: str) -> bool:
    """Whether this publisher can be asked by a program."""
    return hasattr(load_source(source_id), "fetch")


def asks_by(source_id: str) -> Literal["years", "editions"] | None:
    """Whether a publisher can be asked for single years or editions, by its ``fetch``."""
    fetch = getattr(load_source(source_id), "fetch", None)
    takes = inspect.signature(fetch).parameters if fetch else {}
    return "years" if "years" in takes else "editions" if "editions" in takes else None


@dataclass(frozen=True, slots=True)
class Observation:
    """What looking at one source found.

    :ivar results: every edition that is held, and what was refused.
    :ivar error: why the publisher could not be asked, None where it was or where nobody asked.
    :ivar digest: changes exactly when the editions that are held change.
    :ivar is_asked: the publisher itself was asked.
    """

    source_id: str
    results: list[IngestResult]
    error: MonaziteError | None
    digest: str
    is_asked: bool

    @property
    def is_changed(self) -> bool:
        """Raw tables were written."""
        return any(result.changed for result in self.results)


def observe(
    settings: Settings,
    catalog: Catalog,
    source_id: str,
    *,
    live: bool,
    years: Sequence[int] | None = None,
    editions: Sequence[str] | None = None,
) -> Observation:
    """Look whether a source has something new and bring it in; one that fails is an observation.

    Where the publisher cannot be asked, what is held stays, and the visit is remembered as failed.

    :param live: ask the publisher.
    :param years: ask for these years only (a backfill).
    :param editions: ask for these editions only (a backfill).
    :raises MonaziteError: the fault is not the publisher's (disk, archive, settings).
    """
    is_asked = live and can_fetch(source_id)
    error: MonaziteError | None = None
    try:
        results = bring_in(settings, catalog, source_id, live=live, years=years, editions=editions)
    except FetchFailed as failure:
        error = failure
        results = _held(settings, catalog, source_id, [])
    except KeyMissing as missing:
        # A house without this key has chosen so; nothing has failed.
        error, is_asked = missing, False
        results = _held(settings, catalog, source_id, [])
    observation = Observation(
        source_id, results, error, _digest(settings, source_id), is_asked=is_asked
    )
    if is_asked:
        partly = next((r.error for r in results if r.is_not_brought and not r.is_put_off), None)
        told = partly if error is None or isinstance(error, QuotaSpent) else error
        record_visit(
            settings,
            source_id,
            is_reached=error is None or isinstance(error, QuotaSpent),
            is_changed=observation.is_changed,
            error=str(told) if told else None,
        )
    return observation


def _digest(settings: Settings, source_id: str) -> str:
    """Over the editions of a source and the readers that wrote their raw tables."""
    archive = Archive(settings.archive_dir)
    whole = sha256()
    for archived in archive.editions(source_id):
        state = RawState.read(settings.raw_dir, archived.edition_id)
        reader = state.profile.reader if state else None
        whole.update(f"{archived.edition_id} {archive.digest(archived)} {reader}\n".encode())
    return whole.hexdigest()[:16]


def digests(settings: Settings, catalog: Catalog) -> dict[str, str]:
    """By source, what changes exactly when its raw tables do."""
    return {source_id: _digest(settings, source_id) for source_id in catalog.sources}


def bring_in(
    settings: Settings,
    catalog: Catalog,
    source_id: str,
    *,
    live: bool,
    years: Sequence[int] | None = None,
    editions: Sequence[str] | None = None,
) -> list[IngestResult]:
    """Bring one source up to date; every edition that is held, and what was refused.

    :param live: ask the publisher. One that no program can ask is represented by the starter until
        somebody has imported a document of it. Not live, the starter is read only as long as the
        archive holds nothing else at all.
    :raises FetchFailed: the publisher could not be asked at all.
    """
    source = catalog.source(source_id)
    results = refresh_raw(settings, catalog, {source_id})
    if live and can_fetch(source_id):
        results += _fetch(settings, catalog, source, years=years, editions=editions)
    else:
        results += ingest_starter(settings, catalog, {source_id}, stands_in=live)
    return _held(settings, catalog, source_id, results)


def _held(
    settings: Settings, catalog: Catalog, source_id: str, results: list[IngestResult]
) -> list[IngestResult]:
    """``results``, what was refused before, and the editions that they do not tell of."""
    told = {r.edition_id: r for r in results + retry_refused(settings, catalog, {source_id})}
    for archived in Archive(settings.archive_dir).editions(source_id):
        if archived.edition_id not in told:
            state = RawState.read(settings.raw_dir, archived.edition_id)
            told[archived.edition_id] = unchanged(archived, state.profile if state else None)
    return [told[edition_id] for edition_id in sorted(told)]


def fetch_options(
    settings: Settings,
    source: Source,
    allowance: Allowance,
    *,
    years: Sequence[int] | None = None,
    editions: Sequence[str] | None = None,
) -> dict[str, Any]:
    """What a publisher's ``fetch`` is told beside its four arguments, by its own parameters.

    :param years: ask for these years only.
    :param editions: ask for these editions only.
    :raises UsageError: ``[fetch.<source>]`` holds an option that the source does not know or a
        value that it cannot take, or it cannot be asked by year or edition.
    """
    source_id = source.source_id
    module: Any = load_source(source_id)
    takes = list(inspect.signature(module.fetch).parameters)[4:]
    ours = {
        "seeds_dir": settings.seeds_dir,
        "state_dir": settings.fetch_dir / source_id,
        "allowance": allowance,
        "years": years,
        "editions": editions,
    }
    chosen = settings.fetch.get(source_id, {})
    for option, value in chosen.items():
        if option not in takes or option in ours:
            known_options = ", ".join(sorted(set(takes) - set(ours))) or "none"
            raise UsageError(
                f"{source_id} knows no option {option!r}",
                where="monazite.toml",
                remedy=f"[fetch.{source_id}] may hold: {known_options}",
            )
        chosen = {**chosen, option: _fitting(module.fetch, source_id, option, value)}
    for option in ("years", "editions"):
        if ours[option] is not None and option not in takes:
            raise UsageError(f"{source_id} cannot be asked for single {option}")
    return {k: v for k, v in ours.items() if k in takes} | chosen


def _fitting(fetch: Any, source_id: str, option: str, value: Any) -> Any:
    """``value`` as the type that ``fetch`` gives this option.

    :raises UsageError: it is none.
    """
    wanted = inspect.get_annotations(fetch, eval_str=True)[option]
    try:
        return TypeAdapter(wanted).validate_python(value)
    except ValidationError as error:
        raise UsageError(
            f"option {option} of {source_id} cannot be {str(value)[:80]!r}: "
            f"{error.errors()[0]['msg']}",
            where="monazite.toml",
            remedy=f"mend {option} in [fetch.{source_id}]",
        ) from error


def _fetch(
    settings: Settings,
    catalog: Catalog,
    source: Source,
    *,
    years: Sequence[int] | None = None,
    editions: Sequence[str] | None = None,
) -> list[IngestResult]:
    module: Any = load_source(source.source_id)
    allowance = Allowance(
        settings.fetch_dir / source.source_id / "requests.json", source.api.requests_per_day
    )
    options = fetch_options(settings, source, allowance, years=years, editions=editions)

    async def ask(into: Path) -> Any:
        async with PublisherClient.for_source(source, allowance=allowance) as client:
            held = known(settings, source.source_id)
            try:
                return await module.fetch(source, held, client, into, **options)
            except MonaziteError:
                raise
            except OSError as error:
                raise MonaziteError(
                    f"what {source.source_id} gave cannot be written: {error.strerror or error}",
                    where=str(error.filename or into),
                    remedy="make room or check the rights of the folder, then run again",
                ) from error
            except Exception as error:
                # An answer in a form that nobody foresaw is the publisher's matter.
                raise FetchFailed(
                    f"an answer could not be understood: {type(error).__name__}: {error}"[:400],
                    where=source.endpoint or source.homepage,
                    remedy="the interface may have changed; --debug shows where",
                ) from error

    with incoming_folder(settings, source.source_id) as into:
        return ingest_fetched(settings, catalog, asyncio.run(ask(into)))


def prepare_build(settings: Settings, catalog: Catalog, *, as_of: date | None = None) -> BuildPlan:
    """Choose the editions of the next build and lay their raw tables where dbt reads them.

    :param as_of: only editions published by this day.
    :raises BuildFailed: no edition is left.
    """
    write_edition_tables(settings, catalog)
    ensure_schemas(settings, catalog)
    editions = pl.read_parquet(settings.raw_dir / "raw_monazite__edition" / "*.parquet")
    if as_of is not None:
        editions = editions.filter(pl.col("published_date") <= as_of)
    chosen = sorted(_in_force(editions).get_column("source_edition_id").to_list())
    if not chosen:
        raise BuildFailed(
            "no edition to build from",
            where=str(settings.archive_dir),
            remedy="run without --as-of, or import a document",
        )
    identity, is_due = release_is_due(settings, catalog, as_of=as_of)
    if is_due:
        _lay_out(settings, set(chosen))
    plan = BuildPlan(release_id=identity, is_due=is_due, edition_ids=chosen)
    settings.build_dir.mkdir(parents=True, exist_ok=True)
    _plan_path(settings).write_bytes(TypeAdapter(dict[str, Any]).dump_json(asdict(plan)))
    return plan


def _in_force(editions: pl.DataFrame) -> pl.DataFrame:
    """Editions that a build looks at.

    Of an extract without a day of publication only the last revision counts, at ``latest``; the
    earlier ones stay in the archive. An interface that changes nightly would else fill each build
    with revisions that no vintage shows.
    """
    is_last = pl.col("revision") == pl.col("revision").max().over("source_id", "label")
    is_dated = pl.col("published_date").is_not_null()
    return editions.filter(is_last | is_dated | (pl.col("scope") != EditionScope.EXTRACT.value))


def release_is_due(
    settings: Settings, catalog: Catalog, *, as_of: date | None = None
) -> tuple[str, bool]:
    """What a release built now would be called, and whether the current one is not just that."""
    identity = release_id(settings, catalog)
    if as_of is not None:
        identity = sha256(f"{identity} {as_of.isoformat()}".encode()).hexdigest()[:12]
    current = settings.release_dir / "current"
    is_there = (current / RELEASE_FILE).is_file()
    return identity, not (is_there and current.resolve().name == identity)


def read_plan(settings: Settings) -> BuildPlan:
    """The plan that :func:`prepare_build` made last.

    :raises BuildFailed: there is none.
    """
    path = _plan_path(settings)
    if not path.is_file():
        raise BuildFailed(
            "no build is prepared", where=str(path), remedy="materialise the editions first"
        )
    return BuildPlan(**TypeAdapter(dict[str, Any]).validate_json(path.read_bytes()))


def _plan_path(settings: Settings) -> Path:
    return settings.build_dir / "plan.json"


def _lay_out(settings: Settings, chosen: set[str]) -> None:
    """Fill ``build/raw`` with links to the raw tables of the chosen editions."""
    target = settings.build_dir / "raw"
    shutil.rmtree(target, ignore_errors=True)
    for folder in sorted(p for p in settings.raw_dir.iterdir() if p.name.startswith("raw_")):
        (target / folder.name).mkdir(parents=True)
        for file in sorted(folder.glob("*.parquet")):
            ours = folder.name.startswith("raw_monazite__")
            if ours or file.stem in chosen or file.stem.startswith("_"):
                os.link(file, target / folder.name / file.name)
    for table in ("edition", "document"):
        folder = target / f"raw_monazite__{table}"
        frame = pl.read_parquet(folder / "*.parquet").filter(
            pl.col("source_edition_id").is_in(sorted(chosen))
        )
        for file in folder.glob("*.parquet"):
            file.unlink()
        frame.write_parquet(folder / f"{table}s.parquet")
    # The checks run after the models; until then there are no results.
    results = target / "raw_monazite__quality"
    results.mkdir()
    pl.DataFrame(schema=QUALITY_SCHEMA).write_parquet(results / "quality.parquet")
