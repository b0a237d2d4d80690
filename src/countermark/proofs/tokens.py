"""Identity tokens (JWT); checked and issued.

A token is what a stranger sends, so it is read before anything in it is believed: three parts of base64url, JSON with
no two readings, sizes. Nothing in its header says how it is to be checked: ``alg`` and ``kid`` only choose among keys
that the caller has from the issuer, each of which is good for one algorithm (RFC 8725, 3.1); ``none`` and the HMACs
are good for no key. Whether a token was shown before is for the caller to remember.

Reading costs a client nothing: ``joserfc`` is loaded with the keys (``proofs/token_keys.py``), not here.
"""

import binascii

from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.core.light import Sequence, datetime
from countermark.formats import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.formats.strict_json import Json
    from countermark.proofs.token_keys import IssuingKey, TokenKey

LEEWAY_SECONDS = 30  # how far two clocks may be apart. go-oidc: 300 for nbf, 0 for exp
ALGORITHMS = ("RS256", "ES256", "ES384", "EdDSA")

_BASE64URL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_FROM_URL = str.maketrans("-_", "+/")
_TO_URL = bytes.maketrans(b"+/", b"-_")
# keys that the token itself brings or points to, and extensions that change what is signed (RFC 7515, 4.1; RFC 7797)
_REFUSED_HEADERS = ("jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc")
# "at+jwt" (RFC 9068), "logout+jwt" and the like are signed with the same keys and are no identity tokens
_TYPES = ("", "jwt", "jose", "application/jwt")


class UnverifiedToken:
    """A token taken apart: nothing of it is believed yet.

    Attributes:
        text: as it was sent.
        header: how it says it was signed.
        claims: what it claims.
    """

    __slots__ = ("claims", "header", "text")

    def __init__(self, text: str) -> None:
        """Take a token apart.

        Raises:
            EvidenceError: ``token``, it is no JWT.
        """
        if len(text) > limits.TOKEN_CHARS:
            raise _refused(f"{len(text)} characters, at most {limits.TOKEN_CHARS} are allowed")
        parts = text.split(".", 3)
        if len(parts) != 3:
            raise _refused("not three parts with dots between them")
        header, claims, signature = (_decoded(part) for part in parts)
        if len(header) > limits.TOKEN_HEADER_BYTES:
            raise _refused("the header is too long")
        if not signature:
            raise _refused("it is not signed")
        self.text = text
        self.header = _object(header, "the header")
        self.claims = _object(claims, "what it claims")

    @property
    def key_id(self) -> str:
        """The key that it says it was signed with, "" where it says nothing.

        Raises:
            EvidenceError: ``token``, what it says is no text.
        """
        return _text(self.header, "kid")


def unverified_claims(token: str) -> "dict[str, Json]":
    """Read what a token claims without checking who made it.

    For clients that were given it and only need the subject to prove possession of a key.

    Raises:
        EvidenceError: ``token``, it is no JWT.
    """
    return UnverifiedToken(token).claims


def check(
    token: str | UnverifiedToken,
    keys: "Sequence[TokenKey]",
    issuer: str,
    audience: str,
    now: datetime,
) -> "dict[str, Json]":
    """Check that an issuer made a token, for this audience, and that it is valid now; return what it claims.

    OpenID Connect Core, 3.1.3.7. Besides what ``exp``, ``iat``, ``nbf``, ``iss`` and ``aud`` must be, ``sub`` is a
    text that is not empty.

    Args:
        token: as it was sent, perhaps taken apart already.
        keys: the issuer's, as it publishes them.
        issuer: what ``iss`` must be, exactly.
        audience: what ``aud`` must be, or have in its list.
        now: the time.

    Raises:
        EvidenceError: ``token``; the message says why, for our own log.
    """
    read = UnverifiedToken(token) if isinstance(token, str) else token
    if not _key(read, keys).signed(read.text):
        raise _refused("the signature does not verify")
    _check_names(read.claims, issuer, audience)
    _check_times(read.claims, int(now.timestamp()))
    return read.claims


def issue(claims: "dict[str, Json]", key: "IssuingKey") -> str:
    """Make a token of these claims."""
    return key.sign(strict_json.compact(claims))


def encode_base64url(content: bytes) -> str:
    """Write base64url without padding (RFC 7515, 2)."""
    raw = binascii.b2a_base64(content, newline=False)
    return raw.translate(_TO_URL).decode().rstrip("=")


def decode_base64url(text: str) -> bytes:
    """Read base64url in its one form: no padding, no other characters, no bits left over.

    Raises:
        ValueError: it is not that.
    """
    if not _BASE64URL.issuperset(text) or len(text) % 4 == 1:
        raise ValueError("not base64url")
    content = binascii.a2b_base64(text.translate(_FROM_URL) + "=" * (-len(text) % 4))
    if encode_base64url(content) != text:
        raise ValueError("not base64url in its one form")
    return content


def _key(token: UnverifiedToken, keys: "Sequence[TokenKey]") -> "TokenKey":
    """Choose the one key that may have signed: of this identifier and for this algorithm."""
    header, name = token.header, token.key_id
    for extension in _REFUSED_HEADERS:
        if extension in header:
            raise _refused(f"its header has {extension!r}, which is not taken")
    if _text(header, "typ").lower() not in _TYPES:
        raise _refused("it is a token of another kind")
    algorithm = _text(header, "alg")
    if algorithm not in ALGORITHMS:
        raise _refused(f"algorithm {algorithm[:20]!r} is not taken")
    # without an identifier only a single key can be meant (RFC 7515, 4.1.4: it is optional)
    fitting = [k for k in keys if k.algorithm == algorithm and (not name or k.id == name)]
    if not fitting:
        raise _refused("its issuer has no such key")
    if len(fitting) > 1:
        raise _refused("its issuer has several such keys")
    return fitting[0]


def _check_names(claims: "dict[str, Json]", issuer: str, audience: str) -> None:
    if claims.get("iss") != issuer or not issuer:
        raise _refused("another issuer")
    given = claims.get("aud")
    audiences = given if isinstance(given, list) else [given]
    if not audiences or not all(isinstance(item, str) for item in audiences):
        raise _refused("no audience")
    if audience not in audiences or not audience:
        raise _refused("for another audience")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise _refused("no subject")


def _check_times(claims: "dict[str, Json]", now: int) -> None:
    """RFC 7519, 4.1.4 to 4.1.6; whole seconds only, as all issuers write them."""
    if now >= _time(claims, "exp") + LEEWAY_SECONDS:
        raise _refused("it has expired")
    if _time(claims, "iat") > now + LEEWAY_SECONDS:
        raise _refused("it was issued in the future")
    if "nbf" in claims and _time(claims, "nbf") > now + LEEWAY_SECONDS:
        raise _refused("it is not valid yet")


def _time(claims: "dict[str, Json]", name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _refused(f"no {name}")
    return value


def _text(header: "dict[str, Json]", name: str) -> str:
    value = header.get(name, "")
    if not isinstance(value, str):
        raise _refused(f"its header's {name} is not a text")
    return value


def _decoded(part: str) -> bytes:
    try:
        return decode_base64url(part)
    except ValueError as error:
        raise _refused(str(error)) from None


def _object(content: bytes, what: str) -> "dict[str, Json]":
    try:
        value = strict_json.parse(content)
    except MalformedError as error:
        raise _refused(f"{what}: {error}") from None
    if not isinstance(value, dict):
        raise _refused(f"{what}: not an object")
    return value


def _refused(reason: str) -> EvidenceError:
    return EvidenceError(f"the identity token is not believed: {reason}", code=Code.TOKEN)
