"""Telling the one on duty: to a webhook, by mail, or into a log, as the settings choose.

An alert that cannot be delivered is told in the log and never breaks a night.
"""

from __future__ import annotations

import json
import logging
import smtplib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from enum import StrEnum
from typing import Any

import httpx
from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    PyprojectTomlConfigSettingsSource,
    SettingsConfigDict,
)

from pipelines.errors import UsageError
from pipelines.settings import PROJECT_ROOT, Settings, read
from pipelines.sources.redaction import redact, register_secret

__all__ = [
    "Alert",
    "AlertSettings",
    "Channel",
    "Event",
    "newly_stale",
    "read_alert_settings",
    "send",
]

logger = logging.getLogger(__name__)

_SUBJECT_LENGTH = 150
_TIMEOUT_SECONDS = 20
_SECRETS = frozenset({"webhook", "smtp_password"})


class Event(StrEnum):
    """What an alert can be about."""

    RUN_FAILED = "run_failed"
    CHECK_FAILED = "check_failed"
    SOURCE_STALE = "source_stale"
    RELEASE_MADE = "release_made"


class Channel(StrEnum):
    """Where an alert can go."""

    LOG = "log"
    WEBHOOK = "webhook"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell, without keys in it.

    :ivar subject: one line.
    :ivar text: the rest, may be empty.
    """

    event: Event
    subject: str
    text: str = ""


class _File(PyprojectTomlConfigSettingsSource):
    """``[alerts]`` of ``monazite.toml``, which may not hold secrets."""

    def __call__(self) -> dict[str, Any]:
        told = super().__call__()
        for name in _SECRETS & told.keys():
            raise UsageError(
                f"{name} is a secret and has no place in a file",
                where="monazite.toml, [alerts]",
                remedy=f"set MONAZITE_ALERT_{name.upper()} in the environment",
            )
        return told


class AlertSettings(BaseSettings):
    """What is told where: ``MONAZITE_ALERT_<NAME>``, then ``[alerts]`` of ``monazite.toml``.

    The address of a webhook and the password of a mail server are secrets: environment only.
    """

    model_config = SettingsConfigDict(
        env_prefix="MONAZITE_ALERT_", extra="ignore", pyproject_toml_table_header=("alerts",)
    )

    channels: tuple[Channel, ...] = Field(default=(Channel.LOG,), description="where alerts go")
    events: tuple[Event, ...] = Field(default=tuple(Event), description="what is told")
    webhook: SecretStr | None = Field(default=None, description="address that gets a JSON object")
    mail_to: tuple[str, ...] = Field(default=(), description="recipients")
    mail_from: str = Field(default="monazite@localhost", description="sender")
    smtp_host: str = Field(default="localhost", description="mail server")
    smtp_port: int = Field(default=25, ge=1, le=65535, description="its port; 465 speaks TLS")
    smtp_user: str | None = Field(default=None, description="for a server that wants a login")
    smtp_password: SecretStr | None = Field(default=None, description="likewise")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order: arguments, environment, table ``[alerts]`` of ``monazite.toml``."""
        return init_settings, env_settings, _File(settings_cls, PROJECT_ROOT / "monazite.toml")


def read_alert_settings() -> AlertSettings:
    """What is told where.

    :raises UsageError: environment or ``monazite.toml`` say something that cannot be.
    """
    return read(AlertSettings, shown=redact)


def send(
    settings: Settings, alerts: Iterable[Alert], *, to: AlertSettings | None = None
) -> list[str]:
    """Deliver what the settings want to be told.

    :param to: where; from environment and ``monazite.toml`` where None.
    :returns: one line for each delivery that failed; each is in the log as well.
    """
    chosen = to or read_alert_settings()
    for secret in (chosen.webhook, chosen.smtp_password):
        if secret is not None:
            register_secret(secret.get_secret_value())
    failures: list[str] = []
    for alert in alerts:
        if alert.event not in chosen.events:
            continue
        for channel in chosen.channels:
            try:
                _DELIVER[channel](settings, chosen, alert)
            except (OSError, httpx.HTTPError, httpx.InvalidURL, smtplib.SMTPException) as error:
                told = redact(f"alert not delivered by {channel}: {type(error).__name__}: {error}")
                failures.append(told)
                logger.warning(told)
                _write_log(settings, told)
    return failures


def _write_log(settings: Settings, line: str) -> None:
    path = settings.root / "alerts.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as handle:
        handle.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z {' '.join(line.split())}\n")


def _by_log(settings: Settings, chosen: AlertSettings, alert: Alert) -> None:
    del chosen
    more = f": {alert.text}" if alert.text else ""
    _write_log(settings, f"{alert.event}: {alert.subject}{more}")


def _by_webhook(settings: Settings, chosen: AlertSettings, alert: Alert) -> None:
    if chosen.webhook is None:
        raise OSError("MONAZITE_ALERT_WEBHOOK is not set")
    body = {
        "event": alert.event.value,
        "subject": alert.subject,
        # Chat services show this field.
        "text": f"{alert.subject}\n{alert.text}".strip(),
        "home": settings.root.name,
    }
    answer = httpx.post(chosen.webhook.get_secret_value(), json=body, timeout=_TIMEOUT_SECONDS)
    if answer.is_error or answer.is_redirect:
        raise OSError(f"{answer.url.host} answers {answer.status_code}")


def _by_mail(settings: Settings, chosen: AlertSettings, alert: Alert) -> None:
    del settings
    if not chosen.mail_to:
        raise OSError("MONAZITE_ALERT_MAIL_TO is not set")
    message = EmailMessage()
    message["Subject"] = f"[monazite] {alert.subject}"[:_SUBJECT_LENGTH]
    message["From"] = chosen.mail_from
    message["To"] = ", ".join(chosen.mail_to)
    message.set_content(f"{alert.subject}\n\n{alert.text}\n")
    is_tls = chosen.smtp_port == smtplib.SMTP_SSL_PORT
    server = smtplib.SMTP_SSL if is_tls else smtplib.SMTP
    with server(chosen.smtp_host, chosen.smtp_port, timeout=_TIMEOUT_SECONDS) as connection:
        if not is_tls and connection.has_extn("starttls"):
            connection.starttls()
        if chosen.smtp_user and chosen.smtp_password:
            connection.login(chosen.smtp_user, chosen.smtp_password.get_secret_value())
        connection.send_message(message)


_DELIVER = {Channel.LOG: _by_log, Channel.WEBHOOK: _by_webhook, Channel.MAIL: _by_mail}


def newly_stale(settings: Settings, stale: Mapping[str, str]) -> list[Alert]:
    """One alert for each source that was not stale when this was last called.

    :param stale: source to reason (:func:`pipelines.ingest.visits.stale_sources`).
    """
    path = settings.fetch_dir / "stale.json"
    try:
        told = set(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        told = set()
    if set(stale) != told:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(sorted(stale)), encoding="utf-8")
    return [
        Alert(Event.SOURCE_STALE, f"{source} is stale", reason)
        for source, reason in sorted(stale.items())
        if source not in told
    ]
