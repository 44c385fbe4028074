"""``monazite run``: a night in this process, on the warehouse's Dagster instance."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipelines.alerts import newly_stale, read_alert_settings, send
from pipelines.catalog import load_catalog
from pipelines.commands.display import Screen, say, show_table, table_of
from pipelines.commands.home import prepare_dagster_home, read_settings
from pipelines.errors import BuildFailed, FetchFailed, UsageError
from pipelines.ingest.visits import stale_sources
from pipelines.night import asks_by, can_fetch, digests, release_is_due
from pipelines.progress import collecting, listening
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.ingest import IngestResult

__all__ = ["results_table", "run_night"]

#: Steps that announce themselves beside one a source: compare, build, check, release.
_OTHER_STEPS = 4


def run_night(
    console: Console,
    *,
    live: bool,
    sources: Sequence[str],
    as_of: date | None,
    years: Sequence[int] = (),
    editions: Sequence[str] = (),
) -> int:
    """Observe, build, check and release, and print what became of every edition.

    :param years: ask ``sources`` for these years only (a backfill).
    :param editions: ask ``sources`` for these editions only.
    :returns: 0, or 1 where the build or a check failed (the last release then stays).
    :raises UsageError: a source does not exist, or cannot be asked in this way.
    :raises BuildFailed: a run failed; the message says at which step and why.
    :raises FetchFailed: not one of the publishers that were asked could be reached.
    """
    settings = read_settings()
    # What is wrong with them is told now, not at the end of the night.
    read_alert_settings()
    catalog = load_catalog()
    for source in sources:
        catalog.source(source)
    _refuse_unfit_backfill(live=live, sources=sources, years=years, editions=editions)
    prepare_dagster_home(settings)
    log = settings.dagster_dir / "run.log"
    options = {
        "live": live,
        "sources": list(sources),
        "years": list(years),
        "editions": list(editions),
        "as_of": as_of.isoformat() if as_of else "",
    }
    night = _Night(settings, options, as_of)
    with (
        _bar(console, len(catalog.sources) + _OTHER_STEPS),
        collecting() as handed_in,
        log.open("w", encoding="utf-8") as output,
        contextlib.redirect_stdout(output),
    ):
        outcome = night.execute()
    from pipelines.run_events import why_it_failed

    seen: list[Any] = list(handed_in)
    brought = [result for observation in seen for result in observation.results]
    show_table(console, results_table(brought))
    unreached = [o for o in seen if o.error is not None and o.is_asked]
    for observation in seen:
        if observation.error is not None:
            said = "not reached" if observation.is_asked else "not asked"
            style = "yellow" if observation.is_asked else None
            say(console, f"{said}: {observation.source_id}: {observation.error}", style=style)
    for result in brought:
        if result.refused:
            word = "not brought" if result.is_not_brought else "refused"
            say(console, f"{word}: {result.edition_id}: {result.refused}", style="yellow")
    for failure in night.tell():
        say(console, failure, style="yellow")
    if not outcome.success:
        raise BuildFailed(
            why_it_failed(outcome.all_events) or "the run failed",
            where=str(log),
            remedy="the last release stays; `monazite ui` shows the run, --debug the traceback",
        )
    said = "made" if night.is_due else "is current, nothing new"
    say(console, f"release {night.release_id} {said}: {settings.release_dir / 'current'}")
    if unreached and len(unreached) == sum(o.is_asked for o in seen):
        raise FetchFailed(
            "no publisher could be reached; the release holds what was held before",
            remedy="check network, proxy and SSL_CERT_FILE",
        )
    return 0


def _refuse_unfit_backfill(
    *, live: bool, sources: Sequence[str], years: Sequence[int], editions: Sequence[str]
) -> None:
    """:raises UsageError: single years or editions are asked of nobody, or of who has none."""
    for kind, asked in (("years", years), ("editions", editions)):
        if not asked:
            continue
        if not live or not sources:
            raise UsageError(
                f"{kind} are asked of publishers", remedy="add --live and --source SOURCE"
            )
        for source in sources:
            if not can_fetch(source) or asks_by(source) != kind:
                raise UsageError(f"{source} cannot be asked for single {kind}")


@contextlib.contextmanager
def _bar(console: Console, steps: int) -> Any:
    """A bar on a terminal, a line a step elsewhere.

    It keeps to the stream of the console as it is now: while the job runs, standard output goes to
    a log.
    """
    stream = console.file
    if not console.is_terminal:
        with listening(lambda what: print(what, file=stream, flush=True)):
            yield
        return
    columns = (SpinnerColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(
        *columns,
        console=Screen(file=stream),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        task = progress.add_task("starting", total=steps)
        with listening(lambda what: progress.update(task, advance=1, description=what)):
            yield


class _Night:
    """Both runs of a night, on the instance of this warehouse.

    :ivar release_id: of the release that the night is about.
    :ivar is_due: it had to be made.
    """

    def __init__(self, settings: Settings, options: dict[str, Any], as_of: date | None) -> None:
        self.release_id = ""
        self.is_due = False
        self._outcomes: list[Any] = []
        self._settings = settings
        self._as_of = as_of
        self._options = options

    def execute(self) -> Any:
        """Observe; then, where a release is due, make it. The outcome of the last run."""
        with warnings.catch_warnings():
            # Dagster announces beta features as warnings; they mean nothing to who runs a night.
            warnings.simplefilter("ignore")
            import dagster as dg

            from pipelines.definitions import build_definitions
            from pipelines.sensors import targets

            catalog = load_catalog()
            with dg.DagsterInstance.get() as instance:
                definitions = build_definitions(self._settings)
                before = digests(self._settings, catalog)
                outcome = self._run(definitions, instance, "observe_publishers")
                if not outcome.success:
                    return outcome
                self.release_id, self.is_due = release_is_due(
                    self._settings, catalog, as_of=self._as_of
                )
                if not self.is_due:
                    return outcome
                after = digests(self._settings, catalog)
                changed = [source for source in after if after[source] != before.get(source)]
                graph = definitions.resolve_asset_graph()
                return self._run(definitions, instance, "nightly", targets(graph, changed))

    def _run(
        self, definitions: Any, instance: Any, job: str, selection: list[Any] | None = None
    ) -> Any:
        from pipelines.run_events import BY_COMMAND

        outcome = definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            raise_on_error=False,
            asset_selection=selection,
            tags=BY_COMMAND,
            run_config={
                "resources": {"warehouse": {"config": self._options}},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
        )
        self._outcomes.append(outcome)
        return outcome

    def tell(self) -> list[str]:
        """Send the alerts of the night; one line for each that could not be delivered."""
        from pipelines.run_events import alerts_of

        alerts = [
            alert
            for outcome in self._outcomes
            for alert in alerts_of(outcome.job_def.name, outcome.all_events)
        ]
        alerts += newly_stale(self._settings, stale_sources(self._settings, load_catalog()))
        return send(self._settings, alerts)


def results_table(results: Iterable[IngestResult]) -> Table:
    """One row an edition: source, edition, rows, quarantined, changed."""
    table = table_of("source", "edition", "rows", "quarantined", "changed")
    for result in results:
        state = "yes" if result.changed else "no"
        if result.refused:
            state = "not brought" if result.is_not_brought else "refused"
        table.add_row(
            result.source_id,
            result.edition_id,
            f"{result.rows:,}",
            f"{result.quarantined:,}",
            state,
        )
    return table
