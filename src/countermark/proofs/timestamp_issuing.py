"""A timestamp authority's own work: timestamps made, and the certificates to make them with.

What all timestamps of an authority have in common is written once; stamping writes the rest and signs. Their form is
that of sigstore's timestamp-server (RFC 3161, 2.4.2; RFC 5652; specs: cosign, 2h).
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from countermark.core.errors import Code, InputError, KeyAccessError
from countermark.proofs import (
    certificate_signatures,
    cms,
    der,
    issuing,
    signatures,
    signing_keys,
    spki,
    timestamps,
    x509,
)
from countermark.proofs.der import DerReader
from countermark.proofs.timestamp_queries import Query

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.core.ports_sigstore import SigningKey

POLICY = "1.3.6.1.4.1.57264.2"  # sigstore's: as timestamp-server has it
EXTENSIONS = "unaccepted extension: requested extensions are not supported by the TSA"
UNKNOWN_POLICY = "unaccepted policy: requested TSA policy is not supported by the TSA"

_VERSION_1, _VERSION_3 = der.integer(1), der.integer(3)
_GRANTED = der.sequence(der.integer(0))
_ACCURACY = der.sequence(der.integer(1))  # a second: what times are told in
_SIGNED_DATA = der.tlv(der.OID, cms.SIGNED_DATA)
_TST_INFO = der.tlv(der.OID, timestamps.TST_INFO)
_CONTENT_TYPE = der.sequence(der.tlv(der.OID, cms.CONTENT_TYPE), der.tlv(der.SET, _TST_INFO))
_SIGNING_TIME = der.oid("1.2.840.113549.1.9.5")
_MESSAGE_DIGEST = der.tlv(der.OID, cms.MESSAGE_DIGEST)
_SIGNING_CERTIFICATE = der.tlv(der.OID, cms.SIGNING_CERTIFICATE_V2)
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_UTC_TIME_ENDS = 2050  # RFC 5652, 11.3
_SERIAL_BYTES = 20  # RFC 3161: as many as clients have to take
_HASH_OIDS = {name: der.sequence(der.tlv(der.OID, kind)) for kind, name in cms.HASHES.items()}
_LIFE = timedelta(days=3650)
_EARLY = timedelta(minutes=5)  # clocks differ; nothing is stamped in that time


class Stamper:
    """Makes the timestamps of one authority.

    Args:
        key: what it signs with; its thief stamps any time that he likes.
        certificates: its own, and those up to its root (DER).
        policy: under which it makes them all.

    Raises:
        KeyAccessError: the key is not the certificate's; ``not-supported``, an Ed25519 key, whose timestamps neither
            OpenSSL nor sigstore-python verify.
    """

    def __init__(
        self, key: "SigningKey", certificates: Sequence[bytes], policy: str = POLICY
    ) -> None:
        leaf = x509.parse(certificates[0])
        if leaf.key.der != key.public_der:
            raise KeyAccessError("the timestamp authority's key is not that of its certificate")
        public = leaf.key
        if public.kind == "ed25519":
            raise KeyAccessError("an Ed25519 key makes no timestamps", code=Code.NOT_SUPPORTED)
        self._key, self._leaf = key, leaf
        self._policy = der.oid(policy)
        self._hash_name = signatures.hash_for(public)
        self._hash = _HASH_OIDS[self._hash_name]
        self._method = certificate_signatures.identifier(public)
        self._name = der.tlv(der.context(0), der.tlv(der.context(4), leaf.subject))
        self._certificate = der.tlv(der.context(0), leaf.der)
        number = _number(leaf)
        self._signer = der.sequence(leaf.issuer, number)
        self._named = der.sequence(
            _SIGNING_CERTIFICATE,
            der.tlv(
                der.SET,
                der.sequence(  # SigningCertificateV2, its certificates, the first of them
                    der.sequence(
                        der.sequence(
                            der.tlv(der.OCTET_STRING, timestamps.digest_of("sha256", leaf.der)),
                            der.sequence(
                                der.sequence(der.tlv(der.context(4), leaf.issuer)), number
                            ),
                        )
                    )
                ),
            ),
        )

    def stamp(self, query: Query, now: datetime) -> bytes:
        """Stamp what is asked for with the time (TimeStampResp, DER).

        Raises:
            InputError: a policy that is not ours, or an extension; its words are those to answer with.
            KeyAccessError, UnavailableError: the certificate does not hold now, or the key does not sign.
        """
        if query.policy not in (b"", self._policy[2:]):
            raise InputError(UNKNOWN_POLICY)
        if query.is_extended:
            raise InputError(EXTENSIONS)
        if not self._leaf.not_before <= now <= self._leaf.not_after:
            raise KeyAccessError("the timestamp authority's certificate does not hold now")
        digits = f"{now.astimezone(UTC):%Y%m%d%H%M%S}Z".encode()
        info = der.sequence(
            _VERSION_1,
            self._policy,
            query.imprint,
            _serial(),
            der.tlv(_GENERALIZED_TIME, digits),
            _ACCURACY,
            query.nonce,
            self._name,
        )
        attributes = b"".join(sorted(self._attributes(info, digits)))  # DER sorts a SET OF
        signature = self._key.sign(der.tlv(der.SET, attributes))
        signer = der.sequence(
            _VERSION_1,
            self._signer,
            self._hash,
            der.tlv(der.context(0), attributes),
            self._method,
            der.tlv(der.OCTET_STRING, signature),
        )
        data = der.sequence(
            _VERSION_3,
            der.tlv(der.SET, self._hash),
            der.sequence(_TST_INFO, der.tlv(der.context(0), der.tlv(der.OCTET_STRING, info))),
            self._certificate if query.wants_certificate else b"",
            der.tlv(der.SET, signer),
        )
        return der.sequence(_GRANTED, der.sequence(_SIGNED_DATA, der.tlv(der.context(0), data)))

    def _attributes(self, info: bytes, digits: bytes) -> tuple[bytes, ...]:
        digest = timestamps.digest_of(self._hash_name, info)
        if int(digits[:4]) < _UTC_TIME_ENDS:
            time = der.tlv(_UTC_TIME, digits[2:])
        else:
            time = der.tlv(_GENERALIZED_TIME, digits)
        return (
            _CONTENT_TYPE,
            der.sequence(_SIGNING_TIME, der.tlv(der.SET, time)),
            der.sequence(_MESSAGE_DIGEST, der.tlv(der.SET, der.tlv(der.OCTET_STRING, digest))),
            self._named,
        )


def _serial() -> bytes:
    """Choose a number that nobody has had: positive, and always of the same length."""
    random = bytearray(os.urandom(_SERIAL_BYTES))
    random[0] = random[0] & 0x7F | 0x40
    return der.tlv(der.INTEGER, bytes(random))


def _number(certificate: x509.Certificate) -> bytes:
    body = DerReader(certificate.body).sequence()
    body.skip(der.context(0))  # version
    _, _, whole = body.element()
    return whole


def issue_chain(
    key: "SigningKey", organization: str, name: str, now: datetime
) -> tuple[bytes, ...]:
    """Issue the certificates of a new authority (DER): for its key, and a root whose own key nobody keeps.

    A root that can issue nothing more cannot be stolen; an authority with a new key gets a new root.

    Raises:
        InputError: a name that does not fit into a certificate. KeyAccessError, UnavailableError: see the key.
    """
    start, end = now.replace(microsecond=0) - _EARLY, now.replace(microsecond=0) + _LIFE
    root_key = signing_keys.generate()
    root = issuing.make_root(root_key, issuing.subject(organization, f"{name} root"), start, end)
    leaf = issuing.make_timestamp_leaf(
        issuing.Signer(root, root_key),
        spki.parse(key.public_der),
        issuing.subject(organization, name),
        start,
        end,
    )
    return leaf.der, root.der
