"""Timestamps made with other people's libraries, every part of which can be bent."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import new
from typing import Any

from asn1crypto import algos, cms, tsp  # type: ignore[import-untyped]
from asn1crypto import core as asn1
from asn1crypto import x509 as asn1x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from countermark.formats.trusted_root import Authority
from fake_sigstore import PrivateKey, new_key, sign

AT = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2030, 1, 1, tzinfo=UTC)
POLICY = "1.3.6.1.4.1.57264.2"
STAMPING = ExtendedKeyUsageOID.TIME_STAMPING
_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


class Tsa:
    """An authority: a root, and a leaf that stamps."""

    def __init__(
        self,
        kind: str = "P-256",
        *,
        called: str = "stamps",
        usages: Sequence[x509.ObjectIdentifier] = (STAMPING,),
        critical: bool = True,
        is_ca: bool = False,
        start: datetime = START,
        end: datetime = END,
        root_end: datetime = END,
        key: PrivateKey | None = None,
        serial: int = 0,
    ) -> None:
        self.root_key, self.key = new_key(), key or new_key(kind)
        self.root = (
            x509.CertificateBuilder()
            .subject_name(name(f"{called} root"))
            .issuer_name(name(f"{called} root"))
            .public_key(self.root_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(root_end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(ca=True), critical=True)
            .sign(self.root_key, hashes.SHA256())
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(called))
            .issuer_name(self.root.subject)
            .public_key(self.key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(_usage(ca=is_ca), critical=True)
        )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=critical)
        if is_ca:
            builder = builder.add_extension(
                x509.BasicConstraints(ca=True, path_length=None), critical=True
            )
        self.leaf = builder.sign(self.root_key, hashes.SHA256())

    @property
    def chain(self) -> tuple[bytes, ...]:
        return self.leaf.public_bytes(Encoding.DER), self.root.public_bytes(Encoding.DER)

    def authority(self, start: datetime | None = START, end: datetime | None = None) -> Authority:
        return Authority(
            organization="example",
            common_name="stamps",
            uri="https://tsa.example.test",
            certificates=self.chain,
            start=start,
            end=end,
        )

    def info(
        self, message: bytes, at: datetime = AT, hash_name: str = "sha256", **more: Any
    ) -> tsp.TSTInfo:
        return tsp.TSTInfo(
            {
                "version": "v1",
                "policy": POLICY,
                "message_imprint": {
                    "hash_algorithm": {"algorithm": hash_name},
                    "hashed_message": new(hash_name, message).digest(),
                },
                "serial_number": 7,
                "gen_time": at,
            }
            | more
        )

    def signing_certificate(self, hash_name: str = "sha256", **more: Any) -> Any:
        leaf = self.chain[0]
        named = {
            "hash_algorithm": {"algorithm": hash_name},
            "cert_hash": new(hash_name, leaf).digest(),
        }
        return tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2(named | more)]})

    def issuer_serial(self, serial: int = 0) -> Any:
        leaf = asn1x509.Certificate.load(self.chain[0])
        general = asn1x509.GeneralName(name="directory_name", value=leaf.issuer)
        return {"issuer": [general], "serial_number": serial or leaf.serial_number}

    def attributes(self, info: bytes, hash_name: str = "sha256") -> list[Any]:
        return [
            cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
            cms.CMSAttribute({"type": "message_digest", "values": [new(hash_name, info).digest()]}),
            cms.CMSAttribute(
                {"type": "signing_certificate_v2", "values": [self.signing_certificate()]}
            ),
        ]

    def _algorithm(self, hash_name: str) -> str:
        kinds = {"RSAPrivateKey": "rsa", "Ed25519PrivateKey": "ed25519"}
        kind = kinds.get(type(self.key).__name__.lstrip("_"), "ecdsa")
        return kind if kind == "ed25519" else f"{hash_name}_{kind}"

    def token(
        self,
        info: bytes,
        *,
        hash_name: str = "sha256",
        attributes: Callable[[list[Any]], list[Any]] = lambda found: found,
        certificates: Sequence[bytes] = (),
        algorithm: str = "",
        key: PrivateKey | None = None,
        change_signer: Callable[[Any], Any] = lambda signer: signer,
        change: Callable[[Any], Any] = lambda signed: signed,
        content_type: str = "tst_info",
    ) -> Any:
        leaf = asn1x509.Certificate.load(self.chain[0])
        signed_attributes = cms.CMSAttributes(attributes(self.attributes(info, hash_name)))
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    {
                        "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                            {"issuer": leaf.issuer, "serial_number": leaf.serial_number}
                        )
                    }
                ),
                "digest_algorithm": {"algorithm": hash_name},
                "signed_attrs": signed_attributes,
                "signature_algorithm": algos.SignedDigestAlgorithm(
                    {"algorithm": algorithm or self._algorithm(hash_name)}
                ),
                "signature": sign(
                    key or self.key, signed_attributes.dump(), _HASHES.get(hash_name)
                ),
            }
        )
        parts = {
            "version": "v3",
            "digest_algorithms": [{"algorithm": hash_name}],
            "encap_content_info": {
                "content_type": content_type,
                "content": asn1.ParsableOctetString(info),
            },
            "signer_infos": [change_signer(signer)],
        }
        if certificates:
            parts["certificates"] = [asn1x509.Certificate.load(each) for each in certificates]
        return cms.ContentInfo(
            {"content_type": "signed_data", "content": cms.SignedData(change(parts))}
        )

    def stamp(
        self,
        message: bytes,
        at: datetime = AT,
        *,
        status: str = "granted",
        imprint: str = "sha256",
        info: bytes = b"",
        **bent: Any,
    ) -> bytes:
        """Answer with a timestamp; the keywords of ``token`` bend it."""
        content = info or self.info(message, at, imprint).dump()
        return bytes(
            tsp.TimeStampResp(
                {"status": {"status": status}, "time_stamp_token": self.token(content, **bent)}
            ).dump()
        )


LATER = timedelta(seconds=1)
