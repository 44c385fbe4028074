"""HM Revenue and Customs is asked by heading, page by page, and told from its throttling."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import FetchFailed, UsageError
from tests.emulator.app import Emulator
from tests.emulator.serving import serving
from tests.support.asking_nightly import House, asked_since, labels, names

CODES = ("28461000", "28469040", "85051110")
TRADE = "raw_uk_hmrc__trade"


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(only=("uk_hmrc",))


@pytest.fixture
def house(emulator: Emulator, tmp_path: Path) -> Iterator[House]:
    with serving(emulator) as mirror:
        yield House("uk_hmrc", tmp_path, mirror)


def options(emulator: Emulator, *codes: str, first_year: int = 2025) -> dict[str, object]:
    return {"codes": codes or CODES, "first_year": first_year, "today": emulator.today}


def test_codes_of_a_heading_are_asked_for_together(emulator: Emulator, house: House) -> None:
    result = house.night(**options(emulator))
    assert labels(result.editions) == ["2025", "2026"]
    assert names(result.editions[1]) == ["OTS_2026_2846.json", "OTS_2026_8505.json"]
    parsed = house.read(result.editions[1])
    assert set(parsed.tables[TRADE]["national_code"]) == set(CODES)
    assert set(parsed.tables[TRADE]["reference_month"]) == set(range(1, 10))
    assert parsed.rows_quarantined == 0


def test_nothing_new_costs_the_search_for_the_month(emulator: Emulator, house: House) -> None:
    house.night(**options(emulator))
    before = len(emulator.requests)
    assert house.night(**options(emulator)).is_nothing_new
    # October is not published, September is.
    assert asked_since(emulator, before) == 2
    assert not any("$orderby" in r.query for r in emulator.requests)


def test_new_month_brings_the_running_year(emulator: Emulator, house: House) -> None:
    house.night(**options(emulator, first_year=2024))
    emulator.world["uk_hmrc"]["newest"] = "2026-10"
    result = house.night(**options(emulator, first_year=2024))
    assert labels(result.editions) == ["2026"]
    assert result.unchanged == ("2024", "2025")


def test_all_pages_are_brought(emulator: Emulator, house: House) -> None:
    whole = house.read(house.night(years=[2025], **options(emulator)).editions[0])
    emulator.world["uk_hmrc"]["page_rows"] = 100
    house.held.clear()
    (house.state_dir / "brought.json").unlink()
    for folder in house.state_dir.iterdir():
        for file in folder.iterdir():
            file.unlink()
    result = house.night(years=[2025], **options(emulator))
    assert "OTS_2025_2846_p2.json" in names(result.editions[0])
    paged = house.read(result.editions[0])
    columns = ["national_code", "partner_code", "port_id", "reference_month", "value_text"]
    assert sorted(paged.tables[TRADE].select(columns).rows()) == sorted(
        whole.tables[TRADE].select(columns).rows()
    )


@pytest.mark.parametrize("kinds", [["text"], [403], [429], [503], ["text", 403]])
def test_throttling_of_every_kind_is_waited_out(
    emulator: Emulator, house: House, kinds: list[object]
) -> None:
    emulator.world["uk_hmrc"]["throttle"] = [*kinds]
    result = house.night(**options(emulator))
    assert labels(result.editions) == ["2025", "2026"]
    assert not result.failures


def test_throttling_without_end_is_a_failure_and_no_data(emulator: Emulator, house: House) -> None:
    emulator.world["uk_hmrc"]["throttle"] = ["text"] * 99
    with pytest.raises(FetchFailed, match="answers 200 with words in place of data"):
        house.night(**options(emulator))
    assert not list(house.state_dir.rglob("*.json"))


def test_year_that_fails_does_not_hold_up_the_others(emulator: Emulator, house: House) -> None:
    # Two requests for the month are answered, then nothing until the newest year is given up.
    emulator.world["uk_hmrc"]["throttle"] = [None, None, "text", "text", "text"]
    result = house.night(**options(emulator))
    assert labels(result.editions) == ["2025"]
    assert [f.label for f in result.failures] == ["2026"]
    assert labels(house.night(**options(emulator)).editions) == ["2026"]


def test_code_without_leading_zero_in_the_filter(emulator: Emulator, house: House) -> None:
    result = house.night(**options(emulator, "01012910", first_year=2026))
    assert "CommodityId eq 1012910)" in emulator.requests[-1].query["$filter"]
    codes = house.read(result.editions[0]).tables[TRADE]["national_code"]
    assert set(codes) <= {"01012910"}


def test_long_headings_are_split(emulator: Emulator, house: House) -> None:
    codes = [f"2846{n:04}" for n in range(1000, 1035)]
    result = house.night(**options(emulator, *codes, first_year=2026))
    assert names(result.editions[0]) == ["OTS_2026_2846-2.json", "OTS_2026_2846.json"]


def test_publisher_without_a_month_is_an_error(emulator: Emulator, house: House) -> None:
    emulator.world["uk_hmrc"]["newest"] = "2020-01"
    with pytest.raises(FetchFailed, match="none of the last 24 months is published"):
        house.night(**options(emulator))


@pytest.mark.parametrize("codes", [["2846"], ["2846.10.00"], []])
def test_what_is_no_code_is_wrong_usage(emulator: Emulator, house: House, codes: list[str]) -> None:
    with pytest.raises(UsageError, match="no commodity code"):
        house.night(codes=codes, today=emulator.today)
    assert not emulator.requests
