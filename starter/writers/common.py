"""What the starter's writers share: deterministic zips and the sheet beside the documents."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from pipelines.catalog import Edition

__all__ = ["Original", "write_edition", "write_zip"]

_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Original:
    """The publisher's document whose figures a starter document carries.

    :ivar document: file name in the starter.
    :ivar url: where the publisher serves (or describes) the original.
    :ivar sha256: of the original's bytes where known; several originals are joined by a blank.
    :ivar place: which part of the original was carried over, in our own words.
    """

    document: str
    url: str
    sha256: str | None = None
    place: str | None = None


def write_edition(
    folder: Path, edition: Edition, originals: Sequence[Original], *, note: str | None = None
) -> None:
    """Write ``edition.yml``: what the documents here are and where their figures are from."""
    sheet = {
        "source_id": edition.source_id,
        "label": edition.label,
        "version": edition.version,
        "published": edition.published.isoformat() if edition.published else None,
        "citation": edition.citation,
        "is_reexpressed": True,
        "note": note,
        "documents": [{k: v for k, v in asdict(o).items() if v is not None} for o in originals],
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(
        {k: v for k, v in sheet.items() if v is not None}, sort_keys=False, allow_unicode=True
    )
    (folder / "edition.yml").write_text(text, encoding="utf-8")


def write_zip(
    path: Path, members: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED
) -> None:
    """Write a zip whose bytes depend on its members only (sorted, fixed timestamps)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, date_time=_EPOCH)
            info.compress_type = method
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name], compresslevel=9)
