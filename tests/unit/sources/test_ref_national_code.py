"""National trade lines: years, HS codes and elements fit each other and the HS table."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest

from pipelines.settings import Settings
from pipelines.sources.label_maps import read_reference
from pipelines.sources.national_codes import national_codes


@pytest.fixture(scope="module")
def lines() -> pl.DataFrame:
    return read_reference("ref_national_code")


@pytest.fixture(scope="module")
def hs_codes() -> dict[str, dict[str, str | None]]:
    return {row["hs_code"]: row for row in read_reference("ref_hs_material").iter_rows(named=True)}


def named(lines: pl.DataFrame) -> list[dict[str, str | None]]:
    return list(lines.iter_rows(named=True))


def test_codes_have_the_digits_of_their_nomenclature(lines: pl.DataFrame) -> None:
    digits = dict(
        read_reference("ref_national_system").select("national_system", "code_digits").rows()
    )
    for row in named(lines):
        assert len(row["national_code"]) == int(digits[row["national_system"]]), row
        assert row["national_code"].isdigit()


def test_a_line_lies_in_its_hs_code_and_takes_its_stage(lines, hs_codes) -> None:
    for row in named(lines):
        held = hs_codes[row["hs_code"]]
        assert row["national_code"].startswith(row["hs_code"])
        assert row["stage"] == held["stage"], row


def test_elements_are_among_those_of_the_hs_code(lines, hs_codes) -> None:
    for row in named(lines):
        scope = hs_codes[row["hs_code"]]["element_scope"]
        if row["elements"] and scope:
            elements = row["elements"].split(";")
            assert set(elements) <= set(scope.split("|")), row
            assert len(set(elements)) == len(elements)


def test_years_of_a_line_do_not_overlap(lines: pl.DataFrame) -> None:
    for _, rows in lines.group_by("national_system", "national_code"):
        spans = sorted(
            (int(row["valid_from"] or 0), int(row["valid_to"] or 9999)) for row in named(rows)
        )
        assert all(before[1] < after[0] for before, after in pairwise(spans)), rows


@pytest.mark.parametrize(
    ("system", "code", "year", "elements"),
    [
        ("CN8", "28469030", 2024, "Sc"),
        ("CN8", "28469040", 2024, "La"),
        ("CN8", "28469050", 2024, "Pr;Nd;Sm"),
        ("CN8", "28053031", 2023, "Gd;Tb;Dy"),
        ("CN8", "28053030", 2022, "Eu;Gd;Tb;Dy;Ho;Er;Tm;Yb;Lu;Y"),
        ("CN8", "85051110", 2023, "Nd;Pr;Dy;Sm"),
        ("UK8", "28469060", 2026, "Gd;Tb;Dy"),
        ("HTS10", "2805300020", 2025, "Nd"),
        ("HTS10", "8505110050", 2025, "Sm"),
        ("CN_HS8", "28469015", 2010, "Dy"),
        ("CN_HS8", "28053013", 2014, "Tb"),
        ("CN_HS10", "2846901930", 2016, "Gd"),
    ],
)
def test_lines_that_much_hangs_on(
    lines: pl.DataFrame, system: str, code: str, year: int, elements: str
) -> None:
    (row,) = [
        row
        for row in named(lines)
        if (row["national_system"], row["national_code"]) == (system, code)
        and int(row["valid_from"] or 0) <= year <= int(row["valid_to"] or 9999)
    ]
    assert row["elements"] == elements


def test_allocated_codes_hold_nothing_but_rare_earths(hs_codes) -> None:
    rare_earths = set(read_reference("ref_element").get_column("symbol").to_list())
    for code in read_reference("ref_allocated_code").get_column("hs_code"):
        assert set(hs_codes[code]["element_scope"].split("|")) <= rare_earths


def test_lines_that_narrow_a_family_are_lines_of_its_code(lines: pl.DataFrame) -> None:
    held = {(row["national_system"], row["national_code"]): row for row in named(lines)}
    families = dict(read_reference("ref_product_family").select("family_id", "hs_code").rows())
    narrowed = named(read_reference("ref_product_line"))
    assert narrowed
    for row in narrowed:
        line = held[row["national_system"], row["national_code"]]
        assert line["hs_code"] == families[row["family_id"]], row
        # Neodymium-iron-boron cannot be where no neodymium is.
        if line["mapping_quality"] == "none" or line["elements"] == "Sm":
            assert row["share_high"] == "0", row


@pytest.mark.parametrize(
    ("hs_code", "year", "codes"),
    [
        ("850511", 2024, ["85051110", "85051190"]),
        ("850511", 2022, ["85051100"]),
        ("850760", 2024, ["85076000"]),
        ("850760", 2011, []),
        ("850650", 2024, ["85065010", "85065030", "85065090"]),
        ("381511", 2024, ["38151100"]),
        ("381512", 2024, ["38151200"]),
        ("381519", 2024, ["38151910", "38151990"]),
        ("381590", 1996, ["38159000"]),
        ("842132", 2022, ["84213200"]),
    ],
)
def test_comext_is_asked_for_the_lines_of_magnets_batteries_and_catalysts(hs_code, year, codes):
    asked = national_codes(Settings().seeds_dir, "CN8", year=year)
    assert [code for code in asked if code.startswith(hs_code)] == codes
