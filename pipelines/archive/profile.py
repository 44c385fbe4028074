"""What a reader made of an edition, in numbers: the ground on which editions are compared.

A profile is taken while the raw tables are written. The one taken on the day of acceptance stays
in the edition's manifest; the one of the raw tables as they stand now lies beside them
(``raw/.editions/<edition_id>.json``) and changes when the reader does.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.archive.files import write_file, writing

__all__ = ["EditionProfile", "FailedReader", "RawState", "TableProfile"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class TableProfile(_Record):
    """One raw table of one edition. Rows read = rows + quarantined + out_of_scope.

    :ivar rows: rows let in.
    :ivar columns: column to the number of rows let in that carry a value there.
    """

    rows: int = 0
    quarantined: int = 0
    out_of_scope: int = 0
    columns: dict[str, int] = Field(default_factory=dict)


class EditionProfile(_Record):
    """All raw tables of one edition.

    :ivar reader: fingerprint of the code and maps that read it.
    :ivar parts: pieces of documents that gave rows (``world.zip/tin.csv``), sorted.
    :ivar size_bytes: total size of the documents that gave rows.
    """

    reader: str = ""
    tables: dict[str, TableProfile] = Field(default_factory=dict)
    parts: tuple[str, ...] = ()
    size_bytes: int = 0

    @property
    def rows(self) -> int:
        """Rows let in, over all tables."""
        return sum(t.rows for t in self.tables.values())

    @property
    def quarantined(self) -> int:
        """Rows not let in, over all tables."""
        return sum(t.quarantined for t in self.tables.values())

    @property
    def out_of_scope(self) -> int:
        """Sound rows that were read and left out on purpose, over all tables."""
        return sum(t.out_of_scope for t in self.tables.values())


class FailedReader(_Record):
    """A newer reader that could not read an edition which an older one could."""

    reader: str
    reason: str


class RawState(_Record):
    """How the raw tables of an edition stand now.

    :ivar failed: set where the present reader refuses the edition and the tables of an earlier one
        were kept.
    """

    profile: EditionProfile
    failed: FailedReader | None = None

    @staticmethod
    def path(raw_dir: Path, edition_id: str) -> Path:
        """Where the state of an edition lies."""
        return raw_dir / ".editions" / f"{edition_id}.json"

    @classmethod
    def read(cls, raw_dir: Path, edition_id: str) -> RawState | None:
        """The state of an edition, None where there is none that can be read (raw is rebuilt)."""
        try:
            return cls.model_validate_json(cls.path(raw_dir, edition_id).read_bytes())
        except (OSError, ValidationError):
            return None

    def write(self, raw_dir: Path, edition_id: str) -> None:
        """Keep the state beside the raw tables.

        :raises MonaziteError: it cannot be written.
        """
        write_file(
            self.path(raw_dir, edition_id), self.model_dump_json(indent=1).encode("utf-8") + b"\n"
        )

    @classmethod
    def forget(cls, raw_dir: Path, edition_id: str) -> None:
        """Remove the state of an edition: its raw tables count as not written."""
        with writing(path := cls.path(raw_dir, edition_id)):
            path.unlink(missing_ok=True)
