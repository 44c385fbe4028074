"""Hashes that say whether anything changed."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.archive.fingerprint import code_fingerprint, reader_fingerprint, release_id
from pipelines.archive.profile import EditionProfile, RawState, TableProfile
from pipelines.archive.store import Archive
from pipelines.catalog import Edition
from pipelines.errors import UsageError
from pipelines.settings import Settings
from tests.support.house import House


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    folder = tmp_path / "seeds"
    (folder / "labels").mkdir(parents=True)
    (folder / "labels" / "country__toy_mine.csv").write_text("label\nCountry 1\n")
    (folder / "labels" / "country__other.csv").write_text("label\nElsewhere\n")
    (folder / "ref_correction.csv").write_text(
        "correction_id,source_edition_id\nc1,toy_mine-2025\nc2,other-2025\n"
    )
    return folder


def fingerprint(house: House, seeds: Path, source_id: str = "toy_mine") -> str:
    return reader_fingerprint(house.catalog.source(source_id), seeds=seeds)


def test_a_reader_is_told_by_its_code_and_no_others(house: House, seeds: Path) -> None:
    mine, bulk = fingerprint(house, seeds), fingerprint(house, seeds, "toy_bulk")
    assert len(mine) == 16
    assert mine != bulk

    house.change_reader("toy_bulk", "280530", "280519")
    assert fingerprint(house, seeds) == mine
    house.change_reader("toy_mine", "value is unreadable", "value cannot be read")
    assert fingerprint(house, seeds) != mine
    house.change_reader("toy_mine", "value cannot be read", "value is unreadable")
    assert fingerprint(house, seeds) == mine


@pytest.mark.parametrize(
    ("name", "text", "counts"),
    [
        ("labels/country__toy_mine.csv", "label\nCountry 2\n", True),
        ("labels/country__other.csv", "label\nNowhere\n", False),
        ("ref_correction.csv", "correction_id,source_edition_id\nc1,other-2025\n", True),
        (
            "ref_correction.csv",
            "correction_id,source_edition_id\nc1,toy_mine-2025\nc9,other-2026\n",
            False,
        ),
    ],
)
def test_a_reader_is_told_by_its_own_maps_and_corrections(
    house: House, seeds: Path, name: str, text: str, counts: bool
) -> None:
    before = fingerprint(house, seeds)

    (seeds / name).write_text(text)

    assert (fingerprint(house, seeds) != before) is counts


def test_a_map_that_the_code_names_is_part_of_the_reader(house: House, seeds: Path) -> None:
    house.change_reader("toy_mine", "a fault of the reader", "see ref_material")
    (seeds / "ref_material.csv").write_text("material\nNd\n")
    before = fingerprint(house, seeds)

    (seeds / "ref_material.csv").write_text("material\nDy\n")

    assert fingerprint(house, seeds) != before


def test_what_a_reader_imports_is_part_of_it_but_fetching_is_not(house: House, seeds: Path) -> None:
    house.change_reader(
        "toy_mine",
        "from pipelines.sources.tokens import parse_values\n",
        "from pipelines.sources.tokens import parse_values\n"
        "from pipelines.sources import toy_helper, toy_fetch\n",
    )
    helper, fetch = house.readers / "toy_helper.py", house.readers / "toy_fetch.py"
    helper.write_text("WORD = 'one'\n")
    fetch.write_text("URL = 'one'\n")
    before = fingerprint(house, seeds)

    fetch.write_text("URL = 'two'\n")
    assert fingerprint(house, seeds) == before
    helper.write_text("WORD = 'two'\n")
    assert fingerprint(house, seeds) != before


def test_line_ends_and_the_place_of_the_code_do_not_matter(
    house: House, seeds: Path, tmp_path: Path
) -> None:
    before = fingerprint(house, seeds)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(seeds, elsewhere)
    reader = house.readers / "toy_mine.py"
    reader.write_bytes(reader.read_bytes().replace(b"\n", b"\r\n"))

    assert fingerprint(house, elsewhere) == before


def test_a_source_without_a_reader_has_none(house: House, seeds: Path) -> None:
    source = house.catalog.source("toy_mine").model_copy(update={"source_id": "toy_nobody"})

    with pytest.raises(UsageError, match="no reader for source 'toy_nobody'"):
        reader_fingerprint(source, seeds=seeds)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name in ("pipelines/a.py", "assets/b.py", "quality/c.py", "dbt_project/models/d.sql"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"-- {name}\n")
    return root


def test_code_counts_and_what_is_generated_does_not(project: Path, tmp_path: Path) -> None:
    before = code_fingerprint(project)
    for name in ("dbt_project/target/x.sql", "pipelines/__pycache__/a.py", "pipelines/.b.py"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("generated")
    (project / "pipelines" / "notes.txt").write_text("notes")
    assert code_fingerprint(project) == before
    shutil.copytree(project, tmp_path / "copy")
    assert code_fingerprint(tmp_path / "copy") == before

    (project / "dbt_project" / "models" / "d.sql").write_text("select 1\n")
    changed = code_fingerprint(project)
    assert changed != before
    (project / "dbt_project" / "models" / "d.sql").rename(project / "dbt_project" / "d.sql")
    assert code_fingerprint(project) not in {before, changed}


def fill(house: House, content: bytes, *, reader: str = "r1", rows: int = 3) -> None:
    archive = Archive(house.settings.archive_dir)
    edition = Edition(source_id="toy_mine", label="2026", citation="c")
    profile = EditionProfile(reader=reader, tables={"raw_toy_mine__note": TableProfile(rows=rows)})
    if not archive.editions():
        document = archive.add_document(
            content, name="a.csv", retrieved_at=datetime(2026, 1, len(content), tzinfo=UTC)
        )
        archive.accept(edition, [document], profile, source=house.catalog.source("toy_mine"))
    RawState(profile=profile).write(house.settings.raw_dir, edition.edition_id)


def test_a_release_is_told_by_editions_readers_catalogue_and_code(
    house: House, project: Path, tmp_path: Path
) -> None:
    def identity(home: str, content: bytes, **kwargs: object) -> str:
        mine = House(house.folder, Settings(home=tmp_path / home), house.catalog, house.readers)
        fill(mine, content, **kwargs)  # type: ignore[arg-type]
        return release_id(mine.settings, mine.catalog, root=project)

    first = identity("h1", b"one")
    assert len(first) == 12
    assert identity("h1", b"one") == first
    assert identity("h2", b"one") == first
    others = [
        identity("h3", b"three"),
        identity("h1", b"one", reader="r2"),
        identity("h1", b"one", rows=4),
    ]
    fill(house, b"one")
    (project / "pipelines" / "a.py").write_text("changed = 1\n")
    others.append(release_id(house.settings, house.catalog, root=project))
    smaller = house.catalog.model_copy(
        update={"sources": {"toy_mine": house.catalog.source("toy_mine")}}
    )
    others.append(release_id(house.settings, smaller, root=project))
    assert len({first, *others}) == 6


def test_retrieval_times_do_not_make_a_release(house: House, project: Path, tmp_path: Path) -> None:
    identities = set()
    for day in (1, 2):
        settings = Settings(home=tmp_path / f"home{day}")
        archive = Archive(settings.archive_dir)
        document = archive.add_document(
            b"one", name="a.csv", retrieved_at=datetime(2026, 1, day, tzinfo=UTC)
        )
        archive.accept(
            Edition(source_id="toy_mine", label="2026", citation="c"),
            [document],
            EditionProfile(),
            source=house.catalog.source("toy_mine"),
        )
        identities.add(release_id(settings, house.catalog, root=project))
    assert len(identities) == 1


def test_nothing_new_is_told_in_a_moment(house: House) -> None:
    fill(house, b"one")
    release_id(house.settings, house.catalog)
    start = time.perf_counter()
    release_id(house.settings, house.catalog)
    assert time.perf_counter() - start < 1.0  # 0.01 s on two idle cores
