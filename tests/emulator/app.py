"""The server of all publishers: which host is asked, what was asked, and what goes wrong."""

from __future__ import annotations

import pkgutil
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs

from starlette.routing import Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.settings import PROJECT_ROOT
from tests.emulator import publishers

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
    :ivar requests: what was asked, in the order in which it came.
    :ivar world: what publishers keep between requests (quota used, versions served), by source id;
        a test changes it to make something new appear.
    """

    def __init__(
        self,
        starter: Path = PROJECT_ROOT / "starter",
        *,
        today: date = date(2026, 11, 25),
        only: tuple[str, ...] | None = None,
    ) -> None:
        self.starter = starter
        self.today = today
        self.requests: list[Asked] = []
        self.world: dict[str, dict[str, object]] = {}
        self._only = only
        self._router = self._build()

    def _build(self) -> ASGIApp:
        mounts = []
        for source_id, module in publisher_modules().items():
            if self._only is not None and source_id not in self._only:
                continue
            self.world.setdefault(source_id, {})
            mounts += [Mount(f"/{host}", routes=module.routes(self)) for host in module.HOSTS]
        return Router(mounts)

    def asked(self, host: str | None = None) -> list[Asked]:
        """What was asked of one host, or of all."""
        return [r for r in self.requests if host is None or r.host == host]

    def count_by_host(self) -> Counter[str]:
        """Requests by host."""
        return Counter(r.host for r in self.requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
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
        await self._router(scope, receive, send)
