"""A person brings documents."""

from __future__ import annotations

import os
import zipfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import UsageError
from pipelines.ingest import IngestResult, ingest_documents
from pipelines.ingest.reading import as_read
from pipelines.sources.base import Document
from tests.support.house import PRODUCTION, House


def bring(house: House, *paths: Path, source: str = "toy_mine", **options: object) -> IngestResult:
    return ingest_documents(
        house.settings,
        house.catalog,
        source,
        list(paths),
        **options,  # type: ignore[arg-type]
    )


def test_a_document_becomes_rows_that_name_it(house: House) -> None:
    path = house.document("toy_2025.csv", 3)

    result = bring(house, path)

    assert (result.edition_id, result.rows, result.quarantined, result.changed, result.refused) == (
        "toy_mine-2025-v2.0",
        3,
        0,
        True,
        None,
    )
    rows = house.rows(PRODUCTION)
    assert rows.get_column("value").to_list() == [1.0, 2.0, 3.0]
    assert rows.get_column("source_edition_id").unique().to_list() == ["toy_mine-2025-v2.0"]
    assert rows.get_column("document_sha256").unique().to_list() == [Document.of(path).sha256]
    [held] = house.archive.editions()
    assert held.edition.published == date(2025, 2, 1)
    assert result.digest == house.archive.digest(held)
    assert result.tables == {PRODUCTION: 3, "raw_toy_mine__note": 0}
    assert result.preview[PRODUCTION].height == 3
    assert held.summary.tables[PRODUCTION].columns["value_text"] == 3


def test_rows_in_are_rows_out_and_rows_quarantined(house: House) -> None:
    lines = ["country,commodity,value", *(f"Country {n},tin,{n}" for n in range(8))]
    lines += ["Country 8,tin,about ten", "Country 0,tin,5"]

    result = bring(house, house.write("toy_2025.csv", "\n".join(lines)))

    assert (result.rows, result.quarantined) == (8, 2)
    bad = pl.read_parquet(house.settings.quarantine_dir / PRODUCTION / "toy_mine-2025-v2.0.parquet")
    assert dict(bad.select("row_number", "quarantine_reason").iter_rows()) == {
        10: "value is unreadable",
        11: "duplicate key (country_label, commodity)",
    }


def test_bulk_comes_in_batches_and_unmapped_products_are_counted(house: House) -> None:
    path = house.write("flows.csv", "280530,1\n010101,2\n284690,3\n")

    result = bring(house, path, source="toy_bulk", label="2025")

    assert (result.rows, result.quarantined, result.out_of_scope) == (2, 0, 1)
    assert house.rows("raw_toy_bulk__flow").get_column("hs_code").to_list() == ["280530", "284690"]


def test_the_same_again_brings_nothing_new(house: House) -> None:
    path = house.document("toy_2025.csv")
    bring(house, path)
    before = house.tree()

    again = bring(house, path)

    assert (again.changed, again.refused, again.rows) == (False, None, 40)
    assert house.tree() == before


def test_a_part_of_a_held_edition_under_another_name_brings_nothing_new(house: House) -> None:
    one, two = house.document("toy_2025.csv"), house.write("about_toy_2025.txt", "a note\n")
    bring(house, one, two)
    before = house.tree()
    copy = one.with_name("toy_2025 (1).csv")
    copy.write_bytes(one.read_bytes())

    assert bring(house, copy).changed is False
    assert house.tree() == before


def test_other_bytes_under_the_same_label_are_a_revision_beside_the_first(house: House) -> None:
    bring(house, house.document("toy_2025.csv"))

    result = bring(house, house.document("toy_2025.csv", first=2.0))

    assert (result.edition_id, result.changed) == ("toy_mine-2025-v2.0.r2", True)
    assert [e.revision for e in house.archive.editions()] == [1, 2]
    assert house.rows(PRODUCTION).height == 80
    assert set(house.rows(PRODUCTION).get_column("source_edition_id")) == {
        "toy_mine-2025-v2.0",
        "toy_mine-2025-v2.0.r2",
    }


def test_a_revision_does_not_inherit_the_day_of_the_first(house: House) -> None:
    bring(house, house.document("toy_2025.csv"))

    undated = bring(house, house.document("toy_2025.csv", first=2.0))
    dated = bring(house, house.document("toy_2025.csv", first=3.0), published=date(2025, 6, 1))

    days = {e.edition_id: e.edition.published for e in house.archive.editions()}
    assert days[undated.edition_id] is None
    assert "day of publication unknown" in " ".join(undated.notes)
    assert days[dated.edition_id] == date(2025, 6, 1)


def test_another_label_makes_another_edition_of_a_revision(house: House) -> None:
    bring(house, house.document("toy_2025.csv"))

    result = bring(house, house.document("toy_2025.csv", first=2.0), label="2025 final")

    assert result.edition_id == "toy_mine-2025_final"
    assert house.archive.editions()[-1].revision == 1


def test_a_revision_is_read_under_the_id_that_corrections_name(
    house: House, tmp_path: Path
) -> None:
    base = house.catalog.source("toy_mine").edition("2025")
    revision = base.model_copy(update={"version": "2.0.r2"})
    header = (house.settings.seeds_dir / "ref_correction.csv").read_text().splitlines()[0]
    settings = house.settings.model_copy()
    seeds = tmp_path / "seeds"
    seeds.mkdir()

    class Elsewhere(type(settings)):  # type: ignore[misc]
        @property
        def seeds_dir(self) -> Path:
            return seeds

    elsewhere = Elsewhere(home=tmp_path)
    blank = "," * (header.count(",") - 1)
    (seeds / "ref_correction.csv").write_text(f"{header}\nc1,{base.edition_id}{blank}\n")
    assert as_read(revision, base, elsewhere) == base
    (seeds / "ref_correction.csv").write_text(f"{header}\nc1,{revision.edition_id}{blank}\n")
    assert as_read(revision, base, elsewhere) == revision


def test_without_a_telling_name_the_label_is_of_the_bytes(house: House) -> None:
    one = bring(house, house.document("data.csv"))

    assert one.label.startswith("import-")
    assert len(one.label) == len("import-") + 8
    assert one.notes == ("the file names tell no edition (--edition LABEL)",)
    renamed = house.document("renamed.csv")
    assert bring(house, renamed).changed is False


def test_names_inside_a_zip_tell_the_edition(house: House) -> None:
    inner = house.document("toy_2026.csv")
    path = inner.with_name("world.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, "world/toy_2026.csv")

    assert bring(house, path).edition_id == "toy_mine-2026"
    assert house.rows(PRODUCTION).get_column("document_name")[0] == "world.zip/world/toy_2026.csv"


def test_a_file_that_goes_with_several_series_belongs_to_the_one_beside_it(house: House) -> None:
    source = house.catalog.source("toy_bulk").model_copy(
        update={"edition_patterns": ("(?P<series>hs[0-9]{2})_(?P<v>v[0-9]+)", "_(?P<v>v[0-9]+)")}
    )
    catalog = house.catalog.model_copy(update={"sources": {"toy_bulk": source}})
    paths = [house.write(n, f"280530,{n[-5]}\n") for n in ("hs92_v1.csv", "codes_v1.csv")]

    result = ingest_documents(house.settings, catalog, "toy_bulk", paths)
    assert result.label == "hs92-v1"

    paths.append(house.write("hs22_v1.csv", "280530,3\n"))
    with pytest.raises(UsageError, match=r"several editions: hs22-v1 .*, hs92-v1"):
        ingest_documents(house.settings, catalog, "toy_bulk", paths)


def test_a_folder_stands_for_the_files_below_it(house: House) -> None:
    folder = house.document("world/toy_2025.csv", 4).parent
    house.write("world/more/about.txt", "a note\n")
    house.write("world/.hidden", "not a document")

    result = bring(house, folder)

    assert result.tables == {PRODUCTION: 4, "raw_toy_mine__note": 1}
    assert [d.name for d in house.archive.editions()[0].documents] == [
        "more/about.txt",
        "toy_2025.csv",
    ]


def test_wrong_usage_is_told_before_anything_is_touched(house: House, tmp_path: Path) -> None:
    good = house.document("toy_2025.csv")
    twin = house.document("else/toy_2025.csv", first=9.0)
    other = house.document("toy_2026.csv")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    empty = tmp_path / "empty"
    empty.mkdir()
    for paths, options, message in [
        ([good], {"source": "toy_nobody"}, "no source 'toy_nobody'"),
        ([tmp_path / "absent.csv"], {}, "does not exist"),
        ([pipe], {}, "is not a regular file"),
        ([empty], {}, "holds no file"),
        ([], {}, "no document given"),
        ([good, twin], {}, "two files are named toy_2025.csv"),
        ([good, other], {}, r"several editions: 2025 \(toy_2025.csv\), 2026"),
        ([good], {"label": " ?? "}, "cannot be the label"),
        ([good], {"label": "x" * 81}, "cannot be the label"),
        ([good], {"label": "a\nb"}, "cannot be the label"),
        ([good], {"force_reason": "  "}, "a reason is needed"),
    ]:
        with pytest.raises(UsageError, match=message):
            bring(house, *paths, **options)  # type: ignore[arg-type]
    assert not house.settings.archive_dir.exists() or house.archive.editions() == []
    assert bring(house, good, good).rows == 40


def test_a_label_cannot_lead_out_of_the_archive(house: House) -> None:
    result = bring(house, house.document("data.csv"), label="../../../x/2025")

    assert result.edition_id == "toy_mine-.._.._.._x_2025"
    assert {p.split("/")[0] for p in house.tree()} == {"archive", "raw"}
    assert len(list(house.settings.root.parent.glob("x*"))) == 0


def test_an_edition_that_shrank_is_refused_and_a_person_can_overrule(house: House) -> None:
    bring(house, house.document("toy_2025.csv", 40))
    small = house.document("toy_2026.csv", 10)
    before = house.rows(PRODUCTION)

    refused = bring(house, small)

    assert refused.refused is not None
    assert f"{PRODUCTION}: 40 -> 10 rows (-75 %)" in refused.refused
    assert refused.changed is False
    assert house.rows(PRODUCTION).equals(before)
    assert [r.edition.label for r in house.archive.refusals()] == ["2026"]

    forced = bring(house, small, force_reason="the agency dropped 30 countries")

    assert (forced.changed, forced.rows) == (True, 10)
    assert any("40 -> 10 rows" in note for note in forced.notes)
    assert house.archive.editions()[-1].force_reason == "the agency dropped 30 countries"
    assert house.archive.refusals() == []


def test_an_older_edition_is_let_in_after_a_larger_newer_one(house: House) -> None:
    bring(house, house.document("toy_2026.csv", 40))

    assert bring(house, house.document("toy_2024.csv", 4)).changed is True
    assert bring(house, house.document("toy_2025.csv", 5)).changed is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!DOCTYPE html><html>", "a web page stands where"),
        ("land,ware,wert\n", "header is not country,commodity,value"),
        ("country,commodity,value\nAtlantis,tin,1\n", "unknown country 'Atlantis'"),
        ("country,commodity,value\nCountry 1,tin\n", "the reader of toy_mine failed: IndexError"),
        ("country,commodity,value\nBOOM", r"failed: KeyError: .* \[toy_2025.csv\]"),
        ("country,commodity,value\n", "no row of toy_mine-2025-v2.0 can be let in"),
        ("country,commodity,value\nCountry 1,tin,many\n", "row 2: value is unreadable"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name_and_leaves_nothing(
    house: House, text: str, message: str
) -> None:
    result = bring(house, house.write("toy_2025.csv", text))

    assert result.refused is not None
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(result.refused)
    assert "toy_2025.csv" in result.refused
    assert "\n" not in result.refused
    assert house.archive.editions() == []
    assert [n for n in house.tree() if "toy_2025" in n or "blobs" in n or ".tmp" in n] == []
    if "failed" in result.refused:
        assert result.error is not None
        assert isinstance(result.error.__cause__, KeyError | IndexError)


def test_a_reader_that_breaks_its_promise_is_refused(house: House) -> None:
    path = house.document("toy_2025.csv")
    house.change_reader(
        "toy_mine", '"source_edition_id": edition.edition_id', '"source_edition_id": "other"'
    )
    assert "not of toy_mine-2025-v2.0" in str(bring(house, path).refused)

    house.change_reader(
        "toy_mine", '"source_edition_id": "other"', '"source_edition_id": edition.edition_id'
    )
    house.change_reader(
        "toy_mine", '"document_sha256": part.document.sha256', '"document_sha256": "0"'
    )
    assert "from no document of the edition" in str(bring(house, path).refused)


def test_raw_bytes_depend_on_rows_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.ingest.raw._ROW_GROUP", 4)
    text = "".join(f"280530,{n}\n" for n in range(10))
    files = []
    for label in ("2025", "2026"):
        bring(house, house.write("flows.csv", text), source="toy_bulk", label=label)
        [path] = (house.settings.raw_dir / "raw_toy_bulk__flow").glob(f"*{label}.parquet")
        files.append(pl.read_parquet(path).drop("source_edition_id"))
    assert files[0].equals(files[1])
    assert files[0].get_column("value_kusd").to_list() == [float(n) for n in range(10)]
