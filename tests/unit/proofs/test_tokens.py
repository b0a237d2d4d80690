"""Identity tokens: what is believed, and each way in which one is not."""

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, KeyAccessError, MalformedError
from countermark.formats import strict_json
from countermark.proofs import signing_keys, token_keys, tokens
from countermark.proofs.token_keys import IssuingKey, TokenKey
from countermark.proofs.tokens import UnverifiedToken, encode_base64url

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ISSUER, AUDIENCE = "https://issuer.example.com", "sigstore"
KEYS = {algorithm: token_keys.generate(algorithm) for algorithm in tokens.ALGORITHMS}
KEY = KEYS["ES256"]


def public(*keys: IssuingKey) -> tuple[TokenKey, ...]:
    return token_keys.parse_key_set(token_keys.encode_key_set(list(keys)))


def claims(**changes: Any) -> dict[str, Any]:
    good = {
        "iss": ISSUER,
        "sub": "somebody",
        "aud": AUDIENCE,
        "iat": SECONDS,
        "exp": SECONDS + 600,
    }
    return {name: value for name, value in (good | changes).items() if value is not ...}


def part(value: object) -> str:
    content = value if isinstance(value, bytes) else strict_json.compact(value)
    return encode_base64url(content)


def signed(header: object, body: object, key: IssuingKey = KEY) -> str:
    """Sign with ES256 whatever the header says, as an attacker with a key of the issuer's could not."""
    private = serialization.load_der_private_key(key.to_pkcs8(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    content = f"{part(header)}.{part(body)}"
    der = private.sign(content.encode(), ec.ECDSA(hashes.SHA256()))
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    raw = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(der))
    return f"{content}.{encode_base64url(raw)}"


def header(**changes: Any) -> dict[str, Any]:
    good = {"alg": "ES256", "kid": KEY.id, "typ": "JWT"}
    return {name: value for name, value in (good | changes).items() if value is not ...}


def key_id(token: str) -> str:
    return UnverifiedToken(token).key_id


def check(token: str, *keys: IssuingKey) -> dict[str, Any]:
    return tokens.check(token, public(*(keys or (KEY,))), ISSUER, AUDIENCE, NOW)


GOOD = tokens.issue(claims(), KEY)


@pytest.mark.parametrize("algorithm", tokens.ALGORITHMS)
def test_what_is_issued_is_believed(algorithm: str) -> None:
    key = KEYS[algorithm]
    token = tokens.issue(claims(), key)
    assert check(token, *KEYS.values()) == claims()
    assert tokens.unverified_claims(token) == claims()
    assert UnverifiedToken(token).key_id == key.id


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["other", AUDIENCE]},
        {"exp": SECONDS - tokens.LEEWAY_SECONDS + 1},
        {"iat": SECONDS + tokens.LEEWAY_SECONDS},
        {"nbf": SECONDS + tokens.LEEWAY_SECONDS},
        {"more": {"nested": [1, True, None, "ä"]}},
    ],
)
def test_good_claims(changes: dict[str, Any]) -> None:
    assert check(tokens.issue(claims(**changes), KEY)) == claims(**changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://other.example.com"}, "another issuer"),
        ({"iss": ISSUER + "/"}, "another issuer"),
        ({"iss": [ISSUER]}, "another issuer"),
        ({"iss": ...}, "another issuer"),
        ({"aud": "other"}, "another audience"),
        ({"aud": "sigstore2"}, "another audience"),
        ({"aud": ["other"]}, "another audience"),
        ({"aud": []}, "no audience"),
        ({"aud": [AUDIENCE, 1]}, "no audience"),
        ({"aud": {AUDIENCE: True}}, "no audience"),
        ({"aud": ...}, "no audience"),
        ({"sub": ""}, "no subject"),
        ({"sub": 7}, "no subject"),
        ({"sub": ...}, "no subject"),
        ({"exp": SECONDS - tokens.LEEWAY_SECONDS}, "expired"),
        ({"exp": ...}, "no exp"),
        ({"exp": str(SECONDS + 600)}, "no exp"),
        ({"exp": True}, "no exp"),
        ({"exp": -1}, "no exp"),
        ({"iat": SECONDS + tokens.LEEWAY_SECONDS + 1}, "future"),
        ({"iat": ...}, "no iat"),
        ({"nbf": SECONDS + tokens.LEEWAY_SECONDS + 1}, "not valid yet"),
        ({"nbf": None}, "no nbf"),
    ],
)
def test_claims_that_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(EvidenceError, match=reason) as caught:
        check(tokens.issue(claims(**changes), KEY))
    assert caught.value.code == Code.TOKEN


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"alg": "none"}, "algorithm 'none'"),
        ({"alg": "None"}, "algorithm 'None'"),
        ({"alg": "HS256"}, "algorithm 'HS256'"),
        ({"alg": "ES256K"}, "algorithm"),
        ({"alg": "PS256"}, "algorithm"),
        ({"alg": ...}, "algorithm ''"),
        ({"alg": ["ES256"]}, "alg is not a text"),
        ({"alg": "RS256"}, "no such key"),
        ({"alg": "ES384"}, "no such key"),
        ({"kid": "other"}, "no such key"),
        ({"kid": "../../etc/passwd"}, "no such key"),
        ({"kid": 7}, "kid is not a text"),
        ({"typ": "at+jwt"}, "another kind"),
        ({"typ": "logout+jwt"}, "another kind"),
        ({"jwk": {"kty": "EC"}}, "'jwk'"),
        ({"jku": "https://evil.example.com/keys"}, "'jku'"),
        ({"x5u": "https://evil.example.com/chain"}, "'x5u'"),
        ({"x5c": ["MII"]}, "'x5c'"),
        ({"crit": ["exp"], "exp": 1}, "'crit'"),
        ({"b64": False, "crit": ["b64"]}, "'crit'"),
        ({"zip": "DEF"}, "'zip'"),
        ({"filler": "x" * limits.TOKEN_HEADER_BYTES}, "header is too long"),
    ],
)
def test_headers_that_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(EvidenceError, match=reason) as caught:
        check(signed(header(**changes), claims()))
    assert caught.value.code == Code.TOKEN


@pytest.mark.parametrize(
    "changes", [{}, {"typ": ...}, {"typ": "jwt"}, {"typ": "JOSE"}, {"kid": ...}]
)
def test_headers_that_will_do(changes: dict[str, Any]) -> None:
    assert check(signed(header(**changes), claims())) == claims()


def test_an_hmac_under_the_public_key_is_no_signature() -> None:
    """RS256 to HS256: the key set is public, so anybody can compute an HMAC with what is in it."""
    private = serialization.load_der_private_key(KEYS["RS256"].to_pkcs8(), None)
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    content = f"{part({'alg': 'HS256', 'kid': KEYS['RS256'].id})}.{part(claims())}"
    mark = encode_base64url(hmac.digest(pem, content.encode(), sha256))
    with pytest.raises(EvidenceError, match="HS256"):
        check(f"{content}.{mark}", KEYS["RS256"])


def test_another_key_or_changed_bytes() -> None:
    token = tokens.issue(claims(), KEY)
    start, body, signature = token.split(".")
    other = token_keys.generate("ES256")
    forged = tokens.issue(claims(), other).split(".")
    renamed = signed(header(kid=KEY.id), claims(), other)
    for wrong in (
        f"{start}.{part(claims(sub='somebody else'))}.{signature}",
        f"{part(header(extra=1))}.{body}.{signature}",
        f"{start}.{body}.{forged[2]}",
        f"{start}.{body}.{part(b'x' * 64)}",
        f"{start}.{body}.{part(bytes(64))}",
        f"{start}.{body}.{part(b'x' * 63)}",
        renamed,
    ):
        with pytest.raises(EvidenceError, match="does not verify"):
            check(wrong)


def test_a_key_is_good_for_its_algorithm_only() -> None:
    """Whatever a header says: the key knows what it is for."""
    key = public(KEY)[0]
    assert key.signed(GOOD)
    assert not key.signed(tokens.issue(claims(), KEYS["EdDSA"]))
    assert not key.signed(f"{part({'alg': 'none'})}.{part(claims())}.")
    assert not key.signed("")
    assert repr(key) == f"TokenKey(id={KEY.id!r}, algorithm='ES256')"


def test_a_der_signature_is_none() -> None:
    private = serialization.load_der_private_key(KEY.to_pkcs8(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    content = f"{part(header())}.{part(claims())}"
    der = private.sign(content.encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(EvidenceError, match="does not verify"):
        check(f"{content}.{encode_base64url(der)}")


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        GOOD + ".",
        GOOD + ".x.y",
        GOOD + "=",
        GOOD + "\n",
        " " + GOOD,
        GOOD.replace(".", "..", 1),
        GOOD.rpartition(".")[0] + ".",
        GOOD[:-1] + chr(ord(GOOD[-1]) + 1),  # bits behind the signature's end
        GOOD + "é",
        "x" * (limits.TOKEN_CHARS + 1),
        ".".join((part(b"[]"), part(claims()), "AAAA")),
        ".".join((part(b"{"), part(claims()), "AAAA")),
        *(
            ".".join((part(header()), part(body), "AAAA"))
            for body in (
                b"null",
                b'{"sub":1,"sub":2}',
                b'{"exp":1.5}',
                b"\xff\xfe",
                b"[" * 5000,
            )
        ),
        # JSON serialization (RFC 7515, 7.2) is no token
        '{"payload":"e30","signatures":[]}',
    ],
    ids=range(22),
)
def test_what_is_no_token(token: str) -> None:
    for read in (tokens.unverified_claims, key_id, check):
        with pytest.raises(EvidenceError) as caught:
            read(token)
        assert caught.value.code == Code.TOKEN


def test_no_key_or_two_that_may_be_meant() -> None:
    another = token_keys.generate("ES256")
    nameless = signed(header(kid=...), claims())
    assert check(nameless, KEY, KEYS["RS256"]) == claims()
    with pytest.raises(EvidenceError, match="several such keys"):
        check(nameless, KEY, another)
    with pytest.raises(EvidenceError, match="no such key"):
        tokens.check(GOOD, (), ISSUER, AUDIENCE, NOW)


def test_the_time_that_counts_is_the_one_that_is_given() -> None:
    late = NOW + timedelta(seconds=600 + tokens.LEEWAY_SECONDS)
    with pytest.raises(EvidenceError, match="expired"):
        tokens.check(GOOD, public(KEY), ISSUER, AUDIENCE, late)
    with pytest.raises(EvidenceError, match="another issuer"):
        tokens.check(tokens.issue(claims(iss=""), KEY), public(KEY), "", AUDIENCE, NOW)


# keys -----------------------------------------------------------------------------------------------


def jwk(**changes: Any) -> dict[str, Any]:
    good = KEY.jwk() | changes
    return {name: value for name, value in good.items() if value is not ...}


def rsa_jwk(bits: int) -> dict[str, Any]:
    numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    modulus = numbers.n.to_bytes((bits + 7) // 8, "big")
    return {"kty": "RSA", "n": encode_base64url(modulus), "e": "AQAB", "kid": "r"}


def test_keys_that_can_check_tokens_are_taken() -> None:
    for changes in ({}, {"use": ...}, {"alg": ...}, {"key_ops": ["verify"]}, {"kid": ...}):
        found = token_keys.parse_key_set(strict_json.compact({"keys": [jwk(**changes)]}))
        assert [key.algorithm for key in found] == ["ES256"]
        assert found[0].id == ("" if changes.get("kid") is ... else KEY.id)
        assert found[0].signed(GOOD)


@pytest.mark.parametrize(
    "changes",
    [
        {"use": "enc"},
        {"use": 7},
        {"alg": "ES384"},
        {"alg": "HS256"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"kty": "oct", "k": "AAAA"},
        {"kty": ...},
        {"kty": ["EC"]},
        {"crv": "P-521"},
        {"crv": "secp256k1"},
        {"x": ...},
        {"x": "!"},
        {"x": 7},
        {"x": encode_base64url(bytes(32))},  # not on the curve
        {"y": encode_base64url(b"\xff" * 64)},
    ],
)
def test_keys_for_something_else_are_left_out(changes: dict[str, Any]) -> None:
    content = strict_json.compact({"keys": [jwk(**changes), KEYS["EdDSA"].jwk()]})
    assert [key.algorithm for key in token_keys.parse_key_set(content)] == ["EdDSA"]


def test_weak_rsa_keys_are_left_out() -> None:
    found = token_keys.parse_key_set(strict_json.compact({"keys": [rsa_jwk(1024), rsa_jwk(2048)]}))
    assert len(found) == 1
    huge = rsa_jwk(2048) | {"n": encode_base64url((2**8_200 + 1).to_bytes(1_026, "big"))}
    assert token_keys.parse_key_set(strict_json.compact({"keys": [huge]})) == ()
    even = rsa_jwk(2048) | {"e": "AQAA"}
    assert token_keys.parse_key_set(strict_json.compact({"keys": [even]})) == ()


def test_a_private_key_in_a_key_set_signs_nothing() -> None:
    """Only the public members are looked at."""
    with_private = jwk(d=encode_base64url(b"\x01" * 32))
    found = token_keys.parse_key_set(strict_json.compact({"keys": [with_private]}))
    assert found[0].signed(GOOD)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", Code.MALFORMED),
        (b"[]", Code.MALFORMED),
        (b"{}", Code.MALFORMED),
        (b'{"keys":{}}', Code.MALFORMED),
        (b'{"keys":[1]}', Code.MALFORMED),
        (b'{"keys":[]' + b" " * limits.KEY_SET_BYTES + b"}", Code.TOO_LARGE),
        (strict_json.compact({"keys": [{}] * (limits.KEY_SET_KEYS + 1)}), Code.TOO_LARGE),
    ],
    ids=range(7),
)
def test_what_is_no_key_set(content: bytes, code: Code) -> None:
    with pytest.raises(MalformedError) as caught:
        token_keys.parse_key_set(content)
    assert caught.value.code == code


@pytest.mark.parametrize("algorithm", tokens.ALGORITHMS)
def test_a_key_comes_back_from_its_store(algorithm: str) -> None:
    key = KEYS[algorithm]
    again = token_keys.from_pkcs8(key.to_pkcs8())
    assert (again.id, again.algorithm, again.jwk()) == (key.id, algorithm, key.jwk())
    assert not {"d", "p", "q", "k"} & set(key.jwk())
    assert "PRIVATE" not in repr(key)


def test_the_thumbprint_is_the_standards() -> None:
    """RFC 8037, A.3."""
    import binascii

    seed = binascii.unhexlify("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    from cryptography.hazmat.primitives.asymmetric import ed25519

    key = IssuingKey(signing_keys.LocalKey(ed25519.Ed25519PrivateKey.from_private_bytes(seed)))
    assert key.id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert key.jwk()["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def test_keys_that_sign_no_tokens() -> None:
    with pytest.raises(KeyAccessError) as caught:
        IssuingKey(signing_keys.generate("ecdsa-p521"))
    assert caught.value.code == Code.NOT_SUPPORTED
    with pytest.raises(KeyAccessError):
        token_keys.from_pkcs8(b"no key")
    import pickle

    with pytest.raises(TypeError):
        pickle.dumps(KEY)
