"""UN Comtrade asked over real sockets, night after night, by the real door into a real archive."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from pydantic import SecretStr
from starlette.responses import HTMLResponse, JSONResponse, Response

from pipelines.archive.store import Archive
from pipelines.catalog import Source, load_catalog
from pipelines.errors import FetchFailed, UsageError
from pipelines.ingest import IngestResult, ingest_documents, ingest_fetched, known
from pipelines.settings import Settings
from pipelines.sources.allowance import Allowance
from pipelines.sources.fetching import FetchResult
from pipelines.sources.http import ApiKey, PublisherClient
from pipelines.sources.un_comtrade import TRADE
from pipelines.sources.un_comtrade.fetch import fetch
from tests.emulator.app import Asked, Emulator
from tests.emulator.publishers.un_comtrade import CODES, FLOWS, REPORTERS, too_fast
from tests.emulator.serving import serving
from tests.support.asking import quick

KEY = "planted0f00dfeedf00dfeedf00dfeed"
HEADER = "Ocp-Apim-Subscription-Key"
HOST = "comtradeapi.un.org"
TODAY = date(2026, 11, 25)
Clean = Callable[..., "House"]
#: Everything that makes a row, but where it stands.
PLACE = ["source_edition_id", "document_name", "document_sha256", "row_number"]


@dataclass
class House:
    """A warehouse that asks the emulator."""

    settings: Settings
    emulator: Emulator
    mirror: str
    results: list[IngestResult] = field(default_factory=list)
    now: datetime = datetime(2026, 11, 25, 2, tzinfo=UTC)

    @property
    def world(self) -> dict[str, Any]:
        return self.emulator.world["un_comtrade"]

    @property
    def source(self) -> Source:
        return load_catalog().source("un_comtrade")

    def night(
        self, *, key: str | None = KEY, per_day: int | None = None, **options: Any
    ) -> FetchResult:
        """Ask, and let in what came. The clock goes on by a day."""
        self.emulator.requests.clear()
        state = self.settings.fetch_dir / "un_comtrade"
        allowance = Allowance(state / "requests.json", per_day, now=lambda: self.now)
        keys = [ApiKey(host=HOST, header=HEADER, value=SecretStr(key))] if key else []

        async def run() -> FetchResult:
            async with PublisherClient.for_source(
                self.source, settings=quick(mirror=self.mirror), keys=keys, allowance=allowance
            ) as client:
                return await fetch(
                    self.source,
                    known(self.settings, "un_comtrade"),
                    client,
                    self.settings.root / "incoming",
                    **{
                        "seeds_dir": self.settings.seeds_dir,
                        "state_dir": state,
                        "today": TODAY,
                        "years": [2024],
                        "frequencies": ["A"],
                        **options,
                    },
                )

        fetched = asyncio.run(run())
        self.results = ingest_fetched(self.settings, load_catalog(), fetched)
        self.now = self.now.replace(day=self.now.day + 1)
        return fetched

    def data_requests(self) -> list[Asked]:
        return [r for r in self.emulator.asked(HOST) if "/getDA/" not in r.path]

    def rows(self, label: str = "A2024") -> pl.DataFrame:
        """The rows of the newest revision of an edition, in an order of their own."""
        newest = [
            e for e in Archive(self.settings.archive_dir).editions() if e.edition.label == label
        ][-1]
        frame = pl.read_parquet(self.settings.raw_dir / TRADE / f"{newest.edition_id}.parquet")
        kept = frame.select(c for c in frame.columns if c not in PLACE)
        return kept.sort(kept.columns)

    def documents(self, label: str = "A2024") -> dict[str, str]:
        newest = [
            e for e in Archive(self.settings.archive_dir).editions() if e.edition.label == label
        ][-1]
        return {d.name: d.sha256 for d in newest.documents}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    emulator = Emulator(today=TODAY, only=("un_comtrade",))
    with serving(emulator) as mirror:
        yield House(Settings(home=tmp_path / "home"), emulator, mirror)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., House]]:
    """The same publisher on a good day: a house after one night with these options."""
    houses: dict[str, House] = {}
    with ExitStack() as stack:

        def good_day(versions: dict[Any, int] | None = None, **options: Any) -> House:
            asked = repr((versions, options))
            if asked not in houses:
                emulator = Emulator(today=TODAY, only=("un_comtrade",))
                mirror = stack.enter_context(serving(emulator))
                home = tmp_path_factory.mktemp("clean") / "home"
                house = houses[asked] = House(Settings(home=home), emulator, mirror)
                house.world["versions"] = versions or {}
                assert not house.night(**options).failures
            return houses[asked]

        yield good_day


def with_codes(house: House, tmp_path: Path, codes: list[str]) -> Path:
    """The project's seeds with other codes mapped to a material."""
    seeds = tmp_path / f"seeds-{len(codes)}"
    shutil.copytree(house.settings.seeds_dir, seeds)
    table = seeds / "ref_hs_material.csv"
    head = table.read_text(encoding="utf-8").splitlines()[0]
    lines = [code + "," * head.count(",") for code in codes]
    table.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return seeds


def reporters_asked(house: House) -> list[str]:
    return [r.query["reporterCode"] for r in house.data_requests()]


def test_a_year_comes_whole_and_only_its_totals(house: House) -> None:
    result = house.night()

    assert (result.failures, [e.label for e in result.editions]) == ((), ["A2024"])
    rows = house.rows()
    assert rows.height == sum(
        (partners + 1) * len(CODES) * 2 + (partners + 1) * 2 for partners, _ in REPORTERS.values()
    )
    assert rows.get_column("is_total").all()
    assert set(rows.get_column("reporter_code")) == set(REPORTERS)
    assert set(rows.get_column("flow_code")) == set(FLOWS)
    for request in house.data_requests():
        assert request.path == "/data/v1/get/C/A/HS"
        fixed = {k: request.query[k] for k in ("partner2Code", "motCode", "customsCode")}
        assert fixed == {"partner2Code": "0", "motCode": "0", "customsCode": "C00"}
        assert request.query["maxRecords"] == "100000"
        assert request.headers[HEADER.lower()] == KEY


def test_edition_is_dated_by_the_newest_data_set(house: House) -> None:
    [edition] = house.night().editions
    assert edition.published == date(2025, 1, 10)


def test_a_night_with_nothing_new_asks_for_the_list_alone(house: House) -> None:
    house.night()
    before = sorted(p for p in house.settings.archive_dir.rglob("*"))

    result = house.night()

    assert result.is_nothing_new
    assert result.unchanged == ("A2024",)
    assert [r.path for r in house.emulator.requests] == ["/public/v1/getDA/C/A/HS"]
    assert sorted(p for p in house.settings.archive_dir.rglob("*")) == before
    assert not (house.settings.fetch_dir / "un_comtrade" / "A2024").exists()


def test_defaults_with_a_key_take_three_requests_where_nothing_is_new(house: House) -> None:
    first = house.night(years=None, frequencies=None)
    assert [e.label for e in first.editions] == [
        *(f"A{year}" for year in range(2016, 2026)),
        "M2025",
        "M2026",
    ]
    # All reporters by year, those that are looked at more closely by month.
    assert set(house.rows("A2016").get_column("reporter_code")) == set(REPORTERS)
    months = house.rows("M2026")
    assert set(months.get_column("reporter_code")) == {"156", "276", "392", "842"}
    assert set(months.get_column("reference_month")) == set(range(1, 10))
    asked_years = [w.query["period"][:4] for w in house.data_requests()]
    assert asked_years == sorted(asked_years, reverse=True)

    second = house.night(years=None, frequencies=None)

    assert second.is_nothing_new
    assert len(house.emulator.requests) == 3


def test_without_a_key_the_preview_is_asked_for_a_few_reporters(house: House) -> None:
    result = house.night(key=None, years=None, frequencies=None)

    assert [e.label for e in result.editions] == ["A2024", "A2025"]
    assert {r.path for r in house.data_requests()} == {"/public/v1/preview/C/A/HS"}
    assert set(house.rows().get_column("reporter_code")) == {
        "56",
        "156",
        "276",
        "392",
        "410",
        "842",
    }


def test_without_a_key_the_same_rows_come_in_smaller_answers(house: House, clean: Clean) -> None:
    chosen: dict[str, Any] = {"reporters": ["JPN", "USA"]}
    house.night(key=None, **chosen)
    keyless = len(house.data_requests())
    good = clean(**chosen)
    assert keyless > len(good.data_requests())
    assert house.rows().equals(good.rows())


# --- the cap ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", [90, 171])
def test_an_answer_at_the_cap_is_split_until_it_is_whole(
    house: House, clean: Clean, cap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = clean()
    house.world["cap"] = cap
    api = house.source.api.model_copy(update={"rows_per_answer": cap})
    source = house.source.model_copy(update={"api": api})
    monkeypatch.setattr(House, "source", property(lambda _: source))

    result = house.night()

    assert result.failures == ()
    assert house.rows().equals(good.rows())
    for path in (house.settings.fetch_dir / "un_comtrade" / "A2024").glob("A2024-*-*.json"):
        assert len(json.loads(path.read_bytes()).get("data", ())) < cap


def test_the_last_split_is_by_partner(
    house: House, clean: Clean, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {
        "reporters": ["BEL"],
        "seeds_dir": with_codes(house, tmp_path, ["280530"]),
    }
    good = clean(**options)
    house.world["cap"] = 3
    api = house.source.api.model_copy(update={"rows_per_answer": 3})
    source = house.source.model_copy(update={"api": api})
    monkeypatch.setattr(House, "source", property(lambda _: source))

    assert house.night(**options).failures == ()

    assert any("partnerCode" in r.query for r in house.data_requests())
    assert house.rows().equals(good.rows())
    assert house.night(**options).is_nothing_new
    assert house.data_requests() == []


def test_an_answer_that_is_cut_earlier_than_the_catalogue_says_is_split(
    house: House, clean: Clean
) -> None:
    """All seven reporters have more than 500 rows; the publisher has lowered its cap to that."""
    good = clean()
    house.world["cap"] = 500
    house.night()
    assert len(house.data_requests()) > 1
    assert house.rows().equals(good.rows())


def test_a_single_cell_at_the_cap_is_refused(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.world["cap"] = 1
    api = house.source.api.model_copy(update={"rows_per_answer": 1})
    source = house.source.model_copy(update={"api": api})
    monkeypatch.setattr(House, "source", property(lambda _: source))
    seeds = with_codes(house, tmp_path, ["280530"])
    [failure] = house.night(reporters=["BEL"], seeds_dir=seeds).failures
    assert "one reporter, period, code, flow and partner" in str(failure.error)
    assert Archive(house.settings.archive_dir).editions() == []


def test_pieces_that_were_cut_are_not_asked_a_second_night(house: House) -> None:
    house.world["cap"] = 500
    house.world["instead"] = [None, Response("", status_code=400)]
    assert house.night().failures
    first = {r.query["reporterCode"] for r in house.data_requests()}

    assert not house.night().failures

    widest = max(first, key=len)
    assert widest not in reporters_asked(house)


def test_a_list_of_data_sets_at_a_cap_is_asked_by_period(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[fetch.__module__], "_LIST_STEP", 50)
    house.world["list_cap"] = 50
    years = list(range(2016, 2026))
    assert len(years) * len(REPORTERS) > 50

    [*labels] = [e.label for e in house.night(years=years).editions]

    assert labels == [f"A{year}" for year in years]
    assert len(house.rows("A2016").get_column("reporter_code").unique()) == len(REPORTERS)
    monkeypatch.setattr(sys.modules[fetch.__module__], "_LIST_STEP", 5)
    house.world["list_cap"] = 5
    with pytest.raises(FetchFailed, match="at which answers are cut"):
        house.night()


# --- the quota ----------------------------------------------------------------------------------


@pytest.mark.parametrize("told_by", ["publisher", "count"])
def test_a_backfill_goes_on_the_next_night_where_the_quota_ended(
    house: House, clean: Clean, told_by: str
) -> None:
    years = [2022, 2023, 2024]
    options: dict[str, Any] = {"key": None, "years": years, "reporters": ["CHN", "JPN", "USA"]}
    good = clean(**options)
    in_all = len(good.data_requests())
    assert in_all > 6

    asked: list[str] = []
    nights = 0
    while True:
        if told_by == "publisher":
            house.world["quota"] = 4
            fetched = house.night(**options)
        else:
            fetched = house.night(per_day=6, **options)
        nights += 1
        asked += [str(sorted(r.query.items())) for r in house.data_requests()]
        if fetched.is_nothing_new or not fetched.failures:
            break
        [failure] = fetched.failures
        assert "nothing needs doing" in str(failure.error)
        assert nights < 12

    assert nights > 2
    for year in years:
        assert house.rows(f"A{year}").equals(good.rows(f"A{year}"))
    whole = [a for a in asked if asked.count(a) == 1]
    # Only a request that the publisher refused for the quota is asked again.
    assert len(asked) - len(whole) <= 2 * nights


def test_no_edition_is_taken_in_before_it_is_whole(house: House) -> None:
    house.world["quota"] = 2
    fetched = house.night(key=None, years=[2023, 2024], reporters=["CHN", "JPN", "USA"])
    assert [f.label for f in fetched.failures] == ["A2024"]
    assert fetched.editions == ()
    assert fetched.notes == ("not looked at, since no request is left today: A2023",)
    assert Archive(house.settings.archive_dir).editions() == []


# --- what changed -------------------------------------------------------------------------------


def test_a_changed_checksum_brings_exactly_the_changed_reporter(house: House) -> None:
    house.night(key=None, reporters=["CHN", "JPN", "USA"])
    before, rows = house.documents(), house.rows()
    house.world["versions"]["A", "392", "2024"] = 1

    fetched = house.night(key=None, reporters=["CHN", "JPN", "USA"])

    assert set(reporters_asked(house)) == {"392"}
    assert [(r.edition_id, r.changed) for r in house.results] == [("un_comtrade-A2024-vr2", True)]
    assert fetched.editions[0].published == date(2025, 1, 11)
    after = house.documents()
    changed = {name for name in after if after[name] != before.get(name)}
    assert all(name.startswith("A2024-392-") for name in changed - {"A2024-availability.json"})
    others = pl.col("reporter_code") != "392"
    assert house.rows().filter(others).equals(rows.filter(others))
    assert not house.rows().equals(rows)


def test_of_an_answer_of_many_reporters_the_changed_one_is_asked_apart(
    house: House, clean: Clean
) -> None:
    house.night()
    assert len(house.data_requests()) == 1
    house.world["versions"]["A", "392", "2024"] = 1
    house.night()
    assert reporters_asked(house) == ["392", "36,56,156,276,410,842"]
    # From now on it is a document of its own.
    house.world["versions"]["A", "392", "2024"] = 2
    house.night()
    assert reporters_asked(house) == ["392"]
    good = clean(versions={("A", "392", "2024"): 2})
    assert house.rows().equals(good.rows())


def test_a_new_reporter_and_a_new_month_are_asked_alone(house: House) -> None:
    house.world["silent"] = {"410"}
    house.night()
    house.world["silent"] = set()
    house.night()
    assert reporters_asked(house) == ["410"]

    house.emulator.today = date(2026, 4, 25)
    house.night(editions=["M2026"], years=None)
    house.emulator.today = date(2026, 5, 25)
    house.night(editions=["M2026"], years=None)
    assert [r.query["period"] for r in house.data_requests()] == ["202603"]
    assert set(house.rows("M2026").get_column("reference_month")) == {1, 2, 3}


def test_a_checksum_without_other_rows_makes_no_edition_and_is_asked_once(house: House) -> None:
    house.night(key=None, reporters=["CHN", "JPN"])
    house.world["checksums"]["A", "392", "2024"] = 1
    result = house.night(key=None, reporters=["CHN", "JPN"])
    assert set(reporters_asked(house)) == {"392"}
    assert result.unchanged == ("A2024",)

    assert house.night(key=None, reporters=["CHN", "JPN"]).is_nothing_new
    assert house.data_requests() == []

    # What is remembered beside the archive may be lost: it is compared once more.
    (house.settings.fetch_dir / "un_comtrade" / "confirmed.json").unlink()
    assert house.night(key=None, reporters=["CHN", "JPN"]).unchanged == ("A2024",)
    assert set(reporters_asked(house)) == {"392"}


def test_an_edition_can_be_left_alone_for_some_days(house: House) -> None:
    options: dict[str, Any] = {"years": None, "first_year": 2024, "reporters": ["JPN"]}
    house.night(**options)
    house.world["versions"]["A", "392", "2024"] = 1
    result = house.night(renew_days=7, **options)
    assert result.unchanged == ("A2025",)
    assert [note.split(":")[0] for note in result.notes] == ["A2024"]
    assert house.data_requests() == []
    assert [e.label for e in house.night(renew_days=0, **options).editions] == ["A2024"]
    # Who names a year wants it now.
    house.world["versions"]["A", "392", "2024"] = 2
    assert [e.label for e in house.night(renew_days=7).editions] == ["A2024"]


def test_a_data_set_that_is_listed_no_more_is_kept(house: House) -> None:
    house.night()
    house.world["silent"] = {"56"}
    assert house.night().is_nothing_new
    assert "56" in house.rows().get_column("reporter_code").to_list()
    house.world["silent"] = set(REPORTERS)
    with pytest.raises(FetchFailed, match="lists no data set"):
        house.night()


def test_a_code_that_is_mapped_later_is_asked_alone(house: House, tmp_path: Path) -> None:
    house.night(seeds_dir=with_codes(house, tmp_path, ["280530", "284610"]))
    house.night(seeds_dir=with_codes(house, tmp_path, ["280530", "284610", "850511"]))
    assert [r.query["cmdCode"] for r in house.data_requests()] == ["850511"]
    assert set(house.rows().get_column("hs_code")) == {"280530", "284610", "850511"}


def test_flows_that_are_wanted_later_are_asked_alone(house: House, clean: Clean) -> None:
    house.night(flows=["M", "X"])
    house.night()
    assert {r.query["flowCode"] for r in house.data_requests()} == {"RM,RX"}
    good = clean()
    assert house.rows().equals(good.rows())


# --- what goes wrong ----------------------------------------------------------------------------


def _of_another_piece() -> Response:
    row = {
        "typeCode": "C", "freqCode": "A", "period": "2024", "reporterCode": 36, "flowCode": "M",
        "partnerCode": 0, "cmdCode": "280530", "partner2Code": 0, "motCode": 0,
        "customsCode": "C00", "primaryValue": 1.0,
    }  # fmt: skip
    return JSONResponse({"elapsedTime": "0", "count": 1, "data": [row], "error": ""})


def _with(**changes: Any) -> Response:
    told: dict[str, Any] = {"elapsedTime": "0", "count": 0, "data": [], "error": ""}
    return JSONResponse(told | changes)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda: HTMLResponse("<html>Service unavailable</html>"), "web page"),
        (lambda: Response("URL too long", media_type="text/plain"), "not JSON"),
        (lambda: Response(b"", media_type="application/json"), "empty"),
        (lambda: _with(errorObject={"errorMessage": "Invalid period"}), "Invalid period"),
        (lambda: _with(error="Something failed"), "Something failed"),
        (lambda: _with(count=5), "counts 5 rows and holds 0"),
        (lambda: _with(count=None), "does not count"),
        (lambda: _with(data={"a": 1}), "no list"),
        (lambda: JSONResponse([]), "without an envelope"),
        (lambda: JSONResponse({"statusCode": 404, "message": "Resource not found"}), "404"),
        (lambda: JSONResponse({"message": "no"}, status_code=401), "401"),
        (_of_another_piece, "which was not asked for"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_refused_and_the_next_night_mends_it(
    house: House, clean: Clean, answer: Any, message: str
) -> None:
    options: dict[str, Any] = {"key": None, "reporters": ["JPN", "USA"]}
    good = clean(**options)
    house.world["instead"] = [None, answer()]

    [failure] = house.night(**options).failures

    assert message in str(failure.error)
    assert "\n" not in str(failure.error)
    assert [r.refused for r in house.results] == [str(failure.error)]
    assert Archive(house.settings.archive_dir).editions() == []
    before = len(good.data_requests())
    assert not house.night(**options).failures
    # The answer that was whole is not asked again.
    assert len(house.data_requests()) == before - 1
    assert house.rows().equals(good.rows())


def test_a_row_that_is_there_twice_is_refused(house: House, clean: Clean) -> None:
    good = clean(reporters=["BEL"])
    [document] = [n for n in good.documents() if "availability" not in n]
    path = Archive(good.settings.archive_dir).path(good.documents()[document])
    told = json.loads(path.read_bytes())
    told["data"].append(told["data"][0])
    told["count"] += 1
    house.world["instead"] = [JSONResponse(told)]
    [failure] = house.night(reporters=["BEL"]).failures
    assert "is there twice (56, 2024, M, 0, 253090)" in str(failure.error)


def test_asking_too_fast_waits_as_long_as_the_publisher_says(house: House, clean: Clean) -> None:
    good = clean()
    house.world["instead"] = [too_fast(1), too_fast(1, says_when=False)]
    result = house.night()
    assert result.failures == ()
    first, second = house.data_requests()[:2]
    assert second.at - first.at >= 1
    assert house.rows().equals(good.rows())


def test_an_empty_answer_where_rows_must_be_is_asked_again(house: House, clean: Clean) -> None:
    good = clean()
    house.world["instead"] = [_with()]
    result = house.night()
    assert result.failures == ()
    assert len(house.data_requests()) == 2
    assert house.rows().equals(good.rows())


def test_a_reporter_of_whom_nothing_comes_is_refused_and_mended(house: House, clean: Clean) -> None:
    good = clean()
    house.world["instead"] = [_with(), _with()]
    [failure] = house.night().failures
    assert "no row of reporter" in str(failure.error)
    assert not house.night().failures
    assert house.rows().equals(good.rows())


def test_a_reporter_without_trade_in_these_codes_is_no_failure(
    house: House, tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "reporters": ["BEL"],
        "seeds_dir": with_codes(house, tmp_path, ["260112"]),
    }
    [edition] = house.night(**options).editions
    assert len(edition.documents) == 2
    # An edition without a row is refused by the reader, kept, and not asked again.
    assert "holds no rows" in str(house.results[0].refused)
    assert house.night(**options).is_nothing_new


def test_a_damaged_answer_in_the_archive_is_asked_again(house: House) -> None:
    house.night()
    house.night()  # what was handed on is forgotten beside the archive
    listing = Archive(house.settings.archive_dir).path(house.documents()["A2024-availability.json"])
    listing.chmod(0o644)
    listing.write_bytes(b"{")
    house.night()
    assert len(house.data_requests()) == 1


def test_one_year_that_fails_does_not_stop_the_others(house: House) -> None:
    house.world["instead"] = [_with(error="broken")]
    result = house.night(years=[2023, 2024])
    assert [f.label for f in result.failures] == ["A2024"]
    assert [e.label for e in result.editions] == ["A2023"]


def test_an_extract_of_the_same_label_by_hand_does_not_count_as_fetched(
    house: House, tmp_path: Path
) -> None:
    house.night()
    house.night()
    name = next(n for n in house.documents() if "availability" not in n)
    path = tmp_path / name
    path.write_bytes(
        Archive(house.settings.archive_dir).path(house.documents()[name]).read_bytes() + b"\n"
    )
    ingest_documents(house.settings, load_catalog(), "un_comtrade", [path], label="A2024")
    house.night()
    assert len(house.data_requests()) == 1


# --- the key ------------------------------------------------------------------------------------


def test_a_wrong_key_is_told_without_showing_it(house: House) -> None:
    house.world["key"] = "another-key-entirely"
    [failure] = house.night().failures
    assert "invalid subscription key" in str(failure.error)
    assert KEY not in str(failure.error)


def test_the_key_is_in_no_log_address_or_file(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    house.world["instead"] = [Response(f"no such key {KEY}", status_code=500), None]
    house.night(years=[2023, 2024])
    house.night(years=[2023, 2024])
    assert KEY not in caplog.text
    assert all(KEY not in str(r.query) for r in house.emulator.requests)
    for path in house.settings.root.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    for edition in Archive(house.settings.archive_dir).editions():
        for document in edition.documents:
            assert "subscription" not in parse_qs(urlsplit(document.url or "").query)


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"reporters": ["Japan"]},
        {"reporters": ["JPN", "XXX"]},
        {"monthly_reporters": ["EU28"]},
        {"flows": ["import"]},
        {"frequencies": ["Q"]},
        {"editions": ["2022"]},
        {"editions": ["A22"]},
        {"years": []},
    ],
)
def test_an_option_that_cannot_be_is_refused_before_anything_is_asked(
    house: House, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        house.night(**options)
    assert house.emulator.requests == []


def test_labels_clash_with_no_name_of_a_file_brought_by_hand(house: House) -> None:
    house.night()
    for name in house.documents():
        assert house.source.label_from_name(name) is None
