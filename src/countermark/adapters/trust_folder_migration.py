"""Key files of notary before 0.4, moved to where they lie now.

They lay in ``private/root_keys/`` and ``private/tuf_keys/<GUN>/`` under ``<key ID>.key`` or ``<key ID>_<role>.key``;
role and GUN, which only the path told, become header lines of the PEM text (specs: notary v1, 3.4). Notary then
deletes both folders, with what it could not move; we remove only files whose content lies safely in its new place.
"""

import os
import re

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import MalformedError, StorageError

_NAME = re.compile(r"([0-9a-f]{64})(?:_([-a-z0-9_/]+))?\.key")
_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\r?\n")
_HEADER = re.compile(rb"([^:\r\n]+):[ \t]*([^\r\n]*)\r?\n")
_ROOTS, _OTHERS = "root_keys", "tuf_keys"


def move(folder: str) -> dict[str, bytes]:
    """Move what lies in the old layout below ``private``, and return what could not be moved: key ID to PEM.

    Raises:
        StorageError: an old folder is there and cannot be read.
    """
    unmoved: dict[str, bytes] = {}
    for old in (_ROOTS, _OTHERS):
        base = os.path.join(folder, old)
        if not os.path.isdir(base) or os.path.islink(base):
            continue
        for path in tuple(storage.regular_files(base, ".key")):
            _move_one(folder, base, path, unmoved)
        _remove_empty(base)
    return unmoved


def _move_one(folder: str, base: str, path: str, unmoved: dict[str, bytes]) -> None:
    name = _NAME.fullmatch(os.path.basename(path))
    try:
        old = storage.read(path, limits.KEY_FILE_BYTES, follow=False)
    except MalformedError:
        return
    if name is None or old is None:
        return
    is_root = os.path.basename(base) == _ROOTS
    gun = "" if is_root else os.path.relpath(os.path.dirname(path), base).removeprefix(".")
    pem = with_headers(old, role=name[2] or ("root" if is_root else ""), gun=gun)
    if pem is None:
        return
    place = os.path.join(folder, f"{name[1]}.key")
    try:
        present = storage.read(place, limits.KEY_FILE_BYTES, follow=False)
        if present is None:
            storage.write(place, pem)
        elif present != pem:
            return  # another file has the place; the old one stays where it was
        storage.remove(path)
    except StorageError:
        unmoved[name[1]] = pem


def with_headers(pem: bytes, *, role: str, gun: str) -> bytes | None:
    """Write role and GUN into the header lines of a private key, unless it has them; None if it is no private key.

    Lines are sorted, but ``Proc-Type`` comes first, as RFC 1421 (4.6.1.1) wants and Go writes.
    """
    begin = _BEGIN.search(pem)
    if begin is None:
        return None
    headers: dict[bytes, bytes] = {}
    place = begin.end()
    while header := _HEADER.match(pem, place):
        headers[header[1].strip()] = header[2].strip()
        place = header.end()
    for key, value in ((b"role", role), (b"gun", gun)):
        if value and not headers.get(key):
            headers[key] = value.encode()
    if headers.get(b"role", b"") not in (b"targets", b"snapshot", b"timestamp"):
        headers.pop(b"gun", None)  # notary: only those three are a repository's own
    lines = sorted(headers.items(), key=lambda item: (item[0] != b"Proc-Type", item[0]))
    text = b"".join(key + b": " + value + b"\n" for key, value in lines)
    body = pem[place:].lstrip(b"\r\n")
    return begin[0] + (text + b"\n" if text else b"") + body


def _remove_empty(base: str) -> None:
    """Remove folders that hold nothing any more, from the innermost out."""
    for above, _, _ in os.walk(base, topdown=False):
        try:
            os.rmdir(above)
        except OSError:
            continue  # something is left in it, or the disk is read-only
