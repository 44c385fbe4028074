"""What an analyst types, and what a careless or hostile one does, on the starter's release."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.command import Outcome, monazite, monazite_process

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("starter")]

Run = Callable[..., Outcome]
WORLD = (
    "material = 'REE_total' and stage = 'mine' and scope = 'world_production' and "
    "geo_iso3 = 'WLD' and reference_year = 2024 and vintage_id = 'latest'"
)
IMPORTS = (
    "material = 'ree_compounds' and scope = 'import_sources' and geo_iso3 = 'JPN' and "
    "reference_year = 2023 and basis = 'usd' and vintage_id = 'latest'"
)
SHA256 = re.compile(r"\b[0-9a-f]{64}\b")


@pytest.fixture
def run(starter_home: Path) -> Run:
    return lambda *words, **more: monazite(*words, home=starter_home, **more)


# sql


def test_csv_json_and_table_tell_the_same(run: Run) -> None:
    query = (
        "select geo_iso3, reference_year, hhi_high, top_supplier from mart_concentration "
        f"where {WORLD}"
    )
    [from_csv] = csv.DictReader(io.StringIO(run("sql", query, "--format", "csv").out))
    [from_json] = json.loads(run("sql", query, "--format", "json").out)
    header, row, count = run("sql", query).out.splitlines()

    assert from_json["hhi_high"] == pytest.approx(0.519243, abs=1e-5)
    assert float(from_csv["hhi_high"]) == from_json["hhi_high"]
    assert (from_csv["geo_iso3"], from_json["geo_iso3"]) == ("WLD", "WLD")
    assert header.split() == list(from_json)
    assert row.split() == ["WLD", "2024", repr(from_json["hhi_high"]), "CHN"]
    assert count == "(1 row)"


def test_parquet_goes_to_a_file_and_the_suffix_tells_the_form(run: Run, tmp_path: Path) -> None:
    query = "select material, material_kind from dim_material order by 1"
    for words in (["--format", "parquet"], []):
        out = tmp_path / f"materials{len(words)}.parquet"
        told = run("sql", query, *words, "--out", out)
        assert (told.status, told.out) == (0, "")
        assert pq.read_table(out).column_names == ["material", "material_kind"]
        assert told.err == f"{pq.read_table(out).num_rows} rows written to {out}\n"
    run("sql", query, "--out", tmp_path / "x.json")
    run("sql", query, "--out", tmp_path / "x.csv")
    rows = json.loads((tmp_path / "x.json").read_text())
    assert rows == list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text())))
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_query_comes_from_standard_input(run: Run) -> None:
    told = run("sql", "-", "--format", "csv", stdin="-- a comment\nselect 'Ünïcode' as t;\n")
    assert (told.status, told.out) == (0, "t\nÜnïcode\n")


def test_a_query_may_begin_with_a_comment(run: Run) -> None:
    assert run("sql", "-- first\nselect 1 as a", "--format", "csv").out == "a\n1\n"


@pytest.mark.parametrize(
    "query",
    [
        "drop table dim_material",
        "insert into dim_material values ('x')",
        "update dim_material set material = 'x'",
        "delete from mart_concentration",
        "create table x as select 1",
        "attach 'stolen.duckdb' as x",
        "copy dim_material to 'stolen.csv'",
        "export database 'stolen'",
        "select 1; drop table dim_material",
        "from read_csv('/etc/passwd')",
        "from read_text('/etc/passwd')",
        "from read_parquet('/etc/passwd')",
        "from '/etc/passwd'",
        "from glob('/etc/*')",
        "from 'http://127.0.0.1:9/x.csv'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "pragma import_database('/tmp')",
        "select getenv('HOME')",
        "call enable_logging()",
    ],
)
def test_a_release_is_only_read(
    run: Run, starter_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.chdir(tmp_path)
    database = starter_home / "release" / "current" / "monazite.duckdb"
    before = (database.stat().st_mtime_ns, database.stat().st_size)

    told = run("sql", query)

    assert told.status == 2
    assert told.out == ""
    assert told.line
    assert (database.stat().st_mtime_ns, database.stat().st_size) == before
    assert list(tmp_path.iterdir()) == []


def test_the_public_file_answers_with_public(run: Run) -> None:
    query = "select file from (select path as file from duckdb_databases() where path is not null)"
    inside = run("sql", query, "--format", "csv").out
    public = run("sql", query, "--format", "csv", "--public").out
    assert "/public/" not in inside
    assert "/public/monazite.duckdb" in public
    assert run("sql", "select count(*) from mart_concentration", "--public").status == 0


def test_an_older_release_is_asked_by_its_id(run: Run, starter_home: Path) -> None:
    current = (starter_home / "release" / "current").resolve().name
    assert run("sql", "select 1 as a", "--release", current).status == 0
    for wrong in ("000000000000", "../../etc", ""):
        told = run("sql", "select 1", "--release", wrong)
        assert told.status == 2
        assert current in told.line


def test_an_error_in_the_sql_is_one_line(run: Run) -> None:
    told = run("sql", "select hhi_hihg\nfrom mart_concentration")
    assert told.status == 2
    assert 'Referenced column "hhi_hihg" not found' in told.line


# explain


def test_explain_reads_well_in_120_columns(run: Run) -> None:
    told = run("explain", "mart_concentration", WORLD)
    lines = told.out.splitlines()

    assert told.status == 0
    assert max(len(line) for line in lines if "https://" not in line) <= 120
    assert lines[0] == ("mart_concentration  REE_total|mine|world_production|WLD|2024|reo_t|latest")
    assert "hhi_high 0.519243" in told.out
    cells = [line.split() for line in lines if line.lstrip().startswith("supplier")]
    assert cells[0][:4] == ["supplier", "CHN", "270,000", "estimated"]
    assert ["supplier", "AUS", "29,000"] in [cell[:3] for cell in cells]
    assert any("Other countries" in line for line in lines)
    assert all(re.search(r"\[1\] row \d+, column \d+", line) for line in lines if "CHN   " in line)
    after = told.out[told.out.index("documents") :]
    assert "[1] MCS2026_Commodities_Data.csv, usgs_mcs-2026-v1.0, published 2026-02-06" in after
    assert "https://www.sciencebase.gov/catalog/item/" in after
    assert len(SHA256.findall(after)) == 2  # its own and the original's


def test_explain_tells_flows_by_set_and_document(run: Run) -> None:
    told = run("explain", "mart_concentration", IMPORTS).out
    assert "flows: 37 rows in [1] where flow_source = 'baci'" in told
    assert "CHN to JPN, 284690, 211,884,162 USD, 3,902,027 kg, row " in " ".join(told.split())
    assert "BACI_HS92_Y2023_V202601.csv" in told
    assert "https://www.cepii.fr/" in told
    assert SHA256.search(told)


def test_explain_as_csv_and_json_names_document_place_url_and_hash(run: Run) -> None:
    records = json.loads(run("explain", "mart_concentration", WORLD, "--format", "json").out)
    rows = list(
        csv.DictReader(
            io.StringIO(run("explain", "mart_concentration", WORLD, "--format", "csv").out)
        )
    )

    assert len(records) == len(rows) == 17
    for record in records:
        assert record["mart"] == "mart_concentration"
        assert record["document_name"] == "MCS2026_Commodities_Data.csv"
        assert record["row_number"] > 1
        assert record["url"].startswith("https://")
        assert SHA256.fullmatch(record["document_sha256"])
        assert record["value_flag"] in {"reported", "estimated", "zero"}
    assert {r["country"] for r in records} >= {"CHN", "USA", "AUS", "MMR", "CAN"}
    assert [r["value_text"] for r in rows] == [r["value_text"] for r in records]


def test_explain_follows_a_revision_to_both_editions(run: Run) -> None:
    where = (
        "metric = 'net_import_reliance' and material = 'REE_total' and stage = 'refining' and "
        "reference_year = 2024 and vintage_from = '2025-12-31' and vintage_to = 'latest'"
    )
    told = run("explain", "mart_revision_diff", where)
    assert "usgs_mcs-2025-v2.0" in told.out
    assert "usgs_mcs-2026-v1.0" in told.out
    assert re.search(r"earlier +USA +80 ", told.out)
    assert re.search(r"later +USA +53 ", told.out)


def test_explain_says_how_many_rows_it_left_out(run: Run) -> None:
    told = run("explain", "mart_concentration", "material = 'Nd'", "--limit", "2")
    assert told.status == 0
    assert told.out.count("mart_concentration  Nd|") == 2
    assert re.search(r"^2 of \d+ rows are explained; --limit says how many\n$", told.err)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mart_concentrations"], "did you mean mart_concentration?"),
        (["dim_material"], "no mart 'dim_material'"),
        (["mart_concentration; drop table x"], "no mart"),
        (["mart_concentration", "materil = 'Nd'"], 'Referenced column "materil" not found'),
        (["mart_concentration", "material = 'Nd'; drop table dim_material"], "condition cannot"),
        (["mart_concentration", "1 = 1) or (exists(from read_csv('/etc/passwd'))"], "condition"),
        (["mart_concentration", "exists(from read_csv('/etc/passwd'))"], "condition"),
        (["mart_concentration", ""], "the condition is empty"),
        (["mart_concentration", "material = 'Xx'"], "no row of mart_concentration meets"),
        (["mart_concentration", "true", "--limit", "0"], "Must be >= 1"),
        (["mart_concentration", "true", "--format", "parquet"], "Choose from"),
    ],
)
def test_explain_refuses_in_one_line(run: Run, words: list[str], told: str) -> None:
    outcome = run("explain", *words)
    assert (outcome.status, outcome.out) == (2, "")
    assert told in outcome.line


# diff


def test_diff_shows_metrics_and_cells(run: Run) -> None:
    told = run("diff", "2025-12-31", "latest", "--material", "REE_total")
    rows = [line for line in told.out.splitlines() if line.startswith("hhi_high ")]
    [row] = [r for r in rows if " mine " in r and " 2024 " in r and " reo_t " in r]
    assert "0.492362" in row
    assert "0.519243" in row
    assert "AUS 13,000 > 29,000" in row
    assert max(len(line) for line in told.out.splitlines()) <= 200

    records = json.loads(
        run("diff", "2025-12-31", "latest", "--material", "REE_total", "--format", "json").out
    )
    [record] = [
        r
        for r in records
        if (r["metric"], r["stage"], r["reference_year"], r["basis"])
        == ("hhi_high", "mine", 2024, "reo_t")
    ]
    cells = {c["country_iso3"]: (c["value_from"], c["value_to"]) for c in record["driver_cells"]}
    assert cells["THA"] == (13000, 2100)
    assert cells["NGA"] == (13000, 1500)
    assert all(c["cell_id_from"] and c["cell_id_to"] for c in record["driver_cells"])
    assert record["delta"] == pytest.approx(record["value_to"] - record["value_from"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["2020-12-31", "latest"], "no vintage '2020-12-31'; choose of"),
        (["2025-12-31", "newest"], "no vintage 'newest'"),
        (["latest", "2025-12-31"], "latest is not earlier than 2025-12-31"),
        (["latest", "latest"], "latest is not earlier than latest"),
        (["2025-12-31", "latest", "--material", "nd"], "did you mean Nd?"),
        (["2025-12-31", "latest", "--material", "unobtainium"], "no material 'unobtainium'"),
        (["2025-12-31"], "requires an argument"),
    ],
)
def test_diff_refuses_in_one_line(run: Run, words: list[str], told: str) -> None:
    outcome = run("diff", *words)
    assert (outcome.status, outcome.out) == (2, "")
    assert told in outcome.line


# status and verify


def test_status_tells_editions_freshness_and_release_whole(run: Run, starter_home: Path) -> None:
    told = run("status")
    header, *lines = told.out.splitlines()
    assert told.status == 0
    assert header.split()[:4] == ["source", "edition", "published", "retrieved"]
    [row] = [line for line in lines if " usgs_mcs-2026-v1.0 " in line]
    assert row.split()[2] == "2026-02-06"
    assert " yes " in row
    assert any(line.startswith("un_comtrade") and " none " in line for line in lines)
    assert "…" not in told.out  # a pipe has room for all
    current = (starter_home / "release" / "current").resolve().name
    assert f"release: {current}, " in told.out
    assert f"home: {starter_home.resolve()}" in told.out


def test_status_and_verify_of_an_empty_warehouse_say_where_to_begin(tmp_path: Path) -> None:
    home = tmp_path / "new"
    told = monazite("status", home=home)
    assert told.status == 0
    assert "release: none yet; `monazite run` makes one" in told.out
    told = monazite("verify", home=home)
    assert told.status == 0
    assert "nothing is held yet" in told.out
    assert not home.exists()  # asking leaves nothing behind


def test_questions_to_an_empty_warehouse_name_the_remedy(tmp_path: Path) -> None:
    for words in (["sql", "select 1"], ["explain", "mart_concentration"], ["diff", "a", "b"]):
        told = monazite(*words, home=tmp_path)
        assert told.status == 2
        assert "there is no release yet" in told.line
        assert "`monazite run`" in told.line


def test_verify_hashes_everything_and_runs_the_checks_again(run: Run) -> None:
    told = run("verify")
    assert told.status == 0, told.out + told.err
    found = re.search(
        r"whole: (\d+) editions .*, (\d+) releases?; (\d+) checks run again", told.out
    )
    assert found, told.out
    assert min(int(number) for number in found.groups()) >= 1


@pytest.fixture
def copied(starter_home: Path, tmp_path: Path) -> Path:
    """Archive and releases of the starter, as links: damage means to put another file there."""
    home = tmp_path / "home"
    for folder in ("archive", "release"):
        shutil.copytree(starter_home / folder, home / folder, symlinks=True, copy_function=os.link)
    return home


def replace_bytes(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def test_verify_names_what_is_damaged(copied: Path) -> None:
    blob = max(p for p in (copied / "archive" / "blobs").rglob("*") if p.is_file())
    replace_bytes(blob, b"other bytes")
    parquet = next((copied / "release" / "current" / "public" / "parquet").glob("dim_*.parquet"))
    replace_bytes(parquet, b"PAR1")
    (copied / "release" / "current" / "public" / "datapackage.json").unlink()

    told = monazite("verify", home=copied)

    assert told.status == 1
    assert str(blob) in told.out
    assert parquet.name in told.out
    assert "datapackage.json: is missing" in told.out
    assert "problems found" in told.line
    assert "run `monazite run`" in told.line


def test_bytes_that_no_edition_names_are_noted_and_no_damage(copied: Path) -> None:
    shutil.rmtree(copied / "release")
    stray = copied / "archive" / "blobs" / "ab" / ("ab" + "0" * 62)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"left by a crash")

    told = monazite("verify", home=copied)

    assert told.status == 0, told.err
    assert f"note: bytes that no edition names [{stray}]" in told.out
    assert "whole: " in told.out


def test_verify_finds_a_release_that_is_gone(copied: Path) -> None:
    current = copied / "release" / "current"
    target = current.resolve()
    for path in sorted((copied / "release").iterdir()):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
    told = monazite("verify", home=copied)
    assert told.status == 1
    assert f"leads to {target.name}, which is not there" in told.out
    assert monazite("status", home=copied).status == 0


# Wrong usage


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sqll", "select 1"], 'Did you mean "sql"?'),
        (["--nonsense"], "monazite --help"),
        (["sql"], "requires an argument"),
        (["sql", "select 1", "select 2"], "too much: select 2"),
        (["sql", "select 1", "--formt", "csv"], "--format"),
        (["sql", "select 1", "--format", "xlsx"], '"table", "csv", "json", "parquet"'),
        (["sql", "select 1", "--format"], "requires an argument"),
        (["run", "--as-of", "31.12.2025"], "write it as 2025-12-31"),
        (["run", "--source", "usgs"], "choose one of bgs_wms"),
        (["status", "usgs_mcs"], "too much: usgs_mcs"),
        (["import"], "requires an argument"),
        (["import", "usgs_mcs"], "requires an argument"),
        (["import", "usgs", "x.csv"], "no source 'usgs'"),
        (["import", "usgs_mcs", "nowhere.csv"], "the file does not exist [nowhere.csv]"),
        (["ui", "--port", "99999"], "Must be <= 65535"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(tmp_path: Path, words: list[str], told: str) -> None:
    outcome = monazite(*words, home=tmp_path / "unused")
    assert outcome.status == 2
    assert told in outcome.line
    assert not (tmp_path / "unused").exists()


def test_settings_that_cannot_be_are_wrong_usage(tmp_path: Path) -> None:
    told = monazite("status", home=tmp_path, MONAZITE_THREADS="many")
    assert told.status == 2
    assert "setting threads cannot be 'many'" in told.line
    assert "MONAZITE_THREADS" in told.line


def test_a_home_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a-file"
    file.write_text("not a folder")
    for words in (["run"], ["import", "usgs_mcs", str(file)]):
        told = monazite(*words, home=file / "home")
        assert told.status == 1
        assert "cannot write" in told.line


def test_a_fault_of_ours_is_one_line_without_debug(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise KeyError("planted\nfault")

    monkeypatch.setattr("pipelines.commands.hold.show_status", fail)
    told = run("status")
    assert (told.status, len(told.err.splitlines())) == (1, 1)
    assert "planted" in told.err
    assert "--debug" in told.err
    told = run("status", "--debug")
    assert "Traceback" in told.err
    assert told.status == 1


def test_debug_shows_the_traceback_of_a_refusal(run: Run) -> None:
    told = run("sql", "select nothing", "--debug")
    assert told.status == 2
    assert "Traceback" in told.err
    assert told.err.splitlines()[-1].startswith("monazite: ")


# Help


def test_help_names_every_command_and_the_version_is_ours(run: Run) -> None:
    told = run("--help")
    assert told.status == 0
    for command in (
        "run", "import", "sql", "explain", "diff", "status", "verify", "ui", "emulate",
    ):  # fmt: skip
        assert re.search(rf"^│ {command} ", told.out, re.MULTILINE), command
        assert run(command, "--help").status == 0
    assert "MONAZITE_HOME" in told.out
    assert "--debug" in told.out
    assert run("--version").out.strip() == version("monazite")
    assert run().out == told.out


# In a process of its own


def test_a_reader_that_leaves_early_is_no_error(starter_home: Path) -> None:
    tool = Path(sys.executable).with_name("monazite")
    for words in (
        "explain mart_concentration \"material = 'Nd'\"",
        "status",
    ):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; '{tool}' {words} | head -n 1"],
            env={**os.environ, "MONAZITE_HOME": str(starter_home)},
            capture_output=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, b""), words
        assert done.stdout.count(b"\n") == 1


def test_pipes_carry_bytes_as_they_are(starter_home: Path) -> None:
    done = monazite_process(
        "sql", "-", "--format", "json", home=starter_home, stdin=b"select 'M\xc3\xa9' a"
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == [{"a": "Mé"}]
    done = monazite_process("sql", "select 1 as a", "--format", "parquet", home=starter_home)
    assert done.returncode == 0
    assert pq.read_table(io.BytesIO(done.stdout)).to_pylist() == [{"a": 1}]


def test_a_plain_ascii_terminal_gets_an_answer(starter_home: Path) -> None:
    words = ("explain", "mart_concentration", WORLD)
    done = monazite_process(*words, home=starter_home, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "—".encode() in done.stdout


def test_words_that_are_no_text_are_told_in_one_line(run: Run) -> None:
    told = run("explain", "mart_\udcff\x1b[31m\nx")
    assert told.status == 2
    assert told.line
