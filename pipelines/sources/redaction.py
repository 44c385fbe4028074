"""Keys stay out of log lines, addresses and errors.

Three nets, because each alone has holes: values of keys that are in use (:func:`register_secret`),
query parameters whose *name* says that they hold a key, and shapes that only keys have (bearer
tokens, user and password before a host). :func:`install_log_filter` puts them before every logger
of the HTTP stack, which writes full addresses at INFO and headers at DEBUG.
"""

from __future__ import annotations

import logging
import re

__all__ = ["REDACTED", "SHORTEST_SECRET", "install_log_filter", "redact", "register_secret"]

REDACTED = "***"

#: Loggers of the HTTP stack. A filter acts only on the logger it hangs on, hence the leaves.
_LOGGERS = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "hpack.hpack",
    "hpack.table",
    "stamina",
)
#: These write header blocks in a packed form, in which no value can be found again.
_PACKED_LOGGERS = ("hpack.",)
#: A shorter value would blank out ordinary words.
SHORTEST_SECRET = 6

_KEY_PARAMETER = re.compile(
    r"""(?P<head>[?&;]
        (?: key | appid | sig | pwd | auth | authorization | jwt | sessionid
          | [\w.\-]* (?: apikey | [-_.]key | access[-_.]?key(?:id)? )
          | [\w.\-]* (?: token | secret | signature | credential | passwo?r?d ) [\w.\-]*
        ) = )
        [^&;\#\s'"<>)\]]*""",
    re.IGNORECASE | re.VERBOSE,
)
_USER_INFO = re.compile(r"(?P<head>\b[a-z][a-z0-9+.\-]*://)[^/\s@'\"]+@", re.IGNORECASE)
_BEARER = re.compile(r"(?P<head>\b(?:bearer|basic)\s+)[\w.~+/\-]{8,}=*", re.IGNORECASE)
_WEB_TOKEN = re.compile(r"\beyJ[\w\-]{6,}\.[\w\-]{6,}\.[\w\-]*")

_secrets: set[str] = set()


def register_secret(value: str) -> None:
    """Remember a key in use, so that it is blanked wherever it turns up.

    Values shorter than six characters are not remembered: they occur in ordinary text.
    """
    if len(value) >= SHORTEST_SECRET:
        _secrets.add(value)


def redact(text: str) -> str:
    """``text`` with keys replaced by ``***``; everything else stays as it is.

    >>> redact("https://user:pw@x.org/a?f=__disk__7&subscription-key=abc")
    'https://***@x.org/a?f=__disk__7&subscription-key=***'
    """
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    text = _USER_INFO.sub(rf"\g<head>{REDACTED}@", text)
    text = _KEY_PARAMETER.sub(rf"\g<head>{REDACTED}", text)
    text = _BEARER.sub(rf"\g<head>{REDACTED}", text)
    return _WEB_TOKEN.sub(REDACTED, text)


class _RedactingFilter(logging.Filter):
    """Rewrites a record before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.INFO and record.name.startswith(_PACKED_LOGGERS):
            return False
        record.msg = redact(record.getMessage())
        record.args = ()
        return True


_FILTER = _RedactingFilter()


def install_log_filter(*names: str) -> None:
    """Let the HTTP stack's loggers, and those of ``names``, write redacted text only.

    May be called any number of times.
    """
    for name in (*_LOGGERS, *names):
        # A filter that is already there is not added again.
        logging.getLogger(name).addFilter(_FILTER)
