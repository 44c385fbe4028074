"""e-Stat is asked through its interface with an appId, and for its files without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import FetchFailed, UsageError
from pipelines.settings import Settings
from tests.emulator.app import Emulator
from tests.emulator.serving import serving
from tests.support.asking_nightly import House, asked_since, labels, names

TRADE = "raw_jp_customs__trade"
CODES = ("284690210", "850511000")
SEEDS = Settings().seeds_dir
KEY = {"national_code", "partner_code", "flow", "reference_month", "value_text", "net_weight_kg"}


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(only=("jp_customs",))


@pytest.fixture
def mirror(emulator: Emulator) -> Iterator[str]:
    with serving(emulator) as address:
        yield address


@pytest.fixture
def house(mirror: str, tmp_path: Path) -> House:
    return House("jp_customs", tmp_path / "files", mirror)


@pytest.fixture
def keyed(mirror: str, tmp_path: Path) -> House:
    return House("jp_customs", tmp_path / "keyed", mirror, key="emulated-app-id")


def test_interface_and_files_say_the_same(house: House, keyed: House) -> None:
    answers = keyed.night(codes=CODES, years=[2026]).editions[0]
    files = house.night(seeds_dir=SEEDS, years=[2026]).editions[0]
    wanted = sorted(KEY)
    by_answers = keyed.read(answers).tables[TRADE].select(wanted).rows()
    keep = frozenset(code[:6] for code in CODES)
    by_files = house.read(files, keep_codes=keep).tables[TRADE].select(wanted).rows()
    assert by_answers
    assert sorted(by_answers) == sorted(by_files)


def test_files_of_chapters_without_materials_are_not_brought(
    emulator: Emulator, house: House
) -> None:
    result = house.night(seeds_dir=SEEDS)
    assert labels(result.editions) == ["2025", "2026"]
    assert names(result.editions[1]) == [
        "files_2026_000001261001.csv",
        "files_2026_000001261002.csv",
        "files_2026_000001262001.csv",
        "files_2026_000001262002.csv",
    ]


def test_nothing_new_costs_the_pages_only(emulator: Emulator, house: House) -> None:
    house.night(seeds_dir=SEEDS)
    before = len(emulator.requests)
    assert house.night(seeds_dir=SEEDS).is_nothing_new
    assert asked_since(emulator, before) == 6


def test_new_release_brings_the_files_with_new_numbers(emulator: Emulator, house: House) -> None:
    house.night(seeds_dir=SEEDS)
    emulator.world["jp_customs"] |= {"newest": "2026-10", "release": 2}
    result = house.night(seeds_dir=SEEDS)
    assert labels(result.editions) == ["2026"]
    assert result.unchanged == ("2025",)
    assert all("_000002" in name for name in names(result.editions[0]))


def test_files_that_are_named_need_no_page(emulator: Emulator, house: House) -> None:
    files = {"2025": ["000000251001", "000000252001"]}
    result = house.night(files=files)
    assert labels(result.editions) == ["2025"]
    assert {r.path for r in emulator.requests} == {"/stat-search/file-download"}
    before = len(emulator.requests)
    assert house.night(files=files).is_nothing_new
    assert asked_since(emulator, before) == 0
    # One more file: those that are held are not asked for again.
    more = {"2025": [*files["2025"], "000000251002"]}
    again = house.night(files=more)
    assert len(again.editions[0].documents) == 3
    assert asked_since(emulator, before) == 1


def test_file_that_is_gone_fails_its_year_alone(house: House) -> None:
    result = house.night(files={"2025": ["000000251001"], "2024": ["000000000000"]})
    assert labels(result.editions) == ["2025"]
    assert [f.label for f in result.failures] == ["2024"]


def test_interface_is_asked_for_the_list_only_where_nothing_is_new(
    emulator: Emulator, keyed: House
) -> None:
    result = keyed.night(codes=CODES, first_year=2024)
    assert labels(result.editions) == ["2024", "2025", "2026"]
    before = len(emulator.requests)
    assert keyed.night(codes=CODES, first_year=2024).is_nothing_new
    assert asked_since(emulator, before) == 1
    emulator.world["jp_customs"]["newest"] = "2026-10"
    assert labels(keyed.night(codes=CODES, first_year=2024).editions) == ["2026"]


def test_answer_goes_on_at_the_next_key(emulator: Emulator, keyed: House) -> None:
    whole = keyed.read(keyed.night(codes=CODES, years=[2026]).editions[0])
    emulator.world["jp_customs"] |= {"cells": 50, "newest": "2026-09"}
    paged = House("jp_customs", keyed.folder / "again", keyed.mirror, key="emulated-app-id")
    edition = paged.night(codes=CODES, years=[2026]).editions[0]
    assert any(name.endswith("_p3.json") for name in names(edition))
    wanted = sorted(KEY)
    assert sorted(paged.read(edition).tables[TRADE].select(wanted).rows()) == sorted(
        whole.tables[TRADE].select(wanted).rows()
    )


def test_codes_below_materials_are_asked_for_together(emulator: Emulator, keyed: House) -> None:
    edition = keyed.night(seeds_dir=SEEDS, years=[2026]).editions[0]
    asked = [r.query["cdCat01"] for r in emulator.requests if r.path.endswith("getStatsData")]
    # All but the car, once a flow.
    assert asked == ["280530000,284610000,284690210,850511000"] * 2
    assert set(keyed.read(edition).tables[TRADE]["national_code"]) <= set(asked[0].split(","))


def test_codes_of_a_table_are_asked_for_once(emulator: Emulator, keyed: House) -> None:
    keyed.night(codes=CODES, first_year=2021)
    paths = [r.path.rsplit("/", 1)[1] for r in emulator.requests]
    assert paths.count("getMetaInfo") == 4
    assert paths.count("getStatsData") == 2 * 6


def test_error_told_with_status_200_is_a_failure(emulator: Emulator, keyed: House) -> None:
    keyed.night(codes=CODES, years=[2025])
    emulator.world["jp_customs"]["error"] = 300
    with pytest.raises(FetchFailed, match="e-Stat answers status 300"):
        keyed.night(codes=CODES)


def test_wrong_key_is_told_and_stands_nowhere(
    emulator: Emulator, mirror: str, tmp_path: Path
) -> None:
    emulator.world["jp_customs"]["app_id"] = "emulated-app-id"
    house = House("jp_customs", tmp_path, mirror, key="another-secret-id")
    with pytest.raises(FetchFailed, match=r"status 100.*MONAZITE_KEY_JP_CUSTOMS") as caught:
        house.night(codes=CODES)
    assert "another-secret-id" not in str(caught.value)


def test_key_stands_in_no_document(keyed: House) -> None:
    result = keyed.night(codes=CODES, years=[2026])
    assert "emulated-app-id" not in str(result)
    kept = [p for p in keyed.folder.rglob("*") if p.is_file()]
    assert not any(b"emulated-app-id" in p.read_bytes() for p in kept)


@pytest.mark.parametrize(("code", "year"), [("999999999", 2026), ("850511000", 2030)])
def test_no_data_is_no_error(keyed: House, code: str, year: int) -> None:
    result = keyed.night(codes=(code,), years=[year])
    assert not result.failures
    assert result.notes == (f"{year}: the publisher has nothing on the codes asked for",)


def test_status_that_says_no_data_is_no_error(emulator: Emulator, keyed: House) -> None:
    emulator.world["jp_customs"]["no_data"] = True
    result = keyed.night(codes=CODES, years=[2026])
    assert not result.failures
    assert not result.editions
    assert result.notes == ("2026: the publisher has nothing on the codes asked for",)


@pytest.mark.parametrize("files", [{"2025": ["../x"]}, {"last": ["000000251001"]}])
def test_what_is_no_number_is_wrong_usage(house: House, files: dict[str, list[str]]) -> None:
    with pytest.raises(UsageError, match="no year or number of a file"):
        house.night(files=files)


def test_what_is_no_code_is_wrong_usage(keyed: House) -> None:
    with pytest.raises(UsageError, match="no statistical code"):
        keyed.night(codes=("8505.11",))
