"""Certificates issued: an authority's own, a timestamp authority's, and those of signers, a thousand in a second.

What Fulcio issues (``pkg/ca``, v1.8.8; specs: cosign, 2e), written by hand: the parts that are the same in all
certificates of an authority are made once. A signer's certificate is signed when a log has promised to show it, and
the promise stands last in it. Keys may lie anywhere (``SigningKey`` of ``core/ports_sigstore.py``).
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from secrets import randbits

from countermark.core.errors import Code, InputError, KeyAccessError, MalformedError
from countermark.core.light import sha256
from countermark.core.ports_sigstore import Principal, SigningKey
from countermark.proofs import certificate_extensions as extensions
from countermark.proofs import certificate_signatures, der, scts, signing_certificates, spki, x509
from countermark.proofs import certificate_writing as writing
from countermark.proofs.certificate_extensions import Name
from countermark.proofs.spki import PublicKey

LEAF_LIFE = timedelta(minutes=10)
_SERIAL_BITS = 159  # 20 bytes, the most that RFC 5280 allows, the first bit of them 0
_UTF8_STRING = 0x0C
_EMPTY_NAME = der.sequence()
_FULCIO = "1.3.6.1.4.1.57264.1"
_USER_NAME_NUMBER = 7  # not an extension: the kind of a name
_LAST_RAW = 6
# makes a certificate to be that no verifier takes (RFC 6962, 3.1)
_POISON = writing.extension("1.3.6.1.4.1.11129.2.4.3", der.tlv(der.NULL), critical=True)
_SCT_LIST = "1.3.6.1.4.1.11129.2.4.2"
_NAME_TAGS = {
    "email": extensions.EMAIL,
    "uri": extensions.URI,
    "username": extensions.OTHER,
}

# bit strings in DER: how many bits at the end are unused, then the bits
_DIGITAL_SIGNATURE = writing.extension(
    "2.5.29.15", der.tlv(der.BIT_STRING, b"\x07\x80"), critical=True
)
_CERTIFICATES_AND_LISTS = writing.extension(
    "2.5.29.15", der.tlv(der.BIT_STRING, b"\x01\x06"), critical=True
)


class Signer:
    """An authority's certificate and the key that belongs to it; who has the key certifies whom they like.

    Attributes:
        certificate: the authority's.
        algorithm: how its key signs, an AlgorithmIdentifier.
        names_key: the extension of what it issues that names its key.
    """

    def __init__(self, certificate: x509.Certificate, key: SigningKey) -> None:
        """Take both.

        Raises:
            KeyAccessError: the key is another's.
        """
        if certificate.key.der != key.public_der:
            raise KeyAccessError("the key is not that of the authority's certificate")
        self.certificate, self._key = certificate, key
        self.algorithm = certificate_signatures.identifier(certificate.key)
        given = certificate.extension(extensions.SUBJECT_KEY_ID)
        key_id = der.DerReader(given.value).take(der.OCTET_STRING) if given else b""
        named = der.sequence(der.tlv(0x80, key_id or _key_id(certificate.key)))
        self.names_key = writing.extension("2.5.29.35", named)

    def body(
        self, start: datetime, end: datetime, subject: bytes, key: PublicKey, parts: bytes
    ) -> writing.Body:
        """Write what a certificate of this authority's will say, with a new serial number."""
        return writing.Body(
            serial=_serial(),
            algorithm=self.algorithm,
            issuer=self.certificate.subject,
            start=start,
            end=end,
            subject=subject,
            key=key.der,
            extensions=parts,
        )

    def sign(self, body: bytes) -> bytes:
        """Make a certificate of a body."""
        return der.sequence(body, self.algorithm, der.bits(self._key.sign(body)))


# Authorities --------------------------------------------------------------------------------------------


def subject(organization: str, common_name: str) -> bytes:
    """Write an authority's name.

    Raises:
        InputError: a part is empty or too long (RFC 5280, A.1: 64 characters).
    """
    for text in (organization, common_name):
        if not 0 < len(text) <= 64 or not text.isprintable():
            raise InputError(f"not a name for an authority: {text[:80]!r}")
    return writing.name((writing.ORGANIZATION, organization), (writing.COMMON_NAME, common_name))


def make_root(key: SigningKey, name: bytes, start: datetime, end: datetime) -> x509.Certificate:
    """Issue an authority's certificate for itself."""
    public = spki.parse(key.public_der)
    algorithm = certificate_signatures.identifier(public)
    body = writing.Body(
        serial=_serial(),
        algorithm=algorithm,
        issuer=name,
        start=start,
        end=end,
        subject=name,
        key=public.der,
        extensions=_ca_extensions(public, None),
    ).encode()
    return x509.parse(der.sequence(body, algorithm, der.bits(key.sign(body))))


def make_intermediate(
    issuer: Signer, key: PublicKey, name: bytes, start: datetime, end: datetime, purpose: bytes
) -> x509.Certificate:
    """Issue the certificate of a CA that issues leaves only, for one purpose (see ``certificate_extensions``)."""
    parts = _ca_extensions(key, 0) + _purpose(purpose) + issuer.names_key
    return x509.parse(_issued(issuer, (start, end), name, key, parts))


def make_timestamp_leaf(
    issuer: Signer, key: PublicKey, name: bytes, start: datetime, end: datetime
) -> x509.Certificate:
    """Issue the certificate of what signs timestamps: for that alone, and critically so (RFC 3161, 2.3)."""
    parts = (
        _DIGITAL_SIGNATURE,
        _purpose(extensions.TIME_STAMPING, critical=True),
        _names_own_key(key),
        issuer.names_key,
    )
    return x509.parse(_issued(issuer, (start, end), name, key, b"".join(parts)))


def _ca_extensions(key: PublicKey, below: int | None) -> bytes:
    limit = b"" if below is None else der.integer(below)
    constraints = der.sequence(der.tlv(der.BOOLEAN, b"\xff"), limit)
    return b"".join(
        (
            _CERTIFICATES_AND_LISTS,
            writing.extension("2.5.29.19", constraints, critical=True),
            _names_own_key(key),
        )
    )


def _purpose(purpose: bytes, *, critical: bool = False) -> bytes:
    value = der.sequence(der.tlv(der.OID, purpose))
    return writing.extension("2.5.29.37", value, critical=critical)


def _key_id(key: PublicKey) -> bytes:
    """Name a key (RFC 7093, 2, method 1): no more than a name, by which nothing is believed."""
    return sha256(key.raw).digest()[:20]


def _names_own_key(key: PublicKey) -> bytes:
    return writing.extension("2.5.29.14", der.tlv(der.OCTET_STRING, _key_id(key)))


def _serial() -> int:
    return 1 << (_SERIAL_BITS - 1) | randbits(_SERIAL_BITS - 1)


def _issued(
    issuer: Signer,
    validity: tuple[datetime, datetime],
    name: bytes,
    key: PublicKey,
    parts: bytes,
) -> bytes:
    start, end = validity
    return issuer.sign(issuer.body(start, end, name, key, parts).encode())


# Signers ------------------------------------------------------------------------------------------------

# Takes the entry that a log is to sign (RFC 6962, 3.2) and the certificate to be, signed, and poisoned so that it
# counts nowhere; gives the log's promise.
Promise = Callable[[bytes, bytes], bytes]


class LeafIssuer:
    """Issues signers' certificates for ten minutes."""

    def __init__(self, signer: Signer) -> None:
        """Take the authority that signs them."""
        self._signer = signer
        self._first = _DIGITAL_SIGNATURE + _purpose(extensions.CODE_SIGNING)

    def issue(
        self,
        principal: Principal,
        key: PublicKey,
        now: datetime,
        promise: Promise | None,
    ) -> bytes:
        """Issue a certificate (DER) for a key of somebody; without ``promise`` no log hears of it.

        Raises:
            InputError: the principal's name has no place in a certificate.
            KeyAccessError: ``expired``, the authority's own certificate does not hold now.
            What ``promise`` raises, and what the key's keeper does.
        """
        held = self._signer.certificate
        start = now.replace(microsecond=0)
        if not held.not_before <= start <= held.not_after:
            raise KeyAccessError("the authority's certificate does not hold now", code=Code.EXPIRED)
        parts = (
            self._first,
            _names_own_key(key),
            self._signer.names_key,
            _principal_name(principal),
            fulcio_extensions(principal),
        )
        end = start + LEAF_LIFE
        body = self._signer.body(start, end, _EMPTY_NAME, key, b"".join(parts))
        head, said = body.head(), body.extensions
        plain = writing.extended(head, said)
        if promise is None:
            return self._signer.sign(plain)
        poisoned = self._signer.sign(writing.extended(head, said + _POISON))
        sct = promise(scts.precertificate_entry(held.key.der, plain), poisoned)
        return self._signer.sign(writing.extended(head, said + _sct_list(sct)))


def _principal_name(principal: Principal) -> bytes:
    """Write the one subject alternative name, critical since the subject is empty (RFC 5280, 4.1.2.6).

    Issued is nothing that we would not take ourselves, or would read as somebody else's.
    """
    text = principal.name.encode()
    if principal.kind == "username":
        kind = der.oid(f"{_FULCIO}.{_USER_NAME_NUMBER}")
        content = kind + der.tlv(der.context(0), der.tlv(_UTF8_STRING, text))
    else:
        content = text
    name = Name(kind=_NAME_TAGS.get(principal.kind, 0), content=content)
    try:
        signing_certificates.named(name)
    except MalformedError as error:
        raise InputError(f"no certificate can name {principal.name[:200]!r}: {error}") from None
    general = der.tlv(name.kind, content)
    return writing.extension("2.5.29.17", der.sequence(general), critical=True)


def fulcio_extensions(principal: Principal) -> bytes:
    """Write what is said of a principal: bare bytes up to number 6, UTF8String after (specs: cosign, 2e).

    Its issuer stands in numbers 1 and 8, whatever is said of those.
    """
    said: Mapping[int, str] = {**principal.extensions, 1: principal.issuer, 8: principal.issuer}
    return b"".join(
        writing.extension(
            f"{_FULCIO}.{number}",
            text.encode() if number <= _LAST_RAW else der.tlv(_UTF8_STRING, text.encode()),
        )
        for number, text in sorted(said.items())
        if number != _USER_NAME_NUMBER
    )


def _sct_list(sct: bytes) -> bytes:
    """Write a list of one, for sigstore-python takes no other."""
    one = len(sct).to_bytes(2) + sct
    return writing.extension(_SCT_LIST, der.tlv(der.OCTET_STRING, len(one).to_bytes(2) + one))
