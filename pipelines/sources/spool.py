"""Whole answers of an edition that is still being brought, kept across nights.

An edition of an interface with a daily quota takes several nights. Each whole answer is kept here
with what is known of it, so that the next night asks only for what is missing. The archive gets the
edition when it is complete, and the folder is removed then.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from pipelines.sources.fetching import FetchedDocument, safe_file_name

__all__ = ["Spool"]

_SHEET = ".json"


class Spool:
    """The answers of one edition, by document name.

    :param folder: of this edition alone, below the source's ``state_dir``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where a document is to be downloaded to before :meth:`keep` is called."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def get(self, name: str, *, key: str = "") -> FetchedDocument | None:
        """The kept answer of this name, or None.

        :param key: the publisher's word on freshness (a checksum, a date of last change); an answer
            kept under another one has been overtaken and is not given.
        """
        sheet = self._sheet(name)
        try:
            told = json.loads(sheet.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if told.pop("key", "") != key:
            return None
        path = self._folder / told["name"]
        if not path.is_file() or path.stat().st_size != told["size_bytes"]:
            return None
        told["retrieved_at"] = datetime.fromisoformat(told["retrieved_at"])
        return FetchedDocument(**{**told, "path": path})

    def keep(self, document: FetchedDocument, *, key: str = "") -> FetchedDocument:
        """Remember a document that lies in :attr:`folder` as whole."""
        told = asdict(document) | {
            "path": "",
            "retrieved_at": document.retrieved_at.isoformat(),
            "key": key,
        }
        sheet = self._sheet(document.name)
        temporary = sheet.with_suffix(".tmp")
        temporary.write_text(json.dumps(told), encoding="utf-8")
        temporary.replace(sheet)
        return replace(document, path=self._folder / document.name)

    def clear(self) -> None:
        """Forget all: the edition has been handed on, or is asked for anew."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _sheet(self, name: str) -> Path:
        return self._folder / (safe_file_name(name) + _SHEET)
