"""Every fault that a publisher can have, through a whole night up to the raw tables.

After each: a clear message, nothing partial stored, and the next night brings what a night without
faults would have brought.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipelines.errors import FetchFailed
from pipelines.settings import PROJECT_ROOT
from pipelines.sources.http import PublisherClient
from tests.emulator.app import Emulator
from tests.emulator.faults import Fault, Kind
from tests.support.asking import quick
from tests.support.nights import Warehouse

pytestmark = pytest.mark.usefixtures("toy_keys")

Opened = Callable[..., tuple[Warehouse, Emulator]]

LISTING = "/catalog/items*"
STORE = "store.example.org"
FILE = "/catalog/file/get/*"
#: Rows of a night without faults.
ROWS = {"toy_pages": {"2023": 30, "2024": 55}, "toy_files": {"2023": 30, "2024": 65}}
ALWAYS = 10_000


def rows(house: Warehouse) -> dict[str, dict[str, int]]:
    """Rows by source and label, as the raw tables hold them."""
    found: dict[str, dict[str, int]] = {}
    for name, table in house.raw().items():
        edition_id = name.partition("/")[2]
        source_id, label = edition_id.split("-")[:2]
        by_label = found.setdefault(source_id, {})
        by_label[label] = by_label.get(label, 0) + table.height
    return found


def failed_night(opened: Opened, source_id: str, *faults: Fault, says: str) -> Warehouse:
    """A night with faults, whose one failure says so; and the next, which makes it good."""
    house, publishers = opened(source_id)
    publishers.faults.set(*faults)
    failures = house.night([source_id])[source_id].failures
    assert publishers.faults.struck
    assert failures
    for failure in failures:
        assert re.search(says, failure), failure
        assert re.search(r"\[.+\]; .+", failure), f"no place or no remedy: {failure}"
        assert failure.isprintable()
        assert "Traceback" not in failure
    assert house.left_over() == []
    kept = rows(house).get(source_id, {})
    publishers.faults.lift()

    house.nights_until_nothing_is_new([source_id])
    made_good = rows(house)[source_id]
    assert kept.items() <= made_good.items()
    if source_id in ROWS:
        assert made_good == ROWS[source_id]
    assert house.left_over() == []
    return house


def survived_night(opened: Opened, source_id: str, *faults: Fault) -> Emulator:
    """A night with faults that the client waits out."""
    house, publishers = opened(source_id)
    publishers.faults.set(*faults)
    assert house.night([source_id])[source_id].failures == ()
    assert publishers.faults.struck
    assert rows(house)[source_id] == ROWS[source_id]
    return publishers


@pytest.mark.parametrize("kind", [Kind.TOO_MANY, Kind.TOO_MANY_WAIT, Kind.SERVER_ERROR, Kind.RESET])
@pytest.mark.parametrize("source_id", ["toy_pages", "toy_files"])
def test_trouble_that_passes_is_waited_out_within_the_night(
    opened: Opened, source_id: str, kind: Kind
) -> None:
    survived_night(opened, source_id, Fault(kind, skip=1, times=2))


def test_429_without_retry_after(opened: Opened) -> None:
    fault = Fault(Kind.TOO_MANY, path=LISTING, times=ALWAYS)
    failed_night(opened, "usgs_mcs", fault, says="answers 429 Too Many Requests.*asked 4 times")


def test_429_with_retry_after(opened: Opened) -> None:
    fault = Fault(Kind.TOO_MANY_WAIT, path=FILE, times=ALWAYS, retry_after="7")
    failed_night(opened, "usgs_mcs", fault, says=r"answers 429 .*asking to wait \(7\)")


def test_storm_of_500(opened: Opened) -> None:
    failed_night(
        opened, "toy_pages", Fault(Kind.SERVER_ERROR, skip=2, times=ALWAYS), says="answers 500"
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_connection_reset_in_the_middle_of_a_body(opened: Opened, share: float) -> None:
    # More often than there are attempts, even where each goes on where the last one stopped.
    fault = Fault(Kind.RESET, host=STORE, times=ALWAYS, share=share)
    house, publishers = opened("toy_files")
    publishers.faults.set(fault)
    said = house.night(["toy_files"])["toy_files"]
    assert all(re.search("connection to .* broke|stops after", f) for f in said.failures)
    assert house.left_over() == []
    assert rows(house).get("toy_files", {}).items() <= ROWS["toy_files"].items()
    publishers.faults.lift()
    house.nights_until_nothing_is_new(["toy_files"])
    assert rows(house)["toy_files"] == ROWS["toy_files"]


def test_content_length_above_the_body(opened: Opened) -> None:
    failed_night(
        opened, "toy_files", Fault(Kind.LENGTH_TOO_LONG, path="/list*", times=ALWAYS),
        says="connection to files.example.org broke",
    )  # fmt: skip


def test_content_length_below_the_body_of_a_listing(opened: Opened) -> None:
    fault = Fault(Kind.LENGTH_TOO_SHORT, path=LISTING, times=ALWAYS)
    failed_night(opened, "usgs_mcs", fault, says="answer is not JSON")


def test_content_length_below_the_size_of_a_file(opened: Opened) -> None:
    fault = Fault(Kind.LENGTH_TOO_SHORT, path=FILE, times=ALWAYS)
    failed_night(opened, "usgs_mcs", fault, says="size .* differs from .* publisher announces")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_truncated_zip_of_an_honest_length(opened: Opened, share: float) -> None:
    fault = Fault(Kind.TRUNCATED, host=STORE, path="*.zip*", times=ALWAYS, share=share)
    failed_night(opened, "toy_files", fault, says="zip has no list of contents|file ends after")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_truncated_gzip_of_an_honest_length(opened: Opened, share: float) -> None:
    fault = Fault(Kind.TRUNCATED, host=STORE, path="*.gz*", times=ALWAYS, share=share)
    failed_night(opened, "toy_files", fault, says="gzip is cut short|file ends after|file is empty")


def test_truncated_packing_of_the_transfer(opened: Opened) -> None:
    fault = Fault(Kind.TRUNCATED_GZIP, path="/v1/data*", times=ALWAYS)
    failed_night(opened, "toy_pages", fault, says="packing of the answer is cut short")


@pytest.mark.parametrize("path", ["/catalog/item*", FILE])
def test_web_page_with_status_200(opened: Opened, path: str) -> None:
    fault = Fault(Kind.PAGE, path=path, times=ALWAYS)
    failed_night(opened, "usgs_mcs", fault, says="a web page came where data was asked for")


def test_slow_drip(opened: Opened) -> None:
    fault = Fault(Kind.DRIP, path="/v1/years*", times=ALWAYS)
    failed_night(opened, "toy_pages", fault, says="answer drips: .* bytes in")


def test_silence(opened: Opened) -> None:
    fault = Fault(Kind.SILENCE, path="/v1/years*", times=ALWAYS)
    failed_night(opened, "toy_pages", fault, says="is silent for too long")


def test_redirect_to_another_host(opened: Opened) -> None:
    fault = Fault(Kind.REDIRECT, path=FILE, times=ALWAYS)
    failed_night(
        opened, "usgs_mcs", fault, says="redirected to elsewhere.invalid is not a host that"
    )


def test_answer_cut_at_a_row_cap(opened: Opened) -> None:
    fault = Fault(Kind.CUT_ROWS, path=LISTING, times=ALWAYS, share=0)
    failed_night(opened, "usgs_mcs", fault, says="listing stops after 0 of 4 items")


def test_duplicated_page(opened: Opened) -> None:
    fault = Fault(Kind.DUPLICATED_PAGE, path="/v1/data?year=2024*", skip=1, times=ALWAYS)
    failed_night(opened, "toy_pages", fault, says="page 0 came for page 20|rows where")


def test_missing_page(opened: Opened) -> None:
    fault = Fault(Kind.MISSING_PAGE, path="/v1/data?year=2024*", skip=1, times=ALWAYS)
    failed_night(opened, "toy_pages", fault, says="page has 0 rows where 35 are left")


def test_changed_column(opened: Opened) -> None:
    """The edition is refused, and asked for again although the publisher's date is as before."""
    fault = Fault(Kind.CHANGED_COLUMN, path="/v1/data*", times=ALWAYS, column="amount")
    house, publishers = opened("toy_pages")
    publishers.faults.set(fault)
    said = house.night(["toy_pages"])["toy_pages"]
    assert len(said.failures) == 2
    for failure in said.failures:
        assert re.search(r"columns are amount_new, place \[202\d-0000.json\]; ", failure), failure
    assert rows(house) == {}
    publishers.faults.lift()
    house.nights_until_nothing_is_new(["toy_pages"])
    assert rows(house)["toy_pages"] == ROWS["toy_pages"]


def test_changed_field_of_a_listing(opened: Opened) -> None:
    fault = Fault(Kind.CHANGED_COLUMN, path="/catalog/item/*", times=ALWAYS, column="files")
    failed_night(opened, "usgs_mcs", fault, says="no salient and no world tables in")


def test_quota_that_the_publisher_ends_in_the_middle_of_a_backfill(opened: Opened) -> None:
    house, publishers = opened("toy_pages")
    publishers.world["toy_pages"]["left"] = 4  # the list, 2023 whole, one page of 2024
    [failure] = house.night(["toy_pages"])["toy_pages"].failures
    assert "answers 403: " in failure
    assert "Out of call volume quota" in failure
    assert "the next night goes on where this one stopped" in failure
    assert rows(house)["toy_pages"] == {"2023": 30}
    asked = len(publishers.requests)

    again = house.night(["toy_pages"])["toy_pages"].failures
    assert "answers no more requests today" in again[0]
    assert len(publishers.requests) == asked, "nobody asks a publisher that has said enough"

    publishers.world["toy_pages"]["left"] = 3  # the list and what is missing, not a page more
    house.next_day()
    assert house.night(["toy_pages"])["toy_pages"].failures == ()
    assert rows(house)["toy_pages"] == ROWS["toy_pages"]


def test_quota_of_our_own_count_ends_a_backfill_that_the_next_nights_complete(
    opened: Opened,
) -> None:
    house, publishers = opened("toy_pages")
    source = house.catalog.source("toy_pages")
    limits = source.api.model_copy(update={"requests_per_day": 3})
    house.catalog.sources["toy_pages"] = source.model_copy(update={"api": limits})
    nights = 0
    while True:
        before = len(publishers.requests)
        failures = house.night(["toy_pages"])["toy_pages"].failures
        assert len(publishers.requests) - before <= 3
        nights += 1
        if not failures:
            break
        assert all("today's 3 requests are used up" in f for f in failures)
        house.next_day()
    assert nights == 3
    assert rows(house)["toy_pages"] == ROWS["toy_pages"]


def test_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    """Not through a mirror, which stands before the publisher's own encryption."""
    with tls_server(tmp_path) as port:

        async def ask_it() -> None:
            async with PublisherClient([f"localhost:{port}"], settings=quick()) as client:
                await client.get_json(f"https://localhost:{port}/v1/years")

        with pytest.raises(FetchFailed) as caught:
            asyncio.run(ask_it())
    assert re.fullmatch(
        rf"certificate of localhost is not trusted \[https://localhost:{port}/v1/years\]; .+",
        str(caught.value),
    )
    assert caught.value.__cause__ is None


def test_handshake_that_is_broken_off(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def hang_up() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                connection.recv(1)
                connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()

        async def ask_it() -> None:
            settings = quick(attempts=2)
            async with PublisherClient([f"localhost:{port}"], settings=settings) as client:
                await client.get_json(f"https://localhost:{port}/v1/years")

        with pytest.raises(FetchFailed, match=r"connection to localhost broke .*asked 2 times"):
            asyncio.run(ask_it())
        thread.join(timeout=5)


@contextlib.contextmanager
def tls_server(folder: Path) -> Iterator[int]:
    """A server on loopback whose certificate it has signed itself; its port."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "server.pem"
    file.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
                pass

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(timeout=5)


#: A night in a process of its own, whose files may not grow beyond so many bytes.
FULL_DISK = """
import json, resource, sys
from pathlib import Path

from pipelines.settings import Settings
from tests.support.nights import Warehouse, catalogue, toy_readers

home, mirror, most = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with toy_readers():
    house = Warehouse(Settings(home=home), catalogue(), mirror)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    print(json.dumps(house.night(["toy_files"], patient=True)["toy_files"].failures))
"""


@pytest.mark.slow
@pytest.mark.parametrize("most", [0, 40, 150, 1500])
def test_full_disk(opened: Opened, most: int) -> None:
    house, _ = opened("toy_files")
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(house.settings.root), house.mirror, str(most)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    failures = json.loads(run.stdout.splitlines()[-1])
    assert failures
    for failure in failures:
        assert re.search("cannot (be written|write|be counted)", failure), failure
        assert "File too large" in failure
        assert failure.isprintable()
    assert [str(p) for p in house.archive.verify()] == []

    house.nights_until_nothing_is_new(["toy_files"])
    assert rows(house)["toy_files"] == ROWS["toy_files"]
    assert house.left_over() == []


#: A night in a process of its own, to be killed.
NIGHT = """
import sys
from pathlib import Path

from pipelines.settings import Settings
from tests.support.nights import Warehouse, catalogue, toy_readers

with toy_readers():
    house = Warehouse(Settings(home=Path(sys.argv[1])), catalogue(), sys.argv[2])
    house.night(["toy_files", "toy_pages"], patient=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "skip"),
    [("files.example.org", 0), ("store.example.org", 1), ("api.pages.example.org", 3)],
)
def test_process_killed_in_the_middle_of_a_download(opened: Opened, host: str, skip: int) -> None:
    sources = ("toy_files", "toy_pages")
    house, publishers = opened(*sources)
    publishers.faults.set(Fault(Kind.DRIP, host=host, skip=skip, times=None))
    night = subprocess.Popen(
        [sys.executable, "-c", NIGHT, str(house.settings.root), house.mirror], cwd=PROJECT_ROOT
    )
    deadline = time.monotonic() + 120
    while not publishers.faults.struck:
        assert time.monotonic() < deadline
        assert night.poll() is None, "the night ended before it was killed"
        time.sleep(0.01)
    time.sleep(0.1)  # some bytes have come
    night.kill()
    assert night.wait(timeout=30) == -signal.SIGKILL

    publishers.faults.lift()
    kept = rows(house)
    house.nights_until_nothing_is_new(sources)
    assert rows(house) == ROWS
    assert all(kept[s].items() <= ROWS[s].items() for s in kept)
    assert house.left_over() == []


def test_one_publisher_that_is_down_does_not_stop_the_others(opened: Opened) -> None:
    house, publishers = opened("toy_files", "toy_pages", "usgs_mcs")
    publishers.faults.set(Fault(Kind.RESET, host="*.example.org", times=None))
    said = house.night(["toy_files", "toy_pages", "usgs_mcs"])
    assert said["toy_files"].failures
    assert said["toy_pages"].failures
    assert said["usgs_mcs"].failures == ()
    assert said["usgs_mcs"].changed
    assert set(rows(house)) == {"usgs_mcs"}


def test_a_night_with_nothing_new_stores_nothing_and_asks_little(opened: Opened) -> None:
    sources = ("toy_files", "toy_pages", "usgs_mcs")
    house, publishers = opened(*sources)
    house.nights_until_nothing_is_new(sources)

    def stored() -> dict[str, int]:
        root = house.settings.root
        places = [*root.glob("archive/**/*"), *root.glob("raw/**/*")]
        return {str(p): p.stat().st_mtime_ns for p in places if p.is_file() and p.name != ".lock"}

    before, asked = stored(), publishers.count_by_host()
    house.next_day()
    house.night(sources, patient=True)
    assert stored() == before
    assert max((publishers.count_by_host() - asked).values()) <= 10
