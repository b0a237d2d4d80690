"""Paths of requests: decoded once, without anything that two readers could understand differently."""

import re
from posixpath import normpath
from urllib.parse import quote, unquote_to_bytes

from countermark.core.errors import InputError

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class BadPathError(InputError):
    """A path that is not one."""


def decoded(raw: bytes) -> str:
    """Decode a request's path; ``%2F`` is a slash, as Go's servers read it.

    Raises:
        BadPathError: it does not begin with a slash, has a broken escape or a control character, is not UTF-8.
    """
    if not raw.startswith(b"/"):
        raise BadPathError("a path begins with a slash")
    if _BAD_ESCAPE.search(raw):
        raise BadPathError("a broken escape in the path")
    try:
        path = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise BadPathError("the path is not UTF-8") from None
    if _CONTROL.search(path):
        raise BadPathError("a control character in the path")
    return path


def cleaned(path: str) -> str:
    """Resolve ``//``, ``.`` and ``..`` as Go's ``path.Clean``; a slash at the end stays."""
    if "//" not in path and "/." not in path:
        return path
    clean = "/" + normpath(path).lstrip("/")
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def quoted(path: str) -> str:
    """Write a path for a Location header."""
    return quote(path, safe="/:@!$&'()*+,;=~")
