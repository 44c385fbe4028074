"""A year is cut into pieces that cover it once, and a piece into halves that cover it once."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.un_comtrade.pieces_fetch import (
    MOST_PERIODS,
    Cell,
    Piece,
    missing_pieces,
    plan,
)

PARTNERS = tuple(str(code) for code in (0, 36, 56, 156, 392))
REPORTERS = st.sampled_from(["4", "36", "97", "156", "392", "842"])
PERIODS = st.sampled_from([f"2024{month:02d}" for month in range(1, 13)] + ["202501", "202502"])
CELLS = st.dictionaries(st.tuples(REPORTERS, PERIODS), st.integers(0, 400_000), max_size=40)
CODES = st.sets(st.integers(100_000, 999_999).map(str), min_size=1, max_size=30)
FLOWS = st.sampled_from([("M",), ("M", "X"), ("M", "X", "RM", "RX")])
CAPS = st.sampled_from([500, 100_000])


def atoms(piece: Piece) -> Counter[tuple[str, ...]]:
    """Everything that a piece asks for."""
    partners = piece.partners or PARTNERS
    return Counter(product(piece.reporters, piece.periods, piece.codes, piece.flows, partners))


def union(pieces: list[Piece]) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for piece in pieces:
        found.update(atoms(piece))
    return found


def planned(
    records: dict[Cell, int], codes: set[str], flows: tuple[str, ...], cap: int
) -> list[Piece]:
    wanted = missing_pieces(records, codes, flows, [], PARTNERS)
    return plan("M", wanted, records, cap)


@settings(max_examples=30, deadline=None)
@given(CELLS, CODES, FLOWS, CAPS)
def test_a_plan_covers_every_cell_code_and_flow_exactly_once(
    records: dict[Cell, int], codes: set[str], flows: tuple[str, ...], cap: int
) -> None:
    found = union(planned(records, codes, flows, cap))
    wanted = {
        (*cell, code, flow, partner)
        for cell, code, flow, partner in product(records, codes, flows, PARTNERS)
    }
    assert found.keys() == wanted
    assert set(found.values()) <= {1}


@settings(max_examples=30, deadline=None)
@given(CELLS, CODES, FLOWS, CAPS)
def test_no_address_of_a_plan_is_longer_than_a_server_takes(
    records: dict[Cell, int], codes: set[str], flows: tuple[str, ...], cap: int
) -> None:
    for piece in planned(records, codes, flows, cap):
        assert len(piece.query(cap)) < 2_000
        assert len(piece.periods) <= MOST_PERIODS


def test_the_widest_plan_stays_within_an_address() -> None:
    codes = {f"{n:06d}" for n in range(900)}
    cells = {
        (str(reporter), f"2024{m:02d}"): 0 for reporter in range(800, 850) for m in range(1, 13)
    }
    pieces = planned(cells, codes, ("M", "X", "RM", "RX"), 100_000)
    assert max(len(piece.query(100_000)) for piece in pieces) < 2_000
    assert sum(len(p.reporters) * len(p.codes) for p in pieces) == 50 * 900


PIECES = st.builds(
    Piece,
    st.just("M"),
    st.lists(REPORTERS, min_size=1, max_size=3, unique=True).map(tuple),
    st.lists(PERIODS, min_size=1, max_size=4, unique=True).map(tuple),
    st.lists(st.sampled_from(["280530", "284610", "850511"]), min_size=1, unique=True).map(tuple),
    FLOWS,
    st.lists(st.sampled_from(PARTNERS), unique=True).map(tuple),
)


@settings(max_examples=40, deadline=None)
@given(PIECES)
def test_halves_cover_the_piece_exactly_once(piece: Piece) -> None:
    halves = piece.halves(PARTNERS)
    if halves is None:
        assert len(atoms(piece)) == 1
        return
    assert union(list(halves)) == atoms(piece)


@settings(max_examples=40, deadline=None)
@given(PIECES, st.integers(1, 6))
def test_whatever_the_cap_splitting_ends_with_answers_below_it_or_single_cells(
    piece: Piece, cap: int
) -> None:
    whole: list[Piece] = []
    waiting = [piece]
    while waiting:
        one = waiting.pop()
        # A publisher that has one row of everything.
        if len(atoms(one)) < cap:
            whole.append(one)
            continue
        halves = one.halves(PARTNERS)
        if halves is None:
            assert cap == 1
            whole.append(one)
        else:
            waiting += halves
    assert union(whole) == atoms(piece)


@settings(max_examples=30, deadline=None)
@given(PIECES)
def test_an_address_tells_its_piece(piece: Piece) -> None:
    for service in ("data/v1/get", "public/v1/preview"):
        url = f"http://127.0.0.1:1/x.org/{service}/C/{piece.frequency}/HS?{piece.query(500)}"
        assert Piece.of_url(url) == piece


TOTALS = "partner2Code=0&motCode=0&customsCode=C00"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("getDA/C/A/HS", "period=2024"),
        ("get/S/A/EB", f"reporterCode=36&period=2024&cmdCode=1&flowCode=M&{TOTALS}"),
        # Breakdowns beside their totals.
        ("get/C/A/HS", "reporterCode=36&period=2024&cmdCode=280530&flowCode=M"),
        # All reporters, of which nobody knows which they were.
        ("get/C/A/HS", f"period=2024&cmdCode=280530&flowCode=M&{TOTALS}"),
    ],
)
def test_an_address_of_another_request_is_no_piece(path: str, query: str) -> None:
    assert Piece.of_url(f"https://comtradeapi.un.org/data/v1/{path}?{query}") is None
    assert Piece.of_url("") is None


@settings(max_examples=30, deadline=None)
@given(st.lists(PIECES, max_size=4), CELLS, FLOWS)
def test_what_is_held_and_what_is_missing_make_the_whole(
    held: list[Piece], records: dict[Cell, int], flows: tuple[str, ...]
) -> None:
    codes = {"280530", "284610", "850511"}
    missing = plan("M", missing_pieces(records, codes, flows, held, PARTNERS), records, 500)
    there = union(held)
    wanted = {
        (*cell, code, flow, partner)
        for cell, code, flow, partner in product(records, codes, flows, PARTNERS)
    }
    asked = union(missing)
    assert set(asked.values()) <= {1}
    assert wanted <= there.keys() | asked.keys()
    # Only what a piece held in part (some partners) is asked again.
    for one in asked.keys() & there.keys():
        cell, code, flow = one[:2], one[2], one[3]
        assert not {(*cell, code, flow, partner) for partner in PARTNERS} <= there.keys()


def test_large_reporters_are_asked_alone_and_small_ones_together() -> None:
    records = {("4", "2024"): 1_000, ("8", "2024"): 1_000, ("842", "2024"): 3_000_000}
    codes = {str(280_000 + n) for n in range(140)}
    pieces = planned(records, codes, ("M", "X"), 100_000)
    together = [p for p in pieces if p.reporters == ("4", "8")]
    alone = [p for p in pieces if p.reporters == ("842",)]
    assert len(together) == 1
    assert len(alone) == len(pieces) - 1 > 1
    assert {len(p.codes) for p in alone} <= {46, 47, 48}


def test_names_of_documents_depend_on_nothing_but_the_piece() -> None:
    piece = Piece("A", ("156", "392"), ("2024",), ("280530",), ("M", "X"))
    again = Piece("A", ("156", "392"), ("2024",), ("280530",), ("M", "X"))
    other = Piece("A", ("156", "392"), ("2024",), ("284610",), ("M", "X"))
    assert piece.name("A2024") == again.name("A2024") != other.name("A2024")
    assert piece.name("A2024").startswith("A2024-156+1-")
