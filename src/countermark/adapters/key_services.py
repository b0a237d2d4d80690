"""What the clients of key services share: JSON over HTTPS, access tokens, and keys that are checked before use.

Whoever keeps a key for us could sign with another one, by mistake or not: every signature is verified with the public
key that was fetched, on this machine, before anybody sees it. So nothing here needs the services' own checksums.
Credentials go to the service they are for and nowhere else, and stand in no message.
"""

import hashlib
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from datetime import timedelta

from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_url import quote
from countermark.core.errors import (
    Code,
    InputError,
    KeyAccessError,
    MalformedError,
    UnavailableError,
)
from countermark.formats import strict_json
from countermark.formats.strict_json import Reader
from countermark.proofs import public_keys, signatures, spki

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from countermark.adapters.http_client import HttpClient
    from countermark.core.ports import Clock
    from countermark.proofs.spki import PublicKey

# of a key service; the largest, Vault's list of versions, has some 500 bytes a version
ANSWER_BYTES = 1024 * 1024
_TOKEN_SPARE = timedelta(seconds=60)  # a token is not used in its last minute
_REASON_CHARS = 200


class RemoteKey:
    """A private key that its keeper never gives away; fulfils SigningKey."""

    def __init__(
        self,
        public: "PublicKey",
        keeper: str,
        sign_digest: "Callable[[bytes], bytes] | None",
        sign_message: "Callable[[bytes], bytes] | None" = None,
    ) -> None:
        """``keeper`` is who signs, for messages. ``sign_digest`` takes a digest of the key's own hash.

        Where the keeper takes whole messages, as it must for Ed25519, ``sign_message`` does so.
        """
        self.public, self._keeper = public, keeper
        self._sign_digest, self._sign_message = sign_digest, sign_message

    @property
    def public_der(self) -> bytes:
        """The public key, SubjectPublicKeyInfo in DER."""
        return self.public.der

    def sign(self, message: bytes) -> bytes:
        """Have a message signed.

        Raises:
            KeyAccessError: the keeper refuses; ``bad-signature``, it signed with another key.
            UnavailableError: it is out of reach.
        """
        if self._sign_message is not None:
            signature = self._sign_message(message)
        elif self._sign_digest is not None and self.public.kind != "ed25519":
            name = signatures.hash_for(self.public)
            signature = self._sign_digest(hashlib.new(name, message).digest())
        else:
            raise KeyAccessError(
                f"{self._keeper} signs no messages with {self.public.kind} keys",
                code=Code.NOT_SUPPORTED,
            )
        return self._checked(signatures.verify(self.public, message, signature), signature)

    def sign_digest(self, digest: bytes) -> bytes:
        """Have a digest of the key's own hash signed.

        Raises:
            As ``sign``; InputError: another length than that hash's.
        """
        name = signatures.hash_for(self.public)
        if len(digest) != signatures.HASH_BYTES[name]:
            raise InputError(f"not a digest of {name}: {len(digest)} bytes")
        if self._sign_digest is None:
            raise KeyAccessError(
                f"{self._keeper} signs whole messages only with {self.public.kind} keys",
                code=Code.NOT_SUPPORTED,
            )
        signature = self._sign_digest(digest)
        return self._checked(signatures.verify_digest(self.public, digest, signature), signature)

    def _checked(self, good: bool, signature: bytes) -> bytes:  # noqa: FBT001
        if not good:
            raise KeyAccessError(
                f"{self._keeper} signed with another key, or over another hash, than its public key says",
                code=Code.BAD_SIGNATURE,
            )
        return signature

    def __repr__(self) -> str:
        return f"RemoteKey({self._keeper!r}, public={self.public.fingerprint!r})"


def public_pem(text: str, keeper: str) -> "PublicKey":
    """Read the public key that a keeper answered with.

    Raises:
        KeyAccessError: it is none, or (``not-supported``) one whose signatures do not count.
    """
    try:
        return public_keys.parse(text.encode())
    except MalformedError as error:
        raise KeyAccessError(f"{keeper}: public key: {error}", code=error.code) from None


def public_der(content: bytes, keeper: str) -> "PublicKey":
    """Read a SubjectPublicKeyInfo that a keeper answered with.

    Raises:
        As ``public_pem``.
    """
    try:
        return public_keys.accepted(spki.parse(content))
    except MalformedError as error:
        raise KeyAccessError(f"{keeper}: public key: {error}", code=error.code) from None


# Asking ---------------------------------------------------------------------------------------------------


def ask(client: "HttpClient", request: HttpRequest, keeper: str) -> Reader:
    """Ask a key service and read the object that it answers.

    Raises:
        KeyAccessError: ``refused``, ``not-found``: it answered so, with its reason where that tells no credential.
        UnavailableError: no answer, one that may differ later, or (``malformed``) none that we understand.
        InputError: ``insecure``, plain http to another host than this one.
    """
    try:
        answer = client.request(request.replace(max_bytes=ANSWER_BYTES))
        if answer.status == 204:
            return Reader({})
        if answer.status not in (200, 201):
            raise _refused(request, answer.status, answer.content, keeper)
        return Reader(strict_json.parse(answer.content))
    except MalformedError as error:
        raise garbled(keeper, error) from None


def garbled(keeper: str, error: MalformedError) -> UnavailableError:
    """An answer that is not what the service's protocol says."""
    return UnavailableError(f"{keeper}: unexpected answer: {error}", code=error.code)


def _refused(
    request: HttpRequest, status: int, content: bytes, keeper: str
) -> "KeyAccessError | UnavailableError":
    secrets = [value.rpartition(" ")[2] for value in request.headers.values()]
    reason = _reason(content)
    if any(secret and secret in reason for secret in secrets):
        reason = ""
    message = f"{keeper}: HTTP {status}" + (f": {reason}" if reason else "")
    if status == 429 or status >= 500:
        return UnavailableError(message, status=status)
    code = Code.NOT_FOUND if status == 404 else Code.REFUSED
    return KeyAccessError(message, code=code)


def _reason(content: bytes) -> str:
    """What an answer says is wrong: Vault's ``errors``, the clouds' ``error``, Kubernetes' ``message``.

    Of OAuth's answers only the code (``invalid_grant``), never the description.
    """
    try:
        found = strict_json.parse(content)
    except MalformedError:
        return ""
    if isinstance(found, dict):
        found = found.get("error") or found.get("errors") or found.get("message")
    if isinstance(found, dict):
        found = found.get("message")
    if isinstance(found, list):
        found = "; ".join(item for item in found if isinstance(item, str))
    text = found if isinstance(found, str) else ""
    return "".join(c if c.isprintable() else " " for c in text)[:_REASON_CHARS].strip()


def form(pairs: "Mapping[str, str]") -> bytes:
    """Write a form's body."""
    return "&".join(f"{name}={quote(value)}" for name, value in pairs.items()).encode()


class AccessToken:
    """A short-lived token of an identity service, asked for when it is needed and kept for as long as it holds."""

    def __init__(self, fetch: "Callable[[], tuple[str, int]]", clock: "Clock") -> None:
        """``fetch`` returns a token and the seconds that it holds."""
        self._fetch, self._clock = fetch, clock
        self._token = ""
        self._until: datetime | None = None

    def headers(self) -> dict[str, str]:
        """Return what a request needs.

        Raises:
            As ``ask``.
        """
        now = self._clock()
        if self._until is None or now >= self._until - _TOKEN_SPARE:
            self._token, seconds = self._fetch()
            self._until = now + timedelta(seconds=seconds)
        return {"Authorization": f"Bearer {self._token}"}


def token_of(reader: Reader, keeper: str) -> tuple[str, int]:
    """Take an OAuth 2.0 token out of an answer (RFC 6749, 5.1); one that does not say how long it holds is used once.

    Raises:
        UnavailableError: ``malformed``, there is none.
    """
    try:
        seconds = reader.integer("expires_in") if reader.has("expires_in") else 0
        return reader.text("access_token"), max(0, min(seconds, 86_400))
    except MalformedError as error:
        raise garbled(keeper, error) from None


# Base64 ---------------------------------------------------------------------------------------------------


def to_base64(content: bytes) -> str:
    """Write base64 (RFC 4648, 4)."""
    return b2a_base64(content, newline=False).decode()


def of_base64(text: str) -> bytes:
    """Read base64.

    Raises:
        MalformedError: it is none.
    """
    try:
        return a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        raise MalformedError("not base64") from None


def url_base64(content: bytes) -> str:
    """Write base64url without padding (RFC 7515, 2)."""
    return to_base64(content).rstrip("=").replace("+", "-").replace("/", "_")


def of_url_base64(text: str) -> bytes:
    """Read base64url without padding.

    Raises:
        MalformedError: it is none.
    """
    if "+" in text or "/" in text:
        raise MalformedError("not base64url")
    padded = text + "=" * (-len(text) % 4)
    return of_base64(padded.replace("-", "+").replace("_", "/"))
