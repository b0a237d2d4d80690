"""Signed timestamps (RFC 3161): which authority saw a message, and when.

A timestamp counts where one of the operator's authorities made it: its own leaf certificate signed it, chains to its
root at that very time, may stamp times and nothing else, and the time lies in the authority's window, both ends
included. A certificate that comes with a timestamp adds nothing. Sources: RFC 3161, 2.4; RFC 5816; sigstore-go
``pkg/verify/tsa.go`` and timestamp-authority ``pkg/verification`` (specs: cosign, 2h and 3.3, step 3).
"""

from countermark.core import limits
from countermark.core.errors import (
    ChainError,
    Code,
    EvidenceError,
    ExpiredError,
    MalformedError,
    SignatureError,
)
from countermark.core.light import UTC, Sequence, datetime, sha256, sha512
from countermark.core.value import Value
from countermark.proofs import cms, der, signatures, spki, x509
from countermark.proofs.certificate_paths import TIME_STAMPING, chain_at
from countermark.proofs.cms import SignedData
from countermark.proofs.der import DerReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.formats.trusted_root import Authority

TST_INFO = der.oid("1.2.840.113549.1.9.16.1.4")[2:]
_GRANTED = (0, 1)  # granted, granted with modifications
_GENERALIZED_TIME = 0x18
_DIGITS = frozenset(b"0123456789")


class SignedTime(Value):
    """When an authority saw a message.

    Attributes:
        time: in UTC.
        authority: which of the authorities that were given; of several with one key the first, so that equal numbers
            are one authority.
        serial: the timestamp's number. nonce: what the asker sent along, None where it sent none.
    """

    time: datetime
    authority: int
    serial: int
    nonce: int | None = None


class TimestampInfo(Value):
    """What a timestamp says (TSTInfo), unchecked: that a message of this digest was there at this time."""

    policy: bytes
    hash_name: str
    digest: bytes
    serial: int
    time: datetime
    nonce: int | None


def check(response: bytes, message: bytes, authorities: "Sequence[Authority]") -> SignedTime:
    """Check a timestamp (TimeStampResp, DER) over a message.

    Raises:
        EvidenceError: ``malformed``, ``too-large`` or ``not-supported``, it cannot be read; ``timestamp``, it is of
            something else, by nobody we know, or does not verify.
    """
    data = _signed_data(response)
    info = parse_info(data.content)
    _check_message(info, message)
    _check_attributes(data)
    problem: EvidenceError = SignatureError(
        "timestamp by an authority that we do not know", code=Code.TIMESTAMP
    )
    leaves = [_leaf(authority.certificates) for authority in authorities]
    for authority, leaf in zip(authorities, leaves, strict=True):
        if leaf is None or leaf.name != (data.signer.issuer, data.signer.serial):
            continue
        try:
            _check_signer(data, leaf)
            _check_authority(authority, info.time)
        except EvidenceError as error:
            problem = error
            continue
        # an authority that is listed for several times is still one
        number = next(i for i, each in enumerate(leaves) if each and each.key == leaf.key)
        return SignedTime(time=info.time, authority=number, serial=info.serial, nonce=info.nonce)
    raise problem


def check_all(
    responses: Sequence[bytes], message: bytes, authorities: "Sequence[Authority]"
) -> tuple[SignedTime, ...]:
    """Check all timestamps over a message: those that verify, the first of each authority, the earliest first.

    What does not verify does not count; an authority's second timestamp adds nothing to its first.

    Raises:
        EvidenceError: ``no-timestamp``, there is none; ``too-large``, there are too many; none verifies: the last
            one's problem.
    """
    if len(responses) > limits.SIGNED_TIMESTAMPS:
        raise MalformedError("too many timestamps", code=Code.TOO_LARGE)
    problem = EvidenceError("no timestamp", code=Code.NO_TIMESTAMP)
    found: dict[int, SignedTime] = {}
    for response in responses:
        try:
            stamp = check(response, message, authorities)
        except EvidenceError as error:
            problem = error
            continue
        found.setdefault(stamp.authority, stamp)
    if not found:
        raise problem
    return tuple(sorted(found.values(), key=lambda stamp: (stamp.time, stamp.authority)))


def said(response: bytes) -> TimestampInfo:
    """Read what a timestamp says, for people: nothing is checked.

    Raises:
        EvidenceError: it cannot be read, or says that nothing was stamped.
    """
    return parse_info(_signed_data(response).content)


# Reading ---------------------------------------------------------------------------------------------


def _signed_data(response: bytes) -> SignedData:
    """Open the answer of an authority."""
    if len(response) > limits.SIGNED_TIMESTAMP_BYTES:
        raise MalformedError("timestamp is too long", code=Code.TOO_LARGE)
    outer = DerReader(response)
    answer = outer.sequence()
    outer.end()
    status = answer.sequence()
    granted = status.integer() in _GRANTED
    status.skip(der.SEQUENCE)  # what people may read
    status.skip(der.BIT_STRING)
    status.end()
    if not granted:
        raise EvidenceError("the authority refused to stamp this", code=Code.TIMESTAMP)
    _, _, token = answer.element()
    answer.end()
    data = cms.parse(token)
    if data.content_type != TST_INFO:
        raise MalformedError("signed data, yet no timestamp")
    return data


def parse_info(content: bytes) -> TimestampInfo:
    """Read a TSTInfo.

    Raises:
        MalformedError: not one, or (``not-supported``) with something critical in it that we do not know.
    """
    outer = DerReader(content)
    reader = outer.sequence()
    outer.end()
    if reader.integer() != 1:
        raise MalformedError("timestamp of an unknown version", code=Code.NOT_SUPPORTED)
    policy = reader.take(der.OID)
    imprint = reader.sequence()
    hash_name = cms.hash_algorithm(imprint.sequence())
    digest = imprint.take(der.OCTET_STRING)
    imprint.end()
    serial = reader.integer()
    time = _time(reader.take(_GENERALIZED_TIME))
    reader.skip(der.SEQUENCE)  # accuracy
    reader.skip(der.BOOLEAN)  # ordering
    nonce = reader.integer() if reader.next_tag() == der.INTEGER else None
    reader.skip(der.context(0))  # the authority's name, which its certificate says too
    if reader.next_tag() == der.context(1):
        _refuse_critical(reader.sequence(der.context(1)))
    reader.end()
    return TimestampInfo(
        policy=policy, hash_name=hash_name, digest=digest, serial=serial, time=time, nonce=nonce
    )


def _time(raw: bytes) -> datetime:
    """Read a GeneralizedTime as RFC 3161, 2.4.2 has it: UTC, and fractions of a second without zeros at the end."""
    whole, fraction = raw[:14], raw[14:-1]
    if raw[-1:] != b"Z" or len(whole) != 14 or not _DIGITS.issuperset(whole):
        raise MalformedError("timestamp has a malformed time")
    digits = fraction[1:]
    if fraction and (fraction[:1] != b"." or not _DIGITS.issuperset(digits) or digits[-1:] in b"0"):
        raise MalformedError("timestamp has a malformed time")
    try:
        month, day, hour, minute, second = (int(whole[i : i + 2]) for i in range(4, 14, 2))
        micros = int(digits[:6].ljust(6, b"0"))
        return datetime(int(whole[:4]), month, day, hour, minute, second, micros, tzinfo=UTC)
    except ValueError:
        raise MalformedError("timestamp has an impossible time") from None


def _refuse_critical(extensions: DerReader) -> None:
    while extensions.next_tag() != -1:
        extension = extensions.sequence()
        extension.take(der.OID)
        if extension.next_tag() == der.BOOLEAN and extension.take(der.BOOLEAN) != b"\0":
            raise MalformedError("timestamp has an unknown critical part", code=Code.NOT_SUPPORTED)
        extension.take(der.OCTET_STRING)
        extension.end()


# Judging ---------------------------------------------------------------------------------------------


def _check_message(info: TimestampInfo, message: bytes) -> None:
    if digest_of(info.hash_name, message) != info.digest:
        raise EvidenceError("timestamp of something else", code=Code.TIMESTAMP)


def _check_attributes(data: SignedData) -> None:
    """Check what the signature is over: the kind and the digest of the content (RFC 5652, 5.6)."""
    content_type = der.tlv(der.OID, TST_INFO)
    digest = der.tlv(der.OCTET_STRING, digest_of(data.signer.hash_name, data.content))
    if data.signer.attributes.get(cms.CONTENT_TYPE) != content_type:
        raise EvidenceError("timestamp is signed as something else", code=Code.TIMESTAMP)
    if data.signer.attributes.get(cms.MESSAGE_DIGEST) != digest:
        raise EvidenceError("timestamp is not what was signed", code=Code.TIMESTAMP)


def _check_signer(data: SignedData, leaf: "_Leaf") -> None:
    """Check that this certificate's key signed, and that the signature names this certificate and no other."""
    signer = data.signer
    if data.certificates and leaf.der not in data.certificates:
        raise SignatureError("timestamp comes with another certificate", code=Code.TIMESTAMP)
    if not _names(signer.attributes.get(cms.SIGNING_CERTIFICATE_V2, b""), leaf):
        raise SignatureError("timestamp names another certificate", code=Code.TIMESTAMP)
    hash_name = "" if signer.kind == "ed25519" else signer.hash_name
    if signer.kind != leaf.key.kind or not signatures.verify(
        leaf.key, signer.signed, signer.signature, hash_name
    ):
        raise SignatureError("timestamp has a wrong signature", code=Code.TIMESTAMP)


def _names(attribute: bytes, leaf: "_Leaf") -> bool:
    """Say whether an attribute signingCertificateV2 (RFC 5035, 3) names a certificate, first of all and wholly."""
    if not attribute:
        return False
    outer = DerReader(attribute)
    named = outer.sequence().sequence().sequence()
    outer.end()
    hash_name = "sha256"
    if named.next_tag() == der.SEQUENCE:
        hash_name = cms.hash_algorithm(named.sequence())
    fits = named.take(der.OCTET_STRING) == digest_of(hash_name, leaf.der)
    if named.next_tag() == der.SEQUENCE:
        both = named.sequence()
        issuer = both.take(der.SEQUENCE)
        fits &= issuer == der.tlv(der.context(4), leaf.name[0]) and both.integer() == leaf.name[1]
        both.end()
    named.end()
    return fits


def _check_authority(authority: "Authority", time: datetime) -> None:
    """Check that the authority was one at this time: chain, purpose and window."""
    try:
        _check_chain(tuple(authority.certificates), time)
    except ExpiredError as error:
        raise ExpiredError(str(error), code=Code.TIMESTAMP) from None
    except EvidenceError as error:
        raise ChainError(str(error), code=Code.TIMESTAMP) from None
    if not authority.is_in_service(time):
        raise ExpiredError("timestamp from outside its authority's time", code=Code.TIMESTAMP)


class _Leaf(Value):
    """An authority's own certificate (DER), its issuer's name and its number, and its key."""

    der: bytes
    name: tuple[bytes, int]
    key: spki.PublicKey


# An authority is the same for each of a thousand signatures, and its chain holds at any time when all of it does.
_leaves: dict[bytes, _Leaf] = {}
_lives: dict[tuple[bytes, ...], tuple[datetime, datetime]] = {}
_KEPT = 64


def _leaf(certificates: Sequence[bytes]) -> _Leaf | None:
    """Read an authority's own certificate; None where it is none, so that this one authority vouches for nothing."""
    content = certificates[0] if certificates else b""
    found = _leaves.get(content)
    if found is None:
        try:
            certificate = x509.parse(content)
        except MalformedError:
            return None
        body = DerReader(certificate.body).sequence()
        body.skip(der.context(0))  # version
        name = certificate.issuer, body.integer()
        found = _Leaf(der=content, name=name, key=certificate.key)
        if len(_leaves) >= _KEPT:
            _leaves.clear()
        _leaves[content] = found
    return found


def _check_chain(certificates: tuple[bytes, ...], time: datetime) -> None:
    known = _lives.get(certificates)
    if known is not None and known[0] <= time <= known[1]:
        return
    leaf, *between = (x509.parse(each) for each in certificates)
    path = chain_at(leaf, between[:-1], between[-1:], time, TIME_STAMPING)
    if len(_lives) >= _KEPT:
        _lives.clear()
    _lives[certificates] = max(c.not_before for c in path), min(c.not_after for c in path)


def digest_of(hash_name: str, content: bytes) -> bytes:
    """Hash a content with ``sha256``, ``sha384`` or ``sha512``."""
    if hash_name == "sha384":
        from hashlib import sha384  # noqa: PLC0415 - rare

        return sha384(content).digest()
    return (sha512 if hash_name == "sha512" else sha256)(content).digest()
