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
    "WITH_KEYS",
    "Said",
    "Warehouse",
    "catalogue",
    "emulator",
    "patient",
    "showing_keys",
    "small_catalogue",
    "small_emulator",
    "small_settings",
    "small_starter",
    "toy_readers",
    "toys",
]

ASKED = Path(__file__).resolve().parent.parent / "fixtures" / "asked"
#: Of these sources a small emulator serves these editions only.
_EDITIONS = {"cepii_baci": ("HS17-V202601",), "usgs_mcs": ("2025",)}
#: Of these a small warehouse asks the years since this one only.
_FIRST_YEAR = 2025
_SINCE = ("eurostat_comext", "jp_customs", "uk_hmrc", "un_comtrade", "us_census")
#: What else a small warehouse asks less of.
_ASKED_LESS: Mapping[str, Mapping[str, object]] = {
    "cepii_baci": {"revisions": ["HS17"]},
    "un_comtrade": {
        "first_year": _FIRST_YEAR,
        "monthly_first_year": _FIRST_YEAR + 1,
        "monthly_reporters": ["JPN", "USA"],
    },
    "wb_wgi": {"kinds": ["EST", "SE"], "rows_a_page": 2000},
}
#: Rows (at e-Stat, cells) of an answer, so few that answers are of several pages or are cut.
_ROWS_OF_AN_ANSWER = {"bgs_wms": 40, "jp_customs": 2000, "un_comtrade": 700}
#: The same, as the emulator calls it.
_SMALL_WORLD: Mapping[str, Mapping[str, object]] = {
    "jp_customs": {"cells": 2000},
    "uk_hmrc": {"page_rows": 300},
    "un_comtrade": {"cap": 700},
}
TOYS = ("toy_files", "toy_pages")
#: Publishers that answer otherwise to who shows a key.
WITH_KEYS = ("jp_customs", "un_comtrade", "us_census")
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


def small_catalogue() -> Catalog:
    """As :func:`catalogue`, with publishers of few years and short answers."""
    sources = catalogue().sources
    less: dict[str, dict[str, int]] = {s: {"first_year": _FIRST_YEAR} for s in _SINCE}
    for source_id, rows in _ROWS_OF_AN_ANSWER.items():
        less.setdefault(source_id, {})["rows_per_answer"] = rows
    for source_id, changes in less.items():
        source = sources[source_id]
        api = source.api.model_copy(update=changes)
        sources[source_id] = source.model_copy(update={"api": api})
    return Catalog(sources=sources)


def small_settings(home: Path, starter: Path) -> Settings:
    """Of a warehouse that asks little of large publishers."""
    fetch = {source_id: dict(asked) for source_id, asked in _ASKED_LESS.items()}
    return Settings(home=home, starter=starter, fetch=fetch)


@contextmanager
def showing_keys(*, yes: bool) -> Iterator[None]:
    """A house with keys of all publishers that take one, or with none of them."""
    names = {source_id: f"MONAZITE_KEY_{source_id.upper()}" for source_id in WITH_KEYS}
    with mock.patch.dict(os.environ):
        for source_id, name in names.items():
            os.environ.pop(name, None)
            if yes:
                os.environ[name] = f"k3y-of-{source_id}"
        yield


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


def small_emulator(starter: Path, *, only: Sequence[str]) -> Emulator:
    """As :func:`emulator`, with answers that are short."""
    publishers = emulator(starter, only=only)
    for source_id in publishers.world.keys() & _SMALL_WORLD.keys():
        publishers.world[source_id] |= _SMALL_WORLD[source_id]
    return publishers
