"""Keys that identity tokens are checked and issued with (JWK), each for one algorithm.

RFC 7517 and 7518. ``joserfc`` verifies and signs; which key and which algorithm it does not choose.
"""

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from countermark.core import limits
from countermark.core.errors import Code, KeyAccessError, MalformedError
from countermark.formats import strict_json
from countermark.proofs import signing_keys
from countermark.proofs.signing_keys import LocalKey
from countermark.proofs.tokens import decode_base64url, encode_base64url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from joserfc._rfc7515.model import JWSAlgModel

    from countermark.formats.strict_json import Json

    JoseKey = ECKey | OKPKey | RSAKey

_RSA_BITS = (2048, 8192)  # RFC 7518, 3.3 wants the former; beyond the latter a check takes too long
# key type and curve: the algorithm it is good for, the members that make the key, and joserfc's class
_KINDS: "dict[tuple[str, str], tuple[str, tuple[str, ...], type[ECKey | OKPKey | RSAKey]]]" = {
    ("RSA", ""): ("RS256", ("n", "e"), RSAKey),
    ("EC", "P-256"): ("ES256", ("crv", "x", "y"), ECKey),
    ("EC", "P-384"): ("ES384", ("crv", "x", "y"), ECKey),
    ("OKP", "Ed25519"): ("EdDSA", ("crv", "x"), OKPKey),
}
_GENERATED = {"ES256": "ecdsa-p256", "ES384": "ecdsa-p384", "EdDSA": "ed25519", "RS256": "rsa-2048"}


class _OneAlgorithm(jws.JWSRegistry):
    """Lets one algorithm through, without joserfc's warning that "EdDSA" may mean other curves: not with our keys."""

    max_header_length = limits.TOKEN_CHARS
    max_payload_length = limits.TOKEN_CHARS

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm], strict_check_header=False)
        self._algorithm = algorithm

    def get_alg(self, name: str) -> "JWSAlgModel":
        """Return the algorithm, if it is the one."""
        if name != self._algorithm:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRIES = {kind[0]: _OneAlgorithm(kind[0]) for kind in _KINDS.values()}


class TokenKey:
    """A public key of an issuer's, good for one algorithm; ``id`` is its ``kid``, "" where it has none."""

    __slots__ = ("_key", "algorithm", "id")

    def __init__(self, key_id: str, algorithm: str, key: "JoseKey") -> None:
        self.id, self.algorithm, self._key = key_id, algorithm, key

    def signed(self, token: str) -> bool:
        """Say whether this key signed a token with its algorithm; nothing else of the token is looked at."""
        try:
            jws.deserialize_compact(token, self._key, registry=_REGISTRIES[self.algorithm])
        except (JoseError, ValueError, TypeError, KeyError):
            return False
        return True

    def __repr__(self) -> str:
        return f"TokenKey(id={self.id!r}, algorithm={self.algorithm!r})"


def parse_key_set(content: bytes) -> tuple[TokenKey, ...]:
    """Read a key set (RFC 7517, 5): the keys that can check tokens; others in it are left out.

    Raises:
        MalformedError: it is no key set, or past a limit.
    """
    items = strict_json.Reader(
        strict_json.parse(content, max_bytes=limits.KEY_SET_BYTES), ""
    ).objects("keys")
    if len(items) > limits.KEY_SET_KEYS:
        raise MalformedError(
            f"{len(items)} keys, at most {limits.KEY_SET_KEYS} are taken", code=Code.TOO_LARGE
        )
    found = [_public_key(item) for item in items]
    return tuple(key for key in found if key is not None)


def _public_key(item: strict_json.Reader) -> TokenKey | None:
    """Read one key; None for a kind that is not taken, a key for something else, or one that is broken."""
    kind = _KINDS.get((_text(item, "kty"), _text(item, "crv")))
    if kind is None or not _is_for(item, kind[0]):
        return None
    algorithm, members, shape = kind
    try:
        given: dict[str, str | list[str]] = {m: item.text(m) for m in ("kty", *members)}
        if shape is RSAKey and not _RSA_BITS[0] <= _bits(item.text("n")) <= _RSA_BITS[1]:
            return None
        key = shape.import_key(given)
    except (MalformedError, JoseError, ValueError, TypeError, OverflowError):
        return None
    return TokenKey(_text(item, "kid"), algorithm, key)


def _bits(modulus: str) -> int:
    """The size of an RSA key, told before it is loaded: joserfc would load any, and warn.

    Raises:
        ValueError: not base64url.
    """
    return int.from_bytes(decode_base64url(modulus), "big").bit_length()


def _is_for(item: strict_json.Reader, algorithm: str) -> bool:
    """RFC 7517, 4.2 to 4.4: what a key says it may be used for."""
    if _text(item, "use") not in ("", "sig") or _text(item, "alg") not in ("", algorithm):
        return False
    return not item.has("key_ops") or "verify" in _texts(item, "key_ops")


def _text(item: strict_json.Reader, name: str) -> str:
    value = item.value(name) if item.has(name) else ""
    return value if isinstance(value, str) else "?"


def _texts(item: strict_json.Reader, name: str) -> tuple[str, ...]:
    try:
        return item.texts(name)
    except MalformedError:
        return ()


class IssuingKey:
    """A private key that signs tokens. Its thief signs in as anybody, at everyone who believes the issuer.

    Attributes:
        id: the ``kid``, its thumbprint (RFC 7638).
        algorithm: what it signs with.
    """

    __slots__ = ("_key", "_local", "_public", "algorithm", "id")

    def __init__(self, local: LocalKey) -> None:
        """Take a key.

        Raises:
            KeyAccessError: ``not-supported``, no algorithm for tokens goes with it.
        """
        self._local = local
        self._key, self._public = _with_members(local)
        self.algorithm = _KINDS[str(self._public["kty"]), str(self._public.get("crv", ""))][0]
        self.id = _thumbprint(self._public)

    def sign(self, payload: bytes) -> str:
        """Sign a payload as a token."""
        header = {"alg": self.algorithm, "kid": self.id, "typ": "JWT"}
        return jws.serialize_compact(
            header, payload, self._key, registry=_REGISTRIES[self.algorithm]
        )

    def jwk(self) -> "dict[str, Json]":
        """The public key as it is published."""
        return {**self._public, "use": "sig", "alg": self.algorithm, "kid": self.id}

    def to_pkcs8(self) -> bytes:
        """Write plain PKCS 8, for a store that encrypts it."""
        return self._local.to_pkcs8()

    def __repr__(self) -> str:
        return f"IssuingKey(id={self.id!r}, algorithm={self.algorithm!r})"

    def __reduce__(self) -> "NoReturn":
        raise TypeError("a private key is not pickled")


def generate(algorithm: str = "ES256") -> IssuingKey:
    """Make a new key for one of ``tokens.ALGORITHMS``."""
    return IssuingKey(signing_keys.generate(_GENERATED[algorithm]))


def from_pkcs8(content: bytes) -> IssuingKey:
    """Read plain PKCS 8.

    Raises:
        KeyAccessError: not such a key, or one that signs no tokens.
    """
    return IssuingKey(signing_keys.from_pkcs8(content))


def encode_key_set(keys: "list[IssuingKey]") -> bytes:
    """Write the key set that an issuer publishes."""
    return strict_json.compact({"keys": [key.jwk() for key in keys]})


def _with_members(local: LocalKey) -> "tuple[JoseKey, dict[str, Json]]":
    """The key as joserfc has it, and the members that make its public half: RFC 7518, 6.2 and 6.3, RFC 8037, 2."""
    private = local.object
    if isinstance(private, ed25519.Ed25519PrivateKey):
        raw = private.public_key().public_bytes_raw()
        members: dict[str, Json] = {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(raw)}
        return OKPKey(private, private), members
    if isinstance(private, rsa.RSAPrivateKey):
        numbers = private.public_key().public_numbers()
        members = {"kty": "RSA", "n": _integer(numbers.n), "e": _integer(numbers.e)}
        return RSAKey(private, private), members
    size = private.curve.key_size // 8
    if size not in (32, 48):
        raise KeyAccessError("no algorithm for tokens goes with this key", code=Code.NOT_SUPPORTED)
    point = private.public_key().public_numbers()
    members = {"kty": "EC", "crv": f"P-{size * 8}"}
    members |= {"x": _integer(point.x, size), "y": _integer(point.y, size)}
    return ECKey(private, private), members


def _integer(value: int, size: int = 0) -> str:
    return encode_base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _thumbprint(public: "dict[str, Json]") -> str:
    return encode_base64url(sha256(strict_json.canonical(public)).digest())
