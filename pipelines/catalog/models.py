"""The catalogue's vocabulary: :class:`Source`, :class:`Edition`, :class:`Licence`."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipelines.errors import MonaziteError, UsageError

__all__ = [
    "Api",
    "Catalog",
    "Drift",
    "Edition",
    "EditionScope",
    "Key",
    "KnownEdition",
    "Licence",
    "Redistribution",
    "Source",
    "load_catalog",
]

_HERE = Path(__file__).resolve().parent
_SLUG = re.compile(r"[^A-Za-z0-9._]+")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Redistribution(StrEnum):
    """What may be passed on. ``unknown`` counts as ``no``."""

    YES = "yes"
    DERIVED_ONLY = "derived_only"
    NO = "no"
    UNKNOWN = "unknown"


class Licence(_Entry):
    """Terms of a publisher."""

    name: str
    url: str | None = None
    redistribution: Redistribution
    attribution: str

    @field_validator("redistribution", mode="before")
    @classmethod
    def _yaml_booleans(cls, value: object) -> object:
        # YAML reads a bare yes or no as a boolean.
        return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


class EditionScope(StrEnum):
    """What two editions of a source have in common.

    ``release``: each is the whole of what is published, so the next is compared with the last.
    ``extract``: each is a piece somebody asked for, so only the columns must agree.
    """

    RELEASE = "release"
    EXTRACT = "extract"


class Drift(_Entry):
    """How far a new edition may fall behind the last one before it is refused (shares, 0 to 1)."""

    rows_lost: float = Field(default=0.25, ge=0, le=1)
    bytes_lost: float = Field(default=0.60, ge=0, le=1)
    files_lost: int = Field(default=0, ge=0)


class Key(_Entry):
    """How a publisher wants to be shown a key; the key itself is in ``MONAZITE_KEY_<SOURCE_ID>``.

    :ivar header: request header that carries it, or None.
    :ivar parameter: query parameter that carries it, for publishers that know no header; it is
        added while the request is sent and stands in no address that is kept or shown.
    :ivar prefix: what stands before the key in the header (``"Bearer "``).
    :ivar is_required: nothing can be asked without it.
    :ivar page: where a person gets one.
    """

    host: str
    header: str | None = None
    parameter: str | None = None
    prefix: str = ""
    is_required: bool = False
    page: str | None = None

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.header is None) == (self.parameter is None):
            raise ValueError("a key goes into a header or a parameter")
        return self


class Api(_Entry):
    """What a publisher's interface allows, as it states or as its users found.

    :ivar first_year: of the data that are asked for.
    :ivar requests_per_minute: above which it refuses.
    :ivar requests_per_day: that one house may ask, with a key where there is one.
    :ivar rows_per_answer: where an answer is cut; one that reaches it is split, never taken.
    :ivar rows_per_preview: the same of answers without a key, where they are cut earlier.
    :ivar passing_statuses: statuses beside the usual ones that pass when it is asked again.
    :ivar key: how a key is shown, where there is one.
    """

    first_year: int | None = None
    requests_per_minute: float | None = Field(default=None, gt=0)
    requests_per_day: int | None = Field(default=None, ge=1)
    rows_per_answer: int | None = Field(default=None, ge=1)
    rows_per_preview: int | None = Field(default=None, ge=1)
    passing_statuses: tuple[int, ...] = ()
    key: Key | None = None


class KnownEdition(_Entry):
    """An edition that is known to exist, as the publisher announced it."""

    label: str
    version: str | None = None
    published: date | None = None
    layout: str | None = None
    doi: str | None = None
    url: str | None = None
    item_id: str | None = None
    citation: str | None = None
    note: str | None = None


class Source(_Entry):
    """A publisher's data set."""

    source_id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    publisher: str
    homepage: str
    cadence: str
    licence: Licence
    citation: str
    scope: EditionScope = EditionScope.RELEASE
    is_official: bool = True
    hosts: tuple[str, ...] = ()
    endpoint: str | None = None
    api: Api = Api()
    #: Days without anything new after which a source counts as stale; None where it has no beat.
    stale_after_days: int | None = Field(default=None, ge=1)
    edition_patterns: tuple[str, ...] = ()
    #: Where the label names the month of publication: a pattern with the groups year and month.
    month_pattern: str | None = None
    country_maps: tuple[str, ...] = ()
    drift: Drift = Drift()
    editions: tuple[KnownEdition, ...] = ()
    note: str | None = None

    def known(self, label: str) -> KnownEdition | None:
        """The announced edition with this label."""
        return next((e for e in self.editions if e.label == label), None)

    def label_from_name(self, name: str) -> str | None:
        """The edition label that a file name tells, by ``edition_patterns``, or None.

        A pattern's named groups are joined by ``-`` in the order in which they stand.
        """
        for pattern in self.edition_patterns:
            match = re.search(pattern, name, flags=re.IGNORECASE)
            if match:
                return "-".join(g for g in match.groupdict().values() if g)
        return None

    def last_day_of(self, label: str) -> date | None:
        """Last day of the month that the label names, by ``month_pattern``, or None.

        The day of publication itself is not known; on this one the edition was out.
        """
        match = re.search(self.month_pattern, label) if self.month_pattern else None
        if match is None:
            return None
        try:
            year, month = int(match["year"]), int(match["month"])
            return date(year, month, monthrange(year, month)[1])
        except ValueError:
            return None  # no month of the calendar

    def edition(self, label: str, *, published: date | None = None) -> Edition:
        """An edition of this source: the announced one, or a new one with this label."""
        known = self.known(label) or KnownEdition(label=label)
        return Edition(
            source_id=self.source_id,
            label=known.label,
            version=known.version,
            published=published or known.published,
            layout=known.layout,
            doi=known.doi,
            url=known.url or self.homepage,
            citation=known.citation or self.citation,
        )


class Edition(_Entry):
    """One release of a source, the unit that is accepted or refused as a whole."""

    source_id: str
    label: str
    version: str | None = None
    published: date | None = None
    layout: str | None = None
    doi: str | None = None
    url: str | None = None
    citation: str
    is_reexpressed: bool = False

    @property
    def edition_id(self) -> str:
        """``<source>-<label>[-v<version>]``, safe as a file name; ``source_edition_id`` in SQL."""
        parts = [self.source_id, self.label]
        if self.version:
            parts.append(f"v{self.version}")
        return "-".join(_SLUG.sub("_", p).strip("_") for p in parts)


class Catalog(_Entry):
    """All sources by id."""

    sources: dict[str, Source]

    def source(self, source_id: str) -> Source:
        """The source of this id.

        :raises UsageError: it does not exist.
        """
        try:
            return self.sources[source_id]
        except KeyError:
            known = ", ".join(sorted(self.sources))
            raise UsageError(f"no source {source_id!r}", remedy=f"choose one of {known}") from None


def load_catalog(folder: Path = _HERE) -> Catalog:
    """Read every ``*.yml`` of ``folder``.

    :raises MonaziteError: an entry is malformed; the message names file and field.
    """
    return _load(folder.resolve())


@lru_cache(maxsize=8)
def _load(folder: Path) -> Catalog:
    sources: dict[str, Source] = {}
    for path in sorted(folder.glob("*.yml")):
        try:
            source = Source.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError) as error:
            first = str(error).replace("\n", " ")[:300]
            raise MonaziteError(f"malformed catalogue entry: {first}", where=str(path)) from error
        if source.source_id != path.stem:
            raise MonaziteError(
                f"source_id {source.source_id!r} differs from the file name", where=str(path)
            )
        sources[source.source_id] = source
    return Catalog(sources=sources)
