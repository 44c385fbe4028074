"""The Census Bureau is asked within its quota, falls back to six digits, and costs little."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import FetchFailed, KeyMissing, UsageError
from tests.emulator.app import Emulator
from tests.emulator.serving import serving
from tests.support.asking_nightly import House, asked_since, labels, names

NEO, SAMARIUM = "8505110070", "8505110050"
COMPOUNDS = "2846902010"
TRADE = "raw_us_census__trade"


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(only=("us_census",))


@pytest.fixture
def house(emulator: Emulator, tmp_path: Path) -> Iterator[House]:
    with serving(emulator) as mirror:
        yield House("us_census", tmp_path, mirror)


def options(emulator: Emulator, *codes: str, first_year: int = 2025) -> dict[str, object]:
    return {"codes": codes or (NEO,), "first_year": first_year, "today": emulator.today}


def test_first_night_brings_the_years_and_the_next_asks_once(
    emulator: Emulator, house: House
) -> None:
    result = house.night(**options(emulator))
    assert labels(result.editions) == ["2025", "2026"]
    assert names(result.editions[0]) == [
        f"exports_{NEO}_2025.json",
        f"imports_{NEO}_2025.json",
    ]
    before = len(emulator.requests)
    again = house.night(**options(emulator))
    assert again.is_nothing_new
    assert again.unchanged == ("2025", "2026")
    assert asked_since(emulator, before) == 1


def test_what_is_brought_adds_up(emulator: Emulator, house: House) -> None:
    for edition in house.night(**options(emulator, NEO, COMPOUNDS)).editions:
        parsed = house.read(edition)
        assert parsed.rows_out > 0
        assert parsed.rows_quarantined == 0
        assert set(parsed.tables[TRADE]["flow"]) == {"import", "export"}


def test_country_that_the_rows_lack_is_found_by_the_total(emulator: Emulator, house: House) -> None:
    emulator.world["us_census"]["missing"] = {"5700", "4280"}
    parsed = house.read(house.night(**options(emulator, NEO, COMPOUNDS)).editions[0])
    assert parsed.rows_quarantined > 0
    assert set(parsed.quarantined[TRADE]["quarantine_reason"]) == {
        "countries do not add up to the publisher's total"
    }


def test_code_that_is_not_served_falls_back_to_six_digits(emulator: Emulator, house: House) -> None:
    emulator.world["us_census"]["not_served"] = {NEO, SAMARIUM}
    result = house.night(**options(emulator, NEO, SAMARIUM))
    assert names(result.editions[0]) == ["exports_850511_2025.json", "imports_850511_2025.json"]
    levels = house.read(result.editions[0]).tables[TRADE]["code_level"]
    assert set(levels) == {6}


def test_six_digits_are_not_asked_for_where_one_code_below_is_served(
    emulator: Emulator, house: House
) -> None:
    """Otherwise the same trade would stand twice."""
    emulator.world["us_census"]["not_served"] = {NEO}
    result = house.night(**options(emulator, NEO, SAMARIUM))
    assert names(result.editions[0]) == [
        f"exports_{SAMARIUM}_2025.json",
        f"imports_{SAMARIUM}_2025.json",
    ]


def test_code_of_one_schedule_is_asked_for_at_six_digits_in_the_other(
    emulator: Emulator, house: House, tmp_path: Path
) -> None:
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    (seeds / "ref_national_code.csv").write_text(
        "national_system,national_code,valid_from,valid_to\n"
        f"HTS10,{NEO},,\nSCHB10,{COMPOUNDS},,\nCN8,85051110,,\n"
    )
    result = house.night(seeds_dir=seeds, first_year=2026, today=emulator.today)
    assert names(result.editions[0]) == [
        f"exports_{COMPOUNDS}_2026.json",
        "exports_850511_2026.json",
        "imports_284690_2026.json",
        f"imports_{NEO}_2026.json",
    ]


def test_new_month_brings_the_running_year_and_asks_for_the_one_before(
    emulator: Emulator, house: House
) -> None:
    house.night(**options(emulator, first_year=2023))
    emulator.world["us_census"]["newest"] = "2026-10"
    before = len(emulator.requests)
    result = house.night(**options(emulator, first_year=2023))
    assert labels(result.editions) == ["2026"]
    assert result.editions[0].replaces is house.held[-2]
    assert result.unchanged == ("2023", "2024", "2025")
    # The newest month, and two flows of two years.
    assert asked_since(emulator, before) == 5


def test_other_codes_are_asked_for_in_all_years(emulator: Emulator, house: House) -> None:
    house.night(**options(emulator, first_year=2024))
    result = house.night(**options(emulator, NEO, COMPOUNDS, first_year=2024))
    assert labels(result.editions) == ["2024", "2025", "2026"]


def test_other_six_digit_codes_are_other_codes(emulator: Emulator, house: House) -> None:
    house.night(**options(emulator, "280530", first_year=2026))
    result = house.night(**options(emulator, "280530", "284690", first_year=2026))
    assert len(result.editions[0].documents) == 4


def test_year_that_the_quota_cuts_off_goes_on_the_next_night(
    emulator: Emulator, house: House
) -> None:
    codes = (NEO, SAMARIUM, COMPOUNDS)
    first = house.night(per_day=8, **options(emulator, *codes))
    # The newest year comes first: one request for the month, six for the year.
    assert labels(first.editions) == ["2026"]
    assert not first.failures
    assert "2025: put off" in first.notes[0]
    before = len(emulator.requests)
    second = house.night(**options(emulator, *codes))
    assert labels(second.editions) == ["2025"]
    assert asked_since(emulator, before) == 1 + 6 - 1
    assert len(second.editions[0].documents) == 6


def test_quota_told_by_the_publisher_ends_the_night(emulator: Emulator, house: House) -> None:
    emulator.world["us_census"]["left"] = 2
    result = house.night(**options(emulator))
    assert not result.editions
    assert "2026: put off" in result.notes[0]
    # The newest month, imports, and exports that are turned away: no other year is tried.
    assert len(emulator.requests) == 3
    nothing = house.night(**options(emulator))
    assert not nothing.failures
    assert "nothing was asked" in nothing.notes[0]


def test_lost_state_costs_requests_and_nothing_else(emulator: Emulator, house: House) -> None:
    house.night(**options(emulator))
    (house.state_dir / "brought.json").unlink()
    again = house.night(**options(emulator))
    assert again.is_nothing_new
    assert again.unchanged == ("2025", "2026")


def test_edition_that_the_archive_lacks_is_brought_again(emulator: Emulator, house: House) -> None:
    house.night(**options(emulator))
    house.held.pop()
    assert labels(house.night(**options(emulator)).editions) == ["2026"]


def test_backfill_asks_for_the_years_that_are_named(emulator: Emulator, house: House) -> None:
    result = house.night(years=[2019], **options(emulator))
    assert labels(result.editions) == ["2019"]


def test_year_without_trade_is_told_and_not_asked_for_again(
    emulator: Emulator, house: House
) -> None:
    emulator.world["us_census"]["not_served"] = {NEO, "850511"}
    result = house.night(**options(emulator))
    assert not result.editions
    assert result.notes == tuple(
        f"{year}: the publisher has nothing on the codes asked for" for year in (2026, 2025)
    )
    before = len(emulator.requests)
    house.night(**options(emulator))
    assert asked_since(emulator, before) == 1


def test_publisher_that_wants_a_key_is_told_with_a_remedy(emulator: Emulator, house: House) -> None:
    emulator.world["us_census"]["key_required"] = True
    with pytest.raises(KeyMissing, match="MONAZITE_KEY_US_CENSUS"):
        house.night(**options(emulator))
    assert len(emulator.requests) == 2


def test_key_that_is_not_known_is_told(emulator: Emulator, tmp_path: Path) -> None:
    emulator.world["us_census"] |= {"key_required": True, "key": "another"}
    with serving(emulator) as mirror:
        house = House("us_census", tmp_path, mirror, key="k" * 40)
        with pytest.raises(FetchFailed, match="check the key in MONAZITE_KEY_US_CENSUS"):
            house.night(**options(emulator))


def test_key_is_shown_and_stands_nowhere(emulator: Emulator, tmp_path: Path) -> None:
    emulator.world["us_census"]["key_required"] = True
    with serving(emulator) as mirror:
        house = House("us_census", tmp_path, mirror, key="k" * 40)
        result = house.night(**options(emulator))
    assert labels(result.editions) == ["2025", "2026"]
    assert all(r.query["key"] == "k" * 40 for r in emulator.requests)
    assert "kkkk" not in str(result)
    assert not any(b"kkkk" in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


@pytest.mark.parametrize("code", ["8505.11.00.70", "85051100", ""])
def test_what_is_no_code_is_wrong_usage(emulator: Emulator, house: House, code: str) -> None:
    with pytest.raises(UsageError, match="no tariff code"):
        house.night(**options(emulator, code))
    assert not emulator.requests


def test_nothing_to_ask_for_is_wrong_usage(emulator: Emulator, house: House) -> None:
    with pytest.raises(UsageError, match="no tariff code to ask for"):
        house.night(codes=[], today=emulator.today)
