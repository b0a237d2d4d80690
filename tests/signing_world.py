"""Who signs with cosign, in memory: holders, the services of a fake Sigstore as the signers' ports, a registry."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import fake_sigstore as fake
from countermark.core.errors import RefusedError
from countermark.core.ports_sigstore import LogRequest
from countermark.core.reference import Repository
from countermark.formats import bundle as bundles
from countermark.formats import rekor, trusted_root
from countermark.formats.bundle import LogEntry
from countermark.formats.protojson import Message
from countermark.proofs import pem, signatures, spki
from countermark.proofs.signing_keys import LocalKey, generate
from countermark.schemes.cosign.evidence import Services
from countermark.schemes.cosign.holders import CertifiedHolder, KeyHolder
from countermark.schemes.cosign.signer import CosignImageSigner, Terms
from fake_registry import MemoryImages
from fake_sigstore import ALICE, ISSUER, SIGNED_AT, b64

IMAGE = "registry.example.test/team/pay:v1"


def token(**claims: object) -> str:
    """An identity token that nobody signed."""
    said = {"iss": ISSUER, "aud": "sigstore", "sub": "1", "email": ALICE, "email_verified": True}
    parts = (b'{"alg":"RS256"}', json.dumps(said | claims).encode(), b"signature")
    return ".".join(b64(p).rstrip("=").replace("+", "-").replace("/", "_") for p in parts)


class LoggedIn:
    """A log of a fake Sigstore as signers see it; ``bend`` changes what it answers."""

    def __init__(self, log: fake.Log, at: datetime = SIGNED_AT) -> None:
        self.log, self.at = log, at
        self.is_first_kind = log.first_kind
        self.asked: list[LogRequest] = []
        self.bend: Callable[[LogEntry], LogEntry] = lambda entry: entry

    def add(self, request: LogRequest, now: datetime) -> LogEntry:
        self.asked.append(request)
        entry = self.log.add(*self._body(request), self.at)
        return self.bend(bundles.read_entry(Message(entry, bundles.ENTRY_FIELDS)))

    def _body(self, request: LogRequest) -> tuple[bytes, tuple[str, str]]:
        if not self.is_first_kind:
            key = spki.parse(request.public_key)
            verifier = rekor.Verifier(
                key_details=signatures.key_details(key, prehashed=True),
                certificate=request.certificate,
                public_key=b"" if request.certificate else request.public_key,
            )
            body = rekor.encode_record_2(
                request.digest, request.signature, verifier, request.algorithm
            )
            return body, ("hashedrekord", "0.0.2")
        label = "CERTIFICATE" if request.certificate else "PUBLIC KEY"
        content = request.certificate or request.public_key
        by = pem.Block(type=label, content=content).encode()
        if request.envelope:
            return self._dsse(request.envelope, by), ("dsse", "0.0.1")
        body = rekor.encode_record_1(request.digest.hex(), request.signature, by, request.algorithm)
        return body, ("hashedrekord", "0.0.1")

    def _dsse(self, envelope: bytes, by: bytes) -> bytes:
        from base64 import b64decode
        from hashlib import sha256

        found: dict[str, Any] = json.loads(envelope)
        payload = b64decode(found["payload"])
        return fake.jcs(
            {
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": {
                        "algorithm": "sha256",
                        "value": sha256(envelope).hexdigest(),
                    },
                    "payloadHash": {"algorithm": "sha256", "value": sha256(payload).hexdigest()},
                    "signatures": [
                        {"signature": found["signatures"][0]["sig"], "verifier": b64(by)}
                    ],
                },
            }
        )


class Stamps:
    """A timestamp authority (port ``Stamper``)."""

    def __init__(self, authority: fake.TimestampAuthority, at: datetime = SIGNED_AT) -> None:
        self.authority, self.at = authority, at
        self.asked: list[bytes] = []

    def stamp(self, message: bytes) -> bytes:
        self.asked.append(message)
        return self.authority.stamp(message, self.at)


class Certifier:
    """An authority (port ``Certifier``); ``bend`` chooses another key to certify."""

    def __init__(self, authority: fake.Authority, at: datetime = SIGNED_AT) -> None:
        self.authority, self.at = authority, at
        self.asked: list[tuple[str, bytes, bytes]] = []
        self.issued: Mapping[str, Any] = {}
        self.other_key = False

    def certify(self, token: str, public_key: bytes, proof: bytes) -> tuple[bytes, ...]:
        from cryptography.hazmat.primitives import serialization

        self.asked.append((token, public_key, proof))
        if token == "refused":
            raise RefusedError("no", status=400)
        key: Any = serialization.load_der_public_key(public_key)
        if self.other_key:
            key = fake.new_key().public_key()
        leaf = self.authority.issue(key=_PublicOnly(key), at=self.at, **self.issued)  # type: ignore[arg-type]
        return (leaf.der, *leaf.chain)


class _PublicOnly:
    """A private key of which only the public half is known: all that an authority needs."""

    def __init__(self, public: Any) -> None:
        self._public = public

    def public_key(self) -> Any:
        return self._public


class World:
    """A registry with one image, a Sigstore, and signers."""

    def __init__(self) -> None:
        self.registry = MemoryImages()
        self.subject = self.registry.push("one", IMAGE)
        self.sigstore = fake.Sigstore()
        self.root = trusted_root.parse(self.sigstore.trusted_root())
        self.log = LoggedIn(self.sigstore.log)
        self.first_log = LoggedIn(self.sigstore.first_log)
        self.stamps = Stamps(self.sigstore.stamps)
        self.certifier = Certifier(self.sigstore.authority)
        self.tokens: list[str] = []
        self.told: list[str] = []
        self.now = SIGNED_AT + timedelta(seconds=1)

    def key(self, kind: str = "ecdsa-p256") -> LocalKey:
        return generate(kind)

    def _token(self) -> str:
        self.tokens.append(token())
        return self.tokens[-1]

    def identity(self) -> CertifiedHolder:
        return CertifiedHolder(self.certifier, self._token, told=self.told.append)

    def signer(
        self,
        holder: "KeyHolder | CertifiedHolder",
        services: Services | None = None,
        *,
        place: Repository | None = None,
        **terms: Any,
    ) -> CosignImageSigner:
        given = services if services is not None else Services()
        root = self.root if given.log or given.stamper or holder.is_short_lived else None
        place_of = (lambda _: place) if place else (lambda repository: repository)
        return CosignImageSigner(
            self.registry, holder, given, Terms(**{"root": root, **terms}), place_of
        )
