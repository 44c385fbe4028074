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
from typing import Any

from pipelines.errors import FetchFailed
from pipelines.sources.fetching import FetchedDocument, safe_file_name
from pipelines.sources.http_transfer import sha256_of

__all__ = ["Spool"]

#: A sheet begins with a dot, which no name of a document does.
_SHEET = ".{}.json"


class Spool:
    """The answers of one edition, by document name.

    :param folder: of this edition alone, below the source's ``state_dir``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where a document is to be downloaded to before :meth:`keep` is called.

        :raises FetchFailed: it cannot be made.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        return self._folder

    def get(self, name: str, *, key: str = "") -> FetchedDocument | None:
        """The kept answer of this name, or None.

        What a crash or a hand has damaged counts as not kept, and is asked for again.

        :param key: the publisher's word on freshness (a checksum, a date of last change); an answer
            kept under another one has been overtaken and is not given.
        """
        try:
            told: dict[str, Any] = json.loads(self._sheet(name).read_text(encoding="utf-8"))
            if told.pop("key") != key or told["name"] != name:
                return None
            told["retrieved_at"] = datetime.fromisoformat(told["retrieved_at"])
            document = FetchedDocument(**{**told, "path": self._folder / name})
            is_whole = (
                document.path.stat().st_size == document.size_bytes
                and sha256_of(document.path) == document.sha256
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return document if is_whole else None

    def keep(self, document: FetchedDocument, *, key: str = "") -> FetchedDocument:
        """Remember a document that lies in :attr:`folder` as whole.

        :raises FetchFailed: the disk does not take the note.
        """
        told = asdict(document) | {
            "path": "",
            "retrieved_at": document.retrieved_at.isoformat(),
            "key": key,
        }
        sheet = self._sheet(document.name)
        temporary = sheet.with_suffix(".tmp")
        try:
            temporary.write_text(json.dumps(told), encoding="utf-8")
            temporary.replace(sheet)
        except OSError as error:
            raise self._unwritable(error) from error
        return replace(document, path=self._folder / document.name)

    def clear(self) -> None:
        """Forget all: the edition has been handed on, or is asked for anew."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _sheet(self, name: str) -> Path:
        return self._folder / _SHEET.format(safe_file_name(name))

    def _unwritable(self, error: OSError) -> FetchFailed:
        return FetchFailed(
            f"cannot be written: {error.strerror or error}",
            where=str(self._folder),
            remedy="make room or check the rights of the folder, then run again",
        )
