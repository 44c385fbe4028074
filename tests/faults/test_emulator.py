"""The emulator breaks its answers as a fault says, on the wire and not only in name."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from types import ModuleType

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.emulator.app import Emulator
from tests.emulator.faults import Fault, Kind
from tests.emulator.files import file_response
from tests.emulator.serving import serving

HOST = "api.nowhere.example"
ROWS = [{"place": f"P{n}", "amount": n} for n in range(10)]
PAGE = {"total": 20, "rows": ROWS}


def publisher(name: str, path: str = "/rows") -> ModuleType:
    module = ModuleType(name)

    async def rows(request: Request) -> Response:
        offset = int(request.query_params.get("offset", 0))
        return JSONResponse(PAGE | {"offset": offset}, headers={"ETag": '"v1"'})

    async def table(request: Request) -> Response:
        return Response(b"place,amount\nP0,0\nP1,1\n", media_type="text/csv")

    async def zipped(request: Request) -> Response:
        return Response(b"PK\x03\x04" + bytes(200), media_type="application/zip")

    vars(module)["HOSTS"] = (HOST,)
    vars(module)["routes"] = lambda emulator: [
        Route(path, rows),
        Route(f"{path}/table.csv", table),
        Route(f"{path}/a.zip", zipped),
    ]
    return module


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(modules={"one": publisher("one"), "two": publisher("two", "/other")})


@pytest.fixture
def port(emulator: Emulator) -> Iterator[int]:
    with serving(emulator) as base:
        yield int(base.rpartition(":")[2])


def asked(port: int, path: str, *, method: str = "GET") -> tuple[bytes, bytes, str]:
    """Head, body, and how the connection ended: closed, reset or still silent."""
    came = b""
    with socket.create_connection(("127.0.0.1", port), timeout=0.6) as connection:
        connection.sendall(
            f"{method} /{HOST}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        end = "closed"
        try:
            while piece := connection.recv(65536):
                came += piece
        except ConnectionResetError:
            end = "reset"
        except TimeoutError:
            end = "silent"
    head, _, body = came.partition(b"\r\n\r\n")
    return head, body, end


def length(head: bytes) -> int:
    [line] = [x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")]
    return int(line.partition(b":")[2])


WHOLE = json.dumps(PAGE | {"offset": 0}, separators=(",", ":")).encode()


def test_without_faults_the_answer_is_whole_and_publishers_share_a_host(port: int) -> None:
    assert asked(port, "/rows")[1:] == (WHOLE, "closed")
    assert asked(port, "/other")[1:] == (WHOLE, "closed")
    assert b" 404 " in asked(port, "/nothing")[0]


@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [
        (Kind.TOO_MANY, b" 429 ", b"Too many"),
        (Kind.TOO_MANY_WAIT, b" 429 ", b"Too many"),
        (Kind.SERVER_ERROR, b" 500 ", b"Error"),
        (Kind.PAGE, b" 200 ", b"<html>"),
        (Kind.EMPTY, b" 200 ", b""),
        (Kind.REDIRECT, b" 302 ", b""),
        (Kind.QUOTA, b" 403 ", b"Out of call volume quota"),
    ],
)
def test_refusals(emulator: Emulator, port: int, kind: Kind, status: bytes, says: bytes) -> None:
    emulator.faults.set(Fault(kind, retry_after="9"))
    head, body, end = asked(port, "/rows")
    assert status in head.split(b"\r\n")[0]
    assert says in body
    assert end == "closed"
    assert (b"retry-after: 9" in head.lower()) is (kind is Kind.TOO_MANY_WAIT)
    assert (b"location: https://elsewhere" in head.lower()) is (kind is Kind.REDIRECT)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reset_is_a_reset_after_a_part_of_the_body(
    emulator: Emulator, port: int, method: str
) -> None:
    emulator.faults.set(Fault(Kind.RESET, share=0.4))
    head, body, end = asked(port, "/rows", method=method)
    assert end == "reset"
    if method == "GET":
        assert length(head) == len(WHOLE)
        assert body == WHOLE[: int(len(WHOLE) * 0.4)]


def test_unmarked_answer_ends_early_and_says_no_length(emulator: Emulator, port: int) -> None:
    emulator.faults.set(Fault(Kind.UNMARKED, share=0.4))
    head, body, end = asked(port, "/rows")
    assert head.startswith(b"HTTP/1.0 200 ")
    assert b"content-length" not in head.lower()
    assert b"transfer-encoding" not in head.lower()
    assert (body, end) == (WHOLE[: int(len(WHOLE) * 0.4)], "closed")


def test_lengths_that_are_not_true(emulator: Emulator, port: int) -> None:
    emulator.faults.set(Fault(Kind.LENGTH_TOO_LONG), Fault(Kind.LENGTH_TOO_SHORT, skip=1))
    head, body, end = asked(port, "/rows")
    assert (length(head), body, end) == (len(WHOLE) + 7, WHOLE, "closed")
    head, body, end = asked(port, "/rows")
    assert (length(head), body, end) == (len(WHOLE) // 2, WHOLE, "closed")


def test_cut_bodies_of_an_honest_length(emulator: Emulator, port: int) -> None:
    emulator.faults.set(
        Fault(Kind.TRUNCATED, path="*.zip"),
        Fault(Kind.TRUNCATED, path="*.csv"),
        Fault(Kind.TRUNCATED_GZIP, path="/rows", share=0.6),
    )
    head, body, end = asked(port, "/rows/a.zip")
    assert (length(head), len(body), end) == (102, 102, "closed")
    assert asked(port, "/rows/table.csv")[2] == "reset", "a cut text would look whole"
    head, body, _ = asked(port, "/rows")
    assert b"content-encoding: gzip" in head.lower()
    assert length(head) == len(body)
    assert WHOLE.startswith(zlib.decompressobj(31).decompress(body))
    with pytest.raises(EOFError):
        gzip.decompress(body)


@pytest.mark.parametrize(("kind", "some"), [(Kind.DRIP, True), (Kind.SILENCE, False)])
def test_slow_answers(emulator: Emulator, port: int, kind: Kind, some: bool) -> None:
    emulator.faults.set(Fault(kind))
    head, body, end = asked(port, "/rows")
    if some:
        assert length(head) == len(WHOLE)
        assert 0 < len(body) < len(WHOLE) or end == "closed"
    else:
        assert (head, body, end) == (b"", b"", "silent")


def test_rows_and_pages_go_missing_and_the_total_stays(emulator: Emulator, port: int) -> None:
    emulator.faults.set(
        Fault(Kind.CUT_ROWS, path="/rows?offset=10", share=0.3),
        Fault(Kind.MISSING_PAGE, path="/rows?offset=20"),
        Fault(Kind.DUPLICATED_PAGE, path="/rows?offset=30"),
        Fault(Kind.CUT_ROWS, path="*.csv"),
        Fault(Kind.MISSING_PAGE, path="*.csv", is_told=True, times=None),
    )
    told = {n: json.loads(asked(port, f"/rows?offset={n}")[1]) for n in (0, 10, 20, 30, 40)}
    assert {n: (t["total"], len(t["rows"]), t["offset"]) for n, t in told.items()} == {
        0: (20, 10, 0),
        10: (20, 3, 10),
        20: (20, 0, 20),
        30: (20, 10, 20),
        40: (20, 10, 40),
    }
    assert asked(port, "/rows/table.csv")[1] == b"place,amount\nP0,0\n"
    assert asked(port, "/rows/table.csv")[1] == b"place,amount\nP0,0\nP1,1\n"


def test_columns_change_their_names_under_another_etag(emulator: Emulator, port: int) -> None:
    emulator.faults.set(
        Fault(Kind.CHANGED_COLUMN, path="/rows", column="amount"),
        Fault(Kind.CHANGED_COLUMN, path="/other"),
        Fault(Kind.CHANGED_COLUMN, path="*.csv", column="place"),
    )
    head, body, _ = asked(port, "/rows")
    assert set(json.loads(body)["rows"][3]) == {"place", "amount_new"}
    assert json.loads(body)["total"] == 20
    assert b'"v1"' not in head
    assert b"etag: " in head.lower()
    assert set(json.loads(asked(port, "/other")[1])["rows"][0]) == {"place_new", "amount_new"}
    assert asked(port, "/rows/table.csv")[1].startswith(b"place_new,amount\nP0,0\n")


def test_a_fault_strikes_whom_it_means_as_often_as_it_says(emulator: Emulator, port: int) -> None:
    emulator.faults.set(
        Fault(Kind.SERVER_ERROR, path="/rows", skip=1, times=2),
        Fault(Kind.SERVER_ERROR, host="another.example"),
    )
    status = [asked(port, path)[0][9:12] for path in ["/rows", "/other", *["/rows"] * 4]]
    assert status == [b"200", b"200", b"500", b"500", b"200", b"200"]
    assert [path for _, path in emulator.faults.struck] == [f"{HOST}/rows"] * 2
    emulator.faults.set(Fault(Kind.SERVER_ERROR, times=None))
    assert asked(port, "/rows")[0][9:12] == b"500"
    emulator.faults.lift()
    assert asked(port, "/rows")[0][9:12] == b"200"


@pytest.mark.parametrize(
    ("wanted", "status", "body"),
    [
        ({}, 200, b"0123456789"),
        ({"Range": "bytes=3-5"}, 206, b"345"),
        ({"Range": "bytes=7-"}, 206, b"789"),
        ({"Range": "bytes=-2"}, 206, b"89"),
        ({"Range": "bytes=10-"}, 416, b""),
        ({"Range": "bytes=3-5", "If-Range": '"another"'}, 200, b"0123456789"),
        ({"If-None-Match": '"84d89877f0d4041e"'}, 304, b""),
    ],
)
def test_files_are_served_as_good_servers_do(
    wanted: dict[str, str], status: int, body: bytes
) -> None:
    headers = [(k.lower().encode(), v.encode()) for k, v in wanted.items()]
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": headers})
    answer = file_response(request, b"0123456789")
    assert (answer.status_code, bytes(answer.body)) == (status, body)
    assert answer.headers.get("etag", '"84d89877f0d4041e"') == '"84d89877f0d4041e"'


def test_only_what_is_there_can_be_served() -> None:
    with pytest.raises(KeyError, match="nobody"):
        Emulator(only=["nobody"])
