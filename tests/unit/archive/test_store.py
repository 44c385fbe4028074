"""The store of bytes: once, for good, and checkable."""

from __future__ import annotations

import io
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines.archive.profile import EditionProfile
from pipelines.archive.store import (
    Archive,
    ArchivedEdition,
    ProblemKind,
    StoredDocument,
    content_digest,
)
from pipelines.catalog import Edition, Source
from pipelines.errors import ArchiveDamaged, DocumentUnreadable, EditionRefused, MonaziteError
from tests.support.house import House


@pytest.fixture
def source(house: House) -> Source:
    return house.catalog.source("toy_mine")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def edition(
    label: str = "2026", version: str | None = None, published: date | None = None
) -> Edition:
    return Edition(
        source_id="toy_mine",
        label=label,
        version=version,
        published=published,
        citation="Agency of nowhere",
    )


def put(
    archive: Archive, source: Source, what: Edition, *contents: tuple[str, bytes]
) -> ArchivedEdition:
    documents = [archive.add_document(content, name=name) for name, content in contents]
    final, revision = archive.next_revision(what)
    return archive.accept(
        final,
        documents,
        EditionProfile(reader="r"),
        source=source,
        publisher_version=what.version,
        revision=revision,
    )


def blobs(archive: Archive) -> list[Path]:
    return sorted(p for p in (archive.root / "blobs").rglob("*") if p.is_file())


def test_bytes_are_stored_once_whatever_their_name_and_edition(
    archive: Archive, source: Source
) -> None:
    put(archive, source, edition("2025"), ("a.csv", b"same"), ("b.csv", b"same"))
    put(archive, source, edition("2026"), ("c.csv", b"same"), ("d.csv", b"other"))

    assert len(blobs(archive)) == 2
    assert [len(e.documents) for e in archive.editions()] == [2, 2]
    assert archive.verify() == []


def test_stored_bytes_and_manifests_are_read_only(archive: Archive, source: Source) -> None:
    put(archive, source, edition(), ("a.csv", b"bytes"))

    manifest = next(archive.root.rglob("edition.json"))
    assert [p.stat().st_mode & 0o222 for p in [*blobs(archive), manifest]] == [0, 0]


def test_a_manifest_says_what_was_known_on_the_day(archive: Archive, source: Source) -> None:
    retrieved = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
    document = archive.add_document(
        io.BytesIO(b"bytes"),
        name="a.csv",
        url="https://example.org/a.csv",
        etag='"1"',
        last_modified="Sun, 01 Mar 2026 00:00:00 GMT",
        retrieved_at=retrieved,
    )
    archive.accept(edition(), [document], EditionProfile(), source=source, force_reason="checked")

    held = archive.editions("toy_mine")[0]
    assert held.documents == (document,)
    assert (held.licence, held.title, held.force_reason) == (
        source.licence,
        source.title,
        "checked",
    )
    assert held.documents[0].retrieved_at == retrieved
    assert held.documents[0].size_bytes == 5
    [read] = archive.documents(held)
    assert (read.name, read.path.read_bytes()) == ("a.csv", b"bytes")


def test_editions_are_ordered_by_date_then_label_and_unknown_dates_come_last(
    archive: Archive, source: Source
) -> None:
    for label, day in [
        ("z", None),
        ("b", date(2026, 1, 1)),
        ("a", date(2026, 1, 1)),
        ("c", date(2024, 1, 1)),
    ]:
        put(archive, source, edition(label, published=day), (f"{label}.csv", label.encode()))

    assert [e.edition.label for e in archive.editions()] == ["c", "a", "b", "z"]
    latest = archive.latest("toy_mine")
    assert latest is not None
    assert latest.edition.label == "z"
    assert archive.latest("nothing_held") is None


@pytest.mark.parametrize(
    ("version", "names"), [(None, ["r2", "r3"]), ("2.0", ["2.0.r2", "2.0.r3"])]
)
def test_other_bytes_under_the_same_label_and_version_are_a_revision(
    archive: Archive, source: Source, version: str | None, names: list[str]
) -> None:
    for content in (b"one", b"two", b"three"):
        put(archive, source, edition("2026", version), ("a.csv", content))

    held = archive.editions()
    assert [e.edition.version for e in held] == [version, *names]
    assert [e.revision for e in held] == [1, 2, 3]
    assert {e.publisher_version for e in held} == {version}
    assert {e.base_id for e in held} == {held[0].edition_id}
    assert {e.edition.label for e in held} == {"2026"}


def test_an_accepted_edition_cannot_be_written_over(archive: Archive, source: Source) -> None:
    held = put(archive, source, edition(), ("a.csv", b"one"))
    document = archive.add_document(b"two", name="a.csv")

    with pytest.raises(MonaziteError, match="in the archive already"):
        archive.accept(edition(), [document], EditionProfile(), source=source)
    assert archive.editions() == [held]


def test_an_edition_cannot_name_bytes_that_were_never_brought(
    archive: Archive, source: Source
) -> None:
    ghost = StoredDocument(
        name="a.csv", sha256="0" * 64, size_bytes=1, retrieved_at=datetime.now(UTC)
    )

    with pytest.raises(MonaziteError, match="never brought in"):
        archive.accept(edition(), [ghost], EditionProfile(), source=source)
    assert archive.editions() == []


def test_a_digest_depends_on_names_bytes_label_and_date_only(
    tmp_path: Path, source: Source
) -> None:
    def digest(name: str, what: Edition, *contents: tuple[str, bytes]) -> str:
        archive = Archive(tmp_path / name)
        return archive.digest(put(archive, source, what, *contents))

    one, two = ("a.csv", b"one"), ("b.csv", b"two")
    first = digest("1", edition(), one, two)
    assert digest("2", edition(), two, one) == first
    others = {
        digest("3", edition(), one),
        digest("4", edition(), ("c.csv", b"one"), two),
        digest("5", edition(), ("a.csv", b"two"), ("b.csv", b"one")),
        digest("6", edition("2027"), one, two),
        digest("7", edition(version="2"), one, two),
        digest("8", edition(published=date(2026, 1, 1)), one, two),
    }
    assert len(others | {first}) == 7


def test_what_hashes_to_something_else_is_not_taken_in(archive: Archive) -> None:
    with pytest.raises(DocumentUnreadable, match=r"hashes to .* \[a.csv\]"):
        archive.add_document(b"changed", name="a.csv", sha256="0" * 64)
    assert [p for p in archive.root.rglob("*") if p.is_file() and p.name != ".lock"] == []


def test_a_file_that_cannot_be_read_is_named(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(MonaziteError, match=r"cannot be read.*absent\.csv"):
        archive.add_document(tmp_path / "absent.csv", name="absent.csv")


def test_verify_finds_damaged_missing_and_extra_bytes(archive: Archive, source: Source) -> None:
    put(archive, source, edition(), ("a.csv", b"aaaa"), ("b.csv", b"bbbb"), ("c.csv", b"cccc"))
    by_name = {d.name: archive.path(d.sha256) for d in archive.editions()[0].documents}
    by_name["a.csv"].chmod(0o644)
    by_name["a.csv"].write_bytes(b"aaab")
    by_name["b.csv"].unlink()
    stray = archive.root / "blobs" / "ff" / ("f" * 64)
    stray.parent.mkdir()
    stray.write_bytes(b"stray")

    problems = archive.verify()

    assert {(p.kind, p.where) for p in problems} == {
        (ProblemKind.DAMAGED, str(by_name["a.csv"])),
        (ProblemKind.MISSING, str(by_name["b.csv"])),
        (ProblemKind.EXTRA, str(stray)),
    }
    assert "bytes of a.csv no longer match" in str(next(p for p in problems if "a.csv" in str(p)))
    with pytest.raises(ArchiveDamaged, match=r"import the document again"):
        archive.check(archive.editions()[0])


def test_sound_bytes_take_the_place_of_damaged_ones(archive: Archive, source: Source) -> None:
    put(archive, source, edition(), ("a.csv", b"sound"))
    [blob] = blobs(archive)
    blob.chmod(0o644)
    blob.write_bytes(b"rot")

    archive.add_document(b"sound", name="a.csv")

    assert archive.verify() == []
    assert blob.stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("text", ["", "{", '{"edition": 1}'])
def test_a_manifest_that_cannot_be_read_is_named_and_never_passed_over(
    archive: Archive, source: Source, text: str
) -> None:
    put(archive, source, edition(), ("a.csv", b"one"))
    manifest = next(archive.root.rglob("edition.json"))
    manifest.chmod(0o644)
    manifest.write_text(text)

    with pytest.raises(ArchiveDamaged, match=r"edition\.json"):
        archive.editions()
    assert ProblemKind.MANIFEST in {p.kind for p in archive.verify()}


def test_a_manifest_in_the_folder_of_another_edition_is_damage(
    archive: Archive, source: Source
) -> None:
    put(archive, source, edition(), ("a.csv", b"one"))
    folder = next(archive.root.rglob("edition.json")).parent
    folder.rename(folder.with_name("toy_mine-2031"))

    with pytest.raises(ArchiveDamaged, match="toy_mine-2026, not of this folder"):
        archive.editions()


def test_a_refusal_is_remembered_until_its_label_is_accepted(
    archive: Archive, source: Source
) -> None:
    document = archive.add_document(b"bad", name="a.csv")
    error = EditionRefused("not a table", where="a.csv")
    archive.record_refusal(edition(), [document], error, context="c1", keep=True)
    archive.record_refusal(edition("2025"), [document], error, context="c1")

    refusal = next(r for r in archive.refusals("toy_mine") if r.edition.label == "2026")
    assert (refusal.reason, refusal.kind, refusal.context) == (
        "not a table [a.csv]",
        "EditionRefused",
        "c1",
    )
    assert refusal.digest == content_digest([document])
    assert archive.editions() == []
    assert archive.verify() == []

    put(archive, source, edition(), ("a.csv", b"good"))

    assert [r.edition.label for r in archive.refusals()] == ["2025"]
    assert archive.verify() == []
    assert len(blobs(archive)) == 1


def test_kept_bytes_of_a_refusal_stay_where_an_edition_names_them_too(
    archive: Archive, source: Source
) -> None:
    put(archive, source, edition("2025"), ("a.csv", b"shared"))
    document = archive.add_document(b"shared", name="a.csv")
    archive.record_refusal(
        edition("2026"), [document], EditionRefused("no"), context="c", keep=True
    )

    archive.clear_refusals("toy_mine", "2026")

    assert archive.refusals() == []
    assert archive.verify() == []


def test_a_newer_refusal_of_the_same_label_takes_the_place_of_the_older(archive: Archive) -> None:
    for content in (b"one", b"two"):
        document = archive.add_document(content, name="a.csv")
        archive.record_refusal(edition(), [document], EditionRefused("no"), context="c", keep=True)

    [refusal] = archive.refusals()
    assert refusal.digest == content_digest([document])
    assert [p.read_bytes() for p in blobs(archive)] == [b"two"]


def test_who_waits_too_long_for_another_writer_is_told(archive: Archive) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with archive.lock():
            entered.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert entered.wait(10)
        with (
            pytest.raises(MonaziteError, match="another process has been writing"),
            archive.lock(timeout_seconds=0.05),
        ):
            pytest.fail("two writers at once")
    finally:
        leave.set()
        holder.join()
    with archive.lock(timeout_seconds=0.05), Archive(archive.root).lock(timeout_seconds=0.05):
        pass
