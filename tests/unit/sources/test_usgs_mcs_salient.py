"""Salient statistics and import sources of the Mineral Commodity Summaries."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources.base import Document, Parsed, parts
from pipelines.sources.usgs_mcs import import_sources, salient
from pipelines.sources.usgs_mcs.layouts import sheets
from pipelines.sources.usgs_mcs.salient_grammar import Reading, Vocabulary, read_header, read_line

LONG = (
    "MCS chapter,Section,Commodity,Country,Statistics,Statistics_detail,Unit,Year,Value,Notes,"
    "Is critical mineral 2025,Other notes"
)
TABLES = {**salient.TABLES, **import_sources.TABLES}


def edition(label: str = "2025") -> Edition:
    return Edition(source_id="usgs_mcs", label=label, citation="a test")


def parse(label: str, *files: Path) -> Parsed:
    frames: dict[str, list[pl.DataFrame]] = {}
    rows = 0
    for part in parts([Document.of(f) for f in files]):
        for sheet in sheets(part):
            for reader in (salient, import_sources):
                for name, frame in reader.read(edition(label), sheet).items():
                    frames.setdefault(name, []).append(frame)
                    rows += frame.height
    tables = {n: pl.concat(f, how="diagonal") for n, f in frames.items()}
    parsed = Parsed.of(TABLES, tables)
    assert parsed.rows_out + parsed.rows_quarantined == rows
    return parsed


def columns(
    folder: Path, header: str, *rows: str, name: str = "mcs2025-test_salient.csv", bom: bool = True
) -> Path:
    text = "\r\n".join([f"DataSource,Commodity,Year,{header}", *rows, ""])
    path = folder / name
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())
    return path


def long_file(folder: Path, *rows: tuple[str, ...]) -> Path:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(LONG.split(","))
    writer.writerows(rows)
    path = folder / "MCS2027_Commodities_Data.csv"
    path.write_bytes(buffer.getvalue().encode("cp1252"))
    return path


def line(
    detail: str,
    value: str,
    *,
    chapter: str = "COBALT",
    commodity: str = "Cobalt",
    kind: str = "Production",
    unit: str = "metric tons",
    year: str = "2026",
    note: str = "",
    country: str = "United States",
    section: str = "Salient Statistics—United States",
) -> tuple[str, ...]:
    return (
        chapter, section, commodity, country, kind, detail, unit, year, value, note, "Yes", ""
    )  # fmt: skip


def source(country: str, value: str, *, detail: str = "All", year: str = "2022–25", note: str = ""):
    return (
        "BARITE", "Import Sources", "Barite", country, "Import sources 2022-2025", detail,
        "percent", year, value, note, "Yes", "",
    )  # fmt: skip


def rows(parsed: Parsed, **where: object) -> list[dict[str, object]]:
    frame = parsed.tables[salient.SALIENT]
    return frame.filter(*(pl.col(k).eq_missing(pl.lit(v)) for k, v in where.items())).to_dicts()


def reasons(parsed: Parsed, table: str = salient.SALIENT) -> list[str]:
    frame = parsed.quarantined.get(table)
    return [] if frame is None else sorted(frame.get_column("quarantine_reason").unique())


# --- names of columns --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("commodity", "name", "statistic", "form", "unit"),
    [
        ("Rare Earths", "USprod_Concentrate_t", "production", "mineral concentrates", "t"),
        ("Rare Earths", "USprod_Compounds-Metals_t", "production", "compounds and metals", "t"),
        ("Rare Earths", "NIR_Compounds-Metals_t", "net_import_reliance", "compounds and metals",
         "percent"),
        ("Rare Earths", "NIR_Concentrate_pct", "net_import_reliance", "mineral concentrates",
         "percent"),
        ("Rare Earths", "Employment_", "employment", "mine and mill", "number"),
        ("Rare Earths", "NIR_Concentrate_pc", "net_import_reliance", "mineral concentrates",
         "percent"),
        ("Silicon", "NIR_Si", "net_import_reliance", "silicon metal", "percent"),
        ("Rare Earths", "Employment_m", "employment", "mine and mill", "number"),
        ("Rare Earths", "Price_Nd2O3_dkg", "price", "neodymium oxide", "dollars per kilogram"),
        ("Rare Earths", "Price_Pr6O11_dkg", "price", "praseodymium oxide", "dollars per kilogram"),
        ("Tungsten", "USprod_Minet", "production", "mine", "t"),
        ("Gallium", "Price_High-puritydkg", "price", "high-purity", "dollars per kilogram"),
        ("Phosphate Rock", "Sold_Usedkt", "sales", "", "kt"),
        ("Iron Oxide Pigments", "USprodCrude_t", "production", "crude", "t"),
        ("Iron Oxide Pigments", "SoldFinished_t", "sales", "finished natural and synthetic", "t"),
        ("Bauxite and Alumina", "Bauxite_Consump_Rprtd_kt", "consumption", "reported", "kt"),
        ("Quartz Crystal (Industrial)", "HPQProduction_t", "production", "", "t"),
        ("Quartz Crystal (Industrial)", "CrystalImports, piezoelectric_t", "imports",
         "piezoelectric", "t"),
        ("Platinum-Group Metals", "Exports_Other PGMs_kg", "exports", "other platinum-group metals",
         "kilograms"),
        ("Phosphate Rock", "CASE STATEMENT ERRORSold_Used_kt", "sales", "", "kt"),
        ("Chromium", "CASE STATEMENT ERROROre_dt", "price", "chromite ore (gross weight)",
         "dollars per metric ton"),
        ("Titanium and Titanium Dioxide", "Employment_Sponge_t", "employment", "sponge metal",
         "number"),
        ("Cobalt", "Imports_Nodules_t", "imports", "nodules", "t"),
        ("Cobalt", "usPROD_MINE_KT", "production", "mine", "kt"),
    ],
)  # fmt: skip
def test_names_of_columns_are_read(
    commodity: str, name: str, statistic: str, form: str, unit: str
) -> None:
    names = {"t": "metric tons", "kt": "thousand metric tons"}
    reading = read_header(Vocabulary.load(), commodity, name)
    assert isinstance(reading, Reading)
    assert (reading.statistic, reading.form, reading.fault) == (statistic, form, None)
    assert reading.unit is not None
    assert reading.unit.label == names.get(unit, unit)


def test_the_part_of_a_chapter_in_front_of_a_name_becomes_the_commodity(tmp_path: Path) -> None:
    file = columns(
        tmp_path, "Bauxite_NIR_pct,Alumina_NIR_pct", "MCS2025,Bauxite and Alumina,2023,>75,59"
    )
    parsed = parse("2025", file)
    assert rows(parsed, commodity_label="Bauxite")[0]["value_low"] == 75
    assert rows(parsed, commodity_label="Alumina")[0]["value"] == 59
    assert {r["commodity_text"] for r in rows(parsed)} == {"Bauxite and Alumina"}


@given(st.text(max_size=40))
def test_any_name_is_read_or_refused_with_words(name: str) -> None:
    vocabulary = Vocabulary.load()
    for commodity in ("Cobalt", "Bauxite and Alumina", ""):
        assert isinstance(read_header(vocabulary, commodity, name), Reading | str)
    assert isinstance(read_line(vocabulary, "Cobalt", "Price", name, name), Reading | str)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Smelted_Mine_t", "no known statistic in column 'Smelted_Mine_t'"),
        ("Importe_Mine_t", r"no known statistic in column 'Importe_Mine_t' \(near: import"),
        ("USprod_Mine_lbs", "unit of column 'USprod_Mine_lbs' is not known"),
        ("CASE STATEMENT ERRORt", "no known statistic"),
        ("Notes", "no known statistic in column 'Notes'"),
    ],
)
def test_a_name_that_cannot_be_read_refuses_with_file_and_column(
    tmp_path: Path, name: str, what: str
) -> None:
    file = columns(tmp_path, name, "MCS2027,Cobalt,2026,1")
    with pytest.raises(UnknownLabel, match=what) as refused:
        parse("2027", file)
    assert "mcs2025-test_salient.csv, row 1" in str(refused.value)
    assert "seeds/labels" in str(refused.value)


def test_an_unknown_commodity_refuses_with_the_nearest_name(tmp_path: Path) -> None:
    file = columns(tmp_path, "Imports_t", "MCS2027,Cobolt,2026,1")
    with pytest.raises(UnknownLabel, match=r"unknown commodity 'cobolt'.*near: cobalt"):
        parse("2027", file)


@pytest.mark.parametrize("lost", ["DataSource", "Commodity", "Year"])
def test_a_missing_column_refuses_by_name(tmp_path: Path, lost: str) -> None:
    header = [c for c in ("DataSource", "Commodity", "Year") if c != lost]
    path = tmp_path / "mcs2025-cobal_salient.csv"
    path.write_text(",".join([*header, "Imports_t"]) + "\n2025,Cobalt,1\n")
    sheet = next(iter(sheets(next(parts([Document.of(path)])))))
    if sheet.layout == "other":
        assert salient.read(edition(), sheet) == {}
        return
    with pytest.raises(DocumentUnreadable, match=f"column missing: {lost}"):
        salient.read(edition(), sheet)


# --- values ------------------------------------------------------------------------------------


def test_zero_withheld_and_not_available_stay_apart(tmp_path: Path) -> None:
    file = columns(
        tmp_path,
        "USprod_Mine_t,USprod_Secondary_t,Imports_t,Exports_t,Stocks_Industry_t",
        'MCS2025,Cobalt,2022,0,W,    NA,"7,900",Less than ½ unit.',
        "MCS2025,Cobalt,2023,,12,e3,4,1",
    )
    parsed = parse("2025", file)
    flags = [(r["value_text"], r["value"], r["value_flag"]) for r in rows(parsed)]
    assert flags[0] == ("0", 0.0, "zero")
    assert ("W", None, "withheld") in flags
    assert ("    NA", None, "not_available") in flags
    assert ("7,900", 7900.0, "reported") in flags
    assert ("Less than ½ unit.", None, "below_half_unit") in flags
    assert (None, None, "blank") in flags
    assert ("e3", 3.0, "estimated") in flags


def test_net_exporter_and_bounds_of_reliance(tmp_path: Path) -> None:
    file = columns(
        tmp_path,
        "NIR_Compounds-Metals_t,NIR_Concentrate_t",
        "MCS2025,Rare Earths,2021,>95,E",
        "MCS2025,Rare Earths,2022,<25,40",
    )
    bound, low, net, number = rows(parse("2025", file))
    assert (bound["value"], bound["value_low"], bound["value_high"]) == (None, 95, 100)
    assert (low["value_low"], low["value_high"], low["value_flag"]) == (0, 25, "upper_bound")
    assert (net["value"], net["value_high"], net["value_flag"]) == (None, 0, "net_exporter")
    assert number["value"] == 40
    assert {r["unit_label"] for r in (bound, low, net, number)} == {"percent"}


def test_e_is_a_net_exporter_only_in_reliance(tmp_path: Path) -> None:
    parsed = parse("2025", columns(tmp_path, "Imports_t", "MCS2025,Cobalt,2023,E"))
    assert parsed.rows_out == 0
    assert reasons(parsed) == ["E outside net import reliance"]


def test_the_last_year_is_estimated_and_words_are_not(tmp_path: Path) -> None:
    file = columns(
        tmp_path,
        "Imports_t,Exports_t",
        "MCS2025,Cobalt,2023,9,W",
        "MCS2025,Cobalt,2024,10,W",
        bom=False,
    )
    parsed = parse("2025", file)
    assert [(r["reference_year"], r["value_flag"]) for r in rows(parsed, statistic="imports")] == [
        (2023, "reported"),
        (2024, "estimated"),
    ]
    assert {r["value_flag"] for r in rows(parsed, statistic="exports")} == {"withheld"}
    assert [r["is_estimated_column"] for r in rows(parsed, statistic="exports")] == [False, True]


def test_stocks_of_the_government_may_be_negative_and_imports_may_not(tmp_path: Path) -> None:
    file = columns(tmp_path, "Imports_t,Shipments_Gov_t", "MCS2025,Niobium (Columbium),2020,-4,−88")
    parsed = parse("2025", file)
    (row,) = rows(parsed)
    assert (row["value"], row["value_text"], row["form_label"]) == (
        -88,
        "−88",
        "government stockpile",
    )
    assert reasons(parsed) == ["negative value -4"]


def test_a_bound_in_words_is_in_the_unit_of_its_column(tmp_path: Path) -> None:
    file = columns(
        tmp_path,
        "Imports_mmt,Exports_mmt",
        "MCS2025,Sand and Gravel (Construction),2020,4,Less than 50 000 tons",
        'MCS2025,Sand and Gravel (Construction),2021,4,"Less than 50,000\u00a0tons"',
    )
    parsed = parse("2025", file)
    (row,) = rows(parsed, statistic="exports")
    assert (row["value_flag"], row["value_low"], row["value_high"]) == ("upper_bound", 0, 0.05)
    assert reasons(parsed) == ["unreadable value Less than 50 000 tons"]


@pytest.mark.parametrize(
    ("header", "row", "reason"),
    [
        ("Imports_kg,Consump_g", "1,2", "unit of 'Consump_g' cannot be that of consumption"),
        ("Imports_t,Price_t", "1,2", "unit of 'Price_t' cannot be that of price"),
        ("Imports_dkg,Exports_t", "1,2", "unit of 'Imports_dkg' cannot be that of imports"),
        ("Imports_t,Price_", "1,2", "no unit"),
        ("NIR_pct", "120", "net import reliance of 120 percent"),
        ("Imports_t", "1.2.3", "unreadable value 1.2.3"),
        ("Imports_t", "12 tons", "unreadable value 12 tons"),
    ],
)
def test_figures_that_cannot_be_right_are_quarantined(
    tmp_path: Path, header: str, row: str, reason: str
) -> None:
    parsed = parse("2025", columns(tmp_path, header, f"MCS2025,Cobalt,2023,{row}"))
    assert reasons(parsed) == [reason]


def test_a_quantity_without_a_unit_has_that_of_its_file(tmp_path: Path) -> None:
    file = columns(tmp_path, "Imports_t,Stocks_,Price_dlb", "MCS2025,Tungsten,2023,1,2,3")
    assert rows(parse("2025", file), statistic="stocks")[0]["unit_label"] == "metric tons"


def test_years_that_are_none_and_rows_without_a_commodity_are_quarantined(tmp_path: Path) -> None:
    file = columns(
        tmp_path,
        "Imports_t",
        "MCS2025,Cobalt,2023e,1",
        "MCS2025,Cobalt,recent,1",
        "MCS2025,,2022,1",
        ",,,",
        "See the metadata,,,",
    )
    parsed = parse("2025", file)
    (row,) = rows(parsed)
    assert (row["reference_year"], row["value_flag"]) == (2023, "estimated")
    assert reasons(parsed) == ["no commodity in this row", "no year in recent"]


# --- columns that have moved -------------------------------------------------------------------


def test_figures_below_no_name_make_all_names_unsure(tmp_path: Path) -> None:
    file = columns(
        tmp_path,
        "USprod_Mine_t,Imports_t,",
        "MCS2027,Cobalt,2025, ,1,2",
        "MCS2027,Cobalt,2026, ,1,2",
    )
    parsed = parse("2027", file)
    assert parsed.rows_out == 0
    assert reasons(parsed) == ["columns and names do not line up: a column of figures has no name"]


def test_a_stray_remark_below_no_name_spoils_only_itself(tmp_path: Path) -> None:
    file = columns(
        tmp_path,
        "Imports_t,,",
        "MCS2027,Cobalt,2024,1,,",
        "MCS2027,Cobalt,2025,1,,",
        "MCS2027,Cobalt,2026,1,,see text",
    )
    parsed = parse("2027", file)
    assert parsed.rows_out == 3
    assert reasons(parsed) == ["content in a column without a name"]


def test_listed_columns_hold_for_their_release_only(tmp_path: Path) -> None:
    header = "USprod_Concentrates_kt,Price_LME_ctslb"
    old = parse("2025", columns(tmp_path, header, "MCS2025,Lead,2023,1000,110"))
    new = parse("2027", columns(tmp_path, header, "MCS2027,Lead,2025,300,90"))
    assert [r["form_label"] for r in rows(old)] == [
        "secondary refinery, old scrap",
        "north american",
    ]
    assert [r["form_label"] for r in rows(new)] == [
        "mine, lead in concentrates",
        "london metal exchange (lme), cash",
    ]


def test_equal_names_are_numbered_so_that_no_map_takes_them(tmp_path: Path) -> None:
    file = columns(tmp_path, "Consump_t,Consump_t", "MCS2027,Cobalt,2025,1,2")
    parsed = parse("2027", file)
    assert [r["form_label"] for r in rows(parsed)] == ["[1]", "[2]"]
    assert [r["repeat_number"] for r in rows(parsed)] == [1, 2]


def test_the_same_file_twice_counts_once(tmp_path: Path) -> None:
    first = columns(
        tmp_path, "Imports_t", "MCS2025,Cobalt,2023,1", name="mcs2025-cobal_salient.csv"
    )
    second = columns(
        tmp_path, "Imports_t", "MCS2025,Cobalt,2023,1", name="mcs2025-cobal_salient (1).csv"
    )
    parsed = parse("2025", first, second)
    assert parsed.rows_out == 1
    assert reasons(parsed)[0].startswith("duplicate key")


def test_places_count_the_header_and_padding(tmp_path: Path) -> None:
    file = columns(
        tmp_path, "USprod_Mine_t,,Imports_t,,", ",,,,,,", "MCS2025,Cobalt,2023,1,,2,,", bom=True
    )
    mine, imports = rows(parse("2025", file))
    assert (mine["row_number"], mine["column_number"]) == (3, 4)
    assert (imports["row_number"], imports["column_number"]) == (3, 6)
    assert imports["column_name"] == "Imports_t"


# --- the long file -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("commodity", "kind", "detail", "unit", "said"),
    [
        ("Neodymium", "Price",
         "Price, average, dollars per kilogram: Neodymium oxide, 99.5% minimum",
         "dollars per kilogram", ("neodymium oxide", "dollars per kilogram")),
        ("Erbium", "Price",
         "Price, average, dollars per kilogram: Erbium oxide, 99.5%, minimum",
         "dollars per kilogram", ("erbium oxide", "dollars per kilogram")),
        ("Rare Earths", "Net import reliance",
         "Net import reliance as a percentage of apparent consumption: Mineral concentrates",
         "percent", ("mineral concentrates", "percent")),
        ("Rare Earths", "Consumption", "Consumption, apparent, compounds and metals", "metric tons",
         ("apparent, compounds and metals", "metric tons")),
        ("Rare Earths", "Import", "Imports: Metals: Ferrocerium, alloys", "metric tons",
         ("ferrocerium, alloys", "metric tons")),
        ("Gypsum", "Sold", "Wallboard products sold, million square feet", "thousand metric tons",
         ("wallboard products", "million square feet")),
        ("Manganese", "Price",
         "Price, average, manganese content, China, dollars per metric ton unit",
         "dollars per metric ton", ("manganese content, china", "dollars per metric ton unit")),
        ("Silicon", "Price", "Price, cents per pound of silicon: Ferrosilicon, 75% silicon",
         "cents per pound ", ("ferrosilicon, 75% silicon", "cents per pound")),
        ("Clays", "Production", "Production (sold or used): Kaolin", "thousand metric tons",
         ("kaolin", "thousand metric tons")),
        ("Cobalt", "Stock", "Stocks, yearend: Industry", "metric tons",
         ("industry", "metric tons")),
    ],
)  # fmt: skip
def test_printed_lines_are_read(
    commodity: str, kind: str, detail: str, unit: str, said: tuple[str, str]
) -> None:
    reading = read_line(Vocabulary.load(), commodity, kind, detail, unit)
    assert isinstance(reading, Reading)
    assert reading.unit is not None
    assert (reading.form, reading.unit.label) == said


def test_column_files_and_long_file_meet_in_one_form(tmp_path: Path) -> None:
    old = columns(
        tmp_path,
        "USprod_Mine_t,Consump_Apparent_t,Price_LME_dlb,Stocks_LME_t",
        "MCS2025,Cobalt,2023,1,2,3,4",
    )
    new = long_file(
        tmp_path,
        line("Production: Mine", "1"),
        line("Consumption (includes secondary): Apparent", "2", kind="Consumption"),
        line(
            "Price, average, dollars per pound: London Metal Exchange (LME), cash",
            "3",
            kind="Price",
            unit="dollars per pound",
        ),
        line("Stocks, yearend: LME, U.S. warehouse", "4", kind="Stock"),
    )
    key = ("statistic", "form_label", "unit_label")
    assert [[r[k] for k in key] for r in rows(parse("2025", old))] == [
        [r[k] for k in key] for r in rows(parse("2027", new))
    ]


def test_estimates_and_lost_minus_signs_of_the_long_file(tmp_path: Path) -> None:
    file = long_file(
        tmp_path,
        line("Production: Mine", "1,300", note="Estimated. -- Rounded."),
        line("Production: Mine", "1,400", year="2025", note="Includes estimated content of ores."),
        line("Production: Mine", "—", year="2024"),
        line("Shipments from Government stockpile", "?10", kind="Shipment", year="2024"),
        line("Imports for consumption", "?10", kind="Import", year="2024"),
    )
    parsed = parse("2027", file)
    assert [(r["value"], r["value_flag"]) for r in rows(parsed)] == [
        (1300, "estimated"),
        (1400, "reported"),
        (0, "zero"),
        (-10, "reported"),
    ]
    assert reasons(parsed) == ["unreadable value ?10"]


def test_rows_of_other_areas_and_other_sections_are_not_taken(tmp_path: Path) -> None:
    file = long_file(
        tmp_path,
        line("Production: Mine", "1"),
        line("Production: Mine", "2", country="Canada"),
        line("Production: Mine", "3", section="World Mine Production and Reserves"),
    )
    parsed = parse("2027", file)
    assert parsed.tables[salient.SALIENT].height == 1
    assert reasons(parsed) == ["Canada in the statistics of the United States"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"kind": "Recovery"}, "statistic 'Recovery' is not known"),
        ({"unit": "bushels"}, "unit 'bushels' is not known"),
        ({"commodity": "Cobaltum"}, "unknown commodity 'cobaltum'"),
    ],
)
def test_unknown_words_of_the_long_file_refuse_with_their_row(
    tmp_path: Path, change: dict[str, str], what: str
) -> None:
    file = long_file(tmp_path, line("Production: Mine", "1"), line("Mine", "2", **change))
    with pytest.raises(UnknownLabel, match=what) as refused:
        parse("2027", file)
    assert "row 3" in str(refused.value)


def test_equal_lines_are_kept_apart(tmp_path: Path) -> None:
    file = long_file(
        tmp_path, line("Imports", "1", kind="Import"), line("Imports", "2", kind="Import")
    )
    assert [(r["repeat_number"], r["form_label"]) for r in rows(parse("2027", file))] == [
        (1, "[1]"),
        (2, "[2]"),
    ]


# --- import sources ----------------------------------------------------------------------------


def test_import_sources_have_their_period_and_country(tmp_path: Path) -> None:
    file = long_file(
        tmp_path,
        source("India", "39"),
        source("China", "21", note="Estimated. -- Includes Hong Kong."),
        source("Other countries", "<1"),
        source("Morocco", ">99", detail="Ground", year="2021-2024"),
        source("Peru", "5", detail="Ground", year="2019"),
    )
    frame = parse("2027", file).tables[import_sources.IMPORT_SOURCES]
    found = frame.select("country_label", "value", "value_high", "period_start", "period_end")
    assert found.rows() == [
        ("India", 39, 39, 2022, 2025),
        ("China", 21, 21, 2022, 2025),
        ("Other countries", None, 1, 2022, 2025),
        ("Morocco", None, 100, 2021, 2024),
        ("Peru", 5, 5, 2019, 2019),
    ]
    assert frame.get_column("value_flag").to_list() == [
        "reported",
        "estimated",
        "upper_bound",
        "lower_bound",
        "reported",
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (source("India", "139"), "share of 139 percent"),
        (source("India", "large part"), "unreadable share large part"),
        (source("India", "5", year="2025–22"), "no period in 2025–22"),
        (source("India", "5", year="recent"), "no period in recent"),
        (source("", "5"), "no country in this row"),
    ],
)
def test_shares_that_cannot_be_right_are_quarantined(
    tmp_path: Path, row: tuple[str, ...], reason: str
) -> None:
    parsed = parse("2027", long_file(tmp_path, row))
    assert reasons(parsed, import_sources.IMPORT_SOURCES) == [reason]


def test_an_unknown_country_refuses_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownLabel, match="unknown country 'Atlantis'"):
        parse("2027", long_file(tmp_path, source("Atlantis", "5")))


def test_a_country_named_twice_for_one_product_counts_once(tmp_path: Path) -> None:
    parsed = parse("2027", long_file(tmp_path, source("India", "39"), source("India", "39")))
    assert parsed.rows_out == 1
    assert reasons(parsed, import_sources.IMPORT_SOURCES)[0].startswith("duplicate key")


# --- anything at all ---------------------------------------------------------------------------

CELLS = st.one_of(
    st.sampled_from(
        ["W", "NA", "E", "s", "—", "<25", ">95", "50–300", "1,300", "−4", "?1", "", " "]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6))
def test_any_cells_are_let_in_or_quarantined_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str, str]]
) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(["DataSource", "Commodity", "Year", "Imports_t", "NIR_pct"])
    writer.writerows(("MCS2025", "Cobalt", *row) for row in cells)
    path = tmp_path_factory.mktemp("cells") / "mcs2025-cobal_salient.csv"
    path.write_bytes(buffer.getvalue().encode())
    parsed = parse("2025", path)
    assert parsed.rows_out + parsed.rows_quarantined == 2 * len(cells)
    let_in = parsed.tables[salient.SALIENT]
    assert not let_in.get_column("value_flag").is_in(["unreadable"]).any()
    assert let_in.get_column("reference_year").null_count() == 0
