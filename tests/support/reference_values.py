"""Published facts that the warehouse is held against, and how each is asked for.

``reference_values.csv`` of the method lists them. Every ``exact`` and ``band`` row has a query here
or a reason why these sources cannot give it; every ``claim`` row stands in ``mart_claims``.

``python -m tests.support.reference_values HOME REFERENCE_DATA`` writes
docs/methods/reference-values.md again.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from pipelines.settings import PROJECT_ROOT

__all__ = ["PAGE", "Fact", "Found", "Warehouse", "check", "facts", "page", "warehouse"]

PAGE = PROJECT_ROOT / "docs" / "methods" / "reference-values.md"
#: Documents of the reference data that the starter does not hold; read by `monazite import`.
_IMPORTED = {
    "un_comtrade": (
        "trade/comtrade/china_imports_2846_preview/2022.json",
        "trade/comtrade/crm-trade-network/2023_2846_M_156.json",
    ),
    "usitc_dataweb": ("trade/usitc/us_imports_for_consumption_1993-2026.xlsx",),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of the method's table."""

    ref_id: str
    metric: str
    geo: str
    partner: str
    scope: str
    period: str
    value: str
    unit: str
    vintage: str
    test_use: str
    tolerance: str
    source_ids: str

    @property
    def numbers(self) -> list[float]:
        """The figures in the order in which they are printed."""
        return [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?", self.value)]

    def agrees(self, found: tuple[object, ...]) -> bool:
        """Whether the figures found are the published ones, within the fact's own tolerance.

        A bound (``>95``) is met by its low end and the flag of a bound, not by a number.
        """
        if self.value.startswith(">"):
            return found == (self.numbers[0], "lower_bound")
        if len(found) != len(self.numbers):
            return False
        return all(
            isinstance(ours, int | float) and abs(ours - theirs) <= self._slack(theirs) + 1e-9
            for ours, theirs in zip(found, self.numbers, strict=True)
        )

    def _slack(self, value: float) -> float:
        # A tolerance of "1 pp" belongs to the recomputed reliance; what is printed is printed.
        text = self.tolerance
        if text.endswith("%"):
            return abs(value) * float(text.removesuffix("%")) / 100
        return float(text) if re.fullmatch(r"[\d.]+", text) else 0.0


def facts(reference_data: Path) -> list[Fact]:
    """All rows of the method's table."""
    frame = pl.read_csv(
        reference_data / "method" / "reference_values.csv", infer_schema=False
    ).fill_null("")
    return [
        Fact(
            ref_id=row["ref_id"],
            metric=row["metric"],
            geo=row["geo"],
            partner=row["partner"],
            scope=row["element_scope"],
            period=row["period"],
            value=row["value"],
            unit=row["unit"],
            vintage=row["vintage"],
            test_use=row["test_use"],
            tolerance=row["tolerance"],
            source_ids=row["source_ids"],
        )
        for row in frame.iter_rows(named=True)
    ]


# What is asked of the starter's release


def _production(
    edition: str, country: str, year: int, *, material: str = "REE_total", basis: str = "reo_t"
) -> str:
    return f"""
        select value from fct_production
        where source_edition_id like '{edition}%' and material = '{material}' and stage = 'mine'
            and basis = '{basis}' and measure = 'production' and derivation = 'published'
            and is_primary and country_iso3 = '{country}' and reference_year = {year}
    """


def _balance(
    edition: str, material: str, measure: str, form: str | None, year: int, *, what: str = "value"
) -> str:
    of_form = "is null" if form is None else f"= '{form}'"
    return f"""
        select {what} from fct_supply_balance
        where source_edition_id like '{edition}%' and material = '{material}'
            and measure = '{measure}' and form {of_form} and country_iso3 = 'USA'
            and reference_year = {year}
    """


def _price(edition: str, material: str, year: int) -> str:
    return f"""
        select price_usd_per_kg from fct_price
        where source_edition_id like '{edition}%' and material = '{material}'
            and form like '%oxide' and reference_year = {year}
    """


def _china_compounds(figure: str) -> str:
    return f"""
        select {figure} from fct_trade_flow
        where flow_source = 'baci' and importer_iso3 = 'CHN' and hs_code in ('284610', '284690')
            and reference_year = 2024
    """


def _sources(material: str, *partners: str | None) -> str:
    shares = ", ".join(
        "round(100 * max(share_of_imports) filter (where "
        + ("is_residual" if partner is None else f"partner_iso3 = '{partner}'")
        + "), 6)"
        for partner in partners
    )
    return f"""
        select {shares} from mart_import_dependency
        where importer_iso3 = 'USA' and material = '{material}' and stage = 'refining'
            and basis = 'share' and reference_year = 2024 and vintage_id = 'latest'
    """


def _mine_concentration(measure: str, year: int, vintage: str) -> str:
    return f"""
        select {measure} from mart_concentration
        where material = 'REE_total' and stage = 'mine' and scope = 'world_production'
            and basis = 'reo_t' and reference_year = {year} and vintage_id = '{vintage}'
    """


def _salient_cell(form: str, year: int) -> str:
    # A line that mixes two stages reaches no balance; the cell is there.
    return f"""
        select cells.value from fct_source_cell as cells
        inner join read_parquet('$raw/raw_usgs_mcs__salient/usgs_mcs-2026*.parquet') as rows
            using (source_edition_id, row_number, column_number)
        where cells.raw_table = 'raw_usgs_mcs__salient' and rows.commodity_label = 'Rare Earths'
            and rows.statistic = 'exports' and rows.form_label = '{form}'
            and rows.reference_year = {year}
    """


_2025, _2026, _MYB = "usgs_mcs-2025", "usgs_mcs-2026", "usgs_myb-2022"
_NIR = "net_import_reliance"
_PERCENT = "round(100 * value, 6)"
_BOUND = "round(100 * value_low, 6), value_flag"
_BOTH = "compounds and metals"

RELEASE: dict[str, str] = {
    "R001": _production(_2026, "WLD", 2025),
    "R003": _production(_2026, "USA", 2025),
    "R004": _production(_2026, "AUS", 2025),
    "R006": _production(_2026, "THA", 2025),
    "R009": _production(_2026, "CHN", 2024),
    "R010": _production(_2026, "USA", 2024),
    "R011": _production(_2026, "AUS", 2024),
    "R012": _production(_2026, "MMR", 2024),
    "R013": _production(_2026, "NGA", 2024),
    "R014": _production(_2026, "THA", 2024),
    "R015": _production(_2026, "BRA", 2024),
    "R016": _production(_2025, "WLD", 2024),
    "R017": _production(_2025, "CHN", 2024),
    "R018": _production(_2025, "USA", 2024),
    "R019": _production(_2025, "AUS", 2024),
    "R020": _production(_2025, "MMR", 2024),
    "R021": _production(_2025, "NGA", 2024),
    "R022": _production(_2025, "THA", 2024),
    "R024": _production(_2025, "WLD", 2023),
    "R025": _production(_2025, "CHN", 2023),
    "R026": _production(_2025, "USA", 2023),
    "R027": _production(_2025, "MMR", 2023),
    "R028": _production(_2025, "AUS", 2023),
    "R030": _production(_MYB, "WLD", 2022),
    "R032": _production(_MYB, "WLD", 2018),
    "R035": """
        select value from fct_supply_balance
        where source_edition_id like 'usgs_mcs-2026%' and material = 'REE_total'
            and measure = 'reserves' and country_iso3 = 'CHN' and reference_year = 2025
    """,
    "R036": _mine_concentration("10000 * hhi_high", 2023, "2025-12-31"),
    "R037": _mine_concentration("10000 * hhi_high", 2024, "2025-12-31"),
    "R038": _mine_concentration("10000 * hhi_high", 2024, "latest"),
    "R040": _mine_concentration("cr3", 2023, "latest"),
    "R041": _balance(_2026, "REE_total", _NIR, _BOTH, 2025, what=_PERCENT),
    "R042": _balance(_2026, "REE_total", _NIR, _BOTH, 2024, what=_PERCENT),
    "R043": _balance(_2026, "REE_total", _NIR, _BOTH, 2023, what=_BOUND),
    "R044": _balance(_2025, "REE_total", _NIR, _BOTH, 2024, what=_PERCENT),
    "R045": _balance(_2025, "REE_total", _NIR, _BOTH, 2023, what=_BOUND),
    "R046": _balance(_2026, "HREE", _NIR, _BOTH, 2025, what=_PERCENT),
    "R047": _balance(_2026, "Y", _NIR, None, 2025, what=_PERCENT),
    "R048": _balance(_2026, "Sc", _NIR, None, 2025, what=_PERCENT),
    "R049": _sources("REE_total", "CHN"),
    "R050": _sources("REE_total", "MYS"),
    "R051": _sources("REE_total", "JPN"),
    "R052": _sources("REE_total", "EST"),
    "R053": _sources("REE_total", None),
    "R055": _sources("Er", "DEU", "CHN", "NLD"),
    "R056": _sources("Yb", "CHN"),
    "R057": _sources("Y", "CHN", "DEU", "AUT", "KOR", None),
    "R058": _balance(_2026, "HREE", "imports", _BOTH, 2024),
    "R061": _salient_cell("ores and compounds", 2024),
    "R062": _balance(_2026, "REE_total", "imports", "compounds", 2025),
    "R063": _salient_cell("ores and compounds", 2025),
    "R069": _price(_2026, "Nd", 2025),
    "R071": _price(_2026, "NdPr", 2025),
    "R072": _price(_2026, "Pr", 2024),
    "R073": _price(_2026, "Pr", 2025),
    "R074": _price(_2026, "Dy", 2024),
    "R076": _price(_2026, "Tb", 2024),
    "R077": _price(_2026, "Tb", 2025),
    "R078": _price(_2026, "Lu", 2024),
    "R079": _price(_2026, "Lu", 2025),
    "R080": _price(_2026, "Gd", 2024),
    "R081": _price(_2026, "Gd", 2025),
    "R082": _price(_2026, "Sm", 2024),
    "R083": _price(_2026, "Sm", 2025),
    "R084": _price(_2025, "Dy", 2024),
    # CEPII's weights of a flow that its importer alone reports.
    "R094": _china_compounds("sum(net_weight_kg) filter (where exporter_iso3 = 'LAO') / 1000"),
    "R099": _china_compounds(
        "sum(net_weight_kg) filter (where exporter_iso3 = 'MMR') / sum(net_weight_kg)"
    ),
    "R182": _production(_2026, "WLD", 2025, material="Co", basis="element_t"),
}


# What is asked after an import of documents that the starter does not hold


def _china_imports(partner: str, year: int) -> str:
    return f"""
        select net_weight_kg / 1000 from fct_trade_report
        where source_id = 'un_comtrade' and reporter_iso3 = 'CHN' and flow = 'import'
            and hs_code = '2846' and partner_iso3 = '{partner}' and reference_year = {year}
    """


def _basket_share(year: int) -> str:
    return f"""
        select sum(trade_value_usd) filter (where partner_iso3 = 'CHN') / sum(trade_value_usd)
        from fct_trade_report
        where source_id = 'usitc_dataweb' and flow = 'import'
            and hs_code in ('2805', '2846', '8505') and reference_year = {year}
    """


IMPORTED: dict[str, str] = {
    "R086": _china_imports("WLD", 2022),
    "R092": _china_imports("MMR", 2023),
    "R097": """
        select hhi(list(trade_value_usd)) from fct_trade_report
        where source_id = 'un_comtrade' and reporter_iso3 = 'CHN' and flow = 'import'
            and hs_code = '2846' and reference_year = 2023 and partner_iso3 != 'WLD'
    """,
    "R100": _basket_share(2010),
    "R101": _basket_share(2011),
    "R102": _basket_share(2018),
    "R103": _basket_share(2023),
    "R104": _basket_share(2024),
    "R105": _basket_share(2025),
}


# What these sources cannot give

_TEXT = "printed in the text of the chapter; the data release, which is read, does not have it"
_NO_2024 = (
    "no extract of UN Comtrade for 2024 is at hand; CEPII's weights of that year are reconciled "
    "from both reports and lie up to 2 % off"
)
_GACC = "Chinese customs figures by month or from the press; the publisher is not held"
_QUOTA = "quotas are not held"
_EUROSTAT = "Eurostat is not held; CEPII's EU imports stand beside the claim ESTAT-2024"
_JAPAN = "Japan's monthly customs figures are not held"

REASONS: dict[str, str] = {
    "R033": "no world total of an element is published by these sources; mine output by element "
    "has low and high for the countries whose deposits are described, and nothing for the others",
    **dict.fromkeys(("R059", "R064", "R065", "R066", "R067"), _TEXT),
    **dict.fromkeys(("R090", "R095"), _NO_2024),
    **dict.fromkeys((f"R{n}" for n in range(106, 122)), _GACC),
    **dict.fromkeys((f"R{n}" for n in range(122, 129)), _QUOTA),
    **dict.fromkeys((f"R{n}" for n in range(131, 136)), _EUROSTAT),
    "R136": "by weight, and CEPII's figures of this code are held without weights; the share by "
    "value stands beside the claim R136",
    **dict.fromkeys((f"R{n}" for n in range(171, 179)), _JAPAN),
}


# Asking


@dataclass(frozen=True, slots=True)
class Warehouse:
    """Connections to the starter's release and to a build of what is imported beside it."""

    release: duckdb.DuckDBPyConnection
    imported: duckdb.DuckDBPyConnection
    raw: Path


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a fact.

    :ivar outcome: ``equal`` or ``differs`` for exact facts, ``inside`` or ``outside`` for bands,
        ``claim`` or ``no claim``, ``reason``, or ``nothing`` where neither query nor reason is.
    """

    fact: Fact
    outcome: str
    detail: str


@contextmanager
def warehouse(home: Path, reference_data: Path) -> Iterator[Warehouse]:
    """Open the release of ``home`` and build the imported documents in a temporary one."""
    current = home / "release" / "current" / "monazite.duckdb"
    with (
        tempfile.TemporaryDirectory(prefix="monazite-reference-") as folder,
        duckdb.connect(str(current), read_only=True) as release,
        duckdb.connect(_built(Path(folder), reference_data), read_only=True) as imported,
    ):
        yield Warehouse(release, imported, home / "raw")


_BUILD = """
import json, sys
from pathlib import Path
from benchmarks.compare_baci import build

home, documents = json.loads(sys.argv[1])
documents = {source: [Path(name) for name in names] for source, names in documents.items()}
print(build(Path(home), documents, "fct_trade_report")["MONAZITE_BUILD_DB"])
"""


def _built(home: Path, reference_data: Path) -> str:
    """A build database with the reports of the documents that the starter does not hold."""
    documents = {
        source: [str(reference_data / name) for name in names]
        for source, names in _IMPORTED.items()
    }
    # In a process of its own, because dbt and Dagster warn where tests allow no warning.
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, json.dumps([str(home), documents])],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def check(facts_: list[Fact], where: Warehouse) -> list[Found]:
    """What became of every fact."""
    claims: dict[str, list[tuple[str, float | None]]] = {}
    for claim_id, value in where.release.execute(
        "select claim_id, computed_value from mart_claims order by claim_id"
    ).fetchall():
        claims.setdefault(claim_id.split("-")[0], []).append((claim_id, value))
    return [_check(fact, where, claims) for fact in facts_]


def _check(
    fact: Fact,
    where: Warehouse,
    claims: Mapping[str, list[tuple[str, float | None]]],
) -> Found:
    if fact.test_use == "claim":
        ids = claims.get(fact.ref_id, [])
        told = "; ".join(
            f"`{claim_id}`: "
            + ("nothing computed" if value is None else f"computed {_number(value)}")
            for claim_id, value in ids
        )
        return Found(fact, "claim" if ids else "no claim", told)
    if fact.ref_id in REASONS:
        return Found(fact, "reason", REASONS[fact.ref_id])
    if fact.ref_id in RELEASE:
        connection, query = where.release, RELEASE[fact.ref_id]
    elif fact.ref_id in IMPORTED:
        connection, query = where.imported, IMPORTED[fact.ref_id]
    else:
        return Found(fact, "nothing", "neither a query nor a reason")
    rows = connection.execute(query.replace("$raw", str(where.raw))).fetchall()
    agrees = len(rows) == 1 and fact.agrees(rows[0])
    words = ("equal", "differs") if fact.test_use == "exact" else ("inside", "outside")
    return Found(
        fact, words[0 if agrees else 1], "; ".join(_shown(row) for row in rows) or "no row"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _shown(row: tuple[object, ...]) -> str:
    return " / ".join(_exactly(x) if isinstance(x, int | float) else str(x) for x in row)


def _exactly(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.6g}"


# The page


_INTRODUCTION = """# Reference values

Published facts that the warehouse is held against: `make test` asks for each where the reference
documents are at hand (`tests/contract/test_reference_values.py`). `equal`: the warehouse has this
figure exactly, or a derived one within its tolerance. `inside`: within the band that is given.
`claim`: stands in [`mart_claims`](claims.md) with what is computed beside it. `not asked`: these
sources cannot give it, with the reason.

Of {n} facts {equal} are equal, {inside} lie inside their band, {claim} are claims and {reason}
are not asked. Figures of UN Comtrade are not passed on. Source ids are those of the method's
register.

| fact | what | who | period | published | unit | source | result | found, or why not |
|---|---|---|---|---|---|---|---|---|
"""


def page(found: list[Found]) -> str:
    """The page of all facts, as Markdown."""
    count = {word: sum(f.outcome == word for f in found) for word in ("equal", "inside", "claim")}
    head = _INTRODUCTION.format(
        n=len(found), reason=sum(f.outcome == "reason" for f in found), **count
    )
    return head + "".join(_line(f) for f in found)


def _line(found: Found) -> str:
    fact = found.fact
    hidden = fact.vintage.startswith("Comtrade") and found.outcome != "reason"
    who = fact.geo + (f" from {fact.partner}" if fact.partner else "")
    cells = (
        fact.ref_id,
        f"{fact.metric}, {fact.scope}",
        who,
        fact.period,
        "not passed on" if fact.vintage.startswith("Comtrade") else fact.value,
        fact.unit,
        f"{fact.vintage} ({fact.source_ids})",
        "not asked" if found.outcome == "reason" else found.outcome,
        "not passed on" if hidden else found.detail,
    )
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |\n"


def _write(home: Path, reference_data: Path) -> None:
    with warehouse(home, reference_data) as where:
        PAGE.write_text(page(check(facts(reference_data), where)), encoding="utf-8")


if __name__ == "__main__":
    _write(Path(sys.argv[1]), Path(sys.argv[2]))
