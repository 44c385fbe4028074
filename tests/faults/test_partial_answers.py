"""A partial answer is never stored as a whole one, publisher by publisher, through whole nights.

Each case breaks one kind of request all through a night. What is stored then is part of what a
night without faults stores, and the nights after store exactly that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from tests.emulator.app import Emulator
from tests.emulator.faults import Fault, Kind
from tests.emulator.serving import serving
from tests.support.nights import (
    WITH_KEYS,
    Warehouse,
    showing_keys,
    small_catalogue,
    small_emulator,
    small_settings,
)

ALWAYS = 10_000


@dataclass
class Houses:
    """Opens warehouses, and knows what a night without faults brings."""

    folder: Path
    starter: Path
    stack: ExitStack
    _clean: dict[str, dict[str, pl.DataFrame]]

    def open(self, source_id: str, *, has_key: bool) -> tuple[Warehouse, Emulator]:
        publishers = small_emulator(self.starter, only=[source_id])
        mirror = self.stack.enter_context(serving(publishers))
        self.stack.enter_context(showing_keys(yes=has_key))
        home = self.folder / f"home-{len(list(self.folder.iterdir()))}"
        home.mkdir()
        settings = small_settings(home, self.starter)
        return Warehouse(settings, small_catalogue(), mirror), publishers

    def clean(self, source_id: str, *, has_key: bool) -> dict[str, pl.DataFrame]:
        name = f"{source_id} {has_key}"
        if name not in self._clean:
            house, _ = self.open(source_id, has_key=has_key)
            house.nights_until_nothing_is_new([source_id])
            self._clean[name] = house.raw()
        return self._clean[name]


_CLEAN: dict[str, dict[str, pl.DataFrame]] = {}


@pytest.fixture
def houses(tmp_path: Path, starter_of_one: Path) -> Iterator[Houses]:
    with ExitStack() as stack:
        yield Houses(tmp_path, starter_of_one, stack, _CLEAN)


def rows(tables: dict[str, pl.DataFrame]) -> dict[str, int]:
    return {name: table.height for name, table in tables.items()}


#: Source, whether it is asked with a key, what goes wrong, what is said of it.
CASES: list[tuple[str, bool, Fault, str]] = [
    # A list of rows that ends early, twice the same page, or none.
    ("bgs_wms", False, Fault(Kind.CUT_ROWS, path="*offset=40*"), "features where the page tells"),
    ("bgs_wms", False, Fault(Kind.DUPLICATED_PAGE, path="*offset=40*"), "came twice|asked for"),
    ("bgs_wms", False, Fault(Kind.MISSING_PAGE, path="*offset=40*"), "features where the page"),
    ("wb_wgi", False, Fault(Kind.CUT_ROWS, path="*page=2*"), "rows came of"),
    ("wb_wgi", False, Fault(Kind.DUPLICATED_PAGE, path="*page=2*"), "is said to have"),
    ("wb_wgi", False, Fault(Kind.MISSING_PAGE, path="*page=2*"), "do not agree|came of"),
    ("un_comtrade", True, Fault(Kind.CUT_ROWS, path="/data/*"), "counts .* rows and holds"),
    ("un_comtrade", True, Fault(Kind.MISSING_PAGE, path="/data/*"), "counts .* rows and holds"),
    ("un_comtrade", True, Fault(Kind.DUPLICATED_PAGE, path="/data/*"), "was not asked for"),
    ("un_comtrade", False, Fault(Kind.CUT_ROWS, path="*/getDA/*"), "counts .* rows and holds"),
    ("jp_customs", True, Fault(Kind.CUT_ROWS, path="*/getStatsData*"), "and holds"),
    ("jp_customs", True, Fault(Kind.MISSING_PAGE, path="*/getStatsData*"), "and holds 0"),
    ("jp_customs", True, Fault(Kind.DUPLICATED_PAGE, path="*/getStatsData*"), "asked for"),
    ("jp_customs", True, Fault(Kind.CUT_ROWS, path="*/getStatsList*"), "2 tables came where 5"),
    ("uk_hmrc", False, Fault(Kind.DUPLICATED_PAGE, path="*skip=*"), "came on a page before"),
    # Answers to other questions.
    ("uk_hmrc", False, Fault(Kind.DUPLICATED_PAGE, path="*MonthId+ge*"), "was not asked for|page"),
    ("us_census", False, Fault(Kind.DUPLICATED_PAGE, path="*/exports/*"), "was not asked for"),
    ("eurostat_comext", False, Fault(Kind.DUPLICATED_PAGE, path="*2026-01*"), "was not asked for"),
    # Columns that are called otherwise.
    ("bgs_wms", False, Fault(Kind.CHANGED_COLUMN), "fields missing"),
    ("wb_wgi", False, Fault(Kind.CHANGED_COLUMN), "series"),
    ("un_comtrade", True, Fault(Kind.CHANGED_COLUMN, path="/data/*"), "asked for|no list `data`"),
    ("jp_customs", True, Fault(Kind.CHANGED_COLUMN, path="*/getStatsData*"), "was not asked for"),
    ("jp_customs", False, Fault(Kind.CHANGED_COLUMN, path="*file-download*"), "is not known"),
    ("uk_hmrc", False, Fault(Kind.CHANGED_COLUMN, path="*MonthId+ge*"), "was not asked for"),
    ("us_census", False, Fault(Kind.CHANGED_COLUMN, path="*/exports/*"), "has no column"),
    ("eurostat_comext", False, Fault(Kind.CHANGED_COLUMN), "no table of trade|does not say when"),
    # Pages with links that end early, with a length that agrees.
    ("jp_customs", False, Fault(Kind.TRUNCATED, path="*stat-search/files*"), "before its end"),
    # Files that end early, with a length that agrees.
    ("cepii_baci", False, Fault(Kind.TRUNCATED, path="*.zip"), "zip has no list of contents"),
    ("usgs_myb", False, Fault(Kind.TRUNCATED, path="*.xlsx"), "zip has no list of contents"),
]
#: Of every publisher: a request for data, for what needs no list of its own.
DATA = {
    ("bgs_wms", False): "*offset*",
    ("cepii_baci", False): "*.zip",
    ("eurostat_comext", False): "*2026-01*",
    ("jp_customs", True): "*/getStatsData*",
    ("jp_customs", False): "*file-download*",
    ("uk_hmrc", False): "*MonthId+ge*",
    ("un_comtrade", True): "/data/*",
    ("un_comtrade", False): "*/preview/*",
    ("us_census", False): "*/exports/*",
    ("us_census", True): "*/imports/*",
    ("usgs_mcs", False): "/catalog/file/*",
    ("usgs_myb", False): "*.xlsx",
    ("wb_wgi", False): "*per_page=2000*",
}
ENDINGS = {
    Kind.UNMARKED: "nobody can tell whether it is whole|not JSON|words in place of data|size",
    Kind.EMPTY: "file is empty|not JSON|words in place of data|no table|size .* differs",
    Kind.PAGE: "web page|words in place of data",
}
MORE = [
    (source_id, has_key, Fault(kind, path=path), says)
    for kind, says in ENDINGS.items()
    for (source_id, has_key), path in DATA.items()
]


def named(case: tuple[str, bool, Fault, str], *marks: pytest.MarkDecorator) -> object:
    source_id, has_key, fault, _ = case
    name = f"{source_id}{'-keyed' if has_key else ''}-{fault.kind.name}-{fault.path}"
    return pytest.param(*case, id=name, marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source_id", "has_key", "fault", "says"),
    [*map(named, CASES), *(named(case, pytest.mark.exhaustive) for case in MORE)],
)
def test_an_answer_that_is_not_whole_is_not_stored(
    houses: Houses, source_id: str, has_key: bool, fault: Fault, says: str
) -> None:
    whole = houses.clean(source_id, has_key=has_key)
    house, publishers = houses.open(source_id, has_key=has_key)
    publishers.faults.set(Fault(fault.kind, path=fault.path, times=ALWAYS, share=0.5))
    failures = house.night([source_id])[source_id].failures
    assert publishers.faults.struck
    assert failures
    for failure in failures:
        assert re.search(says, failure), failure
        assert re.search(r"\[.+\]; .+", failure), f"no place or no remedy: {failure}"
        assert failure.isprintable()
    assert house.left_over() == []
    assert rows(house.raw()).items() <= rows(whole).items()

    publishers.faults.lift()
    house.nights_until_nothing_is_new([source_id])
    assert rows(house.raw()) == rows(whole)
    assert house.left_over() == []


def test_every_publisher_is_among_the_cases() -> None:
    assert {s for s, has_key in DATA if has_key} == set(WITH_KEYS)
    assert {s for s, _ in DATA} == set(Emulator().modules)


@pytest.mark.slow
def test_countries_that_do_not_add_up_to_the_total_are_asked_for_twice(houses: Houses) -> None:
    whole = houses.clean("us_census", has_key=False)
    house, publishers = houses.open("us_census", has_key=False)
    publishers.faults.set(Fault(Kind.CUT_ROWS, path="*/exports/*", times=1, share=0.6))
    assert house.night(["us_census"])["us_census"].failures == ()
    assert publishers.faults.struck
    assert rows(house.raw()) == rows(whole)


@pytest.mark.slow
def test_table_that_is_updated_while_it_is_asked_for_is_not_stored(houses: Houses) -> None:
    """Rows of two updates are no year."""

    class Moving:
        times = 0

        def __str__(self) -> str:
            self.times += 1
            return "15/11/26 11:00:00" if self.times < 20_000 else "16/11/26 11:00:00"

    house, publishers = houses.open("eurostat_comext", has_key=False)
    publishers.world["eurostat_comext"]["last_update"] = Moving()
    failures = house.night(["eurostat_comext"])["eurostat_comext"].failures
    assert len(failures) == 1
    assert "was updated meanwhile (16/11/26" in failures[0]
    house.nights_until_nothing_is_new(["eurostat_comext"])
    whole = rows(houses.clean("eurostat_comext", has_key=False))
    assert sorted(rows(house.raw()).values())[-2:] == sorted(whole.values())


def test_a_notice_is_not_taken_for_the_page_that_asks_for_a_key(houses: Houses) -> None:
    house, publishers = houses.open("us_census", has_key=False)
    publishers.faults.set(Fault(Kind.PAGE, times=ALWAYS))
    [failure] = house.night(["us_census"])["us_census"].failures
    assert "words in place of data" in failure
    assert "MONAZITE_KEY" not in failure


@pytest.mark.slow
def test_workbooks_are_looked_for_by_name_where_the_page_is_cut(houses: Houses) -> None:
    whole = houses.clean("usgs_myb", has_key=False)
    house, publishers = houses.open("usgs_myb", has_key=False)
    publishers.faults.set(Fault(Kind.TRUNCATED, host="www.usgs.gov", times=ALWAYS, share=0.5))
    assert house.night(["usgs_myb"])["usgs_myb"].failures == ()
    assert publishers.faults.struck
    assert rows(house.raw()) == rows(whole)
