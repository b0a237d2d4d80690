"""Certificates, promises of certificate logs, and timestamps that were issued wrong, each with its error code."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from asn1crypto.core import OctetString  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

import fake_sigstore as fake
from countermark.core.errors import Code
from countermark.proofs import signing_certificates
from countermark.proofs.x509 import parse as parse_certificate
from fake_sigstore import ALICE, ISSUER, LIFE, SIGNED_AT, Document, Leaf
from tamper_cosign import SIGSTORE, Case, Root, _window, leaf, second

Builder = x509.CertificateBuilder
USAGES = {
    "digital_signature": True, "content_commitment": False, "key_encipherment": False, "data_encipherment": False,
    "key_agreement": False, "key_cert_sign": False, "crl_sign": False, "encipher_only": False, "decipher_only": False,
}  # fmt: skip
SIGNING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
ISSUER_OID, OLD_ISSUER_OID = (x509.ObjectIdentifier(f"{fake.EXTENSION}{n}") for n in (8, 1))


def usage(**changes: bool) -> x509.KeyUsage:
    return x509.KeyUsage(**(USAGES | changes))


def names(*texts: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.RFC822Name(text) for text in texts])


def issuer(text: str = ISSUER, kind: x509.ObjectIdentifier = ISSUER_OID) -> Any:
    value = fake.der_text(text) if kind == ISSUER_OID else text.encode()
    return x509.UnrecognizedExtension(kind, value)


def good() -> dict[str, tuple[Any, bool]]:
    """What a signer's certificate has besides its key, by a name of its own, and whether it is critical."""
    return {
        "usage": (usage(), True),
        "purpose": (SIGNING, False),
        "names": (names(ALICE), True),
        "issuer": (issuer(), False),
    }


def issued(
    *, by: fake.Authority | None = None, itself: bool = False, above: bool = False, **changes: Any
) -> Leaf:
    """A certificate with other extensions, None for none; by the root, or by nobody but itself, where told so."""
    authority, key = by or SIGSTORE.authority, fake.new_key()
    name = authority.root.subject if above else authority.intermediate.subject
    signing = authority.root_key if above else key if itself else authority.key
    builder = (
        Builder()
        .subject_name(x509.Name([]))
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(SIGNED_AT - timedelta(minutes=1))
        .not_valid_after(SIGNED_AT - timedelta(minutes=1) + LIFE)
    )
    for extension, critical in filter(None, (good() | changes).values()):
        builder = builder.add_extension(extension, critical)
    algorithm = fake.hash_of(signing)
    before = builder.sign(signing, algorithm)  # type: ignore[arg-type]
    one = authority._sct(before.tbs_certificate_bytes, SIGNED_AT, authority.ct_key)
    listed = len(one).to_bytes(2) + one
    content = OctetString(len(listed).to_bytes(2) + listed).dump()
    sct = x509.UnrecognizedExtension(x509.ObjectIdentifier(fake.SCT_LIST), content)
    made = builder.add_extension(sct, False).sign(signing, algorithm)  # type: ignore[arg-type]
    return Leaf(key, fake.certificate_der(made), authority.chain)


def _with_leaf(changes: dict[str, Any]) -> Document:
    return second(signer=issued(**changes))


def _with_sct(bend: Callable[[bytes], bytes]) -> Document:
    return second(signer=leaf(bend_sct=bend))


def _leaves() -> Iterator[Case]:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    not_ca = x509.BasicConstraints(ca=False, path_length=None)
    any_use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    both = x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING]
    )
    agreeing = usage(digital_signature=False, key_agreement=True)
    uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(ALICE)])
    elsewhere = "https://other.test"
    other, old_other = issuer(elsewhere), issuer(elsewhere, OLD_ISSUER_OID)
    old = issuer(ISSUER, OLD_ISSUER_OID)
    rows: list[tuple[str, dict[str, Any], Code | None]] = [
        ("as it should be", {}, None),
        ("says that it is no CA", {"ca": (not_ca, True)}, None),
        ("a CA by its constraints", {"ca": (constraints, True)}, Code.BAD_CHAIN),
        ("a CA by its usage only, which makes none", {"usage": (usage(key_cert_sign=True), True)}, None),
        ("not for signatures", {"usage": (agreeing, True)}, Code.BAD_CHAIN),
        ("no usage, which forbids none", {"usage": None}, None),
        ("any purpose", {"purpose": (any_use, False)}, Code.BAD_CHAIN),
        ("two purposes", {"purpose": (both, False)}, None),
        ("something critical that nobody knows", {"more": (unknown, True)}, Code.BAD_CHAIN),
        ("something that nobody knows", {"more": (unknown, False)}, None),
        ("no name", {"names": None}, Code.IDENTITY),
        ("two names, hers first", {"names": (names(ALICE, "bob@example.test"), True)}, Code.MALFORMED),
        ("two names, hers last", {"names": (names("bob@example.test", ALICE), True)}, Code.MALFORMED),
        ("her address as a URI", {"names": (uri, True)}, Code.MALFORMED),
        ("no issuer", {"issuer": None}, Code.IDENTITY),
        ("the older issuer says another", {"old": (old_other, False)}, Code.MALFORMED),
        ("the newer issuer says another", {"issuer": (other, False), "old": (old, False)}, Code.MALFORMED),
        ("by the root, with a promise about the intermediate's", {"above": True}, Code.SCT),
        ("signed by itself", {"itself": True}, Code.BAD_CHAIN),
    ]  # fmt: skip
    for name, changes, code in rows:
        yield Case(f"certificate: {name}", partial(_with_leaf, changes), code)
    for name, place in (("key", 200), ("signature", -2)):

        def bent(place: int = place) -> Document:
            signer = leaf()
            der = bytearray(signer.der)
            der[place] ^= 1
            return second(signer=signer._replace(der=bytes(der)))

        yield Case(f"certificate: its {name} changed before it was used", bent, Code.BAD_CHAIN)


class Above(fake.Authority):
    """An authority whose intermediate is issued in another way."""

    def __init__(self, change: Callable[[Builder, fake.Authority], Builder], **given: Any) -> None:
        self._change = change
        super().__init__("above", **given)

    def _issue_ca(
        self, subject: x509.Name, key: fake.PrivateKey, length: int | None, usage: Any
    ) -> x509.Certificate:
        if key is self.root_key:
            return super()._issue_ca(subject, key, length, usage)
        builder = (
            Builder()
            .subject_name(subject)
            .issuer_name(self._root_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
        )
        return self._change(builder, self).sign(self.root_key, fake.hash_of(self.root_key))  # type: ignore[arg-type]


def ca(
    builder: Builder,
    _: fake.Authority,
    *,
    is_ca: bool | None = True,
    signs: bool = True,
    purposes: Sequence[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.CODE_SIGNING,),
    start: datetime = fake.START,
    end: datetime = fake.START + timedelta(days=3650),
) -> Builder:
    builder = builder.not_valid_before(start).not_valid_after(end)
    if is_ca is not None:
        length = 0 if is_ca else None
        builder = builder.add_extension(x509.BasicConstraints(is_ca, length), critical=True)
    builder = builder.add_extension(
        usage(key_cert_sign=signs, digital_signature=not signs), critical=True
    )
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=False)
    return builder


def _above() -> Iterator[Case]:
    day = timedelta(days=1)
    rows: list[tuple[str, dict[str, Any], Code | None]] = [
        ("as it should be", {}, None),
        ("without a purpose", {"purposes": None}, None),
        ("says that it is none", {"is_ca": False}, Code.BAD_CHAIN),
        ("does not say that it is one", {"is_ca": None}, Code.BAD_CHAIN),
        ("may not sign certificates", {"signs": False}, Code.BAD_CHAIN),
        ("for servers", {"purposes": (ExtendedKeyUsageOID.SERVER_AUTH,)}, Code.BAD_CHAIN),
        ("for time stamps", {"purposes": (ExtendedKeyUsageOID.TIME_STAMPING,)}, Code.BAD_CHAIN),
        ("over before the signature", {"end": SIGNED_AT - day}, Code.EXPIRED),
        ("beginning after the signature", {"start": SIGNED_AT + day}, Code.EXPIRED),
    ]  # fmt: skip
    for name, words, code in rows:
        authority = Above(partial(ca, **words))
        yield Case(
            f"authority: {name}", _by(authority), code, root=_trusting(authority.chain, authority)
        )
    good_ = Above(ca)
    middle, root = good_.chain
    stranger = fake.Authority("above")  # the same names
    for name, chain, code in (
        ("its chain upside down: both are trusted", (root, middle), None),
        ("its intermediate is missing", (root,), Code.BAD_CHAIN),
        ("its root is missing", (middle,), None),
        ("its root is another's of the same name", (middle, stranger.chain[1]), Code.BAD_CHAIN),
        ("its intermediate is another's of the same name", (stranger.chain[0], root), Code.BAD_CHAIN),
    ):  # fmt: skip
        yield Case(f"authority: {name}", _by(good_), code, root=_trusting(chain, good_))


def _by(authority: fake.Authority) -> Callable[[], Document]:
    return lambda: second(signer=issued(by=authority))


def _trusting(chain: Sequence[bytes], authority: fake.Authority) -> Root:
    def trusted(root: Document) -> None:
        root["certificateAuthorities"][0]["certChain"] = {
            "certificates": [{"rawBytes": fake.b64(each)} for each in chain]
        }
        log = root["ctlogs"][0]
        log["publicKey"]["rawBytes"] = fake.b64(fake.spki(authority.ct_key))
        log["logId"]["keyId"] = fake.b64(sha256(fake.spki(authority.ct_key)).digest())

    return trusted


# What a promise has: version 1, log 32, time 8, length of extensions 2, hash 1, signature 1, length 2, signature.


def _at(place: int, bits: int = 1) -> Callable[[bytes], bytes]:
    return lambda sct: sct[:place] + bytes([sct[place] ^ bits]) + sct[place + 1 :]


def _scts() -> Iterator[Case]:
    (others,) = signing_certificates.scts_of(parse_certificate(leaf().der))
    rows: list[tuple[str, Callable[[bytes], bytes], Code | None]] = [
        ("of another version", _at(0), Code.SCT),
        ("by a log of another name", _at(1), Code.SCT),
        ("of a millisecond later", _at(40), Code.SCT),
        ("with extensions that are not there", _at(42), Code.SCT),
        ("by another hash", _at(43, 2), Code.SCT),
        ("by another algorithm", _at(44, 2), Code.SCT),
        ("with another length", _at(46), Code.SCT),
        ("cut off", lambda sct: sct[:-1], Code.SCT),
        ("longer", lambda sct: sct + b"\0", Code.SCT),
        ("without a signature", lambda sct: sct[:45] + b"\0\0", Code.SCT),
        ("of another certificate", lambda sct: others, Code.SCT),
        ("empty", lambda sct: b"", Code.MALFORMED),
    ]
    for name, bend, code in rows:
        yield Case(f"sct: {name}", partial(_with_sct, bend), code)
    yield Case("sct: log retired before", second, Code.SCT, root=_window("ctlogs", -1))


def _stamps() -> Iterator[Case]:
    """Times that an authority has no certificate for: nobody believes them, whatever they are of."""
    for name, at in (
        ("before its certificate", fake.START - timedelta(days=1)),
        ("after its certificate", fake.START + timedelta(days=3001)),
    ):
        yield Case(f"timestamp: {name}", partial(_stamped_at, at), Code.TIMESTAMP)
    yield Case("timestamp: of the file and not of the signature", _stamped_payload, Code.TIMESTAMP)


def _stamped_at(at: datetime) -> Document:
    document = second()
    signature = b64decode(document["dsseEnvelope"]["signatures"][0]["sig"])
    return _with_stamp(document, SIGSTORE.stamps.stamp(signature, at))


def _stamped_payload() -> Document:
    document = second()
    payload = b64decode(document["dsseEnvelope"]["payload"])
    return _with_stamp(document, SIGSTORE.stamps.stamp(payload))


def _with_stamp(document: Document, stamp: bytes) -> Document:
    data = {"rfc3161Timestamps": [{"signedTimestamp": fake.b64(stamp)}]}
    document["verificationMaterial"]["timestampVerificationData"] = data
    return document


CERTIFIED: tuple[Case, ...] = (*_leaves(), *_above(), *_scts(), *_stamps())
