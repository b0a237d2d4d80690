"""Keys that a PKCS#11 token keeps (smart cards, HSMs), through python-pkcs11 (extra ``pkcs11``).

A key is named by a URI (``adapters/pkcs11_uri.py``). All attributes that are given must match, and exactly one token
and one key may (cosign takes the id alone where both id and object are given). Each signature opens a session of its
own, so that nothing stays logged in. A module is code that runs in this process, with all that it may do.
"""

import os
from _thread import allocate_lock

from countermark.adapters import key_services, pkcs11_uri
from countermark.adapters.key_services import RemoteKey
from countermark.adapters.pkcs11_uri import TOKEN_ATTRIBUTES, Pkcs11Uri
from countermark.core.errors import Code, KeyAccessError, MalformedError, UnavailableError
from countermark.proofs import der, signatures, spki, x509
from countermark.proofs.der import DerReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from countermark.proofs.spki import PublicKey

    Result = TypeVar("Result")

# who is logged in is a matter of the whole process, so that two sessions would log each other out; and
# some modules forget their slots while another thread lists them
_one_at_a_time = allocate_lock()
_PKCS1_HASHES = {  # RFC 8017, 9.2: the DigestInfo before the digest
    name: der.sequence(der.oid(f"2.16.840.1.101.3.4.2.{number}"), der.tlv(der.NULL))
    for name, number in (("sha256", 1), ("sha384", 2), ("sha512", 3))
}


class Pkcs11Keys:
    """Finds keys on tokens."""

    def __init__(
        self,
        environment: "Mapping[str, str]",
        ask_pin: "Callable[[str], str]",
        load: "Callable[[str], Any] | None" = None,
    ) -> None:
        """``ask_pin`` asks a person for a PIN, with a text; ``load`` opens a module (python-pkcs11's ``lib``)."""
        self._environment, self._ask_pin, self._load = environment, ask_pin, load

    def public_key(self, uri: str) -> "PublicKey":
        """Read a public key; no PIN is asked for.

        Raises:
            InputError: see ``pkcs11_uri.parse``. KeyAccessError: no such token or key; ``not-supported``,
            python-pkcs11 is missing. UnavailableError: the token fails.
        """
        parsed = pkcs11_uri.parse(uri, self._environment)
        return self._in_session(parsed, parsed.pin, lambda session: _public(session, parsed))

    def signing_key(self, uri: str) -> RemoteKey:
        """Find a key that signs.

        Raises:
            As ``public_key``; KeyAccessError ``passphrase``: the PIN is wrong.
        """
        parsed = pkcs11_uri.parse(uri, self._environment)
        pin = parsed.pin or self._asked_pin(parsed)
        public = self._in_session(parsed, pin, lambda session: _public(session, parsed))

        def sign(content: bytes) -> bytes:
            return self._in_session(
                parsed, pin, lambda session: _signed(session, parsed, public, content)
            )

        keeper = f"token key {parsed.label or parsed.id.hex()}"
        if public.kind == "ed25519":
            return RemoteKey(public, keeper, None, sign)
        return RemoteKey(public, keeper, sign)

    def _asked_pin(self, uri: Pkcs11Uri) -> str:
        with _one_at_a_time:
            token = self._token(uri)
        import pkcs11  # noqa: PLC0415 - loaded by now

        if not token.flags & pkcs11.TokenFlag.LOGIN_REQUIRED:
            return ""
        what = f"Enter PIN for key '{uri.label}' in PKCS11 token '{token.label}': "
        return self._ask_pin(what)

    def _in_session(self, uri: Pkcs11Uri, pin: str, work: "Callable[[Any], Result]") -> "Result":
        with _one_at_a_time:
            token = self._token(uri)
            from pkcs11.exceptions import PKCS11Error  # noqa: PLC0415 - loaded by now

            try:
                with _opened(token, pin) as session:
                    return work(session)
            except PKCS11Error as error:
                raise _failure(error) from None

    def _token(self, uri: Pkcs11Uri) -> "Any":
        try:
            from pkcs11 import lib  # noqa: PLC0415 - an extra
            from pkcs11.exceptions import PKCS11Error  # noqa: PLC0415 - as above
        except ImportError:
            raise KeyAccessError(
                "keys on tokens need python-pkcs11",
                code=Code.NOT_SUPPORTED,
                hint="install countermark[pkcs11]",
            ) from None
        if not os.path.isfile(uri.module):
            raise KeyAccessError(f"access modulePath: {uri.module} is no file", code=Code.NOT_FOUND)
        try:
            module = (self._load or lib)(uri.module)
            tokens = [
                slot.get_token()
                for slot in module.get_slots(token_present=True)
                if uri.slot in (-1, slot.slot_id)
            ]
        except (PKCS11Error, RuntimeError, OSError) as error:
            raise UnavailableError(f"PKCS11 module: {type(error).__name__}") from None
        found = [token for token in tokens if _is_named(token, uri)]
        if len(found) != 1:
            names = " ".join(value for _, value in uri.token) or str(uri.slot)
            many = "could not find a slot" if not found else "more than one slot is there"
            raise KeyAccessError(f"{many} for the token '{names}'", code=Code.NOT_FOUND)
        return found[0]


def _opened(token: "Any", pin: str) -> "Any":
    from pkcs11.exceptions import UserAlreadyLoggedIn  # noqa: PLC0415 - loaded by now

    try:
        return token.open(user_pin=pin or None)
    except UserAlreadyLoggedIn:  # by somebody else in this process, for whom it counts too
        return token.open()


def _is_named(token: "Any", uri: Pkcs11Uri) -> bool:
    for name, wanted in uri.token:
        value = getattr(token, TOKEN_ATTRIBUTES[name])
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        if text.rstrip(" \0") != wanted.rstrip(" \0"):
            return False
    return True


def _failure(error: Exception) -> KeyAccessError | UnavailableError:
    kind = type(error).__name__
    if kind in ("PinIncorrect", "PinLenRange", "PinInvalid", "PinLocked", "PinExpired"):
        return KeyAccessError(f"PKCS11 token: {kind}", code=Code.PASSPHRASE)
    if kind in (
        "UserNotLoggedIn",
        "KeyFunctionNotPermitted",
        "MechanismInvalid",
        "FunctionNotSupported",
    ):
        return KeyAccessError(f"PKCS11 token: {kind}", code=Code.REFUSED)
    return UnavailableError(f"PKCS11 token: {kind}")


# Objects ------------------------------------------------------------------------------------------------


def _only(session: "Any", uri: Pkcs11Uri, object_class: "Any") -> "Any":
    """The one object of a class that the URI names, None where there is none.

    The search is read to its end: python-pkcs11 fails when one that is not is thrown away.
    """
    import pkcs11  # noqa: PLC0415 - loaded by now

    wanted: dict[Any, Any] = {pkcs11.Attribute.CLASS: object_class}
    if uri.label:
        wanted[pkcs11.Attribute.LABEL] = uri.label
    if uri.id:
        wanted[pkcs11.Attribute.ID] = uri.id
    found = list(session.get_objects(wanted))
    if len(found) > 1:
        raise KeyAccessError(
            f"more than one key pair found for id={uri.id.hex()} label={uri.label} in slot/token",
            code=Code.NOT_FOUND,
        )
    return found[0] if found else None


def _absent(uri: Pkcs11Uri) -> KeyAccessError:
    return KeyAccessError(
        f"no key pair found for id={uri.id.hex()} label={uri.label} in slot/token",
        code=Code.NOT_FOUND,
    )


def _public(session: "Any", uri: Pkcs11Uri) -> "PublicKey":
    import pkcs11  # noqa: PLC0415 - loaded by now

    keeper = f"token key {uri.label or uri.id.hex()}"
    key = _only(session, uri, pkcs11.ObjectClass.PUBLIC_KEY)
    if key is None:
        return _certified(session, uri, keeper)
    attribute, kind = pkcs11.Attribute, pkcs11.KeyType
    if key.key_type == kind.RSA:
        numbers = (key[attribute.MODULUS], key[attribute.PUBLIC_EXPONENT])
        content = spki.encode_rsa(der.sequence(*(der.integer(int.from_bytes(n)) for n in numbers)))
        return key_services.public_der(content, keeper)
    if key.key_type not in (kind.EC, kind.EC_EDWARDS):
        raise KeyAccessError(f"{keeper}: a key of another kind", code=Code.NOT_SUPPORTED)
    try:
        point = DerReader(key[attribute.EC_POINT]).take(der.OCTET_STRING)
        if key.key_type == kind.EC_EDWARDS:
            return spki.of_ed25519(point)
        oid = DerReader(key[attribute.EC_PARAMS]).take(der.OID)
        curve = spki.CURVES.get(oid, ("another curve", 0))[0]
        content = spki.encode_ecdsa(curve, point)
    except MalformedError as error:
        raise KeyAccessError(f"{keeper}: public key: {error}", code=Code.MALFORMED) from None
    return key_services.public_der(content, keeper)


def _certified(session: "Any", uri: Pkcs11Uri, keeper: str) -> "PublicKey":
    """Some tokens keep a certificate instead of the public key."""
    import pkcs11  # noqa: PLC0415 - loaded by now

    certificate = _only(session, uri, pkcs11.ObjectClass.CERTIFICATE)
    if certificate is None:
        raise _absent(uri)
    try:
        return key_services.public_der(
            x509.parse(certificate[pkcs11.Attribute.VALUE]).key.der, keeper
        )
    except MalformedError as error:
        raise KeyAccessError(f"{keeper}: certificate: {error}", code=Code.MALFORMED) from None


def _signed(session: "Any", uri: Pkcs11Uri, public: "PublicKey", content: bytes) -> bytes:
    """Sign a digest, or with Ed25519 a message."""
    import pkcs11  # noqa: PLC0415 - loaded by now

    key = _only(session, uri, pkcs11.ObjectClass.PRIVATE_KEY)
    if key is None:
        raise _absent(uri)
    if public.kind == "ed25519":
        return bytes(key.sign(content, mechanism=pkcs11.Mechanism.EDDSA))
    if public.kind == "ecdsa":
        raw = bytes(key.sign(content, mechanism=pkcs11.Mechanism.ECDSA))
        return signatures.ecdsa_of_raw(raw)
    algorithm = _PKCS1_HASHES[signatures.hash_for(public)]
    info = der.sequence(algorithm, der.tlv(der.OCTET_STRING, content))
    return bytes(key.sign(info, mechanism=pkcs11.Mechanism.RSA_PKCS))
