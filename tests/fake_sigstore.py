"""A Sigstore in memory, made of keys and JSON alone: authority, certificate log, logs of both kinds, timestamps.

It makes what real ones make (specs: cosign, 2), with the library ``cryptography`` and nothing of ours, so that
nothing is checked against itself. A bundle is a dictionary, so that every part of it can be bent.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha384, sha512
from typing import Any, NamedTuple, TypeVar

from asn1crypto import algos, cms, tsp  # type: ignore[import-untyped]
from asn1crypto import core as asn1
from asn1crypto import x509 as asn1x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from countermark.core.digest import Digest
from countermark.core.errors import CountermarkError, NotFoundError
from countermark.core.reference import Repository
from countermark.formats import oci

T = TypeVar("T")
Document = dict[str, Any]
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

SIGNED_AT = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
LIFE = timedelta(minutes=10)
ISSUER = "https://accounts.example.test"
ALICE = "alice@example.test"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
SLSA = "https://slsa.dev/provenance/v1"
EXTENSION = "1.3.6.1.4.1.57264.1."
SCT_LIST = "1.3.6.1.4.1.11129.2.4.2"


def b64(content: bytes) -> str:
    return b64encode(content).decode()


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def jcs(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


# Keys -----------------------------------------------------------------------------------------------


def new_key(kind: str = "P-256") -> PrivateKey:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    curves: dict[str, ec.EllipticCurve] = {
        "P-256": ec.SECP256R1(),
        "P-384": ec.SECP384R1(),
        "P-521": ec.SECP521R1(),
    }
    return ec.generate_private_key(curves[kind])


def spki(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def pem(key: PrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def hash_of(key: PrivateKey) -> hashes.HashAlgorithm:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        sizes: dict[int, hashes.HashAlgorithm] = {384: hashes.SHA384(), 521: hashes.SHA512()}
        return sizes.get(key.curve.key_size, hashes.SHA256())
    return hashes.SHA256()


def sign(key: PrivateKey, message: bytes, hash_: hashes.HashAlgorithm | None = None) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hash_ or hashes.SHA256())
    return key.sign(message, ec.ECDSA(hash_ or hash_of(key)))


def key_details(key: PrivateKey) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "PKIX_RSA_PKCS1V15_2048_SHA256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "PKIX_ED25519"
    size = key.curve.key_size
    return {256: "PKIX_ECDSA_P256_SHA_256", 384: "PKIX_ECDSA_P384_SHA_384"}.get(
        size, "PKIX_ECDSA_P521_SHA_512"
    )


# Certificates ---------------------------------------------------------------------------------------


class Leaf(NamedTuple):
    """A key and the certificate that an authority gave it."""

    key: PrivateKey
    der: bytes
    chain: tuple[bytes, ...]

    @property
    def pem(self) -> str:
        return pem_of(self.der)


def pem_of(der: bytes) -> str:
    certificate = x509.load_der_x509_certificate(der)
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def certificate_der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def der_text(text: str) -> bytes:
    return bytes(asn1.UTF8String(text).dump())


class Authority:
    """A root and an intermediate, as Fulcio has them, and the certificate log that its leaves are in."""

    def __init__(
        self, name: str = "example", *, usage: Any = ExtendedKeyUsageOID.CODE_SIGNING
    ) -> None:
        self.root_key, self.key = new_key("P-384"), new_key()
        self._root_name, self._name = (
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} {what}")])
            for what in ("root", "intermediate")
        )
        self.root = self._issue_ca(self._root_name, self.root_key, None, None)
        self.intermediate = self._issue_ca(self._name, self.key, 0, usage)
        self.ct_key = new_key()

    def _issue_ca(
        self, subject: x509.Name, key: PrivateKey, length: int | None, usage: Any
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._root_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(START + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
            .add_extension(_usage(certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(self.root_key, hash_of(self.root_key))  # type: ignore[arg-type]

    @property
    def chain(self) -> tuple[bytes, ...]:
        return certificate_der(self.intermediate), certificate_der(self.root)

    def issue(
        self,
        subject: str = ALICE,
        issuer: str = ISSUER,
        *,
        key: PrivateKey | None = None,
        at: datetime = SIGNED_AT,
        life: timedelta = LIFE,
        usages: Sequence[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.CODE_SIGNING,),
        is_ca: bool = False,
        extensions: Mapping[int, str] | None = None,
        sct: bool = True,
        ct_key: PrivateKey | None = None,
        bend_sct: Callable[[bytes], bytes] = lambda sct: sct,
    ) -> Leaf:
        """Certify a key for ten minutes, with one SCT that is the last extension."""
        key = key or new_key()
        alternative: x509.GeneralName
        if "@" in subject and "://" not in subject:
            alternative = x509.RFC822Name(subject)
        else:
            alternative = x509.UniformResourceIdentifier(subject)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - timedelta(minutes=1))
            .not_valid_after(at - timedelta(minutes=1) + life)
            .add_extension(_usage(certificates=is_ca), critical=True)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                False,
            )
        )
        if usages is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
        if is_ca:
            builder = builder.add_extension(
                x509.BasicConstraints(ca=True, path_length=None), critical=True
            )
        words = {1: issuer, 8: issuer} if issuer else {}
        words |= extensions or {}
        for number, text in words.items():
            kind = x509.ObjectIdentifier(f"{EXTENSION}{number}")
            value = text.encode() if number < 7 else der_text(text)
            builder = builder.add_extension(x509.UnrecognizedExtension(kind, value), False)
        if sct:
            before = builder.sign(self.key, hashes.SHA256())
            one = bend_sct(self._sct(before.tbs_certificate_bytes, at, ct_key or self.ct_key))
            listed = len(one).to_bytes(2) + one
            content = asn1.OctetString(len(listed).to_bytes(2) + listed).dump()
            kind = x509.ObjectIdentifier(SCT_LIST)
            builder = builder.add_extension(x509.UnrecognizedExtension(kind, content), False)
        leaf = builder.sign(self.key, hashes.SHA256())
        return Leaf(key, certificate_der(leaf), self.chain)

    def _sct(self, tbs: bytes, at: datetime, ct_key: PrivateKey) -> bytes:
        time = int(at.timestamp() * 1000).to_bytes(8)
        issuer = sha256(spki(self.key)).digest()
        entry = b"\0\1" + issuer + len(tbs).to_bytes(3) + tbs + b"\0\0"
        signature = sign(ct_key, b"\0\0" + time + entry)
        log_id = sha256(spki(ct_key)).digest()
        return b"\0" + log_id + time + b"\0\0\4\3" + len(signature).to_bytes(2) + signature


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


# Logs -----------------------------------------------------------------------------------------------


def leaf_hash(body: bytes) -> bytes:
    return sha256(b"\0" + body).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, as it stands there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def path_to(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path_to(index, leaves[:split]), root_of(leaves[split:])]
    return [*path_to(index - split, leaves[split:]), root_of(leaves[:split])]


class Log:
    """A transparency log: of the second kind with tiles and Ed25519, or of the first with promises and P-256."""

    def __init__(
        self, host: str = "log.example.test", *, first_kind: bool = False, before: int = 3
    ) -> None:
        self.host, self.first_kind = host, first_kind
        self.key = new_key() if first_kind else new_key("ed25519")
        self.origin = f"{host} - 1193050959916656506" if first_kind else host
        self.leaves = [leaf_hash(f"entry {n} of others".encode()) for n in range(before)]

    @property
    def id(self) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            raw = self.key.public_key().public_bytes_raw()
            return sha256(self.host.encode() + b"\n\1" + raw).digest()
        return sha256(spki(self.key)).digest()

    def checkpoint(self) -> str:
        root = b64(root_of(self.leaves))
        text = f"{self.origin}\n{len(self.leaves)}\n{root}\n"
        signature = sign(self.key, text.encode())
        return f"{text}\n— {self.host} {b64(self.id[:4] + signature)}\n"

    def add(self, body: bytes, kind: tuple[str, str], at: datetime = SIGNED_AT) -> Document:
        """Log a body and return its entry as a bundle has it."""
        index = len(self.leaves)
        self.leaves.append(leaf_hash(body))
        self.leaves.append(leaf_hash(b"what came after"))
        entry: Document = {
            "logIndex": str(index),
            "logId": {"keyId": b64(self.id)},
            "kindVersion": {"kind": kind[0], "version": kind[1]},
            "inclusionProof": {
                "logIndex": str(index),
                "rootHash": b64(root_of(self.leaves)),
                "treeSize": str(len(self.leaves)),
                "hashes": [b64(each) for each in path_to(index, self.leaves)],
                "checkpoint": {"envelope": self.checkpoint()},
            },
            "canonicalizedBody": b64(body),
        }
        if self.first_kind:
            time = int(at.timestamp())
            entry["integratedTime"] = str(time)
            entry["inclusionPromise"] = {
                "signedEntryTimestamp": b64(self.promise(body, index, time))
            }
        return entry

    def promise(self, body: bytes, index: int, time: int) -> bytes:
        said = {
            "body": b64(body),
            "integratedTime": time,
            "logID": self.id.hex(),
            "logIndex": index,
        }
        return sign(self.key, jcs(said))


class Witness:
    """Cosigns checkpoints (C2SP tlog-cosignature): its word that it has seen no other history."""

    def __init__(self, name: str = "witness.example.test") -> None:
        self.name = name
        self.key = ed25519.Ed25519PrivateKey.generate()
        self._type_and_key = b"\4" + self.key.public_key().public_bytes_raw()
        self.key_id = sha256(f"{name}\n".encode() + self._type_and_key).digest()[:4]

    @property
    def verifier_key(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64(self._type_and_key)}"

    def cosigned(self, note: str, at: datetime = SIGNED_AT, over: str = "") -> str:
        """The note with a line of this witness; ``over`` is what it signs instead of the note's own text."""
        text = over or note[: note.index("\n\n") + 1]
        time = int(at.timestamp())
        signature = self.key.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
        return f"{note}— {self.name} {b64(self.key_id + time.to_bytes(8) + signature)}\n"


# Timestamps -----------------------------------------------------------------------------------------


class TimestampAuthority:
    """An RFC 3161 authority whose certificate may stamp times and nothing else."""

    def __init__(
        self, name: str = "stamps", *, usages: Sequence[Any] = (ExtendedKeyUsageOID.TIME_STAMPING,)
    ) -> None:
        self.authority = Authority(name, usage=ExtendedKeyUsageOID.TIME_STAMPING)
        self.key = new_key()
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} leaf")]))
            .issuer_name(self.authority.intermediate.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(START + timedelta(days=3000))
            .add_extension(x509.ExtendedKeyUsage(list(usages)), critical=True)
            .add_extension(_usage(certificates=False), critical=True)
            .sign(self.authority.key, hashes.SHA256())
        )

    @property
    def chain(self) -> tuple[bytes, ...]:
        return certificate_der(self.certificate), *self.authority.chain

    def stamp(self, message: bytes, at: datetime = SIGNED_AT) -> bytes:
        """Answer with a timestamp over some bytes: a TimeStampResp, DER."""
        leaf = asn1x509.Certificate.load(certificate_der(self.certificate))
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": "1.3.6.1.4.1.57264.2",
                "message_imprint": {
                    "hash_algorithm": {"algorithm": "sha256"},
                    "hashed_message": sha256(message).digest(),
                },
                "serial_number": int.from_bytes(sha256(message).digest()[:8]),
                "gen_time": at,
            }
        ).dump()
        signing_certificate = tsp.SigningCertificateV2(
            {
                "certs": [
                    tsp.ESSCertIDv2(
                        {
                            "hash_algorithm": {"algorithm": "sha256"},
                            "cert_hash": sha256(leaf.dump()).digest(),
                        }
                    )
                ]
            }
        )
        attributes = cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
                cms.CMSAttribute({"type": "signing_time", "values": [cms.Time({"utc_time": at})]}),
                cms.CMSAttribute({"type": "message_digest", "values": [sha256(info).digest()]}),
                cms.CMSAttribute(
                    {"type": "signing_certificate_v2", "values": [signing_certificate]}
                ),
            ]
        )
        signed = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": "sha256"}],
                "encap_content_info": {
                    "content_type": "tst_info",
                    "content": asn1.ParsableOctetString(info),
                },
                "signer_infos": [
                    {
                        "version": "v1",
                        "sid": cms.SignerIdentifier(
                            {
                                "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                                    {"issuer": leaf.issuer, "serial_number": leaf.serial_number}
                                )
                            }
                        ),
                        "digest_algorithm": {"algorithm": "sha256"},
                        "signed_attrs": attributes,
                        "signature_algorithm": algos.SignedDigestAlgorithm(
                            {"algorithm": "sha256_ecdsa"}
                        ),
                        "signature": sign(self.key, attributes.dump()),
                    }
                ],
            }
        )
        token = cms.ContentInfo({"content_type": "signed_data", "content": signed})
        return bytes(
            tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump()
        )


# What is trusted ------------------------------------------------------------------------------------


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Sigstore:
    """All of it, and the trusted root that names it."""

    def __init__(self) -> None:
        self.authority, self.stamps = Authority(), TimestampAuthority()
        self.log, self.first_log = Log(), Log("rekor.example.test", first_kind=True)

    def trusted_root(self, change: Callable[[Document], object] = lambda root: None) -> bytes:
        root: Document = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.tlog(self.log), self.tlog(self.first_log)],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "example", "commonName": "ca"},
                    "uri": "https://fulcio.example.test",
                    "certChain": {
                        "certificates": [{"rawBytes": b64(d)} for d in self.authority.chain]
                    },
                    "validFor": {"start": _time(START)},
                }
            ],
            "ctlogs": [
                {
                    "baseUrl": "https://ct.example.test",
                    "hashAlgorithm": "SHA2_256",
                    "publicKey": self._key(self.authority.ct_key),
                    "logId": {"keyId": b64(sha256(spki(self.authority.ct_key)).digest())},
                }
            ],
            "timestampAuthorities": [self.tsa(self.stamps)],
        }
        change(root)
        return compact(root)

    @staticmethod
    def _key(key: PrivateKey) -> Document:
        return {
            "rawBytes": b64(spki(key)),
            "keyDetails": key_details(key),
            "validFor": {"start": _time(START)},
        }

    def tlog(self, log: Log) -> Document:
        return {
            "baseUrl": f"https://{log.host}",
            "hashAlgorithm": "SHA2_256",
            "publicKey": self._key(log.key),
            "logId": {"keyId": b64(log.id)},
        }

    @staticmethod
    def tsa(stamps: TimestampAuthority) -> Document:
        return {
            "subject": {"organization": "example", "commonName": "tsa"},
            "uri": "https://tsa.example.test/api/v1/timestamp",
            "certChain": {"certificates": [{"rawBytes": b64(der)} for der in stamps.chain]},
            "validFor": {"start": _time(START)},
        }


# What is signed ---------------------------------------------------------------------------------------


def pae(kind: str, payload: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def statement(
    digest: Digest,
    predicate_type: str = SIGN,
    predicate: object = None,
    annotations: Mapping[str, str] | None = None,
    **more: object,
) -> bytes:
    subject: Document = {"digest": {digest.algorithm: digest.hex}}
    if annotations is not None:
        subject["annotations"] = dict(annotations)
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": predicate_type,
        "predicate": {} if predicate is None else predicate,
    }
    return compact(document | more)


def simple(
    digest: Digest, repository: str = "registry.example.test/team/pay", optional: object = None
) -> bytes:
    return compact(
        {
            "critical": {
                "identity": {"docker-reference": repository},
                "image": {"docker-manifest-digest": str(digest)},
                "type": "cosign container image signature",
            },
            "optional": optional,
        }
    )


def _hashed(key: PrivateKey, message: bytes) -> tuple[str, bytes]:
    name = hash_of(key).name
    return name, {"sha256": sha256, "sha384": sha384, "sha512": sha512}[name](message).digest()


def _verifier(signer: "Leaf | PrivateKey") -> str:
    return b64((signer.pem if isinstance(signer, Leaf) else pem(signer)).encode())


def body_v2(signer: "Leaf | PrivateKey", message: bytes, signature: bytes) -> bytes:
    key = signer.key if isinstance(signer, Leaf) else signer
    name, digest = _hashed(key, message)
    verifier: Document = {"keyDetails": key_details(key)}
    if isinstance(signer, Leaf):
        verifier["x509Certificate"] = {"rawBytes": b64(signer.der)}
    else:
        verifier["publicKey"] = {"rawBytes": b64(spki(key))}
    data = {"algorithm": name.upper().replace("SHA", "SHA2_"), "digest": b64(digest)}
    spec = {"data": data, "signature": {"content": b64(signature), "verifier": verifier}}
    return jcs({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": spec}})


def body_v1(signer: "Leaf | PrivateKey", message: bytes, signature: bytes) -> bytes:
    key = signer.key if isinstance(signer, Leaf) else signer
    name, digest = _hashed(key, message)
    spec = {
        "data": {"hash": {"algorithm": name, "value": digest.hex()}},
        "signature": {"content": b64(signature), "publicKey": {"content": _verifier(signer)}},
    }
    return jcs({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec})


def body_dsse(signer: "Leaf | PrivateKey", envelope: Document) -> bytes:
    spec = {
        "envelopeHash": {"algorithm": "sha256", "value": sha256(compact(envelope)).hexdigest()},
        "payloadHash": {
            "algorithm": "sha256",
            "value": sha256(b64decode(envelope["payload"])).hexdigest(),
        },
        "signatures": [
            {"signature": envelope["signatures"][0]["sig"], "verifier": _verifier(signer)}
        ],
    }
    return jcs({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})


def bundle(
    signer: "Leaf | PrivateKey",
    content: bytes,
    *,
    log: Log | None = None,
    stamps: TimestampAuthority | None = None,
    at: datetime = SIGNED_AT,
    hash_: hashes.HashAlgorithm | None = None,
    hint: str | None = None,
    payload_type: str = IN_TOTO,
) -> Document:
    """Sign a statement and put everything that proves it into a bundle."""
    key = signer.key if isinstance(signer, Leaf) else signer
    signature = sign(key, pae(payload_type, content), hash_)
    envelope: Document = {
        "payload": b64(content),
        "payloadType": payload_type,
        "signatures": [{"sig": b64(signature)}],
    }
    material: Document = {}
    if isinstance(signer, Leaf):
        material["certificate"] = {"rawBytes": b64(signer.der)}
    else:
        own = b64(sha256(spki(key)).digest())
        material["publicKey"] = {"hint": own if hint is None else hint}
    if log is not None and log.first_kind:
        material["tlogEntries"] = [log.add(body_dsse(signer, envelope), ("dsse", "0.0.1"), at)]
    elif log is not None:
        body = body_v2(signer, pae(payload_type, content), signature)
        material["tlogEntries"] = [log.add(body, ("hashedrekord", "0.0.2"), at)]
    if stamps is not None:
        stamped = b64(stamps.stamp(signature, at))
        material["timestampVerificationData"] = {
            "rfc3161Timestamps": [{"signedTimestamp": stamped}]
        }
    return {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": material,
        "dsseEnvelope": envelope,
    }


class Layer(NamedTuple):
    """A layer under ``.sig`` or ``.att``: its type, content and annotations."""

    media_type: str
    content: bytes
    annotations: dict[str, str]


def legacy(
    signer: "Leaf | PrivateKey",
    content: bytes,
    *,
    log: Log | None = None,
    stamps: TimestampAuthority | None = None,
    at: datetime = SIGNED_AT,
) -> Layer:
    """Sign a simple-signing payload, as cosign 2 did."""
    key = signer.key if isinstance(signer, Leaf) else signer
    signature = sign(key, content)
    annotations = {"dev.cosignproject.cosign/signature": b64(signature)}
    _prove(annotations, signer, at)
    if log is not None:
        _log(annotations, log, body_v1(signer, content, signature), at)
    if stamps is not None:
        _stamp(annotations, stamps, signature, at)
    return Layer(SIMPLE_TYPE, content, annotations)


def legacy_attestation(
    signer: "Leaf | PrivateKey",
    content: bytes,
    *,
    log: Log | None = None,
    stamps: TimestampAuthority | None = None,
    at: datetime = SIGNED_AT,
) -> Layer:
    key = signer.key if isinstance(signer, Leaf) else signer
    envelope: Document = {
        "payloadType": IN_TOTO,
        "payload": b64(content),
        "signatures": [{"keyid": "", "sig": b64(sign(key, pae(IN_TOTO, content)))}],
    }
    annotations = {
        "dev.cosignproject.cosign/signature": "",
        "predicateType": json.loads(content)["predicateType"],
    }
    _prove(annotations, signer, at)
    if log is not None:
        _log(annotations, log, body_dsse(signer, envelope), at)
    if stamps is not None:
        _stamp(annotations, stamps, compact(envelope), at)
    return Layer(ENVELOPE_TYPE, compact(envelope), annotations)


def _prove(annotations: dict[str, str], signer: "Leaf | PrivateKey", at: datetime) -> None:
    if isinstance(signer, Leaf):
        annotations["dev.sigstore.cosign/certificate"] = signer.pem
        annotations["dev.sigstore.cosign/chain"] = "".join(pem_of(der) for der in signer.chain)


def _log(annotations: dict[str, str], log: Log, body: bytes, at: datetime) -> None:
    kind = json.loads(body)
    entry = log.add(body, (kind["kind"], kind["apiVersion"]), at)
    said = {
        "body": b64(body),
        "integratedTime": int(at.timestamp()),
        "logIndex": int(entry["logIndex"]),
        "logID": log.id.hex(),
    }
    promise = entry["inclusionPromise"]["signedEntryTimestamp"]
    annotations["dev.sigstore.cosign/bundle"] = compact(
        {"SignedEntryTimestamp": promise, "Payload": said}
    ).decode()


def _stamp(
    annotations: dict[str, str], stamps: TimestampAuthority, message: bytes, at: datetime
) -> None:
    answer = b64(stamps.stamp(message, at))
    annotations["dev.sigstore.cosign/rfc3161timestamp"] = compact(
        {"SignedRFC3161Timestamp": answer}
    ).decode()


# Where it lies ------------------------------------------------------------------------------------------


class OneByOne:
    """Several manifests or blobs, one after the other, of a registry that can be asked for one."""

    manifest: Callable[[Repository, Digest], tuple[bytes, str]]
    blob: Callable[[Repository, Digest, int], bytes]

    def many_manifests(
        self, repository: Repository, wanted: Sequence[tuple[Digest, int]], at_once: int
    ) -> list[tuple[bytes, str] | CountermarkError]:
        return [answer_or_error(self.manifest, repository, digest) for digest, _ in wanted]

    def many_blobs(
        self, repository: Repository, wanted: Sequence[tuple[Digest, int]], at_once: int
    ) -> list[bytes | CountermarkError]:
        return [answer_or_error(self.blob, repository, *each) for each in wanted]


def answer_or_error(ask: Callable[..., T], *words: object) -> T | CountermarkError:
    try:
        return ask(*words)
    except CountermarkError as error:
        return error


class MemoryStore(OneByOne):
    """A registry in dictionaries (port ``SignatureStore``).

    Attributes:
        down: raised for whatever is asked about, by ``referrers``, a tag or a digest.
        asked: what was asked, in order.
    """

    def __init__(self) -> None:
        self.lists: dict[str, list[oci.Descriptor]] = {}
        self.tags: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[Digest, bytes] = {}
        self.blobs: dict[Digest, bytes] = {}
        self.down: dict[str, Exception] = {}
        self.asked: list[str] = []

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what in self.down:
            raise self.down[what]

    def referrers(self, repository: Repository, subject: Digest) -> Sequence[oci.Descriptor]:
        self._ask("referrers")
        return self.lists.get(f"{repository.name}@{subject}", [])

    def tagged(self, repository: Repository, tag: str) -> tuple[bytes, str]:
        self._ask(tag)
        try:
            return self.tags[repository.name, tag], oci.OCI_MANIFEST
        except KeyError:
            raise NotFoundError(f"no such tag: {tag}", status=404) from None

    def manifest(self, repository: Repository, digest: Digest) -> tuple[bytes, str]:
        self._ask(str(digest))
        try:
            return self.manifests[digest], oci.OCI_MANIFEST
        except KeyError:
            raise NotFoundError(f"no such manifest: {digest}", status=404) from None

    def blob(self, repository: Repository, digest: Digest, size: int) -> bytes:
        self._ask(str(digest))
        try:
            content = self.blobs[digest]
        except KeyError:
            raise NotFoundError(f"no such blob: {digest}", status=404) from None
        assert len(content) == size
        return content

    def _blob(self, media_type: str, content: bytes) -> Document:
        digest = Digest.of(content)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": str(digest), "size": len(content)}

    def attach(
        self,
        repository: Repository,
        subject: Digest,
        content: bytes | Document,
        *,
        media_type: str = BUNDLE_TYPE,
        annotations: Mapping[str, str] | None = None,
        copies: int = 1,
    ) -> Digest:
        """Put a bundle there as cosign 3 does: a manifest with one layer that names its subject."""
        raw = content if isinstance(content, bytes) else compact(content)
        layer = self._blob(media_type, raw)
        if annotations:
            layer["annotations"] = dict(annotations)
        return self.attach_layers(repository, subject, [layer] * copies)

    def attach_layers(
        self, repository: Repository, subject: Digest, layers: Sequence[Document]
    ) -> Digest:
        manifest = compact(
            {
                "schemaVersion": 2,
                "mediaType": oci.OCI_MANIFEST,
                "artifactType": BUNDLE_TYPE,
                "config": self._blob(oci.EMPTY_CONFIG, b"{}"),
                "layers": list(layers),
                "subject": {"mediaType": oci.OCI_MANIFEST, "digest": str(subject), "size": 1234},
            }
        )
        digest = Digest.of(manifest)
        self.manifests[digest] = manifest
        listed = self.lists.setdefault(f"{repository.name}@{subject}", [])
        listed.append(
            oci.Descriptor(media_type=oci.OCI_MANIFEST, digest=digest, size=len(manifest))
        )
        return digest

    def attach_legacy(
        self, repository: Repository, subject: Digest, *layers: Layer, suffix: str = "sig"
    ) -> None:
        """Put layers there as cosign 2 did: an image under a tag, one layer for each signature."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "config": self._blob("application/vnd.oci.image.config.v1+json", b"{}"),
            "layers": [
                {**self._blob(layer.media_type, layer.content), "annotations": layer.annotations}
                for layer in layers
            ],
        }
        self.tags[repository.name, f"sha256-{subject.hex}.{suffix}"] = compact(manifest)
