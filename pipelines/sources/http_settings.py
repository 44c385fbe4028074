"""How hard publishers are asked, who asks, and with which key."""

from __future__ import annotations

import importlib.metadata
import os
import re
from dataclasses import dataclass
from urllib.parse import quote

import httpx
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    PyprojectTomlConfigSettingsSource,
    SettingsConfigDict,
)

from pipelines.errors import UsageError
from pipelines.settings import PROJECT_ROOT, read
from pipelines.sources.mirror import is_loopback
from pipelines.sources.redaction import SHORTEST_SECRET, redact, register_secret

__all__ = ["ApiKey", "HttpSettings", "read_http_settings", "user_agent"]


class HttpSettings(BaseSettings):
    """Limits of asking: from ``MONAZITE_HTTP_<NAME>``, then ``[http]`` of ``monazite.toml``."""

    model_config = SettingsConfigDict(
        env_prefix="MONAZITE_HTTP_", extra="ignore", pyproject_toml_table_header=("http",)
    )

    contact: str | None = Field(
        default=None, description="mail address or url of the house that asks, for the User-Agent"
    )
    mirror: str | None = Field(
        default=None,
        description="base address of a stand-in for all publishers (a mirror of the house, the "
        "emulator): https://host/path is asked as <mirror>/host/path",
    )
    attempts: int = Field(default=6, ge=1, description="attempts a request, the first included")
    request_seconds: float = Field(default=300, gt=0, description="all attempts of a small answer")
    download_seconds: float = Field(default=6 * 3600, gt=0, description="all attempts of a file")
    connect_seconds: float = Field(default=15, gt=0, description="wait for a connection")
    read_seconds: float = Field(default=60, gt=0, description="longest silence within an answer")
    wait_initial_seconds: float = Field(default=1, ge=0, description="first wait before a retry")
    wait_max_seconds: float = Field(default=60, ge=0, description="longest wait of our own")
    wait_jitter_seconds: float = Field(default=1, ge=0, description="random part of every wait")
    retry_after_max_seconds: float = Field(
        default=300, ge=0, description="longest wait that a publisher may ask for"
    )
    connections_per_host: int = Field(default=2, ge=1, description="requests at a time")
    spacing_seconds: float = Field(default=0.5, ge=0, description="between starts, for each host")
    max_redirects: int = Field(default=5, ge=0, description="hops before giving up")
    max_answer_bytes: int = Field(default=64 * 1024**2, ge=1, description="size of a small answer")
    max_download_bytes: int = Field(default=8 * 1024**3, ge=1, description="size of a file")
    slowest_bytes_per_second: float = Field(
        default=512, ge=0, description="an answer that drips more slowly is broken off"
    )
    pace_seconds: float = Field(default=60, gt=0, description="over which the pace is measured")

    @field_validator("contact")
    @classmethod
    def _fits_a_header(cls, value: str | None) -> str | None:
        text = (value or "").strip()
        if not text:
            return None
        if not re.fullmatch(r"[\x20-\x27\x2a-\x7e]+", text):
            raise ValueError("must be a mail address or url in plain ASCII, without brackets")
        return text

    @field_validator("mirror")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        text = (value or "").strip().rstrip("/")
        if not text:
            return None
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL:
            raise ValueError("is not an address") from None
        if url.userinfo or url.query or url.fragment or not url.host:
            raise ValueError("must be scheme, host, port and path only")
        # Keys go there as well.
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host)):
            raise ValueError("must be https, or http on this machine")
        return text

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order: arguments, environment, table ``[http]`` of ``monazite.toml``."""
        file = PyprojectTomlConfigSettingsSource(settings_cls, PROJECT_ROOT / "monazite.toml")
        return init_settings, env_settings, file


def read_http_settings() -> HttpSettings:
    """The limits of this process.

    :raises UsageError: environment or ``monazite.toml`` say something that cannot be.
    """
    return read(HttpSettings, shown=redact)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that goes to one host, in one header, and nowhere else.

    :ivar host: the only host that gets it; a redirect elsewhere goes without it.
    :ivar value: what is shown, prefix (``Bearer``) included.
    :ivar header: name of the request header (``Ocp-Apim-Subscription-Key``, ``Authorization``).
    :ivar parameter: name of the query parameter, for publishers that read no header.
    """

    host: str
    value: SecretStr
    header: str | None = None
    parameter: str | None = None

    def __post_init__(self) -> None:
        secret = self.value.get_secret_value()
        for form in (secret, secret.rpartition(" ")[2]):
            register_secret(form)
            # As it stands in an address.
            register_secret(quote(form, safe=""))
            register_secret(str(httpx.QueryParams({"": form}))[1:])

    @classmethod
    def from_environment(
        cls,
        source_id: str,
        *,
        host: str,
        header: str | None = None,
        parameter: str | None = None,
        prefix: str = "",
    ) -> ApiKey | None:
        """The key in ``MONAZITE_KEY_<SOURCE_ID>``, or None where that is unset or empty.

        :param prefix: stands before the key in the header (``"Bearer "``).
        :raises UsageError: the variable holds what no header can carry.
        """
        variable = f"MONAZITE_KEY_{source_id.upper()}"
        secret = os.environ.get(variable, "").strip()
        if not secret:
            return None
        if not re.fullmatch(r"[\x21-\x7e]+", secret) or len(secret) < SHORTEST_SECRET:
            raise UsageError(
                f"{variable} holds blanks or characters outside ASCII, or is too short for a key",
                remedy="set it to the key as the publisher gave it",
            )
        return cls(host=host, value=SecretStr(prefix + secret), header=header, parameter=parameter)


def user_agent(contact: str | None = None) -> str:
    """Who asks: name and version of the project, its address, and the house's contact.

    The address is the first ``Project-URL`` of the installed package.
    """
    version, addresses = "0", list[str]()
    try:
        about = importlib.metadata.metadata("monazite")
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        version = about["Version"]
        lines = about.get_all("Project-URL") or []
        addresses = [f"+{line.partition(',')[2].strip()}" for line in lines]
    notes = [*addresses[:1], "open data warehouse of critical minerals"]
    if contact:
        notes.append(f"contact {contact}")
    return f"monazite/{version} ({'; '.join(notes)})"
