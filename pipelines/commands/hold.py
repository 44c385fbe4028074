"""``monazite status`` and ``monazite verify``: what is held, and whether it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
from rich.console import Console

from pipelines.archive.store import Archive, ArchivedEdition, ProblemKind
from pipelines.catalog import Source, load_catalog
from pipelines.commands.display import say, show_table, table_of
from pipelines.commands.home import be_quiet, read_settings
from pipelines.errors import ArchiveDamaged, MonaziteError
from pipelines.ingest.editions import publication
from pipelines.ingest.visits import stale_sources
from pipelines.publish.reader import ReleaseInfo, list_releases, open_release
from pipelines.settings import Settings
from pipelines.sources.mirror import is_stand_in

__all__ = ["show_status", "verify_all"]

#: Columns that a narrower screen than this does without.
_ROOM_FOR_ALL = 150
_WIDE = ("retrieved", "cadence")


def _published(source: Source, archived: ArchivedEdition, held: Sequence[ArchivedEdition]) -> str:
    day, precision = publication(source, archived, held)
    if day is None:
        return "unknown"
    return f"{day:%Y-%m}" if precision == "month" else day.isoformat()


def show_status(console: Console) -> int:
    """Print sources, their editions, refusals and the releases."""
    settings, catalog = read_settings(), load_catalog()
    archive = Archive(settings.archive_dir)
    releases = list_releases(settings)
    current = next((info for info in releases if info.is_current), None)
    released = set(current.editions) if current else set()
    names = [
        "source", "edition", "published", "retrieved", "rows", "quarantined", "released", "cadence",
    ]  # fmt: skip
    if console.is_terminal and console.width < _ROOM_FOR_ALL:
        names = [name for name in names if name not in _WIDE]
    table = table_of(*names)
    waiting = 0
    for source in catalog.sources.values():
        told = {"source": source.source_id, "cadence": source.cadence}
        held = archive.editions(source.source_id)
        if not held:
            told["edition"] = "none"
            table.add_row(*(told.get(name, "") for name in names))
        for archived in held:
            is_released = archived.edition_id in released
            waiting += not is_released
            told |= {
                "edition": archived.edition_id,
                "published": _published(source, archived, held),
                "retrieved": max(d.retrieved_at for d in archived.documents).date().isoformat(),
                "rows": f"{archived.summary.rows:,}",
                "quarantined": f"{archived.summary.quarantined:,}",
                "released": "yes" if is_released else "no",
            }
            table.add_row(*(told[name] for name in names))
    show_table(console, table)
    for archived in archive.editions():
        if url := next((d.url for d in archived.documents if is_stand_in(d.url)), None):
            say(console, f"from a stand-in, never public: {archived.edition_id} ({url})")
    for refusal in archive.refusals():
        say(console, f"refused: {refusal}", style="yellow")
    for source_id, reason in stale_sources(settings, catalog).items():
        say(console, f"stale: {source_id}: {reason}", style="yellow")
    say(console, f"home: {settings.root}")
    _say_releases(console, releases, current)
    if waiting:
        say(console, f"{_many(waiting, 'edition')} not released yet: `monazite run` builds with it")
    return 0


def _say_releases(
    console: Console, releases: list[ReleaseInfo], current: ReleaseInfo | None
) -> None:
    if current is None:
        say(console, "release: none yet; `monazite run` makes one")
        return
    say(
        console,
        f"release: {current.release_id}, {_many(len(current.editions), 'edition')} "
        f"({len(current.public_editions)} public), {_many(len(current.tables), 'table')}",
    )
    earlier = [info.release_id for info in reversed(releases) if not info.is_current]
    if earlier:
        say(console, f"kept beside it: {', '.join(earlier)}")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def verify_all(console: Console) -> int:
    """Hash archive and releases again, and run the checks again; every problem is one line.

    Bytes in the archive that no edition names are noted and are no damage.

    :raises ArchiveDamaged: something is not as it was stored, or a check that blocks a release
        fails on the current one.
    """
    settings = read_settings()
    archive = Archive(settings.archive_dir)
    with console.status("hashing the archive"):
        found = archive.verify()
    problems = [str(p) for p in found if p.kind is not ProblemKind.EXTRA]
    notes = [f"note: {p}" for p in found if p.kind is ProblemKind.EXTRA]
    with console.status("hashing the releases"):
        folders = _releases(settings)
        problems += _release_problems(settings, folders)
    checked = ""
    if not problems and folders:
        with console.status("checking the current release"):
            failed, warned, checked = _check_again(settings)
        problems += failed
        notes += warned
    for note in notes:
        say(console, note, style="yellow")
    for problem in problems:
        say(console, problem, style="red")
    if problems:
        raise ArchiveDamaged(
            f"{_many(len(problems), 'problem')} found",
            where=str(settings.root),
            remedy="import a damaged document again; remove the folder of a damaged release and "
            "run `monazite run`",
        )
    if not folders and not archive.editions():
        say(console, f"nothing is held yet in {settings.root}; `monazite run` begins")
        return 0
    editions = archive.editions()
    documents = len({d.sha256 for e in editions for d in e.documents})
    say(
        console,
        f"whole: {_many(len(editions), 'edition')} with {_many(documents, 'document')}, "
        f"{_many(len(folders), 'release')}{checked}",
    )
    return 0


def _releases(settings: Settings) -> list[Path]:
    if not settings.release_dir.is_dir():
        return []
    return sorted(
        path
        for path in settings.release_dir.iterdir()
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    )


def _release_problems(settings: Settings, folders: list[Path]) -> list[str]:
    from pipelines.publish.verify import verify_release

    problems = [problem for folder in folders for problem in verify_release(folder)]
    current = settings.release_dir / "current"
    if current.is_symlink() and not current.is_dir():
        problems.append(f"{current}: leads to {current.readlink()}, which is not there")
    elif folders and not current.is_symlink():
        problems.append(f"{current}: is missing")
    return problems


def _check_again(settings: Settings) -> tuple[list[str], list[str], str]:
    """What fails, what warns, and how many checks were run on the current release.

    Checks of tables that stay in the build database are left out, a release does not hold them; and
    so are checks that find nothing to look at: a house need not have every source.
    """
    be_quiet()
    from quality.runner import run_checks
    from quality.suites import load_checks

    with open_release(settings) as connection:
        checks = [
            check.model_copy(update={"needs": {}})
            for check in load_checks()
            if _can_be_asked(connection, check.sql)
        ]
        try:
            results = [r for r in run_checks(connection, checks) if r.n_evaluated]
        except duckdb.Error as error:
            raise MonaziteError(f"the checks cannot be run: {error}") from error
    failed = [f"check {r.check.id} failed: {r.detail}" for r in results if r.status == "failed"]
    warned = [f"note: check {r.check.id}: {r.detail}" for r in results if r.status == "warned"]
    return failed, warned, f"; {_many(len(results), 'check')} run again"


def _can_be_asked(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    try:
        connection.execute(f"explain {sql}")
    except (duckdb.CatalogException, duckdb.BinderException):
        return False
    return True
