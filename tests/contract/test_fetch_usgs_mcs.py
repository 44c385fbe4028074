"""Data releases of the USGS are found, brought whole, and told apart by their versions."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalog import Licence, Redistribution, Source, load_catalog
from pipelines.catalog.models import KnownEdition
from pipelines.errors import FetchFailed
from pipelines.sources.fetching import (
    FetchedEdition,
    FetchResult,
    HeldDocument,
    HeldEdition,
    Known,
)
from pipelines.sources.sciencebase import BASE_URL
from pipelines.sources.usgs_mcs.fetch import fetch
from tests.support.asking import ask
from tests.support.server import Answer, Publisher, Request, file

PARENT = "f" * 24
NOTHING = Known()
WORLD = b"Source,Country,Type,Prod_t_2021\r\nMCS2023,Australia,Mine,7\r\n"
SALIENT = b"DataSource,Commodity,Year,USprod_t\r\nMCS2023,Tin,2021,3\r\n"
LONG = b"MCS chapter,Section,Commodity\r\nTin,World,Tin\r\n"


def packed(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


class ScienceBaseDouble:
    """A small ScienceBase: items with children and files, in pages."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.items: dict[str, dict[str, Any]] = {}
        self.parents: dict[str, list[str]] = {}
        self.page_limit = 100
        publisher.routes["/catalog/items"] = self._listing

    def item(self, number: int, title: str, *, parent: str = PARENT, **more: Any) -> str:
        item_id = f"{number:024x}"
        self.items[item_id] = {"id": item_id, "title": title, "files": [], **more}
        self.parents.setdefault(parent, []).append(item_id)
        self.publisher.routes[f"/catalog/item/{item_id}"] = lambda _: _json(self.items[item_id])
        return item_id

    def put(
        self,
        item_id: str,
        name: str,
        body: bytes,
        *,
        listed: dict[str, Any] | None = None,
        is_dead: bool = False,
        facet: bool = False,
    ) -> None:
        path = f"/catalog/file/get/{item_id}/{hashlib.sha256(name.encode()).hexdigest()}"
        entry = {
            "name": name,
            "downloadUri": self.publisher.url(path),
            "size": len(body),
            "checksum": {"type": "MD5", "value": hashlib.md5(body).hexdigest()},  # noqa: S324
        } | (listed or {})
        item = self.items[item_id]
        if facet:
            item.setdefault("facets", []).append({"files": [entry]})
        else:
            item["files"] = [f for f in item["files"] if f["name"] != name] + [entry]
        route = Answer(b"", 404) if is_dead else file(body, etag=f'"{hash(body)}"')
        self.publisher.routes[path] = route

    def _listing(self, request: Request) -> Answer:
        query = request.query
        wanted = set(query["fields"].split(","))
        all_ids = self.parents.get(query["parentId"], [])
        start = int(query["offset"])
        size = min(int(query["max"]), self.page_limit)
        page = [
            {k: v for k, v in self.items[i].items() if k in wanted or (k == "facets")}
            for i in all_ids[start : start + size]
        ]
        answer: dict[str, Any] = {"total": len(all_ids), "items": page}
        if start + size < len(all_ids):
            answer["nextlink"] = {"rel": "next", "url": "https://elsewhere.example/next"}
        return _json(answer)


def _json(value: object) -> Answer:
    return Answer(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as server:
        yield server


@pytest.fixture
def service(publisher: Publisher) -> ScienceBaseDouble:
    return ScienceBaseDouble(publisher)


def source(publisher: Publisher, *editions: KnownEdition) -> Source:
    return Source(
        source_id="usgs_mcs",
        title="t",
        publisher="p",
        homepage="https://example.org",
        cadence="yearly",
        citation="c",
        licence=Licence(name="l", redistribution=Redistribution.YES, attribution="a"),
        hosts=("127.0.0.1",),
        endpoint=publisher.url("/catalog"),
        editions=editions,
    )


def run(
    publisher: Publisher,
    into: Path,
    known: Known = NOTHING,
    *editions: KnownEdition,
    **more: Any,
) -> FetchResult:
    entry = source(publisher, *editions)
    return ask(lambda c: fetch(entry, known, c, into, parent_id=PARENT, **more))


def held(edition: FetchedEdition, **changes: Any) -> HeldEdition:
    """The edition as the archive would remember it."""
    return HeldEdition(
        label=edition.label,
        version=edition.version,
        documents=tuple(
            HeldDocument(
                **(
                    {
                        "name": d.name,
                        "sha256": d.sha256,
                        "url": d.url,
                        "size_bytes": d.size_bytes,
                        "md5": d.md5,
                        "etag": d.etag,
                        "last_modified": d.last_modified,
                    }
                    | changes
                )
            )
            for d in edition.documents
        ),
    )


def release_2023(service: ScienceBaseDouble) -> str:
    item_id = service.item(
        23,
        "U.S. Geological Survey Mineral Commodity Summaries 2023 Data Release",
        dates=[
            {"type": "Publication", "dateString": "2023-01-31"},
            {"type": "lastUpdated", "dateString": "2023-02"},
        ],
        identifiers=[{"type": "DOI", "key": "doi:10.5066/P9WCYUI7"}],
    )
    service.put(item_id, "world.zip", packed("mcs2023-tin_world.csv", WORLD))
    service.put(item_id, "salient.zip", packed("mcs2023-tin_salient.csv", SALIENT))
    service.put(item_id, "Mineral Industry Trends and Salient Statistics.zip", b"not wanted")
    service.put(item_id, "MCS2023_T5_Critical_Minerals_Salient.csv", b"not wanted")
    service.put(item_id, "mcs2023_meta.xml", b"<metadata/>")
    return item_id


def names(edition: FetchedEdition) -> list[str]:
    return [d.name for d in edition.documents]


def test_release_is_brought_with_what_the_publisher_says_of_it(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    item_id = release_2023(service)
    service.item(1, "Yale stocks and flows database")
    service.item(2, "Data on Mineral Commodity Summaries 2023 Data Release users")
    result = run(publisher, tmp_path)
    assert result.source_id == "usgs_mcs"
    assert not result.is_nothing_new
    (edition,) = result.editions
    assert (edition.label, edition.version, edition.published) == ("2023", None, date(2023, 1, 31))
    assert edition.doi == "10.5066/P9WCYUI7"
    assert edition.url == publisher.url(f"/catalog/item/{item_id}")
    assert names(edition) == ["salient.zip", "world.zip"]
    assert edition.replaces is None
    for document in edition.documents:
        assert document.path.is_relative_to(tmp_path)
        assert document.sha256 == hashlib.sha256(document.path.read_bytes()).hexdigest()
    assert result.notes == ()


def test_release_that_is_held_costs_no_download(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    release_2023(service)
    (edition,) = run(publisher, tmp_path / "a").editions
    publisher.requests.clear()
    result = run(publisher, tmp_path / "b", Known((held(edition),)))
    assert result.is_nothing_new
    assert result.unchanged == ("2023",)
    assert [r.path for r in publisher.requests if "/file/" in r.path] == []
    assert not (tmp_path / "b").exists()


def test_without_checksums_the_publisher_is_asked_conditionally(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    item_id = release_2023(service)
    for entry in service.items[item_id]["files"]:
        del entry["checksum"]
    (edition,) = run(publisher, tmp_path / "a").editions
    publisher.requests.clear()
    result = run(publisher, tmp_path / "b", Known((held(edition, md5=None),)))
    assert result.is_nothing_new
    asked = [r for r in publisher.requests if "/file/" in r.path]
    assert len(asked) == 2
    assert all("if-none-match" in r.headers for r in asked)
    assert not any(p.is_file() for p in tmp_path.glob("b/**/*"))


def test_same_bytes_without_any_mark_are_nothing_new(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    release_2023(service)
    (edition,) = run(publisher, tmp_path / "a").editions
    known = Known((held(edition, md5=None, etag=None, last_modified=None),))
    assert run(publisher, tmp_path / "b", known).is_nothing_new


def test_silent_change_of_one_file_brings_the_whole_edition_and_says_what_it_replaces(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    item_id = release_2023(service)
    (edition,) = run(publisher, tmp_path / "a").editions
    service.put(item_id, "world.zip", packed("mcs2023-tin_world.csv", WORLD + b"x"))
    before = held(edition)
    (changed,) = run(publisher, tmp_path / "b", Known((before,))).editions
    assert names(changed) == ["salient.zip", "world.zip"]
    assert changed.replaces == before
    assert changed.documents[0].sha256 == edition.documents[0].sha256
    assert changed.documents[1].sha256 != edition.documents[1].sha256


def test_new_version_is_another_edition(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    item_id = release_2023(service)
    (first,) = run(publisher, tmp_path / "a").editions
    item = service.items[item_id]
    item["title"] += " (ver. 2.0, March 2023)"
    (second,) = run(publisher, tmp_path / "b", Known((held(first),))).editions
    assert (second.label, second.version) == ("2023", "2.0")
    assert second.version_note == "ver. 2.0, March 2023"
    # The date that the item tells is the first version's; no day is made up for the second.
    assert second.published is None
    assert second.replaces is None
    item["dates"].append({"type": "Revised", "dateString": "2023-03-06"})
    (again,) = run(publisher, tmp_path / "c", Known((held(first),))).editions
    assert again.published == date(2023, 3, 6)


@pytest.mark.parametrize(
    ("named", "version"), [("1", "1"), ("1.0", "1.0"), ("2.0", "1.0"), (None, None)]
)
def test_first_version_is_called_what_the_catalogue_calls_it(
    publisher: Publisher,
    service: ScienceBaseDouble,
    tmp_path: Path,
    named: str | None,
    version: str | None,
) -> None:
    release_2023(service)
    known_edition = KnownEdition(label="2023", version=named)
    (edition,) = run(publisher, tmp_path, Known(), known_edition).editions
    assert edition.version == version


def test_reexpressed_documents_do_not_count_as_held(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    release_2023(service)
    (edition,) = run(publisher, tmp_path / "a").editions
    starter = replace(held(edition), is_reexpressed=True)
    (brought,) = run(publisher, tmp_path / "b", Known((starter,))).editions
    assert brought.replaces is None


def test_dead_link_to_a_zip_leads_to_the_children(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    """As the release of 2024 is reported to be: a dead zip, and one child's file without bytes."""
    service.page_limit = 1
    item_id = service.item(
        24, "Mineral Commodity Summaries 2024 Data Release (ver. 2.0, March 2024)"
    )
    service.put(item_id, "world.zip", b"gone", is_dead=True)
    service.put(item_id, "salient.zip", packed("mcs2024-tin_salient.csv", SALIENT))
    for number, slug in enumerate(["tin", "lithi", "germa"]):
        title = f"Mineral Commodity Summaries 2024 - {slug.upper()} Data Release"
        child = service.item(2400 + number, title, parent=item_id)
        body = b"" if slug == "germa" else WORLD + slug.encode()
        service.put(child, f"mcs2024-{slug}_world.csv", body)
        service.put(child, f"mcs2024-{slug}_salient.csv", SALIENT)
        service.put(child, f"mcs2024-{slug}_meta.xml", b"<x/>")
    result = run(publisher, tmp_path / "a")
    (edition,) = result.editions
    assert names(edition) == ["mcs2024-lithi_world.csv", "mcs2024-tin_world.csv", "salient.zip"]
    assert edition.version == "2.0"
    assert any("world" in n and "404" in n for n in result.notes)
    assert "2024: mcs2024-germa_world.csv has no bytes at the publisher" in result.notes
    assert run(publisher, tmp_path / "b", Known((held(edition),))).unchanged == ("2024",)


def test_one_long_file_at_a_child_covers_everything(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    item_id = service.item(26, "Mineral Commodity Summaries 2026 Data Release")
    trends = service.item(261, "Trends", parent=item_id)
    service.put(trends, "MCS2026_T7_Critical_Minerals_Salient.csv", b"not wanted")
    child = service.item(262, "Commodities", parent=item_id)
    service.put(child, "MCS2026_Commodities_Data.csv", LONG, facet=True)
    (edition,) = run(publisher, tmp_path).editions
    assert names(edition) == ["MCS2026_Commodities_Data.csv"]


def test_zip_of_grouped_salient_tables_is_not_taken_for_the_long_file(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    item_id = service.item(
        25, "Mineral Commodity Summaries 2025 Data Release (ver. 2.0, April 2025)"
    )
    service.put(item_id, "Salient_Commodity_Data_Release_Grouped.zip", packed("a.csv", SALIENT))
    service.put(item_id, "World_Data_Release_MCS_2025.zip", packed("a.csv", WORLD))
    service.put(item_id, "MCS2025_World_Data.csv", WORLD)
    (edition,) = run(publisher, tmp_path).editions
    assert names(edition) == [
        "Salient_Commodity_Data_Release_Grouped.zip",
        "World_Data_Release_MCS_2025.zip",
    ]


def test_one_release_that_fails_does_not_hold_up_the_others(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    release_2023(service)
    broken = service.item(27, "Mineral Commodity Summaries 2027 Data Release")
    service.put(broken, "world.zip", WORLD, listed={"size": len(WORLD) + 1})
    service.put(broken, "salient.zip", SALIENT)
    strange = service.item(28, "Mineral Commodity Summaries 2028 Data Release")
    service.put(strange, "everything.parquet", b"PAR1")
    result = run(publisher, tmp_path)
    assert [e.label for e in result.editions] == ["2023"]
    assert [f.label for f in result.failures] == ["2027", "2028"]
    assert "size" in str(result.failures[0].error)
    assert "everything.parquet" in str(result.failures[1].error)
    assert not result.is_nothing_new


def test_names_of_the_publisher_cannot_leave_the_folder(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    item_id = service.item(25, "Mineral Commodity Summaries 2025 Data Release")
    service.put(item_id, "../../../world.csv", WORLD)
    service.put(item_id, "/etc/mcs_salient.csv", SALIENT)
    (edition,) = run(publisher, tmp_path / "into").editions
    assert names(edition) == ["mcs_salient.csv", "world.csv"]
    assert [p.parent for p in tmp_path.rglob("*.csv")] == [tmp_path / "into" / "2025"] * 2


def test_files_elsewhere_are_not_asked_for(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    item_id = release_2023(service)
    stray = {"downloadUri": publisher.url("/x", host="localhost")}
    service.put(item_id, "world.zip", WORLD, listed=stray)
    (failure,) = run(publisher, tmp_path).failures
    assert "localhost is not a host that the catalogue names" in str(failure.error)


def test_years_before_the_first_with_files_are_passed_over(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    release_2023(service)
    service.item(20, "Mineral Commodity Summaries 2020 Data Release")
    assert [e.label for e in run(publisher, tmp_path).editions] == ["2023"]


def test_of_two_items_of_a_year_the_later_version_counts(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    item_id = release_2023(service)
    service.items[item_id]["title"] += " (ver. 2.0, March 2023)"
    service.item(99, "Mineral Commodity Summaries 2023 Data Release")
    result = run(publisher, tmp_path)
    assert [e.version for e in result.editions] == ["2.0"]
    assert result.notes == (f"2023: item {99:024x} is listed as well",)


def test_listing_without_a_release_is_an_error_not_silence(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    service.item(1, "Something else")
    with pytest.raises(FetchFailed, match="none of 1 items"):
        run(publisher, tmp_path)


def test_listing_that_is_cut_short_is_an_error(
    publisher: Publisher, service: ScienceBaseDouble, tmp_path: Path
) -> None:
    release_2023(service)
    publisher.routes["/catalog/items"] = lambda r: _json(
        {"total": 3, "items": [{"id": f"{23:024x}", "title": "Mineral Commodity Summaries 2023"}]}
    )
    with pytest.raises(FetchFailed, match="stops after 1 of 3"):
        run(publisher, tmp_path)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        None,
        "text",
        {"items": None},
        {"items": [1]},
        {"items": [{"id": 1, "title": "x"}]},
        {"items": [{"id": "../../secret", "title": "x"}]},
        {"items": [{"id": "a" * 24}]},
        {"items": [{"id": "a" * 24, "title": "x", "files": [{"name": 3}]}], "total": 1},
    ],
)
def test_answer_of_another_shape_is_an_error_of_ours(
    publisher: Publisher, tmp_path: Path, answer: object
) -> None:
    publisher.routes["/catalog/items"] = _json(answer)
    with pytest.raises(FetchFailed):
        run(publisher, tmp_path)


@pytest.mark.reference
def test_real_listing_of_the_publisher_is_understood(
    publisher: Publisher, tmp_path: Path, reference_data: Path
) -> None:
    listing = reference_data / "production" / "samples" / "sciencebase_parent_listing.json"
    publisher.routes["/catalog/items"] = Answer(
        listing.read_bytes(), headers={"Content-Type": "application/json"}
    )
    result = run(publisher, tmp_path)
    # The items themselves are not there: each release is found, and each fails on its own.
    assert [f.label for f in result.failures] == ["2022", "2023", "2024", "2025", "2026"]
    assert publisher.asked("/catalog/item/65a6e45fd34e5af967a46749")
    assert publisher.asked("/catalog/item/696a75d5d4be0228872d3bf8")


def test_catalogue_admits_the_publisher_s_address() -> None:
    entry = load_catalog().source("usgs_mcs")
    assert entry.endpoint == BASE_URL
    assert BASE_URL.split("/")[2] in entry.hosts
