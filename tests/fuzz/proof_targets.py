"""Readers in ``proofs/``; those that decide hold to their laws too, under whatever bytes."""

from contextlib import suppress
from functools import cache
from typing import Any

from cryptography import x509 as cx
from cryptography.hazmat.primitives import serialization

import fake_sigstore as fake
import mint
from countermark.core.errors import EvidenceError, InputError, KeyAccessError
from countermark.formats.trusted_root import Authority
from countermark.proofs import (
    certificate_entries,
    certificate_extensions,
    certificate_facts,
    certificate_names,
    certificates,
    cms,
    cosign_key_files,
    cosign_keys,
    cosignatures,
    key_files,
    pem,
    private_der,
    public_files,
    public_keys,
    scts,
    signing_certificates,
    signing_keys,
    signing_requests,
    spki,
    timestamp_queries,
    timestamps,
    token_keys,
    tokens,
    x509,
)
from countermark.proofs.der import DerReader
from fuzz.format_targets import vectors
from fuzz.target import INPUT, KEYS, Raises, Target, text
from timestamp_forge import Tsa
from world import NOW

MESSAGE = b"a signature"


def _certificates() -> tuple[bytes, ...]:
    sigstore = fake.Sigstore()
    leaf = sigstore.authority.issue(extensions={8: "https://issuer.test", 20: "push"})
    parts = [leaf.der, *sigstore.authority.chain]
    return (*parts, *(each.content for each in pem.parse(_docker())))


def _docker() -> bytes:
    return vectors("notary-v1/rootcert/docker-wildcard.crt")[0]


def _certificate(content: bytes) -> None:
    """Everything that anybody asks of a certificate; what one question refuses does not spare the others."""
    found = x509.parse(content)
    for ask in (
        certificate_extensions.key_usage,
        certificate_extensions.purposes,
        certificate_extensions.ca_limits,
        certificate_extensions.names,
        certificate_facts.algorithm,
        certificate_facts.usages,
        certificate_facts.purposes,
        certificate_facts.key_identifier,
        certificate_facts.authority_identifier,
        lambda each: certificate_facts.name(each.subject),
        lambda each: certificates.check(each, NOW),
        lambda each: certificates.is_for(each, "registry.example.test/a"),
        lambda each: certificate_names.check(
            certificate_extensions.name_constraints(each), (each,)
        ),
        lambda each: [scts.parse(one) for one in signing_certificates.scts_of(each)],
        lambda each: signing_certificates.body_without(each.body, b"\x2b"),
    ):
        with suppress(EvidenceError):
            ask(found)


@cache
def _tsa() -> tuple[Tsa, bytes, timestamps.SignedTime]:
    tsa = Tsa()
    good = tsa.stamp(MESSAGE, certificates=tsa.chain)
    return tsa, good, timestamps.check(good, MESSAGE, _trusted(tsa))


def _trusted(tsa: Tsa) -> tuple[Authority, ...]:
    return (tsa.authority(),)


def _timestamp(content: bytes) -> None:
    """Whatever of a timestamp is changed: it says the same, or it does not count."""
    tsa, _, true = _tsa()
    with suppress(EvidenceError):
        timestamps.said(content)
    assert timestamps.check(content, MESSAGE, _trusted(tsa)) == true


def _tokens() -> tuple[bytes, ...]:
    """The token inside a response."""
    whole = DerReader(_tsa()[1]).sequence()
    whole.element()
    return (whole.element()[2],)


@cache
def _token_key() -> token_keys.IssuingKey:
    return token_keys.generate()


CLAIMS: dict[str, Any] = {
    "iss": "https://i.test",
    "sub": "s",
    "aud": "a",
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 60,
}


@cache
def _true_token() -> str:
    return tokens.issue(dict(CLAIMS), _token_key())


def _token(content: str) -> None:
    with suppress(EvidenceError):
        tokens.unverified_claims(content)
    keys = token_keys.parse_key_set(token_keys.encode_key_set([_token_key()]))
    found = tokens.check(content, keys, "https://i.test", "a", NOW)
    assert found == CLAIMS


def _requests() -> tuple[bytes, ...]:
    builder = cx.CertificateSigningRequestBuilder().subject_name(mint.named("x"))
    keys = [mint.key(kind) for kind in ("P-256", "ed25519", "rsa2048")]
    made = [builder.sign(key, mint.hash_of(key)) for key in keys]  # type: ignore[arg-type]
    return tuple(each.public_bytes(serialization.Encoding.PEM) for each in made)


def _request(content: bytes) -> None:
    found = signing_requests.parse(content)
    with suppress(EvidenceError):
        signing_requests.hash_name(found)
    signing_requests.check(found)


def _private_keys() -> tuple[bytes, ...]:
    return tuple(
        signing_keys.generate(kind).to_pkcs8() for kind in ("ecdsa-p256", "rsa-2048", "ed25519")
    )


def _public_keys() -> tuple[bytes, ...]:
    return tuple(
        mint.spki(mint.key(kind)) for kind in ("P-256", "P-384", "P-521", "ed25519", "rsa2048")
    )


def _private(content: bytes) -> None:
    for read in (private_der.parse_sec1, private_der.parse_pkcs1, private_der.parse_ed25519):
        with suppress(KeyAccessError, EvidenceError):
            read(content)
    private_der.parse_pkcs8(content)


def _key_file(content: bytes) -> None:
    with suppress(KeyAccessError):
        key_files.imports(content)
    for each in key_files.KeyFile.parse_all(content):
        assert each.block.type


def _encrypted(content: bytes) -> None:
    """Read as cosign's key and, where it is not made to take long, opened with a wrong password."""
    with suppress(KeyAccessError):
        cosign_keys.import_pem(content)
    cosign_key_files.parse(content)


def _cosign_keys() -> tuple[bytes, ...]:
    return (cosign_keys.encode(signing_keys.generate(), b"x"),)


def _notary_keys() -> tuple[bytes, ...]:
    return (*vectors("notary-v1/pkcs8/*.pem"), *vectors("notary-v1/legacy-pem/*.pem"))


def _scts() -> tuple[bytes, ...]:
    leaf = fake.Sigstore().authority.issue()
    found = signing_certificates.scts_of(x509.parse(leaf.der))
    return (*found, b"\0" + bytes(40) + b"\0\0\4\3\0\4abcd")


SEPARATOR = b"\n\n--\n"  # between what a stranger sends in several pieces


@cache
def _ca() -> fake.Authority:
    return fake.Authority("own")


def _logged_chains() -> tuple[bytes, ...]:
    leaf = _ca().issue(sct=False).der
    return leaf, SEPARATOR.join((leaf, *_ca().chain))


def _logged_chain(content: bytes) -> None:
    root = (x509.parse(_ca().chain[-1]),)
    for poisoned in (True, False):
        with suppress(EvidenceError):
            certificate_entries.of_chain(content.split(SEPARATOR), root, poisoned=poisoned)


def mint_pem(content: bytes) -> bytes:
    """A public key's PEM."""
    return pem.Block(type="PUBLIC KEY", content=content).encode()


def _public_pems() -> tuple[bytes, ...]:
    return tuple(mint_pem(each) for each in _public_keys())


def _own_cas() -> tuple[bytes, ...]:
    return (fake.pem_of(_ca().chain[-1]).encode(),)


QUERY = timestamp_queries.encode(MESSAGE, nonce=2**63, certificate=True)
BOTH: Raises = (EvidenceError, InputError)
WITNESS = cosignatures.WitnessKey(name="w.test", key=bytes(32))


TARGETS = (
    Target("der_certificate", _certificate, _certificates),
    Target("pem_certificates", x509.parse_pem, lambda: (_docker(),)),
    Target("pem", pem.parse, lambda: (_docker(), *_notary_keys())),
    Target("signing_certificate", signing_certificates.parse, _certificates),
    Target("notary_certificates", lambda c: certificates.parse_cas(c, NOW), _own_cas),
    Target("notary_bundle", certificates.parse_bundle, lambda: (_docker(),)),
    Target("spki", spki.parse, _public_keys),
    Target("public_keys", public_keys.parse, _public_pems),
    Target("public_files", lambda c: public_files.parse_public_pem(c, NOW), _public_pems),
    Target("private_der", _private, _private_keys, (KeyAccessError, EvidenceError)),
    Target("key_file", _key_file, _notary_keys, KEYS),
    Target("cosign_key", _encrypted, _cosign_keys, KEYS),
    Target("cms", cms.parse, _tokens),
    Target("timestamp", _timestamp, lambda: (_tsa()[1],)),
    Target("timestamp_query", timestamp_queries.parse, lambda: (QUERY,), INPUT),
    Target("sct", scts.parse, _scts),
    Target("signing_request", _request, _requests),
    Target("token", text(_token), lambda: (_true_token().encode(),)),
    Target("key_set", token_keys.parse_key_set, lambda: (token_keys.encode_key_set([_token_key()]),)),
    Target("logged_chain", _logged_chain, _logged_chains),
    Target("witness_key", text(cosignatures.WitnessKey.parse), lambda: (WITNESS.encode().encode(),), BOTH),
)  # fmt: skip
