"""The server of all publishers: which host is asked, what was asked, and what goes wrong."""

from __future__ import annotations

import pkgutil
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs

from starlette.routing import BaseRoute, Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.settings import PROJECT_ROOT
from tests.emulator import publishers
from tests.emulator.faults import Faults

__all__ = ["Asked", "Emulator", "publisher_modules"]


@dataclass(frozen=True)
class Asked:
    """A request as it came.

    :ivar host: the publisher's host, first part of the path.
    :ivar path: below the host.
    """

    host: str
    path: str
    method: str
    query: dict[str, str]
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)


def publisher_modules() -> dict[str, ModuleType]:
    """The modules of ``publishers`` by source id."""
    return {
        info.name: import_module(f"{publishers.__name__}.{info.name}")
        for info in pkgutil.iter_modules(publishers.__path__)
        if not info.name.startswith("_")
    }


class Emulator:
    """An ASGI application.

    :param starter: folder of the figures that are served for the starter's publishers.
    :param today: the day that publishers believe it is.
    :param only: source ids; None for all.
    :param modules: publishers by source id; None for those of :mod:`tests.emulator.publishers`.
    :ivar requests: what was asked, in the order in which it came.
    :ivar faults: what goes wrong.
    :ivar world: what publishers keep between requests (quota used, versions served), by source id;
        a test changes it to make something new appear.
    """

    def __init__(
        self,
        starter: Path = PROJECT_ROOT / "starter",
        *,
        today: date = date(2026, 11, 25),
        only: Collection[str] | None = None,
        modules: Mapping[str, ModuleType] | None = None,
    ) -> None:
        self.starter = starter
        self.today = today
        self.requests: list[Asked] = []
        self.world: dict[str, dict[str, object]] = {}
        self.faults = Faults()
        served = publisher_modules() if modules is None else dict(modules)
        if only is not None:
            if unknown := set(only) - served.keys():
                raise KeyError(", ".join(sorted(unknown)))
            served = {source_id: served[source_id] for source_id in sorted(only)}
        self.modules = served
        self._router = self._build()

    def _build(self) -> ASGIApp:
        # Several publishers may live on one host.
        by_host: dict[str, list[BaseRoute]] = {}
        for source_id, module in self.modules.items():
            self.world.setdefault(source_id, {})
            for host in module.HOSTS:
                by_host.setdefault(host, []).extend(module.routes(self))
        return Router([Mount(f"/{host}", routes=routes) for host, routes in by_host.items()])

    @property
    def hosts(self) -> tuple[str, ...]:
        """All host names that are answered for."""
        return tuple(sorted({h for module in self.modules.values() for h in module.HOSTS}))

    def asked(self, host: str | None = None) -> list[Asked]:
        """What was asked of one host, or of all."""
        return [r for r in self.requests if host is None or r.host == host]

    def count_by_host(self) -> Counter[str]:
        """Requests by host."""
        return Counter(r.host for r in self.requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        _, host, *rest = scope["path"].split("/")
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        self.requests.append(
            Asked(
                host=host,
                path="/" + "/".join(rest),
                method=scope["method"],
                query={k: v[-1] for k, v in query.items()},
                headers=headers,
            )
        )
        query_string = scope["query_string"].decode("latin-1")
        await self.faults.answer(
            self._router,
            scope,
            receive,
            send,
            host=host,
            path="/".join(["", *rest]) + (f"?{query_string}" if query_string else ""),
        )
