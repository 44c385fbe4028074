"""A house brings its own extract of UN Comtrade: it answers inside, and nothing of it leaves."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from pipelines.publish.reader import open_release
from pipelines.settings import Settings
from tests.support.command import Outcome, monazite, monazite_process

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.slow,
    pytest.mark.reference,
    pytest.mark.xdist_group("comtrade"),
]

EDITION = "un_comtrade-2022"
LARGEST = "select count(*), max(hhi_high), max(row_key) from mart_concentration"
MAGNETS = "hs_code = '850511' and reference_year = 2022"


@dataclass
class House:
    """A warehouse before and after the import."""

    home: Path
    earlier: Path
    imported: Outcome
    reader: duckdb.DuckDBPyConnection
    before: tuple[object, ...]

    @property
    def current(self) -> Path:
        return (self.home / "release" / "current").resolve()


@pytest.fixture(scope="module")
def house(
    starter_home: Path, reference_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    extract = reference_data / "trade" / "comtrade" / "varcolacus" / "comtrade_2022.csv.gz"
    if not extract.is_file():
        pytest.skip(f"no extract of UN Comtrade at {extract}")
    home = tmp_path_factory.mktemp("comtrade") / "home"
    # Stored bytes are never changed, so links will do; Dagster's own files are.
    for folder, copy in (("archive", os.link), ("raw", shutil.copy2), ("release", os.link),
                         ("quarantine", shutil.copy2), ("dagster", shutil.copy2),
                         ("dbt", shutil.copy2)):  # fmt: skip
        if (starter_home / folder).is_dir():
            shutil.copytree(starter_home / folder, home / folder, symlinks=True, copy_function=copy)
    earlier = (home / "release" / "current").resolve()
    with open_release(Settings(home=home)) as reader:
        before = reader.execute(
            "select count(*), max(hhi_high), max(row_key) from mart_concentration"
        ).fetchone()
        imported = monazite("import", "un_comtrade", extract, home=home)
        assert imported.status == 0, imported.err
        done = monazite_process("run", home=home)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        assert before is not None
        yield House(home, earlier, imported, reader, before)


def ask(house: House, sql: str) -> list[dict[str, object]]:
    told = monazite("sql", sql, "--format", "json", home=house.home)
    assert told.status == 0, told.err
    return json.loads(told.out)


def test_the_import_says_what_came_in(house: House) -> None:
    row = house.imported.out.splitlines()[1].split()
    assert row == ["un_comtrade", EDITION, "166,616", "0", "yes"]
    assert "`monazite run` builds a release with it" in house.imported.out


@pytest.mark.parametrize(
    ("importer", "share"), [("DEU", 0.839), ("KOR", 0.877), ("USA", 0.790), ("JPN", 0.273)]
)
def test_share_of_china_as_the_importers_report_it(
    house: House, importer: str, share: float
) -> None:
    [row] = ask(
        house,
        "select sum(trade_value_usd) filter (where partner_iso3 = 'CHN') "
        "/ sum(trade_value_usd) filter (where partner_iso3 = 'WLD') as share, "
        "sum(trade_value_usd) filter (where partner_iso3 = 'CHN') "
        "/ sum(trade_value_usd) filter (where partner_area_type != 'aggregate') as of_partners "
        f"from fct_trade_report where {MAGNETS} and flow = 'import' "
        f"and reporter_iso3 = '{importer}' and source_edition_id = '{EDITION}'",
    )
    assert row["share"] == pytest.approx(share, abs=0.001)
    assert row["of_partners"] == pytest.approx(share, abs=0.001)


def test_china_reports_less_value_and_more_weight_than_japan(house: House) -> None:
    [row] = ask(
        house,
        f"from mart_mirror_gap where {MAGNETS} and exporter_iso3 = 'CHN' "
        "and importer_iso3 = 'JPN' and vintage_id = 'latest'",
    )
    assert row["value_ratio_reported"] == pytest.approx(0.95, abs=0.005)
    assert row["weight_ratio_reported"] == pytest.approx(1.63, abs=0.005)
    assert row["value_ratio_reported"] == pytest.approx(row["x_usd"] / row["m_cif_usd"])
    assert row["weight_ratio_reported"] == pytest.approx(row["x_kg"] / row["m_kg"])


def test_a_gap_is_explained_by_the_rows_of_both_reports(house: House) -> None:
    told = monazite(
        "explain",
        "mart_mirror_gap",
        f"{MAGNETS} and exporter_iso3 = 'CHN' and importer_iso3 = 'JPN'",
        "--format",
        "json",
        home=house.home,
    )
    records = json.loads(told.out)
    assert records
    for record in records:
        assert record["source_edition_id"] == EDITION
        assert record["document_name"] == "comtrade_2022.csv.gz"
        assert len(record["document_sha256"]) == 64
        assert record["row_set_rows"]


# Nothing of it in public/


Place = tuple[duckdb.DuckDBPyConnection, str, dict[str, str]]


def public_places(house: House) -> Iterator[Place]:
    """Every table of the public database and every Parquet file; columns with their types."""
    public = house.current / "public"
    with duckdb.connect(public / "monazite.duckdb", read_only=True) as connection:
        rows = connection.execute("select table_name from duckdb_tables()").fetchall()
        tables = [row[0] for row in rows]
        files = sorted((public / "parquet").glob("*.parquet"))
        assert len(files) >= len(tables) > 10
        for place in [*tables, *(f"read_parquet('{f}')" for f in files)]:
            rows = connection.execute(f"describe from {place}").fetchall()
            yield connection, place, {row[0]: row[1] for row in rows}


def test_no_row_in_public_names_the_source_or_the_edition(house: House) -> None:
    for connection, place, columns in public_places(house):
        texts = [
            f"contains(lower(cast(\"{name}\" as varchar)), 'un_comtrade')"
            for name, kind in columns.items()
            if "VARCHAR" in kind or "STRUCT" in kind
        ]
        found = connection.execute(
            f"select count(*) from {place} where {' or '.join([*texts, 'false'])}"
        ).fetchone()
        assert found == (0,), place


def test_no_figure_of_the_source_is_in_public(house: House) -> None:
    figures = {
        float(row["value"])
        for row in ask(
            house,
            "select unnest([trade_value_usd, net_weight_kg]) as value from fct_trade_report "
            f"where {MAGNETS} and source_edition_id = '{EDITION}' and flow = 'import'",
        )
        # Whole numbers coincide; a large one with a fraction is this publisher's.
        if isinstance(row["value"], float) and row["value"] > 1e5 and row["value"] % 1
    }
    assert len(figures) > 100
    for connection, place, columns in public_places(house):
        for name in (n for n, kind in columns.items() if kind in {"DOUBLE", "FLOAT"}):
            found = connection.execute(
                f'select count(*) from {place} where "{name}" in (select unnest(?))',
                [sorted(figures)],
            ).fetchone()
            assert found == (0,), (place, name)


def test_no_flow_or_gap_that_rests_on_it_is_in_public(house: House) -> None:
    for table in ("fct_trade_report", "fct_trade_flow", "mart_mirror_gap"):
        count = "select count(*) as n from {} where {}"
        where = {
            "fct_trade_report": "source_id = 'un_comtrade'",
            "fct_trade_flow": "flow_source = 'monazite' and reference_year = 2022",
            "mart_mirror_gap": "reference_year = 2022",
        }[table]
        assert ask(house, count.format(table, where))[0]["n"]
        public = monazite("sql", count.format(table, where), "--public", "--format", "csv",
                          home=house.home)  # fmt: skip
        assert public.status == 2 or public.out == "n\n0\n", table


def test_no_document_in_public_names_it(house: House) -> None:
    files = [p for p in (house.current / "public").rglob("*") if p.is_file()]
    texts = [p for p in files if p.suffix not in {".parquet", ".duckdb"}]
    assert {"datapackage.json", "LICENCES.md"} <= {p.name for p in texts}
    for path in texts:
        text = path.read_bytes().lower()
        for word in (b"un_comtrade", b"comtrade_2022", EDITION.encode()):
            assert word not in text, (path, word)
    described = json.loads((house.current / "release.json").read_text())
    assert EDITION in described["editions"]
    assert EDITION not in described["public_editions"]


def test_the_catalogue_entry_stays_inside_too(house: House) -> None:
    """`dim_source` is gated by source: what may not be passed on is not announced either."""
    query = "select source_id from dim_source where source_id = 'un_comtrade'"
    assert ask(house, query) == [{"source_id": "un_comtrade"}]
    assert (
        monazite("sql", query, "--public", "--format", "csv", home=house.home).out == "source_id\n"
    )


# The releases


def test_the_earlier_release_is_kept_and_its_reader_undisturbed(house: House) -> None:
    assert house.current != house.earlier
    assert (house.earlier / "release.json").is_file()
    assert house.reader.execute(LARGEST).fetchone() == house.before
    told = monazite("sql", f"select count(*) as n from fct_trade_report where {MAGNETS} "
                    "and source_id = 'un_comtrade'", "--release", house.earlier.name,
                    "--format", "csv", home=house.home)  # fmt: skip
    assert told.out == "n\n0\n"


def test_what_the_starter_answered_is_answered_the_same(house: House) -> None:
    query = (
        "select row_key, hhi_high, top_supplier from mart_concentration "
        "where scope = 'world_production' order by row_key"
    )
    earlier = monazite("sql", query, "--release", house.earlier.name, "--format", "csv",
                       home=house.home)  # fmt: skip
    assert monazite("sql", query, "--format", "csv", home=house.home).out == earlier.out


def test_status_tells_that_it_is_released(house: House) -> None:
    [row] = [r for r in monazite("status", home=house.home).out.splitlines() if EDITION in r]
    assert row.split()[:3] == ["un_comtrade", EDITION, "unknown"]
    assert " yes " in row


def test_a_second_run_with_nothing_new_makes_no_release(house: House) -> None:
    before = sorted(p.name for p in (house.home / "release").iterdir())
    current = house.current
    made = (current / "release.json").stat().st_mtime_ns

    done = monazite_process("run", home=house.home)

    assert done.returncode == 0, done.stderr.decode()
    assert f"release {current.name} is current, nothing new" in done.stdout.decode()
    assert house.current == current
    assert (current / "release.json").stat().st_mtime_ns == made
    assert sorted(p.name for p in (house.home / "release").iterdir()) == before


def test_the_same_extract_again_brings_nothing_new(house: House, reference_data: Path) -> None:
    extract = reference_data / "trade" / "comtrade" / "varcolacus" / "comtrade_2022.csv.gz"
    told = monazite("import", "un_comtrade", extract, home=house.home)
    assert told.status == 0
    assert f"nothing new: {EDITION} holds these documents already" in told.out
