"""The method's test vectors, through the SQL and the parsers that the marts use."""

from __future__ import annotations

import json
from hashlib import sha256

import duckdb
import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.lookthrough import solve
from pipelines.settings import PROJECT_ROOT
from pipelines.sources import eu_crm
from pipelines.sources.base import Document
from pipelines.sources.label_maps import read_reference
from pipelines.sources.tokens import parse_values
from pipelines.sources.usgs_mcs.salient import WORDS
from tests.support.measures import create_measures, render

pytestmark = pytest.mark.reference

#: Read from the text of a PDF, a footnote digit glued to the number. The data release is read, not
#: the PDF, so none of these reaches the parser; those that cannot be a number are refused anyway.
GLUED = {"122,100", "121,400", "1145,500", "12140", "136,300,000", "1213,000"}
NO_NUMBER = {"1145,500", "1213,000"}


@pytest.fixture(scope="module")
def vectors(reference_data):
    return json.loads((reference_data / "method" / "test_vectors.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def value():
    with duckdb.connect() as connection:
        create_measures(connection)

        def ask(expression, *values):
            return connection.execute(f"select {expression}", list(values)).fetchone()[0]

        yield ask


@pytest.fixture(scope="module")
def study(reference_data):
    """Tables of the EU study of 2023, by name."""
    documents = [
        Document(name=path.name, path=path, sha256=sha256(path.read_bytes()).hexdigest())
        for path in sorted((reference_data / "trade" / "eu_crm").glob("*.csv"))
    ]
    return eu_crm.parse(load_catalog().source("eu_crm").edition("2023"), documents).tables


def near(expected, tolerance=1e-6):
    return None if expected is None else pytest.approx(expected, abs=tolerance)


def test_every_group_is_tested(vectors):
    groups = {name for name, group in vectors.items() if not isinstance(group, str)}
    tested = {
        "concentration",
        "hhi_bounds",
        "eu_group_mean",
        "nir",
        "mirror",
        "lookthrough",
        "n1",
        "switching",
        "export_drop",
        "crma65",
        "geodep",
        "tokens",
        "eu_supply_risk",
        "nassar_sr",
        "geopolrisk",
        "element_factors",
        "magnet_reo",
        "unit_value",
    }
    assert tested == groups


def test_concentration(vectors, value):
    assert len(vectors["concentration"]) == 8
    for vector in vectors["concentration"]:
        q, expect = [float(x) for x in vector["values"]], vector["expect"]
        n = expect["n"]
        found = {
            "n": value("len(list_filter(?::double[], lambda q: q > 0))", q),
            "total": value("list_sum(?::double[])", q),
            "top": value("cr(?::double[], 1)", q),
            "hhi": value("hhi(?::double[])", q),
            "hhi_10000": value("10000 * hhi(?::double[])", q),
            "hhi_norm": value("hhi_norm(hhi(?::double[]), ?)", q, n),
            "cr1": value("cr(?::double[], 1)", q),
            "cr3": value("cr(?::double[], 3)", q),
            "cr5": value("cr(?::double[], 5)", q),
            "n_eff": value("n_eff(hhi(?::double[]))", q),
            "entropy": value("entropy(?::double[])", q),
            "exp_entropy": value("exp(entropy(?::double[]))", q),
            "evenness": value("evenness(?::double[])", q),
            "gini": value("gini(?::double[])", q),
        }
        for name, expected in expect.items():
            assert found[name] == near(expected), (vector["name"], name)


def test_other_as_one_supplier_is_the_upper_bound(vectors, value):
    """The vectors of world mines count "Other" as one supplier; the mart bounds with it."""
    held = [v for v in vectors["concentration"] if "XXX" in v.get("suppliers", ())]
    assert len(held) == 4
    for vector in held:
        by_supplier = dict(zip(vector["suppliers"], map(float, vector["values"]), strict=True))
        other = by_supplier.pop("XXX")
        named = list(by_supplier.values())
        high = value("hhi_high(?::double[], ?)", named, other)
        assert high == near(vector["expect"]["hhi"]), vector["name"]
        assert value("cr(?::double[], 3, ?)", named, other) == near(vector["expect"]["cr3"])
        assert 0 < high - value("hhi(?::double[], ?)", named, other) < 2e-5


def test_bounds_of_the_index(vectors, value):
    for vector in vectors["hhi_bounds"]:
        named, residual = [float(x) for x in vector["named"]], float(vector["residual"])
        for name, macro in (
            ("hhi_low", "hhi"),
            ("hhi_high_ordered", "hhi_high_ordered"),
            ("hhi_high", "hhi_high"),
        ):
            found = value(f"10000 * {macro}(?::double[], ?)", named, residual)
            assert found == near(vector["expect"][name]), (vector["name"], name)


def test_the_index_of_a_group_is_the_mean_of_its_members(vectors, value, reference_data):
    """The study's index of each member, through the measure that the mart of groups uses."""
    elements = pl.read_csv(reference_data / "method" / "eu_crm2023_ree.csv", infer_schema=False)
    symbols = dict(read_reference("ref_material").select("material_name", "material").iter_rows())
    groups = read_reference("ref_eu_material_group")
    assert len(vectors["eu_group_mean"]) == 4
    for vector in vectors["eu_group_mean"]:
        members = elements.filter(pl.col("material").is_in(vector["members"]))
        held = groups.filter(pl.col("material_group") == vector["group"])["material"]
        assert {symbols[name] for name in members["material"]} == set(held)
        indices = [float(index) for index in members[vector["metric"]]]
        mean = value("eu_group_mean(?::double[])", indices)
        assert mean == near(vector["expect_mean"])
        assert mean == near(vector["published"], vector["tolerance"])
        assert value("eu_group_mean(?::double[])", [*indices[1:], None]) is None


def test_the_published_index_of_a_member_is_that_of_its_largest_stage(vectors, reference_data):
    """What stands beside the recomputed index is the study's, stage by stage."""
    elements = pl.read_csv(reference_data / "method" / "eu_crm2023_ree.csv", infer_schema=False)
    symbols = dict(read_reference("ref_material").select("material_name", "material").iter_rows())
    held = read_reference("ref_eu_supply_risk_input").select(
        "material", "stage", pl.col("published_sr").cast(pl.Float64)
    )
    for row in elements.iter_rows(named=True):
        material = symbols.get(row["material"], row["material"])
        stages = dict(held.filter(material=material).select("stage", "published_sr").iter_rows())
        for stage, column in (("mine", "sr_extraction"), ("refining", "sr_processing")):
            assert stages.get(stage) == (float(row[column]) if row[column] else None), material
        if not (row["note"] or "").startswith("group"):
            assert max(stages.values()) == float(row["sr_2023"]), material


def test_restrictions_count_between_the_ends_that_the_study_gives_them(study):
    given = study["raw_eu_crm__supply_share"]["trade_parameter"]
    restricted = given.filter(given > 1)
    sets = read_reference("ref_eu_trade_set").drop_nulls("t_restricted")
    ends = {name: float(t) for name, t in sets.select("t_set", "t_restricted").iter_rows()}
    assert ends == {"register_low": restricted.min(), "register_high": restricted.max()}


def test_group_indices_of_the_study_are_held_as_published(vectors, study):
    cells = study["raw_eu_crm__criticality"].filter(pl.col("assessment_year") == 2023)
    for vector in vectors["eu_group_mean"]:
        measure = vector["metric"].removesuffix("_2023")
        held = cells.filter(
            (pl.col("material_label") == vector["group"] + "s") & (pl.col("measure") == measure)
        )
        assert held["value"].to_list() == [vector["published"]]


def test_net_import_reliance(vectors, value):
    assert len(vectors["nir"]) == 5
    for vector in vectors["nir"]:
        found = 100 * value(
            "net_import_reliance(?, ?)", vector["production"], vector["apparent_consumption"]
        )
        assert found == near(vector["expect_pct"], 1e-3)
        official = vector["official"]
        if official.startswith(">"):
            assert found > float(official[1:])
        else:
            assert found == near(float(official), vector["tolerance_pp"])


def test_mirror_gap(vectors, value):
    gap, freight = vectors["mirror"]
    x, m = float(gap["x"]), float(gap["m_fob"])
    assert value("mirror_rel_gap(?, ?)", x, m) == near(gap["expect_discrepancy"])
    assert value("mirror_ln_ratio(?, ?)", x, m) == near(gap["expect_ln_ratio"])
    sigma = value("mirror_sigma(mirror_ln_ratio(?, ?))", x, m)
    assert sigma == near(gap["expect_sigma_single"])
    at_fob = value(
        f"""(
            select {render("import_at_fob", "mirror", "freight")}
            from (select ?::double as m_cif_usd, null::double as m_own_fob_usd,
                true as m_has_freight) as mirror,
                (select 1 - 1 / ? as freight_share) as freight
        )""",
        freight["m_cif"],
        freight["flat_cif_fob"],
    )
    assert at_fob == near(freight["expect_m_fob"])


def test_switching_of_suppliers(vectors, value):
    for vector in vectors["switching"]:
        countries = sorted({*vector["prev"], *vector["curr"]})
        before, after = (
            [float(vector[side].get(country, 0)) for country in countries]
            for side in ("prev", "curr")
        )
        found = value("reallocation(?::double[], ?::double[])", before, after)
        assert found == near(vector["expect_reallocation"])


def _solved(stage, vector):
    """The stage of a vector through the solver that the build runs."""
    countries = vector["countries"]
    market = {"vintage_id": "latest", "material": stage, "stage": stage, "reference_year": 2025}
    trade = [
        {
            **market,
            "exporter_iso3": exporter,
            "importer_iso3": importer,
            "quantity": float(quantity),
        }
        for exporter, row in zip(countries, vector["trade_i_to_j"], strict=True)
        for importer, quantity in zip(countries, row, strict=True)
        if quantity
    ]
    made = [
        {**market, "country_iso3": c, "floor": float(p), "ceiling": float(p), "is_known": True}
        for c, p in zip(countries, vector["production"], strict=True)
    ]
    frames = solve(
        pl.DataFrame(trade),
        pl.DataFrame(made),
        bloc="EU27",
        members=[],
        least_share=0,
        least_part=0,
    )
    return pl.concat(frames)


def test_looking_through_one_stage_and_two(vectors):
    vector = vectors["lookthrough"]
    shares = pl.concat([_solved("mine", vector["mine_stage"]), _solved("refining", vector)])
    held = shares.filter(
        (pl.col("universe") == "supply") & (pl.col("stage") == "refining")
    ).with_columns(hidden_pp=100 * (pl.col("lookthrough_share") - pl.col("direct_share")))
    quantities = dict(held.select("importer_iso3", "quantity").iter_rows())
    assert [quantities[country] for country in vector["countries"]] == vector["availability"]
    japan = {
        row["origin_iso3"]: row
        for row in held.iter_rows(named=True)
        if row["importer_iso3"] == "JP"
    }
    for origin, share in vector["direct_share_JP"].items():
        assert japan[origin]["direct_share"] == near(share)
    for origin, share in vector["expect_C_JP"].items():
        assert japan.get(origin, {"lookthrough_share": 0.0})["lookthrough_share"] == near(share)
    assert japan["CN"]["hidden_pp"] == near(vector["hidden_CN_pp"], 1e-4)
    mine = vector["mine_stage"]
    with duckdb.connect() as connection:
        create_measures(connection)
        connection.execute(
            "create table ref_chain_step as "
            "select 'c' as chain_id, step_order, stage as material, stage "
            "from (values (1, 'mine'), (2, 'refining')) as steps (step_order, stage)"
        )
        connection.register("shares", shares.to_arrow())
        connection.execute("create table mart_lookthrough as from shares")
        connection.execute(
            "create table dim_country as "
            "select distinct origin_iso3 as country_iso3, false as is_eu27 from shares"
        )
        origins = dict(
            connection.execute(
                "select origin_iso3, origin_share from origins_through_stages() "
                "where importer_iso3 = 'JP' and stage = 'refining'"
            ).fetchall()
        )
        [(exposure,)] = connection.execute(
            "select any_stage_exposure from any_stage_exposure(['CN']) "
            "where importer_iso3 = 'JP' and stage = 'refining'"
        ).fetchall()
    for origin, share in mine["expect_JP_mine_origin"].items():
        assert origins.get(origin, 0.0) == near(share)
    assert exposure == near(mine["expect_any_stage_exposure"])
    assert 1 - exposure == near(mine["expect_china_free_both_stages"])


def test_supply_without_the_largest_supplier(vectors, value):
    mine, both = vectors["n1"]
    supply, top = mine["total_supply"], mine["shares"][0] * mine["total_supply"]
    found = value("n1_gross(?, ?, ?)", supply, top, mine["demand"])
    # The shares of the vector are rounded to four digits.
    assert found == near(mine["expect_gross_mine_2025"], 5e-5)
    supply, top, demand = both["s_total"], both["s_top"], both["d_world"]
    assert value("n1_gross(?, ?, ?)", supply, top, demand) == near(both["expect_gross"])
    found = value("n1_net(?, ?, ?, ?)", supply, top, demand, both["d_top"])
    assert found == near(both["expect_net"])


def test_a_drop_of_exports(vectors, value):
    drop, sums = vectors["export_drop"]
    assert value("yoy_ln(?, ?)", 1e6 * (1 + drop["yoy"]), 1e6) == near(drop["expect_ln"], 1e-4)
    found = value("list_sum([?, ?])", sums["h1"], sums["jul"])
    assert found == sums["expect"]
    assert found == near(sums["published"], sums["tolerance"])


def _threshold(rule_set):
    lower = read_reference("ref_threshold").filter(pl.col("rule_set") == rule_set)["lower"]
    return float(lower.cast(pl.Float64).max())


def test_sixty_five_percent_of_consumption(vectors, value):
    assert len(vectors["crma65"]) == 3
    for vector in vectors["crma65"]:
        dependency = value("consumption_share(?, ?)", vector["ir"], vector["top_share"])
        assert dependency == near(vector.get("expect_dependency", dependency))
        flag = value(
            "exceeds(?, ?, ?, ?)", _threshold("crma_65"), dependency, dependency, dependency
        )
        assert flag is vector["expect_flag"], vector["name"]


def test_eu_supply_risk(vectors, value):
    assert len(vectors["eu_supply_risk"]) == 3
    for vector in vectors["eu_supply_risk"]:
        hhi = {}
        for side in ("gs", "eu"):
            countries = sorted(vector[side])
            hhi[side] = value(
                "hhi_wgi(?::double[], ?::double[], ?::double[])",
                [float(vector[side][c]) for c in countries],
                [float(vector["wgi"][c]) for c in countries],
                [float(vector["t"].get(c, 1)) for c in countries],
            )
        assert hhi["gs"] == near(vector["expect"]["hhi_wgi_gs"])
        assert hhi["eu"] == near(vector["expect"]["hhi_wgi_eu"])
        found = value(
            "eu_supply_risk(?, ?, ?, ?, ?)",
            hhi["gs"],
            hhi["eu"],
            vector["ir"],
            vector["eol"],
            vector["si"],
        )
        assert found == near(vector["expect"]["sr"])


def test_supply_risk_of_nassar(vectors, value):
    for vector in vectors["nassar_sr"]:
        found = value("nassar_supply_risk(?, ?, ?)", vector["dp"], vector["te"], vector["ev"])
        assert found == near(vector["expect"])


def test_geopolitical_supply_risk(vectors, value):
    for vector in vectors["geopolrisk"]:
        found = value(
            "geopolrisk_score(?, ?, ?, ?)",
            vector["hhi"],
            vector["numerator"],
            vector["total_trade"],
            vector["production"],
        )
        assert found == near(vector["expect"])


def test_geodep(vectors, value):
    for vector in vectors["geodep"]:
        ratio = value("import_to_export_ratio(?, ?)", vector["imports"], vector["exports"])
        assert ratio == near(vector["expect_ratio"])
        flag = value(
            "geodep(?, ?, ?, ?, ?, ?)",
            vector["hhi_imports"],
            vector["hhi_world_exports"],
            ratio,
            _threshold("geodep_imports"),
            _threshold("geodep_world"),
            _threshold("geodep_ratio"),
        )
        assert flag is vector["expect_flag_one_year"]


def test_tokens(vectors):
    texts = [vector["raw"] for vector in vectors["tokens"]]
    read = parse_values(pl.DataFrame({"value_text": texts}), WORDS, upper=pl.lit(100.0))
    rows = {row["value_text"]: row for row in read.iter_rows(named=True)}
    bounds = {"low": "lower_bound", "high": "upper_bound"}
    for vector in vectors["tokens"]:
        row = rows[vector["raw"]]
        if vector["raw"] in GLUED:
            refused = row["value_flag"] == "unreadable"
            assert refused is (vector["raw"] in NO_NUMBER)
            continue
        if vector["flag"] == "bound":
            kind = "low" if vector["raw"].startswith(">") else "high"
            assert row["value_flag"] == bounds[kind]
        else:
            assert row["value_flag"] == vector["flag"].split(" ")[0]
        assert row["value"] == vector.get("value")
        for name in ("low", "high"):
            if name in vector:
                assert row[f"value_{name}"] == vector[name]
    assert {v["raw"] for v in vectors["tokens"]} >= GLUED


def _seed(name):
    return PROJECT_ROOT / "dbt_project" / "seeds" / f"{name}.csv"


def test_element_in_its_oxide(vectors):
    assert len(vectors["element_factors"]) == 6
    with duckdb.connect() as connection:
        held = dict(
            connection.execute(
                "select formula_high, element_share_high from read_csv(?) where form = 'oxide'",
                [str(_seed("ref_element_content"))],
            ).fetchall()
        )
    for vector in vectors["element_factors"]:
        # Four digits are printed.
        assert held[vector["oxide"]] == near(vector["expect"], 5.1e-5), vector["oxide"]


def test_oxides_in_a_tonne_of_magnets(vectors):
    grades = {"22.5 Nd/7.5 Pr": "ndfeb_ndpr", "21.5/7/2/0.2": "ndfeb_traction"}
    assert [vector["grade"] for vector in vectors["magnet_reo"]] == list(grades)
    with duckdb.connect() as connection:
        create_measures(connection)
        for vector in vectors["magnet_reo"]:
            [(oxides,)] = connection.execute(
                """
                select sum(reo_equivalent(grades.share_central, factors.element_per_oxide))
                from read_csv(?) as grades
                inner join read_csv(?) as factors
                    on grades.element = factors.symbol and factors.form = 'oxide'
                where grades.grade_id = ?
                """,
                [
                    str(_seed("ref_magnet_grade")),
                    str(_seed("ref_element_content")),
                    grades[vector["grade"]],
                ],
            ).fetchall()
            assert oxides == near(vector["expect_t_reo_per_t"], 5.1e-5), vector["grade"]


@pytest.mark.slow
@pytest.mark.xdist_group("starter")
def test_unit_value_of_a_flow(vectors, starter_home):
    """CEPII holds this flow with the weight and value of its one report."""
    [vector] = vectors["unit_value"]
    assert vector["name"] == "China imports HS2846 2024 MMR"
    path = starter_home / "release" / "current" / "monazite.duckdb"
    with duckdb.connect(str(path), read_only=True) as release:
        [(found,)] = release.execute(
            """
            select unit_value(sum(trade_value_usd), sum(net_weight_kg)) from mart_unit_value
            where importer_iso3 = 'CHN' and exporter_iso3 = 'MMR' and reference_year = 2024
                and hs_code like '2846%'
            """
        ).fetchall()
    assert found == near(vector["expect"], vector["tolerance"])
