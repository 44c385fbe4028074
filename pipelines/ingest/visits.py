"""When each publisher was last asked, what came of it, and whether its data are stale.

One small file a source in ``fetch/<source>/visit.json``. Nothing of it goes into tables: the same
documents give the same release, whenever they were asked for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.archive.store import Archive
from pipelines.catalog import Catalog, Source
from pipelines.ingest.editions import publication
from pipelines.settings import Settings

__all__ = ["Visit", "read_visit", "record_visit", "stale_sources"]


class Visit(BaseModel):
    """The last time that a publisher was asked. Times are UTC.

    :ivar is_reached: it answered, with something new or with nothing new.
    :ivar error: why it was not reached or gave only a part, in one line.
    :ivar failing_since: the first of the visits in a row that brought an error.
    :ivar changed_at: when it last brought something new.
    """

    model_config = ConfigDict(frozen=True)

    asked_at: datetime
    is_reached: bool
    error: str | None = None
    failing_since: datetime | None = None
    changed_at: datetime | None = None


def _path(settings: Settings, source_id: str) -> Path:
    return settings.fetch_dir / source_id / "visit.json"


def read_visit(settings: Settings, source_id: str) -> Visit | None:
    """The last visit, None where there was none or its record cannot be read."""
    try:
        return Visit.model_validate_json(_path(settings, source_id).read_bytes())
    except (OSError, ValidationError):
        return None


def record_visit(
    settings: Settings,
    source_id: str,
    *,
    is_reached: bool,
    is_changed: bool,
    error: str | None = None,
    now: datetime | None = None,
) -> Visit:
    """Remember how a visit went."""
    asked_at = now or datetime.now(UTC)
    last = read_visit(settings, source_id)
    visit = Visit(
        asked_at=asked_at,
        is_reached=is_reached,
        error=error,
        failing_since=((last and last.failing_since) or asked_at) if error else None,
        changed_at=asked_at if is_changed else (last.changed_at if last else None),
    )
    path = _path(settings, source_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(visit.model_dump_json(indent=2), encoding="utf-8")
    temporary.replace(path)
    return visit


def stale_sources(
    settings: Settings, catalog: Catalog, *, today: date | None = None
) -> dict[str, str]:
    """Sources whose data may lag behind their publisher, each with the reason in one line.

    A source is stale when the last visit brought an error, or when it brought nothing new for
    longer than its catalogue entry expects (``stale_after_days``), counted from the newest day of
    publication, or of arrival where no edition has one. Sources of which nothing is held and that
    nobody asked are not told of.
    """
    day = today or datetime.now(UTC).date()
    archive = Archive(settings.archive_dir)
    found: dict[str, str] = {}
    for source in catalog.sources.values():
        visit = read_visit(settings, source.source_id)
        if visit is not None and visit.failing_since is not None:
            found[source.source_id] = f"failing since {visit.failing_since:%Y-%m-%d}: {visit.error}"
        elif (overdue := _overdue(archive, source, day)) is not None:
            found[source.source_id] = overdue
    return found


def _overdue(archive: Archive, source: Source, day: date) -> str | None:
    held = archive.editions(source.source_id)
    if source.stale_after_days is None or not held:
        return None
    told = (publication(source, e, held)[0] for e in held)
    newest = max((day for day in told if day is not None), default=None) or max(
        e.accepted_at.date() for e in held
    )
    days = (day - newest).days
    if days <= source.stale_after_days:
        return None
    return f"nothing new for {days} days ({source.cadence}); the newest is of {newest}"
