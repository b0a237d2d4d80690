"""The certificate by which a root key stands in a repository's root.

Written by hand: ``cryptography`` warns about common names beyond 64 characters, and a GUN may have 255. It
says what notary's ``GenerateCertificate`` does (specs: notary v1, 2.8): self-signed, the GUN for a name, ten years.
"""

from datetime import datetime, timedelta
from secrets import randbits

from countermark.core.errors import InputError
from countermark.proofs import der, key_objects
from countermark.proofs.certificates import Bundle, encode_pem, parse_bundle
from countermark.proofs.keys import PrivateKey, public_key

DAYS = 3650  # notary: NotaryRootExpiry
_SERIAL_BITS = 127  # notary draws 128; a serial number is not negative
_VERSION_3 = der.tlv(der.context(0), der.integer(2))
_SIGNATURES = {
    "ecdsa": der.sequence(der.oid("1.2.840.10045.4.3.2")),
    "rsa": der.sequence(der.oid("1.2.840.113549.1.1.11"), der.tlv(der.NULL)),
}
_CRITICAL = der.tlv(der.BOOLEAN, b"\xff")
_USES = b"\x05\xa0"  # digitalSignature and keyEncipherment: bits 0 and 2, five unused


def issue(private: PrivateKey, gun: str, now: datetime) -> Bundle:
    """Issue the certificate of a root key for a repository.

    Raises:
        InputError: an Ed25519 key, which Notary v1 has no certificate type for, or no name.
    """
    algorithm = _SIGNATURES.get(private.public.type)
    if algorithm is None:
        raise InputError("a root key must be of type ecdsa or rsa")
    if not gun:
        raise InputError("a root certificate needs the repository's name")
    name = _name(gun)
    start = now.replace(microsecond=0)
    body = der.sequence(
        _VERSION_3,
        der.integer(randbits(_SERIAL_BITS) + 1),
        algorithm,
        name,
        der.sequence(_time(start), _time(start + timedelta(days=DAYS))),
        name,
        public_key(private.public).der,
        _extensions(),
    )
    signature = key_objects.sign_certificate(private.object, body)
    return parse_bundle(encode_pem(der.sequence(body, algorithm, der.bits(signature))))


def _name(text: str) -> bytes:
    attribute = der.sequence(der.oid("2.5.4.3"), der.tlv(0x0C, text.encode()))  # UTF8String
    return der.sequence(der.tlv(der.SET, attribute))


def _time(moment: datetime) -> bytes:
    """RFC 5280, 4.1.2.5: UTCTime until 2049, GeneralizedTime after."""
    if moment.year < 2050:
        return der.tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return der.tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def _extensions() -> bytes:
    return der.tlv(
        der.context(3),
        der.sequence(
            _extension("2.5.29.15", der.tlv(der.BIT_STRING, _USES), critical=True),
            _extension("2.5.29.37", der.sequence(der.oid("1.3.6.1.5.5.7.3.3"))),  # codeSigning
            _extension("2.5.29.19", der.sequence(), critical=True),  # basic constraints: no CA
        ),
    )


def _extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = _CRITICAL if critical else b""
    return der.sequence(der.oid(kind), flag, der.tlv(der.OCTET_STRING, value))
