"""What can go wrong, said in one line.

::

    MonaziteError
    ├── UsageError          the caller asked for something that does not exist (exit status 2)
    │   └── KeyMissing           a publisher wants a key that this house does not have
    ├── EditionRefused      an edition is not let in; the rest goes on
    │   ├── DocumentUnreadable   the bytes are not what the publisher's layout promises
    │   ├── UnknownLabel         a name that no map knows
    │   └── DriftRefused         the edition differs too much from the last one
    ├── FetchFailed         a publisher could not be reached or answered wrongly
    ├── BuildFailed         the warehouse or a check failed; the last release stays
    └── ArchiveDamaged      stored bytes no longer match their hash

Every error says what was wrong, where (file, row, column or url) and what to do about it.
"""

from __future__ import annotations

__all__ = [
    "ArchiveDamaged",
    "BuildFailed",
    "DocumentUnreadable",
    "DriftRefused",
    "EditionRefused",
    "FetchFailed",
    "KeyMissing",
    "MonaziteError",
    "NothingInScope",
    "UnknownLabel",
    "UsageError",
]


class MonaziteError(Exception):
    """Base of all errors of this project.

    :param what: what was wrong, without a final full stop.
    :param where: file, sheet, row and column, or url.
    :param remedy: what the reader can do.
    """

    exit_status = 1

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        line = self.what
        if self.where:
            line += f" [{self.where}]"
        if self.remedy:
            line += f"; {self.remedy}"
        return " ".join(line.split())


class UsageError(MonaziteError):
    """The caller named something that does not exist or left something out."""

    exit_status = 2


class KeyMissing(UsageError):
    """A publisher cannot be asked without a key, and none is set."""


class EditionRefused(MonaziteError):
    """An edition is not let in. The archive and the other editions are untouched."""


class DocumentUnreadable(EditionRefused):
    """The bytes are not what the publisher's layout promises."""


class NothingInScope(DocumentUnreadable):
    """The documents are whole and as the layout promises, and hold nothing that was asked for.

    That is the publisher's word, so nobody asks for them again soon.
    """


class UnknownLabel(EditionRefused):
    """A country, material, unit or series name that no map knows."""


class DriftRefused(EditionRefused):
    """The edition differs from the last accepted one by more than the catalogue allows."""


class FetchFailed(MonaziteError):
    """A publisher could not be reached, or its answer cannot be trusted to be whole."""


class BuildFailed(MonaziteError):
    """The warehouse or one of its checks failed. The last good release stays."""


class ArchiveDamaged(MonaziteError):
    """Stored bytes no longer match the hash they were stored under."""
