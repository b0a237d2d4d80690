"""The certificate by which a root key stands in a repository's root.

Written by hand: ``cryptography`` warns about common names beyond 64 characters, and a GUN may have 255. It
says what notary's ``GenerateCertificate`` does (specs: notary v1, 2.8): self-signed, the GUN for a name, ten years.
"""

from datetime import datetime, timedelta
from secrets import randbits

from countermark.core.errors import InputError
from countermark.proofs import certificate_writing as writing
from countermark.proofs import der, key_objects
from countermark.proofs.certificates import Bundle, encode_pem, parse_bundle
from countermark.proofs.keys import PrivateKey, public_key

DAYS = 3650  # notary: NotaryRootExpiry
_SERIAL_BITS = 127  # notary draws 128; a serial number is not negative
_SIGNATURES = {
    "ecdsa": der.sequence(der.oid("1.2.840.10045.4.3.2")),
    "rsa": der.sequence(der.oid("1.2.840.113549.1.1.11"), der.tlv(der.NULL)),
}
_USES = b"\x05\xa0"  # digitalSignature and keyEncipherment: bits 0 and 2, five unused
_EXTENSIONS = b"".join(
    (
        writing.extension("2.5.29.15", der.tlv(der.BIT_STRING, _USES), critical=True),
        writing.extension("2.5.29.37", der.sequence(der.oid("1.3.6.1.5.5.7.3.3"))),  # codeSigning
        writing.extension("2.5.29.19", der.sequence(), critical=True),  # basic constraints: no CA
    )
)


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
    name = writing.name((writing.COMMON_NAME, gun))
    start = now.replace(microsecond=0)
    body = writing.Body(
        serial=randbits(_SERIAL_BITS) + 1,
        algorithm=algorithm,
        issuer=name,
        start=start,
        end=start + timedelta(days=DAYS),
        subject=name,
        key=public_key(private.public).der,
        extensions=_EXTENSIONS,
    ).encode()
    signature = key_objects.sign_certificate(private.object, body)
    return parse_bundle(encode_pem(der.sequence(body, algorithm, der.bits(signature))))
