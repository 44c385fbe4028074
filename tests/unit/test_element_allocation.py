"""The ladder from trade lines to elements, on invented rows: the very SQL of the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.settings import PROJECT_ROOT
from pipelines.stoichiometry import mass_share
from tests.support.models import model_sql

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
YEAR = 2022
CODE = "284690"

_TABLES = {
    "fct_trade_flow": """
        flow_source varchar, source_edition_id varchar, source_edition_ids varchar[],
        hs_revision varchar, hs_code varchar, exporter_iso3 varchar, importer_iso3 varchar,
        exporter_reported varchar, importer_reported varchar, reference_year smallint,
        trade_value_usd double, net_weight_kg double, evidence_grade varchar,
        doubt varchar""",
    "int_trade__edition_choice": """
        vintage_id varchar, material varchar, stage varchar, reference_year smallint,
        flow_source varchar, source_edition_id varchar, source_edition_ids varchar[],
        hs_revision varchar""",
    "fct_national_trade": """
        source_edition_id varchar, source_id varchar, reporter_iso3 varchar, partner_iso3 varchar,
        partner_area_type varchar, flow varchar, national_code varchar, code_level tinyint,
        hs_code varchar, form varchar, elements varchar[], mapping_quality varchar,
        reference_year smallint, reference_month smallint, trade_value double,
        net_weight_kg double""",
    "int_edition__by_vintage": """
        vintage_id varchar, source_edition_id varchar, recency integer""",
    "stg_usgs_myb__oxide_distribution": """
        source_edition_id varchar, deposit_label varchar, element varchar, value double,
        value_low double, value_high double""",
    "ref_deposit": "deposit_label varchar, country_iso3 varchar, output_share double",
}
_SEEDS = ["ref_allocated_code", "ref_hs_material", "ref_element_content", "ref_source_priority"]
_CHAIN = [
    "int_trade__national_newest",
    "int_trade__national_choice",
    "int_trade__national_line",
    "int_trade__element_share",
    "fct_allocated_flow",
]


def insert(database: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, Any]]):
    for row in rows:
        columns = ", ".join(row)
        values = ", ".join("?" for _ in row)
        database.execute(f"insert into {table} ({columns}) values ({values})", [*row.values()])


@pytest.fixture(scope="module")
def base() -> Iterator[duckdb.DuckDBPyConnection]:
    """Empty inputs, the project's own seeds, and the models as views on them."""
    # Rows are few, and threads cost more than they give.
    with duckdb.connect(config={"threads": 1}) as database:
        for table, columns in _TABLES.items():
            database.execute(f"create table {table} ({columns})")
        for seed in _SEEDS:
            database.execute(
                f"create table {seed} as from read_csv('{SEEDS / seed}.csv', nullstr = '',"
                " types = {'hs_code': 'varchar'})"
                if seed in {"ref_allocated_code", "ref_hs_material"}
                else f"create table {seed} as from read_csv('{SEEDS / seed}.csv')"
            )
        for model in _CHAIN:
            database.execute(f"create view {model} as {model_sql(model)}")
        yield database


@pytest.fixture
def warehouse(base: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    base.execute("begin")
    yield base
    base.execute("rollback")


def flow(
    exporter: str | None = "CHN", importer: str | None = "USA", **other: Any
) -> dict[str, Any]:
    return {
        "flow_source": "baci",
        "source_edition_id": "cepii_baci-x",
        "source_edition_ids": ["cepii_baci-x"],
        "hs_revision": "HS92",
        "hs_code": CODE,
        "exporter_iso3": exporter,
        "importer_iso3": importer,
        "exporter_reported": exporter or "nes",
        "importer_reported": importer or "nes",
        "reference_year": YEAR,
        "trade_value_usd": 1000.0,
        "net_weight_kg": 500.0,
        "evidence_grade": "B",
        **other,
    }


def line(
    elements: str | None,
    weight_kg: float | None,
    value: float | None = None,
    *,
    side: str = "importer",
    exporter: str = "CHN",
    importer: str = "USA",
    **other: Any,
) -> dict[str, Any]:
    """A national line; ``elements`` as in ref_national_code. Value follows weight if not given."""
    is_import = side == "importer"
    listed = elements.split(";") if elements else None
    quality = "unsplit" if listed is None else "element" if len(listed) == 1 else "group"
    return {
        "source_edition_id": "us_census-x" if is_import else "un_comtrade-x",
        "source_id": "us_census" if is_import else "un_comtrade",
        "reporter_iso3": importer if is_import else exporter,
        "partner_iso3": exporter if is_import else importer,
        "partner_area_type": "country",
        "flow": "import" if is_import else "export",
        "national_code": f"{CODE}-{elements}",
        "code_level": 8,
        "hs_code": CODE,
        "form": "compound",
        "elements": listed,
        "mapping_quality": quality,
        "reference_year": YEAR,
        "reference_month": None,
        "trade_value": weight_kg if value is None else value,
        "net_weight_kg": weight_kg,
        **other,
    }


def deposit(label: str, country: str, output_share: float | None, **shares: float | None):
    return (
        {"deposit_label": label, "country_iso3": country, "output_share": output_share},
        [
            {
                "source_edition_id": "usgs_myb-x",
                "deposit_label": label,
                "element": element,
                "value": value,
                "value_low": value,
                "value_high": value,
            }
            for element, value in shares.items()
        ],
    )


def allocate(
    database: duckdb.DuckDBPyConnection,
    flows: Sequence[Mapping[str, Any]],
    lines: Sequence[Mapping[str, Any]] = (),
    deposits: Sequence[Any] = (),
) -> list[dict[str, Any]]:
    """Rows of fct_allocated_flow, by flow, step and element."""
    insert(database, "fct_trade_flow", flows)
    for material, stage in (("ree_compounds", "refining"), ("ree_metals", "metal")):
        insert(
            database,
            "int_trade__edition_choice",
            [
                {
                    "vintage_id": "latest",
                    "material": material,
                    "stage": stage,
                    "reference_year": YEAR,
                    "flow_source": "baci",
                    "source_edition_id": "cepii_baci-x",
                    "source_edition_ids": ["cepii_baci-x"],
                    "hs_revision": "HS92",
                }
            ],
        )
    for name, recency in (
        ("us_census-x", 1),
        ("us_census-old", 2),
        ("un_comtrade-x", 1),
        ("usgs_myb-x", 1),
    ):
        insert(
            database,
            "int_edition__by_vintage",
            [{"vintage_id": "latest", "source_edition_id": name, "recency": recency}],
        )
    insert(database, "fct_national_trade", lines)
    for place, cells in deposits:
        insert(database, "ref_deposit", [place])
        insert(database, "stg_usgs_myb__oxide_distribution", cells)
    answer = database.execute(
        "from fct_allocated_flow"
        " order by exporter_reported, hs_code, allocation_step, element, form"
    )
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def short(rows: list[dict[str, Any]]) -> dict[tuple[str, str], float | None]:
    return {
        (row["element"], row["allocation_method"]): row["weight_share"]
        and round(row["weight_share"], 9)
        for row in rows
    }


# Step 1


def test_the_cerium_code_is_of_one_element_by_itself(warehouse):
    (row,) = allocate(warehouse, [flow(hs_code="284610")])
    assert (row["element"], row["allocation_method"]) == ("Ce", "element_line")
    assert (row["net_weight_kg"], row["trade_value_usd"]) == (500, 1000)
    assert row["evidence_grade"] == "B"
    # The form is open, so is the content.
    assert row["element_t"] is None
    assert row["reason"].startswith("which compound it is")
    assert row["element_low_t"] == pytest.approx(0.5 * mass_share("Ce", "Ce(NO3)3+6H2O"))
    assert row["element_high_t"] == pytest.approx(0.5 * mass_share("Ce", "CeO2"))
    assert row["reo_high_t"] == pytest.approx(0.5)


def test_the_importers_lines_come_first_and_weigh_value_and_weight_apart(warehouse):
    rows = allocate(
        warehouse,
        [flow()],
        [
            line("La", 30, 100, form="oxide"),
            line(None, 70, 300),
            line("Dy", 99, 1, side="exporter", importer="JPN"),
        ],
    )
    lanthanum, rest = rows
    assert (lanthanum["element"], lanthanum["form"]) == ("La", "oxide")
    assert lanthanum["weight_share"] == pytest.approx(0.3)
    assert lanthanum["trade_value_usd"] == pytest.approx(250)
    assert lanthanum["element_t"] == pytest.approx(0.15 * mass_share("La", "La2O3"))
    assert lanthanum["reo_t"] == pytest.approx(0.15)
    assert lanthanum["source_edition_ids"] == ["cepii_baci-x", "us_census-x"]
    assert (rest["element"], rest["allocation_method"]) == ("ree_unallocated", "not_allocated")
    assert rest["net_weight_kg"] == pytest.approx(350)
    assert "no line tells the elements" in rest["reason"]


# Step 2


def test_a_group_is_divided_as_the_partners_lines_divide_it(warehouse):
    rows = allocate(
        warehouse,
        [flow()],
        [
            line("Gd;Tb;Dy", 40),
            line("La", 60),
            line("Tb", 1, side="exporter"),
            line("Dy", 3, side="exporter"),
            # No part of the group.
            line("Nd", 900, side="exporter"),
        ],
    )
    assert short(rows) == {
        ("La", "element_line"): 0.6,
        ("Tb", "mirror_line"): 0.1,
        ("Dy", "mirror_line"): 0.3,
    }
    assert {row["evidence_grade"] for row in rows} == {"B", "D"}


def test_without_own_lines_the_whole_code_is_divided_and_what_is_open_stays_open(warehouse):
    rows = allocate(
        warehouse,
        [flow()],
        [line("Dy", 20, side="exporter"), line(None, 80, side="exporter")],
    )
    assert short(rows) == {
        ("Dy", "mirror_line"): 0.2,
        ("ree_unallocated", "not_allocated"): 0.8,
    }
    # All that is open may be dysprosium too.
    assert rows[0]["weight_share_high"] == pytest.approx(1)
    assert rows[0]["weight_share_low"] == pytest.approx(0.2)


def test_a_mirror_line_that_shares_one_element_with_the_group_names_it(warehouse):
    rows = allocate(warehouse, [flow()], [line("Gd;Tb;Dy", 1), line("La;Dy", 5, side="exporter")])
    assert short(rows) == {("Dy", "mirror_line"): 1}


def test_oxides_are_not_divided_as_chlorides_are(warehouse):
    rows = allocate(
        warehouse,
        [flow()],
        [
            line("Tb;Dy", 1, form="oxide"),
            line("Tb", 1, side="exporter", form="chloride"),
            line("Dy", 1, side="exporter", form="oxide"),
        ],
    )
    assert short(rows) == {("Dy", "mirror_line"): 1}


# Step 4


def test_deposits_of_known_weight_divide_the_weight_and_not_the_value(warehouse):
    rows = allocate(
        warehouse,
        [flow("AUS", "MYS")],
        deposits=[deposit("Hill", "AUS", 1, La=30.0, Ce=50.0, Nd=20.0, Lu=None)],
    )
    # Cerium has a code of its own.
    assert short(rows) == {
        ("La", "deposit_distribution"): 0.6,
        ("Nd", "deposit_distribution"): 0.4,
        ("ree_unallocated", "not_allocated"): 0,
    }
    assert [row["trade_value_usd"] for row in rows] == [None, None, 1000]
    assert [row["evidence_grade"] for row in rows] == ["E", "E", "B"]
    assert rows[0]["source_edition_ids"] == ["cepii_baci-x", "usgs_myb-x"]


def test_metals_are_divided_by_the_mass_of_the_metal(warehouse):
    rows = allocate(
        warehouse,
        [flow("AUS", "MYS", hs_code="280530")],
        deposits=[deposit("Hill", "AUS", 1, Ce=50.0, Nd=50.0)],
    )
    cerium, neodymium = mass_share("Ce", "CeO2"), mass_share("Nd", "Nd2O3")
    assert rows[0]["weight_share"] == pytest.approx(cerium / (cerium + neodymium))
    assert rows[0]["element_t"] == pytest.approx(0.5 * cerium / (cerium + neodymium))


def test_deposits_of_unknown_weight_give_bounds_and_leave_the_line_whole(warehouse):
    rows = allocate(
        warehouse,
        [flow()],
        deposits=[
            deposit("North", "CHN", None, La=60.0, Nd=40.0, Dy=None),
            deposit("South", "CHN", None, La=10.0, Nd=20.0, Dy=70.0),
        ],
    )
    by_element = {row["element"]: row for row in rows}
    assert by_element["Dy"]["weight_share_low"] == 0
    assert by_element["Dy"]["weight_share_high"] == pytest.approx(0.7)
    assert by_element["La"]["weight_share_low"] == pytest.approx(0.1)
    assert by_element["La"]["weight_share"] is None
    assert "not published" in by_element["La"]["reason"]
    assert by_element["ree_unallocated"]["net_weight_kg"] == 500


def test_deposits_divide_only_what_the_lines_left_open(warehouse):
    rows = allocate(
        warehouse,
        [flow("AUS", "USA")],
        [line("Y", 50, exporter="AUS"), line("La;Nd", 50, exporter="AUS")],
        [deposit("Hill", "AUS", 1, La=30.0, Nd=10.0, Y=60.0)],
    )
    assert short(rows) == {
        ("Y", "element_line"): 0.5,
        ("La", "deposit_distribution"): 0.375,
        ("Nd", "deposit_distribution"): 0.125,
        ("ree_unallocated", "not_allocated"): 0,
    }


# Step 5


def test_a_flow_that_nothing_divides_stays_whole(warehouse):
    rows = allocate(
        warehouse,
        [
            flow("DEU", "USA"),
            flow(None, "USA"),
            flow("JPN", "USA", net_weight_kg=None),
            flow("FRA", "USA", hs_code="850511"),
        ],
    )
    assert [(row["exporter_reported"], row["element"]) for row in rows] == [
        ("DEU", "ree_unallocated"),
        ("JPN", "ree_unallocated"),
        ("nes", "ree_unallocated"),
    ]
    assert [row["trade_value_usd"] for row in rows] == [1000, 1000, 1000]
    assert [row["net_weight_kg"] for row in rows] == [500, None, 500]


def test_a_flow_in_doubt_is_not_divided_as_its_code_is(warehouse):
    rows = allocate(
        warehouse,
        [flow("AUS", "MYS", hs_code="284610", doubt="probably concentrate", evidence_grade="D")],
        deposits=[deposit("d", "AUS", 1.0, Ce=0.4, Nd=0.6)],
    )
    (row,) = rows
    assert (row["element"], row["reason"]) == ("ree_unallocated", "probably concentrate")
    assert row["net_weight_kg"] == 500


# Which national lines count


def test_the_newest_edition_and_the_deepest_lines_count(warehouse):
    rows = allocate(
        warehouse,
        [flow()],
        [
            line("La", 10, national_code="28469040"),
            line("La", 90, national_code="28469040", source_edition_id="us_census-old"),
            line(None, 30, national_code="28469090"),
            line(None, 500, national_code="284690", code_level=6),
        ],
    )
    assert short(rows)["La", "element_line"] == 0.25


def test_a_years_own_figure_counts_before_its_months_and_months_are_summed(warehouse):
    months = [
        line("La", 10, national_code="28469040", reference_month=1),
        line("La", 10, national_code="28469040", reference_month=2),
        line(None, 20, national_code="28469090", reference_month=2),
    ]
    assert short(allocate(warehouse, [flow()], months))["La", "element_line"] == 0.5
    warehouse.execute("delete from fct_trade_flow; delete from int_trade__edition_choice")
    warehouse.execute("delete from int_edition__by_vintage")
    years = [line("La", 9, national_code="28469040"), line(None, 1, national_code="28469090")]
    assert short(allocate(warehouse, [flow()], years))["La", "element_line"] == 0.9


def test_lines_of_which_a_weight_is_missing_divide_nothing(warehouse):
    rows = allocate(warehouse, [flow()], [line("La", 10), line(None, None, 5)])
    assert short(rows) == {("ree_unallocated", "not_allocated"): 1}


def test_a_predominant_element_is_not_the_only_one(warehouse):
    rows = allocate(warehouse, [flow()], [line("La", 10, mapping_quality="predominant")])
    assert short(rows) == {("ree_unallocated", "not_allocated"): 1}


def test_a_line_in_no_table_counts_by_its_hs_code(warehouse):
    unknown = {"form": None, "mapping_quality": None}
    lines = [
        line(None, 10, national_code="284690", code_level=6, **unknown),
        line("Dy", 1, side="exporter"),
        line(None, 3, side="exporter", **unknown),
    ]
    assert short(allocate(warehouse, [flow()], lines)) == {
        ("Dy", "mirror_line"): 0.25,
        ("ree_unallocated", "not_allocated"): 0.75,
    }


def test_trade_with_groups_of_countries_divides_nothing(warehouse):
    rows = allocate(warehouse, [flow()], [line("La", 10, partner_area_type="aggregate")])
    assert short(rows) == {("ree_unallocated", "not_allocated"): 1}


# Whatever the lines

_GROUPS = [None, "La", "Nd", "Dy", "Y", "La;Nd", "Tb;Dy", "Gd;Tb;Dy", "Y;Sc", "Nd;Dy;Y"]
_LINES = st.lists(
    st.tuples(
        st.sampled_from(_GROUPS),
        st.sampled_from(["importer", "exporter"]),
        st.sampled_from(["compound", "oxide", "chloride"]),
        st.floats(min_value=1e-3, max_value=1e9),
        st.floats(min_value=1e-3, max_value=1e9),
    ),
    max_size=6,
    unique_by=lambda told: told[:3],
)


@settings(max_examples=3, deadline=None, derandomize=True)
@given(
    cases=st.lists(
        st.tuples(st.sampled_from(["CHN", "AUS", "DEU"]), _LINES), min_size=20, max_size=20
    )
)
def test_rows_of_a_flow_sum_to_it_and_lie_within_their_bounds(base, cases):
    pairs = [(exporter, f"I{number:02}", told) for number, (exporter, told) in enumerate(cases)]
    base.execute("begin")
    try:
        rows = allocate(
            base,
            [flow(exporter, importer) for exporter, importer, _ in pairs],
            [
                line(elements, weight, value, side=side, exporter=exporter, importer=importer)
                | {"form": form, "national_code": f"{CODE}-{elements}-{form}"}
                for exporter, importer, told in pairs
                for elements, side, form, weight, value in told
            ],
            [
                deposit("Hill", "AUS", 1, La=30.0, Nd=20.0, Dy=0.5, Y=1.0),
                deposit("North", "CHN", None, La=60.0, Nd=40.0),
                deposit("South", "CHN", None, La=10.0, Nd=20.0, Dy=70.0),
            ],
        )
    finally:
        base.execute("rollback")
    assert len({row["row_key"] for row in rows}) == len(rows)
    for _, importer, _ in pairs:
        parts = [row for row in rows if row["importer_iso3"] == importer]
        assert sum(row["net_weight_kg"] or 0 for row in parts) == pytest.approx(500, rel=1e-6)
        assert sum(row["trade_value_usd"] or 0 for row in parts) == pytest.approx(1000, rel=1e-6)
    for row in rows:
        assert 0 <= row["weight_share_low"] <= row["weight_share_high"] <= 1
        if row["weight_share"] is not None:
            assert row["weight_share_low"] - 1e-9 <= row["weight_share"]
            assert row["weight_share"] <= row["weight_share_high"] + 1e-9
