"""What names a key on a PKCS#11 token: ``pkcs11:`` URIs (RFC 7512), in cosign's words where they are wrong.

Attributes that we do not know are refused instead of passed over, since each of them narrows what is meant.
"""

import os

from countermark.adapters import storage
from countermark.core.errors import Code, InputError, KeyAccessError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME = "pkcs11:"
# attributes of the token, with the names that python-pkcs11 has for them
TOKEN_ATTRIBUTES = {
    "token": "label",
    "manufacturer": "manufacturer_id",
    "model": "model",
    "serial": "serial",
}
_PATH_ATTRIBUTES = (*TOKEN_ATTRIBUTES, "slot-id", "object", "id", "type")
_QUERY_ATTRIBUTES = ("module-path", "pin-value", "pin-source")
_PIN_BYTES = 1024
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Pkcs11Uri(Value):
    """What names a key: the module's file, attributes of the token, of the key, and perhaps the PIN.

    ``slot`` is -1 where none is named.
    """

    module: str
    token: tuple[tuple[str, str], ...]
    slot: int
    label: str
    id: bytes
    pin: str

    def __repr__(self) -> str:
        return f"Pkcs11Uri(token={self.token!r}, label={self.label!r}, id={self.id!r})"  # no PIN


def parse(text: str, environment: "Mapping[str, str]") -> Pkcs11Uri:
    """Read a URI (RFC 7512), in cosign's words where it is wrong.

    Raises:
        InputError: it is none, names no token or key, or has attributes that we do not know.
        KeyAccessError: the file with the PIN is not there.
    """
    path, _, query = text.removeprefix(SCHEME).partition("?")
    given = _attributes(path, ";", _PATH_ATTRIBUTES)
    asked = _attributes(query, "&", _QUERY_ATTRIBUTES)
    if not text.startswith(SCHEME):
        raise InputError("invalid uri: not a PKCS11 uri")
    token = tuple(
        (name, given[name].decode("utf-8", "replace")) for name in TOKEN_ATTRIBUTES if name in given
    )
    slot = given.get("slot-id", b"").decode("utf-8", "replace")
    if not token and not slot:
        raise InputError("invalid uri: one of token and slot-id must be set")
    if slot and not (slot.isascii() and slot.isdigit() and len(slot) < 20):
        raise InputError(f"invalid uri: slot-id '{slot[:40]}' is not a valid number")
    module = asked.get("module-path", b"").decode("utf-8", "replace")
    module = module or environment.get("COSIGN_PKCS11_MODULE_PATH", "")
    if not module:
        raise InputError(
            "invalid uri: module-path or COSIGN_PKCS11_MODULE_PATH must be set to the absolute path "
            "of the PKCS11 module"
        )
    if not os.path.isabs(module):
        raise InputError("modulePath does not point to an absolute path")
    if given.get("type", b"private") not in (b"private", b"public"):
        raise InputError("invalid uri: type is neither private nor public")
    label = given.get("object", b"").decode("utf-8", "replace")
    if not label and not given.get("id"):
        raise InputError("invalid uri: one of object and id must be set")
    return Pkcs11Uri(
        module=module,
        token=token,
        slot=int(slot) if slot else -1,
        label=label,
        id=given.get("id", b""),
        pin=_pin(asked) or environment.get("COSIGN_PKCS11_PIN", ""),
    )


def _attributes(text: str, separator: str, known: tuple[str, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else []:
        name, equals, value = part.partition("=")
        if not equals or name not in known or name in found:
            raise InputError(f"invalid uri: attribute {name[:40]!r} is unknown, or given twice")
        found[name] = _decoded(value)
    return found


def _decoded(text: str) -> bytes:
    first, *rest = text.encode("utf-8", "surrogateescape").split(b"%")
    parts = [first]
    for part in rest:
        digits = part[:2]
        if len(digits) != 2 or not _HEX.issuperset(digits):
            raise InputError("invalid uri: a percent sign that escapes nothing")
        parts.append(bytes((int(digits, 16),)) + part[2:])
    return b"".join(parts)


def _pin(asked: dict[str, bytes]) -> str:
    if "pin-value" in asked:
        return asked["pin-value"].decode("utf-8", "replace")
    if "pin-source" not in asked:
        return ""
    path = asked["pin-source"].decode("utf-8", "replace").removeprefix("file:")
    if not os.path.isabs(path):
        raise InputError("invalid uri: pin-source is not the absolute path of a file")
    content = storage.read(path, _PIN_BYTES)
    if content is None:
        raise KeyAccessError(f"open {path}: no such file or directory", code=Code.NOT_FOUND)
    return content.decode("utf-8", "replace").strip()
