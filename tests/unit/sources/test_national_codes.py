"""Which codes of a national tariff are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import MonaziteError
from pipelines.sources.national_codes import national_codes

HEADER = "national_system,national_code,valid_from,valid_to,hs_code\n"
ROWS = (
    "CN8,28053090,,2015,280530\n"
    "CN8,28053020,2016-01-01,2022-12-31,280530\n"
    "CN8,28053021,2023,,280530\n"
    "CN8,01012990,,,010129\n"
    "HTS10,2805300050,2012,,280530\n"
)


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    (tmp_path / "ref_national_code.csv").write_text(HEADER + ROWS)
    return tmp_path


@pytest.mark.parametrize(
    ("year", "codes"),
    [
        (None, ["01012990", "28053020", "28053021", "28053090"]),
        (2015, ["01012990", "28053090"]),
        (2016, ["01012990", "28053020"]),
        (2022, ["01012990", "28053020"]),
        (2023, ["01012990", "28053021"]),
    ],
)
def test_codes_are_those_valid_in_the_year(seeds: Path, year: int | None, codes: list[str]) -> None:
    assert national_codes(seeds, "CN8", year=year) == codes


def test_an_absent_seed_or_system_has_no_codes(seeds: Path, tmp_path: Path) -> None:
    assert national_codes(seeds, "CN10") == []
    assert national_codes(tmp_path / "elsewhere", "CN8") == []


def test_a_malformed_seed_is_said_to_be(tmp_path: Path) -> None:
    file = tmp_path / "ref_national_code.csv"
    file.write_text("national_system,national_code\nCN8,28053010\n")
    with pytest.raises(MonaziteError, match="columns missing: valid_from, valid_to"):
        national_codes(tmp_path, "CN8")
    file.write_text(HEADER + "CN8,28053010,spring,,280530\n\n\n")
    with pytest.raises(MonaziteError, match="valid_from 'spring' is neither a year nor a date"):
        national_codes(tmp_path, "CN8")
