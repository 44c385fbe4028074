"""Whatever the bytes, these readers answer with rows or with one line."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.catalog import load_catalog
from pipelines.errors import EditionRefused
from pipelines.sources import load_source
from pipelines.sources.base import Document
from tests.emulator.publishers import bgs_wms, eurostat_comext

_TRIES = 150


def _pages() -> bytes:
    features = bgs_wms._features(2023, 0)[:12]
    return json.dumps(
        {"features": features, "numberMatched": len(features), "numberReturned": len(features)}
    ).encode()


def _export() -> bytes:
    features = [f["properties"] for f in bgs_wms._features(2023, 0)[:12]]
    lines = [",".join(features[0])]
    lines += [",".join('"' + str(v or "") + '"' for v in f.values()) for f in features]
    return "\n".join(lines).encode()


def _answer() -> bytes:
    row = "ESTAT:DS-045409(1.0),15/09/26,M,DE,CN,28053010,1,VALUE_IN_EUROS,2024-{:02d},7,"
    return "\n".join([eurostat_comext.HEADER, *(row.format(m) for m in range(1, 13))]).encode()


SOUND: dict[tuple[str, str], Callable[[], bytes]] = {
    ("bgs_wms", "page.json"): _pages,
    ("bgs_wms", "export.csv"): _export,
    ("eurostat_comext", "answer.csv"): _answer,
    ("eurostat_comext", "full_v2_202401.dat"): lambda: eurostat_comext.bulk_table(
        "202401"
    ).encode(),
    ("eurostat_comext", "full_v2_202401.7z"): lambda: eurostat_comext.bulk_file("202401"),
}


def _damaged(content: bytes, chance: random.Random) -> bytes:
    kind = chance.randrange(4)
    at = chance.randrange(len(content))
    if kind == 0:
        return content[:at]
    if kind == 1:
        spot = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            spot[chance.randrange(len(spot))] = chance.randrange(256)
        return bytes(spot)
    if kind == 2:
        return content[:at] + chance.randbytes(chance.randint(1, 64)) + content[at:]
    return content[: at // 2] + content[at:]


@pytest.mark.parametrize(("source_id", "name"), SOUND, ids=lambda x: x)
def test_damaged_bytes_give_rows_or_one_line(source_id: str, name: str, tmp_path: Path) -> None:
    sound = SOUND[source_id, name]()
    module = load_source(source_id)
    edition = load_catalog().source(source_id).edition("2023")
    path = tmp_path / name
    path.write_bytes(sound)
    whole = module.parse(edition, [Document.of(path)])
    assert whole.rows_out
    chance = random.Random(20_261_125)  # noqa: S311
    refused = 0
    for _ in range(_TRIES):
        path.write_bytes(_damaged(sound, chance))
        message = ""
        try:
            parsed = module.parse(edition, [Document.of(path)])
            # A packed table carries a checksum: it comes as it was, or not at all.
            if path.suffix == ".7z":
                assert parsed.rows_out == whole.rows_out
        except EditionRefused as error:
            refused += 1
            message = str(error)
        assert "\n" not in message
    assert refused > _TRIES // 4
