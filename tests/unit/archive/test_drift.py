"""A new edition against the last one."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from pipelines.archive.drift import Reference, choose_reference, findings, refuse_drift
from pipelines.archive.profile import EditionProfile, TableProfile
from pipelines.archive.store import ArchivedEdition
from pipelines.catalog import Edition, EditionScope, Licence, Redistribution, Source
from pipelines.catalog.models import Drift
from pipelines.errors import DriftRefused

TABLE = "raw_toy__production"
KEYS = {TABLE: ("country", "commodity")}
SOURCE = Source(
    source_id="toy",
    title="t",
    publisher="p",
    homepage="h",
    cadence="yearly",
    licence=Licence(name="n", redistribution=Redistribution.YES, attribution="a"),
    citation="c",
    drift=Drift(rows_lost=0.25, bytes_lost=0.6, files_lost=1),
)
EXTRACTS = SOURCE.model_copy(update={"scope": EditionScope.EXTRACT})


def profile(
    rows: int, *, parts: int = 3, size: int = 1000, empty: tuple[str, ...] = ()
) -> EditionProfile:
    columns = dict.fromkeys(("country", "commodity", "value", "note"), rows)
    return EditionProfile(
        tables={TABLE: TableProfile(rows=rows, columns=columns | dict.fromkeys(empty, 0))},
        parts=tuple(f"world.zip/toy2025-{n}.csv" for n in "abcdefgh"[:parts]),
        size_bytes=size,
    )


def edition(
    label: str,
    published: date | None = None,
    layout: str | None = "long",
    *,
    is_reexpressed: bool = False,
) -> Edition:
    return Edition(
        source_id="toy",
        label=label,
        published=published,
        layout=layout,
        citation="c",
        is_reexpressed=is_reexpressed,
    )


def archived(what: Edition, summary: EditionProfile | None = None) -> ArchivedEdition:
    return ArchivedEdition(
        edition=what,
        title="t",
        publisher="p",
        licence=SOURCE.licence,
        scope=SOURCE.scope,
        is_official=True,
        documents=(),
        summary=summary or profile(1250),
        accepted_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def against(
    new: EditionProfile,
    *,
    source: Source = SOURCE,
    what: Edition | None = None,
    old: Edition | None = None,
    is_before: bool = True,
) -> list[str]:
    reference = Reference(archived(old or edition("2025", date(2025, 2, 1))), is_before=is_before)
    return findings(source, what or edition("2026", date(2026, 2, 1)), new, reference, keys=KEYS)


def test_lost_rows_are_told_in_numbers() -> None:
    assert against(profile(310)) == [f"{TABLE}: 1,250 -> 310 rows (-75 %)"]


@pytest.mark.parametrize(("rows", "is_drift"), [(937, True), (938, False), (5000, False)])
def test_rows_may_fall_up_to_the_limit_of_the_catalogue(rows: int, is_drift: bool) -> None:
    assert bool(against(profile(rows))) is is_drift


def test_a_table_that_is_gone_has_lost_all_its_rows() -> None:
    assert against(EditionProfile(size_bytes=1000, parts=profile(1).parts)) == [
        f"{TABLE}: 1,250 -> 0 rows (-100 %)"
    ]


def test_missing_files_are_named_without_regard_to_years() -> None:
    new = profile(1250).model_copy(update={"parts": ("world_2026.zip/toy2026-b.csv",)})

    assert against(new) == [
        "files with data: 3 -> 1 (gone: world.zip/toy2025-a.csv, world.zip/toy2025-c.csv)"
    ]
    assert against(profile(1250, parts=2)) == []


def test_a_much_smaller_edition_is_drift() -> None:
    assert against(profile(1250, size=399)) == ["size: 1,000 -> 399 bytes (-60 %)"]
    assert against(profile(1250, size=400)) == []


def test_files_are_not_compared_across_layouts_but_rows_are() -> None:
    new = edition("2026", date(2026, 2, 1), layout="wide")

    assert against(profile(1250, parts=1, size=10), what=new) == []
    assert against(profile(310, parts=1, size=10), what=new) == [
        f"{TABLE}: 1,250 -> 310 rows (-75 %)"
    ]


def test_a_column_that_carries_no_value_any_more_is_drift() -> None:
    assert against(profile(1300, empty=("value", "note"))) == [
        f"{TABLE}: no value any more in note, value (before: all 1,250 rows; now: none of 1,300)"
    ]


def test_across_layouts_only_the_key_must_go_on_carrying_values() -> None:
    new = edition("2026", date(2026, 2, 1), layout="wide")

    assert against(profile(1300, empty=("note",)), what=new) == []
    assert len(against(profile(1300, empty=("country",)), what=new)) == 1


def test_an_extract_may_be_small_but_not_without_its_key() -> None:
    assert against(profile(3, parts=1, size=9, empty=("note",)), source=EXTRACTS) == []
    assert against(profile(3, empty=("country",)), source=EXTRACTS) == [
        f"{TABLE}: no value any more in country (before: all 1,250 rows; now: none of 3)"
    ]


def test_an_older_edition_may_be_smaller_than_its_successor() -> None:
    older = edition("2023", date(2023, 2, 1))

    assert against(profile(3, parts=1, size=9), what=older, is_before=False) == []
    assert against(profile(3, empty=("country",)), what=older, is_before=False) != []


def test_nothing_is_asked_of_the_starter_and_it_is_no_measure_of_size() -> None:
    ours = edition("2026", date(2026, 2, 1), is_reexpressed=True)
    theirs = edition("2025", date(2025, 2, 1), is_reexpressed=True)

    assert against(profile(3, parts=1, size=9), what=ours) == []
    assert against(profile(3, parts=1, size=9), old=theirs) == []
    assert against(profile(3, empty=("country",)), old=theirs) != []


@pytest.mark.parametrize(
    ("label", "published", "expected", "is_before"),
    [
        ("2026", date(2026, 2, 1), "2025", True),
        ("2024", date(2024, 2, 1), "2023", True),
        ("2022", date(2022, 2, 1), "2023", False),
        ("2025", None, "2025", True),
        ("2025", date(2021, 1, 1), "2025", True),
        ("import-12345678", None, "2025", True),
    ],
)
def test_the_reference_is_the_last_one_published_before(
    label: str, published: date | None, expected: str, is_before: bool
) -> None:
    held = [archived(edition(y, date(int(y), 2, 1))) for y in ("2023", "2025")]

    reference = choose_reference(held, edition(label, published))

    assert reference is not None
    assert (reference.archived.edition.label, reference.is_before) == (expected, is_before)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("HS22-V202601", None),
        ("HS92-V202701", "HS92-V202601"),
        ("HS92-V202601b", "HS92-V202601"),
        ("2026", "import-bf10ab22"),
        ("import-cf1077aa", "import-bf10ab22"),
        ("2026 final", "import-bf10ab22"),
    ],
)
def test_only_editions_of_the_same_series_are_a_measure(label: str, expected: str | None) -> None:
    held = [archived(edition(x)) for x in ("HS92-V202501", "HS92-V202601", "import-bf10ab22")]

    reference = choose_reference(held, edition(label))

    assert (reference.archived.edition.label if reference else None) == expected


def test_publishers_documents_go_before_reexpressed_ones_as_reference() -> None:
    held = [
        archived(edition("2023", date(2023, 2, 1))),
        archived(edition("2025", date(2025, 2, 1), is_reexpressed=True)),
    ]

    reference = choose_reference(held, edition("2026", date(2026, 2, 1)))

    assert reference is not None
    assert reference.archived.edition.label == "2023"
    assert choose_reference(held[1:], edition("2026")) is not None
    assert choose_reference([], edition("2026")) is None


def test_a_refusal_names_both_editions_and_the_way_out() -> None:
    reference = Reference(archived(edition("2025", date(2025, 2, 1))), is_before=True)

    with pytest.raises(DriftRefused) as caught:
        refuse_drift(SOURCE, edition("2026", date(2026, 2, 1)), profile(310), reference, keys=KEYS)

    assert str(caught.value).startswith(
        f"toy-2026 differs too much from toy-2025: {TABLE}: 1,250 -> 310 rows (-75 %); "
    )
    assert "--force" in str(caught.value)
    refuse_drift(SOURCE, edition("2026"), profile(310), None, keys=KEYS)
