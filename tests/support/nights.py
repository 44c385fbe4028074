"""Nights against the emulator, up to the raw tables, with every publisher that it has."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from unittest import mock

import polars as pl

import pipelines.sources
from pipelines.archive.store import Archive
from pipelines.catalog import Catalog, load_catalog
from pipelines.errors import MonaziteError
from pipelines.night import bring_in
from pipelines.settings import PROJECT_ROOT, Settings
from tests.emulator.app import Emulator, publisher_modules

__all__ = [
    "TOYS",
    "Said",
    "Warehouse",
    "catalogue",
    "emulator",
    "patient",
    "small_starter",
    "toy_readers",
    "toys",
]

ASKED = Path(__file__).resolve().parent.parent / "fixtures" / "asked"
#: Of these sources a small emulator serves these editions only.
_EDITIONS = {"usgs_mcs": ("2025",)}
TOYS = ("toy_files", "toy_pages")
#: Waits of a night that is to fail soon.
_HASTY = {
    "ATTEMPTS": "4",
    "REQUEST_SECONDS": "10",
    "DOWNLOAD_SECONDS": "10",
    "CONNECT_SECONDS": "2",
    "READ_SECONDS": "0.4",
    "WAIT_INITIAL_SECONDS": "0.005",
    "WAIT_MAX_SECONDS": "0.02",
    "WAIT_JITTER_SECONDS": "0.005",
    "RETRY_AFTER_MAX_SECONDS": "0.02",
    "SPACING_SECONDS": "0",
    "SLOWEST_BYTES_PER_SECOND": "1000",
    "PACE_SECONDS": "0.2",
}
#: Those of a night in which nothing goes wrong, on a machine that may be busy.
_PATIENT = _HASTY | {"READ_SECONDS": "60", "PACE_SECONDS": "60", "REQUEST_SECONDS": "120"}


@dataclass(frozen=True)
class Said:
    """What a night said of one source.

    :ivar failures: what could not be brought or let in, one message each.
    """

    source_id: str
    changed: bool
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Warehouse:
    """A warehouse that asks the emulator."""

    settings: Settings
    catalog: Catalog
    mirror: str

    @property
    def archive(self) -> Archive:
        return Archive(self.settings.archive_dir)

    def night(self, sources: Sequence[str], *, patient: bool = False) -> dict[str, Said]:
        """Ask every source in turn; a source that fails does not stop the next."""
        with _asking(self.mirror, _PATIENT if patient else _HASTY):
            return {source_id: self._ask(source_id) for source_id in sources}

    def _ask(self, source_id: str) -> Said:
        try:
            results = bring_in(self.settings, self.catalog, source_id, live=True)
        except MonaziteError as error:
            return Said(source_id, changed=False, failures=(str(error),))
        return Said(
            source_id,
            changed=any(r.changed for r in results),
            failures=tuple(r.refused for r in results if r.refused),
        )

    def nights_until_nothing_is_new(self, sources: Sequence[str], *, most: int = 5) -> int:
        """Patient nights, each a day later; the number of those that brought something.

        :raises AssertionError: a night failed, or something is new every night.
        """
        for number in range(most):
            self.next_day()
            said = self.night(sources, patient=True)
            failures = [f for s in said.values() for f in s.failures]
            assert not failures, failures
            if not any(s.changed for s in said.values()):
                return number
        raise AssertionError(f"something is new in each of {most} nights")

    def next_day(self) -> None:
        """Let the requests that were counted be those of a day before."""
        for path in self.settings.fetch_dir.glob("*/requests.json"):
            told = json.loads(path.read_text(encoding="utf-8")) | {"day": "2000-01-01"}
            path.write_text(json.dumps(told), encoding="utf-8")

    def raw(self) -> dict[str, pl.DataFrame]:
        """Every raw table of every edition, by table and edition."""
        return {
            f"{path.parent.name}/{path.stem}": pl.read_parquet(path)
            for path in sorted(self.settings.raw_dir.glob("raw_*/*.parquet"))
            if not path.stem.startswith("_")
        }

    def left_over(self) -> list[str]:
        """Files that a finished night should not have left, and damage in the archive."""
        root = self.settings.root
        unfinished = [
            path.relative_to(root).as_posix()
            for path in root.rglob("*")
            if path.is_file()
            and path.suffix != ".lock"
            and (path.suffix in (".part", ".tmp") or root / "incoming" in path.parents)
        ]
        return unfinished + [str(problem) for problem in self.archive.verify()]


def patient() -> Mapping[str, str]:
    """The environment of a night in which nothing goes wrong, for a process of its own."""
    return {f"MONAZITE_HTTP_{name}": value for name, value in _PATIENT.items()}


@contextmanager
def _asking(mirror: str, limits: Mapping[str, str]) -> Iterator[None]:
    told = {f"MONAZITE_HTTP_{name}": value for name, value in limits.items()}
    with mock.patch.dict(os.environ, {**told, "MONAZITE_HTTP_MIRROR": mirror}):
        yield


def toys() -> dict[str, ModuleType]:
    """The emulator's side of the publishers that exist in tests only."""
    return {name: import_module(f"tests.emulator.toys.{name}") for name in TOYS}


@contextmanager
def toy_readers() -> Iterator[None]:
    """The toys' readers beside those of the project."""
    path = [*pipelines.sources.__path__, str(ASKED)]
    with mock.patch.object(pipelines.sources, "__path__", path):
        try:
            yield
        finally:
            for name in TOYS:
                sys.modules.pop(f"pipelines.sources.{name}", None)
                vars(pipelines.sources).pop(name, None)


def catalogue() -> Catalog:
    """The project's catalogue and the toys' entries."""
    return Catalog(sources=load_catalog().sources | load_catalog(ASKED).sources)


def small_starter(folder: Path) -> Path:
    """The starter with one edition of what has many large ones, below ``folder``."""
    for given in sorted(p for p in (PROJECT_ROOT / "starter").iterdir() if p.is_dir()):
        editions = sorted(p for p in given.iterdir() if p.is_dir())
        kept = (
            [p for p in editions if p.name in _EDITIONS[given.name]]
            if given.name in _EDITIONS
            else editions
        )
        for edition in kept:
            place = folder / given.name / edition.name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(edition)
    return folder


def emulator(starter: Path, *, only: Sequence[str] | None = None) -> Emulator:
    """An emulator of the project's publishers and the toys.

    :param only: source ids; None for all.
    """
    return Emulator(starter, only=only, modules=publisher_modules() | toys())
