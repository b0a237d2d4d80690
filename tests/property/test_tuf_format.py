"""Laws of Notary v1's formats: what is written is read again, and fuzzed bytes raise our errors and nothing else."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countermark.core.errors import EvidenceError, KeyAccessError
from countermark.formats import strict_json, tuf, tuf_wire
from countermark.formats.tuf import FileMeta, Key, Role, Signature, Targets
from countermark.proofs import (
    certificates,
    key_files,
    key_objects,
    keys,
    libcrypto,
    pem,
    private_der,
    spki,
    x509,
)
from countermark.proofs.keys import PrivateKey

pytestmark = pytest.mark.property

VECTORS = Path(__file__).parents[1] / "vectors" / "notary-v1"
METADATA = {
    role: (
        VECTORS / f"compat/notary0.3/tuf/docker.com/notary0.3/tst/metadata/{role}.json"
    ).read_bytes()
    for role in ("root", "targets", "targets/releases", "snapshot", "timestamp")
}
NOW = datetime(2020, 1, 1, tzinfo=UTC)

relaxed = settings(deadline=None)  # other work shares the machine

texts = st.text(st.characters(codec="utf-8", min_codepoint=0x20), max_size=12)
numbers = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
scalars = st.none() | st.booleans() | numbers | texts
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
plain_texts = st.text("abcxyz0189 \u00e9\u20ac", max_size=8)
customs = st.none() | st.dictionaries(plain_texts, numbers | plain_texts, max_size=3)
metas = st.builds(
    FileMeta,
    length=numbers,
    hashes=st.dictionaries(
        st.sampled_from(["sha256", "sha512", "md5"]), st.binary(max_size=64), max_size=3
    ),
    custom=customs,
)
public_keys = st.builds(
    Key.of, st.sampled_from(["ecdsa", "rsa", "ed25519", "new"]), st.binary(max_size=40)
)
signatures = st.builds(
    Signature,
    key_id=st.text("0123456789abcdef", min_size=64, max_size=64),
    method=st.sampled_from(["ecdsa", "rsapss", "eddsa"]),
    value=st.binary(max_size=72),
)


@st.composite
def bodies(draw: st.DrawFn) -> Targets:
    known = {key.id: key for key in draw(st.lists(public_keys, max_size=3))}
    ids = st.lists(st.sampled_from(sorted(known)), max_size=3) if known else st.just([])
    names = draw(st.lists(st.text("abz09-_", min_size=1, max_size=5), max_size=3))
    roles = tuple(
        Role(
            name=f"targets/{name}",
            key_ids=(found := tuple(draw(ids))),
            threshold=draw(st.integers(1, 3)),
            paths=tuple(draw(st.lists(texts, max_size=2))),
            nil_keys=not found and draw(st.booleans()),
        )
        for name in names
    )
    return Targets(
        version=draw(st.integers(1, 2**53 - 1)),
        expires=tuf.format_time(
            draw(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
        ),
        targets=draw(st.dictionaries(texts, metas, max_size=4)),
        delegation_keys=known,
        delegations=roles,
        nil_delegations=not roles and draw(st.booleans()),
    )


@relaxed
@given(bodies(), st.lists(signatures, max_size=3))
def test_what_is_written_is_read_again(body: Targets, signed_by: list[Signature]) -> None:
    signed = tuf.encode(body)
    content = tuf.envelope(signed, signed_by)
    file = tuf.parse_targets(content)
    assert file.body == body
    assert file.signatures == tuple(signed_by)
    assert file.signed == signed
    assert tuf.is_wire_exact(content, "targets")
    assert not tuf.is_wire_exact(content + b"\n", "targets")


@relaxed
@given(json_values)
def test_both_ways_to_canonical_json_agree(value: strict_json.Json) -> None:
    assert tuf_wire.canonical(value) == strict_json.canonical(value)


def mutated(content: bytes) -> st.SearchStrategy[bytes]:
    """Bytes of which some are cut out, changed or put in."""
    size = len(content)
    edit = st.tuples(st.integers(0, size), st.integers(0, 12), st.binary(max_size=12))
    return st.lists(edit, min_size=1, max_size=3).map(lambda edits: _edited(content, edits))


def _edited(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, count, new in edits:
        content = content[:place] + new + content[place + count :]
    return content


@pytest.mark.parametrize("role", METADATA)
@relaxed
@given(st.data())
def test_mutated_files(role: str, data: st.DataObject) -> None:
    content = data.draw(mutated(METADATA[role]))
    try:
        file = tuf.parse_role(role, content)
    except EvidenceError:
        return
    assert tuf.is_wire_exact(content, role) in (True, False)
    for name, key in getattr(file.body, "keys", {}).items():
        assert keys.verify(key, "ecdsa", b"x", b"y" * 64) is False, name


@relaxed
@given(json_values)
def test_any_json_as_a_file(value: strict_json.Json) -> None:
    for content in (
        json.dumps(value).encode(),
        json.dumps({"signed": value, "signatures": value}).encode(),
        json.dumps({"signed": {"_type": "Root", "version": 1, "expires": value}}).encode(),
    ):
        for role in METADATA:
            with pytest.raises(EvidenceError):
                tuf.parse_role(role, content)


CERTIFICATE = (VECTORS / "trustpinning/secure.example.com.crt").read_bytes()
DER = pem.parse(CERTIFICATE)[0].content
EC_KEY = PrivateKey.generate()
ED25519_KEY = PrivateKey.generate("ed25519")
RSA_KEY = key_files.open_key(next((VECTORS / "rsa-keys").iterdir()).read_bytes(), None)
READERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "certificate": (DER, x509.parse),
    "certificates": (CERTIFICATE, certificates.parse_bundle),
    "public key": (keys.public_key(EC_KEY.public).der, keys.from_spki),
    "rsa key": (keys.public_key(RSA_KEY.public).der, keys.from_spki),
    "public file": (
        key_files.encode_public_pem(EC_KEY.public, "alice"),
        lambda text: key_files.parse_public_pem(text, NOW),
    ),
    "loose key": (EC_KEY.public.encode_loose(), Key.parse_loose),
}
PRIVATE = {
    "ecdsa": private_der.encode_pkcs8(EC_KEY),
    "ed25519": private_der.encode_pkcs8(ED25519_KEY),
}
PRIVATE_FILES = {
    "plain": key_files.encode_key(EC_KEY, "", role="targets", gun="a"),
    "encrypted": key_files.encode_key(EC_KEY, "p", role="root", iterations=1),
    "legacy": next((VECTORS / "compat/notary0.1/private/root_keys").iterdir()).read_bytes(),
}


@pytest.mark.parametrize("name", READERS)
@relaxed
@given(st.data())
def test_mutated_keys_and_certificates(name: str, data: st.DataObject) -> None:
    content, read = READERS[name]
    try:
        read(data.draw(mutated(content) | st.binary(max_size=80)))
    except EvidenceError:
        return


@pytest.mark.parametrize("name", PRIVATE)
@relaxed
@given(st.data())
def test_mutated_private_keys(name: str, data: st.DataObject) -> None:
    try:
        private_der.parse_pkcs8(data.draw(mutated(PRIVATE[name])))
    except EvidenceError:
        return


@pytest.mark.parametrize("name", PRIVATE_FILES)
@settings(relaxed, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_mutated_key_files(name: str, data: st.DataObject) -> None:
    text = data.draw(mutated(PRIVATE_FILES[name]))
    for read in (lambda t: key_files.open_key(t, "p"), key_files.imports):
        try:
            read(text)
        except KeyAccessError:
            continue


# Both implementations of verification ------------------------------------------------------------------------

SIGNERS = {"ecdsa": EC_KEY, "eddsa": ED25519_KEY, "rsapss": RSA_KEY, "rsapkcs1v15": RSA_KEY}


def _library() -> libcrypto.LibCrypto:
    found = libcrypto.load()
    assert found is not None
    return found


LIBRARY = _library()


@pytest.mark.parametrize("method", SIGNERS)
@relaxed
@given(st.data())
def test_both_implementations_agree(method: str, data: st.DataObject) -> None:
    private = SIGNERS[method]
    public = keys.public_key(private.public)
    message = data.draw(st.binary(max_size=64))
    good = private.sign(message).value
    value = data.draw(
        st.just(good)
        | st.binary(min_size=len(good), max_size=len(good))
        | st.integers(0, 8 * len(good) - 1).map(lambda bit: _flipped(good, bit))
    )
    answers = [
        check(public, method, message, value) for check in (LIBRARY.verify, key_objects.verify)
    ]
    assert answers[0] == answers[1] == (value == good and method != "rsapkcs1v15")
    assert keys.verify(private.public, method, message, value) == answers[0]


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@relaxed
@given(mutated(keys.public_key(EC_KEY.public).der) | mutated(keys.public_key(RSA_KEY.public).der))
def test_both_implementations_agree_on_garbage_keys(content: bytes) -> None:
    try:
        public = spki.parse(content)
    except EvidenceError:
        return
    method = {"ecdsa": "ecdsa", "rsa": "rsapss", "ed25519": "eddsa"}[public.kind]
    value = b"\x01" * (256 if public.kind == "rsa" else 2 * ((public.bits + 7) // 8))
    assert LIBRARY.verify(public, method, b"x", value) is False
    assert key_objects.verify(public, method, b"x", value) is False
