"""Whatever goes wrong in whatever order: the end is that of a night in which nothing did."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.emulator.app import publisher_modules
from tests.emulator.faults import schedule
from tests.emulator.serving import serving
from tests.support.nights import (
    TOYS,
    WITH_KEYS,
    Warehouse,
    showing_keys,
    small_catalogue,
    small_emulator,
    small_settings,
    small_starter,
    toy_readers,
)

#: Schedules of the suite, and of `make test-all`.
SAMPLE = range(8)
ALL = range(8, 208)
_BLOCK = 10

#: Where a row stands in a document: pages may be cut otherwise after a fault.
_PLACES = ("cell_id", "document_name", "document_sha256", "row_number")

Tables = dict[str, pl.DataFrame]


class Clean:
    """The raw tables of single sources after a night in which nothing went wrong."""

    def __init__(self, folder: Path) -> None:
        self.starter = small_starter(folder / "starter")
        self.catalog = small_catalogue()
        self._folder = folder
        self._tables: dict[str, Tables] = {}

    def tables(self, source_id: str, *, has_keys: bool) -> Tables:
        shows_key = has_keys and source_id in WITH_KEYS
        name = f"{source_id}-keyed" if shows_key else source_id
        if name not in self._tables:
            settings = small_settings(self._folder / name, self.starter)
            with (
                serving(small_emulator(self.starter, only=[source_id])) as mirror,
                showing_keys(yes=shows_key),
            ):
                house = Warehouse(settings, self.catalog, mirror)
                house.nights_until_nothing_is_new([source_id])
            self._tables[name] = house.raw()
            assert self._tables[name], f"{name} brings nothing"
        return self._tables[name]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clean]:
    with toy_readers():
        yield Clean(tmp_path_factory.mktemp("clean"))


def has_same_rows(table: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Whether two tables hold the same rows, each as often, wherever they were printed."""
    if table.equals(other):
        return True
    one, two = (t.drop(_PLACES, strict=False).sort(pl.all()) for t in (table, other))
    return one.equals(two)


#: Those of the project and the toys.
PUBLISHERS = (*TOYS, *publisher_modules())


def drawn(number: int) -> list[str]:
    """One to three publishers."""
    chance = random.Random(number)  # noqa: S311 - to be replayed
    return sorted(chance.sample(PUBLISHERS, k=chance.randint(1, 3)))


def in_turn(number: int) -> list[str]:
    """Two publishers; the sample has each of all."""
    return sorted({PUBLISHERS[n % len(PUBLISHERS)] for n in (number, number + len(SAMPLE))})


def check(number: int, sources: list[str], clean: Clean, folder: Path) -> None:
    """Run the schedule of this number on these publishers, and then clean nights."""
    chance = random.Random(number)  # noqa: S311 - to be replayed
    has_keys = chance.random() < 0.5
    publishers = small_emulator(clean.starter, only=sources)
    faults = schedule(number, publishers.hosts)
    shown = "with" if has_keys else "without"
    told = f"schedule {number} of {sources} {shown} keys: " + "; ".join(map(repr, faults))
    settings = small_settings(folder / str(number), clean.starter)
    wanted = {
        name: table
        for source_id in sources
        for name, table in clean.tables(source_id, has_keys=has_keys).items()
    }
    with serving(publishers) as mirror, showing_keys(yes=has_keys):
        house = Warehouse(settings, clean.catalog, mirror)
        publishers.faults.set(*faults)
        for _ in range(chance.randint(1, 2)):
            said = house.night(sources)
            for failure in (f for s in said.values() for f in s.failures):
                assert failure.isprintable(), told
                assert 20 < len(failure) < 800, told
                assert "Traceback" not in failure, told
                is_placed = " [" in failure or any(s in failure for s in sources)
                assert is_placed, f"{told}: says no place: {failure}"
            assert house.left_over() == [], told
            for name, table in house.raw().items():
                assert name in wanted, f"{told}: {name} is of no clean night"
                assert has_same_rows(table, wanted[name]), f"{told}: {name} is not whole"
            house.next_day()
        publishers.faults.lift()
        try:
            house.nights_until_nothing_is_new(sources)
        except AssertionError as error:
            raise AssertionError(f"{told}: {error}") from error
    got = house.raw()
    assert sorted(got) == sorted(wanted), told
    for name, table in got.items():
        assert has_same_rows(table, wanted[name]), f"{told}: {name}"
    assert house.left_over() == [], told


@pytest.mark.parametrize("number", SAMPLE)
def test_nights_after_faults_end_as_if_there_had_been_none(
    number: int,
    clean: Clean,
    tmp_path: Path,
    toy_keys: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    check(number, in_turn(number), clean, tmp_path)
    assert not [r for r in caplog.records if r.exc_info]


@pytest.mark.exhaustive
@pytest.mark.parametrize("first", ALL[::_BLOCK])
def test_two_hundred_schedules_on_every_publisher_end_as_if_there_had_been_no_fault(
    first: int, clean: Clean, tmp_path: Path, toy_keys: dict[str, str]
) -> None:
    for number in range(first, first + _BLOCK):
        check(number, drawn(number), clean, tmp_path)


def test_every_publisher_is_in_the_sample() -> None:
    assert {source_id for number in SAMPLE for source_id in in_turn(number)} == set(PUBLISHERS)


def test_a_schedule_is_the_same_for_the_same_number() -> None:
    hosts = ("a.example.org", "b.example.org")
    assert schedule(7, hosts) == schedule(7, tuple(reversed(hosts)))
    assert len({schedule(number, hosts) for number in range(50)}) == 50
