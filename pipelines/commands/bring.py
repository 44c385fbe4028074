"""``monazite import``: a document obtained elsewhere, through the same door."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console

from pipelines.catalog import load_catalog
from pipelines.commands.display import say, show_table
from pipelines.commands.home import read_settings
from pipelines.commands.run import results_table
from pipelines.errors import EditionRefused, UsageError
from pipelines.ingest import ingest_documents

__all__ = ["import_documents"]


def import_documents(
    console: Console,
    source: str,
    files: Sequence[Path],
    *,
    label: str | None,
    published: date | None,
    reason: str | None,
) -> int:
    """Import files as one edition and say what became of it.

    :raises UsageError: no such source, no such file, files of several editions, or a day to come.
    :raises EditionRefused: the edition was not let in; the archive is as it was.
    """
    _refuse_future(published)
    settings = read_settings()
    result = ingest_documents(
        settings,
        load_catalog(),
        source,
        files,
        label=label,
        published=published,
        force_reason=reason,
    )
    if result.refused:
        raise result.error or EditionRefused(result.refused)
    show_table(console, results_table([result]))
    for note in result.notes:
        say(console, note)
    if result.quarantined:
        for table in sorted(settings.quarantine_dir.glob(f"*/{result.edition_id}.parquet")):
            say(console, f"quarantined, with the reason of each row: {table}")
    if result.changed:
        say(console, "`monazite run` builds a release with it")
    else:
        say(console, f"nothing new: {result.edition_id} holds these documents already")
    return 0


def _refuse_future(published: date | None) -> None:
    # A day of grace: somewhere it is tomorrow already.
    latest = datetime.now(UTC).date() + timedelta(days=1)
    if published is not None and published > latest:
        raise UsageError(
            f"{published} has not come yet",
            remedy="--published is the day on which the publisher released the documents",
        )
