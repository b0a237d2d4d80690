"""Our verdict on chains of certificates, beside that of the real cosign."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509 as cx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import mint
from countermark.core.errors import EvidenceError
from countermark.formats import trusted_root
from countermark.proofs import der, signing_certificates
from interop.cosign_peers import Cosign
from mint import ANY, CODE, SERVER, Extra, Made, leaf, make

pytestmark = pytest.mark.interop

ISSUER, ALICE = "https://issuer.test", "alice@example.test"
SAYS_WHO = Extra("1.3.6.1.4.1.57264.1.8", False, der.tlv(0x0C, ISSUER.encode()))
UNKNOWN = Extra("1.2.3.4", True, b"\x05\x00")
KEY = ec.generate_private_key(ec.SECP256R1())
HOUR = timedelta(hours=1)


def email(text: str) -> cx.GeneralName:
    return cx.RFC822Name._init_without_validation(text)


def permitted(*names: cx.GeneralName) -> dict[str, Any]:
    return {"constraints": cx.NameConstraints(list(names), None)}


def excluded(*names: cx.GeneralName) -> dict[str, Any]:
    return {"constraints": cx.NameConstraints(None, list(names))}


CA_CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no CA may be below": {"below": 0},
    "one may": {"below": 1},
    "no CA": {"is_ca": False},
    "no basic constraints": {"is_ca": None},
    "may not issue": {"uses": ("crl_sign",)},
    "no uses": {"uses": None},
    "code signing": {"purposes": (CODE,)},
    "web": {"purposes": (SERVER,)},
    "web and code": {"purposes": (SERVER, CODE)},
    "any purpose": {"purposes": (ANY,)},
    "unknown critical extension": {"extra": (UNKNOWN,)},
    "unknown extension": {"extra": (UNKNOWN._replace(critical=False),)},
    "P-384": {"private": mint.key("P-384")},
    "P-521": {"private": mint.key("P-521")},
    "RSA": {"private": mint.key("rsa2048")},
    "Ed25519": {"private": mint.key("ed25519")},
    "expired": {"start": datetime(2020, 1, 1, tzinfo=UTC), "end": datetime(2021, 1, 1, tzinfo=UTC)},
    "permitted host": permitted(email("example.test")),
    "permitted mailbox": permitted(email(ALICE)),
    "permitted other host": permitted(email("example.org")),
    "permitted below": permitted(email(".test")),
    "permitted only below": permitted(email(".example.test")),
    "excluded host": excluded(email("example.test")),
    "excluded other host": excluded(email("example.org")),
    "excluded mailbox": excluded(email(ALICE)),
}
LEAF_CHANGES: dict[str, dict[str, Any]] = {
    "no uses": {"uses": None},
    "web and code": {"purposes": (CODE, SERVER)},
    "web": {"purposes": (SERVER,)},
    "no CA": {"is_ca": False},
    "unknown critical extension": {"extra": (SAYS_WHO, UNKNOWN)},
    "another's signature": {"sign_with": mint.key("P-256", "stranger")},
    "another issuer": {"issuer_name": mint.named("stranger")},
    "SHA-224": {"hashing": hashes.SHA224()},
    "SHA-512": {"hashing": hashes.SHA512()},
    "expired": {"start": datetime(2020, 1, 1, tzinfo=UTC), "end": datetime(2021, 1, 1, tzinfo=UTC)},
}
# cosign takes them (docs/compatibility.md)
STRICTER: dict[str, dict[str, Any]] = {
    "no purpose": {"purposes": None},
    "any purpose": {"purposes": (ANY,)},
    "a CA": {"is_ca": True},
    "not for signatures": {"uses": ("key_agreement",)},
}


class Case:
    """A chain of three, valid now, of which one part is not as it should be."""

    def __init__(
        self,
        root: dict[str, Any] | None = None,
        middle: dict[str, Any] | None = None,
        signer: dict[str, Any] | None = None,
    ) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        life = {"start": self.now - HOUR, "end": self.now + HOUR}
        self.root = make("root", **({**life, **(root or {})}))
        self.middle = make("middle", self.root, **({**life, **(middle or {})}))
        given = {"private": KEY, "extra": (SAYS_WHO,), **life, **(signer or {})}
        self.leaf = leaf(self.middle, **given)

    @property
    def authorities(self) -> tuple[trusted_root.Authority, ...]:
        return (
            trusted_root.Authority(
                organization="test",
                common_name="test",
                uri="https://authority.test",
                certificates=(self.middle.der, self.root.der),
                start=datetime(2000, 1, 1, tzinfo=UTC),
            ),
        )

    def ours(self) -> bool:
        try:
            found = signing_certificates.parse(self.leaf.der)
            signing_certificates.chain_to_authority(found, self.authorities, self.now)
        except EvidenceError:
            return False
        return True

    def theirs(self, cosign: Cosign) -> bool:
        root = cosign.folder / "trusted-root.json"
        root.write_bytes(trusted_root.TrustedRoot(authorities=self.authorities).encode())
        document, bundle = cosign.folder / "document", cosign.folder / "bundle.json"
        document.write_bytes(b"what is signed")
        bundle.write_text(json.dumps(bundle_of(self.leaf, document.read_bytes())))
        done = cosign(
            "verify-blob", "--bundle", bundle, "--trusted-root", root, "--insecure-ignore-tlog",
            "--insecure-ignore-sct", "--certificate-identity", ALICE, "--certificate-oidc-issuer", ISSUER,
            document,
        )  # fmt: skip
        assert done.exit == 0 or "certificate verification failed" in done.text, done.text
        return done.exit == 0


def bundle_of(signer: Made, content: bytes) -> dict[str, Any]:
    def b64(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"certificate": {"rawBytes": b64(signer.der)}},
        "messageSignature": {
            "messageDigest": {
                "algorithm": "SHA2_256",
                "digest": b64(hashlib.sha256(content).digest()),
            },
            "signature": b64(KEY.sign(content, ec.ECDSA(hashes.SHA256()))),
        },
    }


@pytest.mark.parametrize("name", CA_CHANGES)
@pytest.mark.parametrize("place", ["root", "middle"])
def test_cosign_agrees_about_authorities(place: str, name: str, cosign: Cosign) -> None:
    given = Case(**{place: CA_CHANGES[name]})
    assert given.ours() == given.theirs(cosign)


@pytest.mark.parametrize("name", LEAF_CHANGES)
def test_cosign_agrees_about_leaves(name: str, cosign: Cosign) -> None:
    given = Case(signer=LEAF_CHANGES[name])
    assert given.ours() == given.theirs(cosign)


@pytest.mark.parametrize("name", STRICTER)
def test_what_cosign_takes_and_we_do_not(name: str, cosign: Cosign) -> None:
    given = Case(signer=STRICTER[name])
    assert (given.ours(), given.theirs(cosign)) == (False, True)


def test_both_kinds_of_verdict_are_there() -> None:
    assert Case().ours()
    assert not Case(root=CA_CHANGES["web"]).ours()
