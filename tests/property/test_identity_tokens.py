"""Laws of identity tokens: what is issued is believed; what is not raises EvidenceError and nothing else."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermark.core.errors import Code, EvidenceError, InputError, MalformedError
from countermark.formats import strict_json
from countermark.proofs import token_keys, tokens
from countermark.proofs.tokens import UnverifiedToken, decode_base64url, encode_base64url
from countermark.services.identity_tokens.issuers import KINDS, Issuer
from countermark.services.identity_tokens.principals import is_email, principal
from countermark.services.identity_tokens.providers import PROVIDERS
from countermark.services.identity_tokens.templates import Template
from identity import NOW

KEY = token_keys.generate()
KEYS = token_keys.parse_key_set(token_keys.encode_key_set([KEY]))
SECONDS = int(NOW.timestamp())
URL = "https://issuer.example.com"

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=20), json_values, max_size=6)
claim_names = st.sampled_from(("iss", "sub", "aud", "exp", "iat", "nbf", "email", "jti"))


def good(**changes: Any) -> dict[str, Any]:
    claims = {"iss": URL, "sub": "s", "aud": "a", "iat": SECONDS, "exp": SECONDS + 60}
    return claims | changes


def read(token: str) -> dict[str, Any]:
    return tokens.check(token, KEYS, URL, "a", NOW)


def key_id(token: str) -> str:
    return UnverifiedToken(token).key_id


@contextlib.contextmanager
def perhaps_refused() -> Iterator[None]:
    """Let through what a stranger's bytes may raise, and nothing else."""
    try:
        yield
    except EvidenceError as error:
        if error.code != Code.TOKEN:
            raise


def refused_or_read(token: str) -> None:
    for ask in (read, tokens.unverified_claims, key_id):
        with perhaps_refused():
            ask(token)


@given(objects)
def test_what_is_issued_comes_back(more: dict[str, Any]) -> None:
    claims = more | good()
    if "nbf" in more:
        claims["nbf"] = SECONDS
    assert read(tokens.issue(claims, KEY)) == claims


@given(st.text())
def test_any_text(text: str) -> None:
    refused_or_read(text)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=80))
def test_any_three_parts(header: bytes, body: bytes, signature: bytes) -> None:
    refused_or_read(".".join(map(encode_base64url, (header, body, signature))))


@given(objects, objects)
def test_any_objects(header: dict[str, Any], body: dict[str, Any]) -> None:
    parts = (strict_json.compact(header | {"alg": "ES256"}), strict_json.compact(body), b"x" * 64)
    refused_or_read(".".join(map(encode_base64url, parts)))


@given(claim_names, json_values)
def test_any_value_of_a_claim_that_counts(name: str, value: Any) -> None:
    refused_or_read(tokens.issue(good(**{name: value}), KEY))


@given(st.data())
def test_no_byte_of_a_token_may_change(data: st.DataObject) -> None:
    token = tokens.issue(good(), KEY)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda char: char != token[at]))
    with pytest.raises(EvidenceError):
        read(token[:at] + other + token[at + 1 :])


@given(st.integers(0, 200), st.text(max_size=3))
def test_no_piece_of_one_is_one(length: int, more: str) -> None:
    token = tokens.issue(good(), KEY)
    for wrong in (token[:length], token[length + 1 :]):
        with pytest.raises(EvidenceError):
            read(wrong)
    if more:
        with pytest.raises(EvidenceError):
            read(token + more)


@given(st.binary(max_size=100))
def test_base64url_has_one_form(content: bytes) -> None:
    text = encode_base64url(content)
    assert decode_base64url(text) == content
    for wrong in (text + "=", text + "\n", "+" + text):
        with pytest.raises(ValueError, match="base64url"):
            decode_base64url(wrong)


@given(st.binary(max_size=200) | objects.map(lambda o: strict_json.compact({"keys": [o]})))
def test_any_key_set(content: bytes) -> None:
    with contextlib.suppress(MalformedError):
        token_keys.parse_key_set(content)


@given(
    objects,
    st.sampled_from(["RSA", "EC", "OKP"]),
    st.sampled_from(["P-256", "P-384", "Ed25519", ""]),
)
def test_any_key(members: dict[str, Any], kind: str, curve: str) -> None:
    for name in ("x", "y", "n", "e"):
        members.setdefault(name, encode_base64url(b"\x01" * 32))
    content = strict_json.compact({"keys": [members | {"kty": kind, "crv": curve}]})
    for key in token_keys.parse_key_set(content):
        assert not key.signed(tokens.issue(good(), KEY))


def issuer(kind: str) -> Issuer:
    more: dict[str, dict[str, Any]] = {
        "spiffe": {"trust_domain": "example.com"},
        "uri": {"subject_domain": "https://issuer.example.com"},
        "username": {"subject_domain": "issuer.example.com"},
        "ci-provider": {"provider": PROVIDERS["circleci-job"]},
    }
    return Issuer(url=URL, audience="a", kind=kind, **more.get(kind, {}))


NAMES = st.sampled_from(
    (
        "sub", "email", "email_verified", "kubernetes.io", "jti", "job_workflow_ref", "repository", "ref",
        "ref_type", "ci_config_ref_uri", "organization_slug", "pipeline_slug", "platform_url",
    )
)  # fmt: skip


@given(st.sampled_from(sorted(KINDS)), st.dictionaries(NAMES, json_values))
def test_any_claims_name_somebody_or_nobody(kind: str, claims: dict[str, Any]) -> None:
    with perhaps_refused():
        found = principal(issuer(kind), claims | {"iss": URL})
        assert found.name
        assert found.name.isprintable()
        assert found.challenge
        assert found.extensions[1] == found.extensions[8] == found.issuer
        assert found.extensions[24] == claims["sub"]
        assert all(found.extensions.values())
        assert found.kind == "username" or found.name.isascii()


@given(st.text(max_size=300))
def test_an_address_is_ascii_with_one_place_after_its_at(text: str) -> None:
    if is_email(text):
        assert text.isascii()
        assert text.isprintable()
        assert text.count("@") == 1
        assert len(text) <= 254


@given(st.text(alphabet='{}.()" abefinqsxdl', max_size=60))
def test_any_template(text: str) -> None:
    try:
        template = Template.parse(text)
    except InputError:
        return
    with perhaps_refused():
        template.render({"a": "1", "abe": "2"})
