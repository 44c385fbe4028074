"""Salient statistics and import sources against the agency's own documents."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import Edition
from pipelines.settings import Settings
from pipelines.sources.base import Document, Parsed, parts
from pipelines.sources.usgs_mcs import import_sources, salient
from pipelines.sources.usgs_mcs.layouts import sheets
from starter.writers.usgs_mcs_salient import (
    LONG_HEADER,
    critical_chapters,
    import_source_rows,
    salient_members,
    salient_rows,
)

pytestmark = pytest.mark.reference

TABLES = {**salient.TABLES, **import_sources.TABLES}


def parse(label: str, files: list[Path]) -> Parsed:
    edition = Edition(source_id="usgs_mcs", label=label, citation="a test")
    frames: dict[str, list[pl.DataFrame]] = {}
    for part in parts([Document.of(f) for f in files]):
        for sheet in sheets(part):
            for reader in (salient, import_sources):
                for name, frame in reader.read(edition, sheet).items():
                    frames.setdefault(name, []).append(frame)
    return Parsed.of(TABLES, {n: pl.concat(f, how="diagonal") for n, f in frames.items()})


@pytest.fixture(scope="module")
def editions(reference_data: Path) -> dict[str, Parsed]:
    root = reference_data / "production" / "usgs_mcs"
    files = {
        "2023": [*root.glob("2023/salient/**/*.csv"), *root.glob("2023/salient/**/*.xlsx")],
        "2024": [*root.glob("2024/salient/**/*.csv")],
        "2025": [*root.glob("2025/salient_commodity/*.csv")],
        "2026": [*root.glob("2026/*_commodities_data.csv")],
    }
    return {label: parse(label, sorted(paths)) for label, paths in files.items()}


@pytest.fixture(scope="module")
def together(editions: dict[str, Parsed]) -> pl.DataFrame:
    return pl.concat(
        p.tables[salient.SALIENT].with_columns(pl.lit(label).alias("edition"))
        for label, p in editions.items()
    )


def said(frame: pl.DataFrame, **where: object) -> dict[str, object]:
    found = frame.filter(
        *(pl.col(k).is_null() if v is None else pl.col(k) == v for k, v in where.items())
    )
    assert found.height == 1, found
    return found.row(0, named=True)


def test_all_cells_are_let_in_but_marks_that_a_spreadsheet_made_negative(
    editions: dict[str, Parsed],
) -> None:
    counts = {
        label: (p.tables[salient.SALIENT].height, p.rows_quarantined)
        for label, p in editions.items()
    }
    assert counts == {"2023": (4685, 0), "2024": (4578, 2), "2025": (4753, 2), "2026": (4863, 0)}
    marks = [
        text
        for p in editions.values()
        for text in p.quarantined.get(salient.SALIENT, pl.DataFrame({"value_text": []}))
        .get_column("value_text")
        .to_list()
    ]
    assert marks == ["-4", "-2", "-4", "-4"]


@pytest.mark.parametrize(
    ("edition", "year", "low", "high"),
    [
        ("2024", 2023, 95, 100),
        ("2025", 2023, 95, 100),
        ("2026", 2023, 90, 100),
        ("2025", 2024, 80, 80),
        ("2026", 2024, 53, 53),
        ("2026", 2025, 67, 67),
    ],
)
def test_reliance_on_rare_earth_compounds_and_metals(
    together: pl.DataFrame, edition: str, year: int, low: float, high: float
) -> None:
    row = said(
        together,
        edition=edition,
        commodity_label="Rare Earths",
        statistic="net_import_reliance",
        form_label="compounds and metals",
        reference_year=year,
    )
    assert (row["value_low"], row["value_high"]) == (low, high)


def test_concentrates_are_exported_net(together: pl.DataFrame) -> None:
    concentrates = together.filter(
        pl.col("commodity_label") == "Rare Earths",
        pl.col("statistic") == "net_import_reliance",
        pl.col("form_label") == "mineral concentrates",
        pl.col("reference_year") >= 2020,
    )
    assert concentrates.get_column("value_flag").unique().to_list() == ["net_exporter"]


@pytest.mark.parametrize(
    ("edition", "series", "year", "figure"),
    [
        (
            "2023",
            ("Rare Earths", "production", "mineral concentrates"),
            2021,
            (42000, "metric tons"),
        ),
        ("2024", ("Rare Earths", "production", "compounds and metals"), 2022, (95, "metric tons")),
        ("2025", ("Rare Earths", "imports", "ferrocerium, alloys"), 2024, (220, "metric tons")),
        ("2026", ("Rare Earths", "exports", "ores and compounds"), 2024, (37500, "metric tons")),
        ("2025", ("Rare Earths", "price", "dysprosium oxide"), 2024, (260, "dollars per kilogram")),
        ("2026", ("Dysprosium", "price", "dysprosium oxide"), 2024, (257, "dollars per kilogram")),
        ("2023", ("Cobalt", "production", "mine"), 2021, (650, "metric tons")),
        (
            "2025",
            ("Cobalt", "price", "london metal exchange (lme), cash"),
            2023,
            (15.48, "dollars per pound"),
        ),
        ("2026", ("Cobalt", "consumption", "apparent"), 2025, (9600, "metric tons")),
        ("2024", ("Gallium", "consumption", "reported"), 2022, (19700, "kilograms")),
        ("2024", ("Gallium", "imports", "metal"), 2021, (8890, "kilograms")),
        (
            "2026",
            ("Gallium", "imports", "gallium arsenide wafers (gross weight)"),
            2021,
            (306000, "kilograms"),
        ),
        ("2024", ("Graphite (Natural)", "imports", None), 2022, (89200, "metric tons")),
        ("2026", ("Graphite (Natural)", "price", "flake"), 2024, (1050, "dollars per metric ton")),
        ("2025", ("Germanium", "consumption", "estimated"), 2021, (30000, "kilograms")),
        ("2024", ("Fluorspar", "imports", "acid grade"), 2021, (391, "thousand metric tons")),
        ("2024", ("Fluorspar", "price", "acid grade"), 2021, (322, "dollars per metric ton")),
        ("2024", ("Fluorspar", "net_import_reliance", None), 2021, (100, "percent")),
        ("2025", ("Lead", "production", "primary refinery"), 2021, (0, "thousand metric tons")),
        (
            "2025",
            ("Lead", "imports", "refined metal, unwrought"),
            2021,
            (614, "thousand metric tons"),
        ),
        (
            "2024",
            ("Zirconium and Hafnium", "price", "hafnium, unwrought"),
            2021,
            (781, "dollars per kilogram"),
        ),
        (
            "2025",
            ("Magnesium Metal", "price", "european free market"),
            2021,
            (5011, "dollars per metric ton"),
        ),
        (
            "2026",
            ("Niobium (Columbium)", "shipments", "government stockpile"),
            2021,
            (-1, "metric tons"),
        ),
    ],
)
def test_figures_are_those_of_the_documents(
    together: pl.DataFrame,
    edition: str,
    series: tuple[str, str, str | None],
    year: int,
    figure: tuple[float, str],
) -> None:
    commodity, statistic, form = series
    row = said(
        together,
        edition=edition,
        commodity_label=commodity,
        statistic=statistic,
        form_label=form,
        reference_year=year,
    )
    assert (row["value"], row["unit_label"]) == figure


def test_one_series_has_one_size_in_all_editions(together: pl.DataFrame) -> None:
    """A unit misread or a column taken for another shows as a jump between editions.

    Final figures (two years before an edition and older) are compared, of quantities that were
    seldom revised: a tenth of the pairs may differ by revision, none by a factor of a unit.
    """
    units = pl.read_csv(Settings().seeds_dir / "labels" / "unit__usgs.csv")
    final = (
        together.join(units.select("unit_label", "factor_to_t"), on="unit_label")
        .filter(pl.col("reference_year") < pl.col("edition").cast(pl.Int32) - 2)
        .filter(pl.col("value") > 0)
    )
    key = ["commodity_label", "statistic", "form_label", "reference_year"]
    # Two prices of one form differ by unit only; all others have one figure a year.
    single = final.filter(pl.len().over("edition", *key) == 1)
    pairs = single.join(single, on=key, nulls_equal=True, suffix="_later").filter(
        pl.col("edition") < pl.col("edition_later")
    )
    assert pairs.height > 5000
    is_same_unit = pl.col("unit_label") == pl.col("unit_label_later")
    misnamed = pairs.filter(
        ~is_same_unit & pl.col("factor_to_t").is_null() & (pl.col("value") == pl.col("value_later"))
    )
    assert misnamed.select(key).rows() == []
    sizes = pairs.filter(is_same_unit | pl.col("factor_to_t").is_not_null()).with_columns(
        ratio=(pl.col("value") * pl.col("factor_to_t").fill_null(1.0))
        / (pl.col("value_later") * pl.col("factor_to_t_later").fill_null(1.0))
    )
    jumps = sizes.filter((pl.col("ratio") > 50) | (pl.col("ratio") < 0.02))
    assert jumps.select(*key, "edition", "edition_later").rows() == []
    changed = sizes.filter((pl.col("ratio") > 1.1) | (pl.col("ratio") < 1 / 1.1))
    assert changed.height < 0.1 * sizes.height


def test_every_series_of_a_critical_mineral_has_a_row_in_the_map(together: pl.DataFrame) -> None:
    chapters = together.filter(pl.col("critical_text") == "Yes").select(
        pl.col("chapter_text").str.to_lowercase().alias("chapter")
    )
    critical = together.with_columns(
        pl.coalesce("chapter_text", "commodity_text").str.to_lowercase().alias("chapter")
    ).join(chapters.unique(), on="chapter")
    series = pl.read_csv(
        Settings().seeds_dir / "labels" / "salient_series__usgs_mcs.csv", infer_schema=False
    )
    key = ["commodity_label", "statistic", "form_label"]
    unmapped = critical.filter(pl.col("statistic") != "employment").join(
        series, on=key, how="anti", nulls_equal=True
    )
    assert critical.height > 9000
    assert unmapped.select(key).unique().rows() == []


def test_every_product_of_the_import_sources_has_a_row_in_the_map(
    editions: dict[str, Parsed],
) -> None:
    shares = editions["2026"].tables[import_sources.IMPORT_SOURCES]
    assert shares.height == 720
    series = pl.read_csv(
        Settings().seeds_dir / "labels" / "import_source_series__usgs_mcs.csv", infer_schema=False
    )
    missing = shares.join(series, on=["commodity_label", "detail_text"], how="anti")
    assert missing.is_empty()


def test_shares_of_a_product_add_up(editions: dict[str, Parsed]) -> None:
    shares = editions["2026"].tables[import_sources.IMPORT_SOURCES]
    sums = shares.group_by("commodity_label", "detail_text").agg(
        pl.coalesce("value", "value_low").sum().alias("low"),
        pl.coalesce("value", "value_high").sum().alias("high"),
    )
    assert sums.filter((pl.col("high") < 99) | (pl.col("low") > 101)).is_empty()
    rare_earths = shares.filter(pl.col("commodity_label") == "Rare Earths")
    assert dict(rare_earths.select("country_label", "value").iter_rows()) == {
        "China": 71,
        "Malaysia": 13,
        "Japan": 5,
        "Estonia": 5,
        "Other countries": 6,
    }


SAME = [
    "commodity_label",
    "statistic",
    "form_label",
    "repeat_number",
    "unit_label",
    "reference_year",
    "is_estimated_column",
    "value_text",
    "value",
    "value_low",
    "value_high",
    "value_flag",
]


def same_rows(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    return frame.select(SAME).sort(SAME).rows()


# Cobalt has no column file in 2024: a world table stands in its place.
@pytest.mark.parametrize(("label", "files"), [("2023", 40), ("2024", 39), ("2025", 40)])
def test_column_files_of_the_starter_say_what_the_originals_say(
    editions: dict[str, Parsed], label: str, files: int, tmp_path: Path
) -> None:
    chapters = critical_chapters(editions["2026"])
    members = salient_members(editions[label], chapters, release=f"MCS{label}")
    assert len(members) == files
    for name, content in members.items():
        (tmp_path / name).write_bytes(content)
    again = parse(label, sorted(tmp_path.iterdir()))
    original = editions[label].tables[salient.SALIENT]
    kept = original.filter(pl.col("commodity_text").str.to_lowercase().is_in(chapters))
    assert same_rows(again.tables[salient.SALIENT]) == same_rows(kept)
    places = ["commodity_label", "statistic_text", "reference_year", "row_number", "column_number"]
    assert (
        again.tables[salient.SALIENT]
        .select(places)
        .sort(places)
        .equals(kept.select(places).sort(places))
    )


def test_rows_of_the_long_file_of_the_starter_say_what_the_original_says(
    editions: dict[str, Parsed], tmp_path: Path
) -> None:
    original = editions["2026"]
    chapters = critical_chapters(original)
    rows = [*salient_rows(original, chapters), *import_source_rows(original, chapters)]
    path = tmp_path / "MCS2026_Commodities_Data.csv"
    frame = pl.DataFrame(rows, schema=dict.fromkeys(LONG_HEADER, pl.String))
    path.write_bytes(frame.write_csv(line_terminator="\r\n").encode("cp1252"))
    again = parse("2026", [path])
    in_chapters = pl.col("chapter_text").str.to_lowercase().is_in(chapters)
    kept = original.tables[salient.SALIENT].filter(in_chapters)
    assert same_rows(again.tables[salient.SALIENT]) == same_rows(kept)
    shares = import_sources.IMPORT_SOURCES
    key = ["commodity_label", "detail_text", "country_label", "period_start", "period_end"]
    figures = [*key, "value", "value_low", "value_high", "value_flag"]
    assert (
        again.tables[shares]
        .select(figures)
        .sort(figures)
        .equals(original.tables[shares].filter(in_chapters).select(figures).sort(figures))
    )
    notes = {row["Notes"] for row in rows}
    assert notes == {
        "",
        "Estimated.",
        "Includes Hong Kong.",
        "Estimated. -- Includes Hong Kong.",
    }
