"""Timestamps: what counts, and everything that must not; made by other libraries than ours."""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha1, sha256
from typing import Any

import pytest
from asn1crypto import cms  # type: ignore[import-untyped]
from cryptography.x509.oid import ExtendedKeyUsageOID

from countermark.core import limits
from countermark.core.errors import Code, EvidenceError
from countermark.formats.trusted_root import Authority
from countermark.proofs import der, timestamps
from timestamp_forge import AT, END, LATER, STAMPING, START, Tsa

MESSAGE = b"a signature"
TSA = Tsa()
TRUSTED = (TSA.authority(),)


def refused(
    response: bytes, authorities: tuple[Authority, ...] = TRUSTED, message: bytes = MESSAGE
) -> EvidenceError:
    with pytest.raises(EvidenceError) as caught:
        timestamps.check(response, message, authorities)
    return caught.value


def set_attribute(kind: str, value: Any) -> Callable[[list[Any]], list[Any]]:
    """Replace a signed attribute by another value; None takes it out."""

    def change(found: list[Any]) -> list[Any]:
        kept = [each for each in found if each["type"].native != kind]
        if value is not None:
            kept.append(cms.CMSAttribute({"type": kind, "values": [value]}))
        return kept

    return change


# What counts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "rsa", "ed25519"])
@pytest.mark.parametrize("imprint", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_keys_and_hashes(kind: str, imprint: str, hash_name: str) -> None:
    tsa = Tsa(kind)
    response = tsa.stamp(MESSAGE, imprint=imprint, hash_name=hash_name)
    found = timestamps.check(response, MESSAGE, (tsa.authority(),))
    assert (found.time, found.authority, found.serial, found.nonce) == (AT, 0, 7, None)


@pytest.mark.parametrize(
    ("info", "nonce"),
    [
        ({"nonce": 99}, 99),
        ({"nonce": -1}, -1),
        ({"accuracy": {"seconds": 1}, "ordering": True, "nonce": 5}, 5),
        ({"extensions": [{"extn_id": "1.2.3", "critical": False, "extn_value": b"x"}]}, None),
    ],
)
def test_optional_parts(info: dict[str, Any], nonce: int | None) -> None:
    response = TSA.stamp(MESSAGE, info=TSA.info(MESSAGE, **info).dump())
    assert timestamps.check(response, MESSAGE, TRUSTED).nonce == nonce


def test_modified_is_granted() -> None:
    found = timestamps.check(TSA.stamp(MESSAGE, status="granted_with_mods"), MESSAGE, TRUSTED)
    assert found.time == AT


@pytest.mark.parametrize("algorithm", ["rsassa_pkcs1v15", "ecdsa"])
def test_signature_algorithm_without_a_hash(algorithm: str) -> None:
    """Many name the key alone; the digest algorithm says which hash."""
    tsa = Tsa("rsa" if algorithm.startswith("rsa") else "P-256")
    oid = {"rsassa_pkcs1v15": "1.2.840.113549.1.1.1", "ecdsa": "1.2.840.10045.2.1"}[algorithm]
    response = tsa.stamp(MESSAGE)
    named = {"rsa": "1.2.840.113549.1.1.11", "P-256": "1.2.840.10045.4.3.2"}
    old = der.oid(named["rsa" if "rsa" in algorithm else "P-256"])
    bent = rewritten(response, old, der.oid(oid))
    assert timestamps.check(bent, MESSAGE, (tsa.authority(),)).time == AT


def rewritten(content: bytes, old: bytes, new: bytes) -> bytes:
    """Replace an element wherever it stands, and write the lengths around it anew."""
    assert old in content
    reader = der.DerReader(content)
    parts = []
    while reader.next_tag() != -1:
        tag, inside, whole = reader.element()
        if whole == old:
            parts.append(new)
        elif tag & 0x20 and old in inside:
            parts.append(der.tlv(tag, rewritten(inside, old, new)))
        else:
            parts.append(whole)
    return b"".join(parts)


def test_embedded_certificate() -> None:
    for embedded in (TSA.chain[:1], TSA.chain, TSA.chain[::-1]):
        response = TSA.stamp(MESSAGE, certificates=embedded)
        assert timestamps.check(response, MESSAGE, TRUSTED).time == AT


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_named_certificate_with_issuer(hash_name: str) -> None:
    value = TSA.signing_certificate(hash_name, issuer_serial=TSA.issuer_serial())
    response = TSA.stamp(MESSAGE, attributes=set_attribute("signing_certificate_v2", value))
    assert timestamps.check(response, MESSAGE, TRUSTED).time == AT


def test_fractions_of_a_second() -> None:
    time = AT + timedelta(microseconds=120_000)
    response = TSA.stamp(MESSAGE, info=TSA.info(MESSAGE, time).dump())
    assert timestamps.check(response, MESSAGE, TRUSTED).time == time


@pytest.mark.parametrize("at", [START, END, AT])
def test_life_of_certificates_includes_both_ends(at: datetime) -> None:
    assert timestamps.check(TSA.stamp(MESSAGE, at), MESSAGE, TRUSTED).time == at


def test_window_includes_both_ends() -> None:
    response = TSA.stamp(MESSAGE)
    assert timestamps.check(response, MESSAGE, (TSA.authority(AT, AT),)).time == AT
    assert timestamps.check(response, MESSAGE, (TSA.authority(None, None),)).time == AT


def test_second_entry_of_an_authority_continues_the_first() -> None:
    """An authority that is listed for several times is one, whichever entry a time falls into."""
    entries = (TSA.authority(START, AT - LATER), TSA.authority(AT, None))
    assert timestamps.check(TSA.stamp(MESSAGE), MESSAGE, entries).authority == 0


def test_broken_neighbours() -> None:
    """An authority that cannot be read vouches for nothing, and stops nobody."""
    broken = TSA.authority().replace(certificates=(b"junk", *TSA.chain[1:]))
    none = TSA.authority().replace(certificates=())
    found = timestamps.check(TSA.stamp(MESSAGE), MESSAGE, (broken, none, *TRUSTED))
    assert found.authority == 2


def test_many_authorities() -> None:
    """More than are remembered: each is still judged by itself."""
    for number in range(70):
        tsa = Tsa(called=f"tsa {number}", key=TSA.key)
        assert timestamps.check(tsa.stamp(MESSAGE), MESSAGE, (tsa.authority(),)).time == AT


# What does not -----------------------------------------------------------------------------------------------

BENT: dict[str, tuple[dict[str, Any], Code]] = {
    "rejected": ({"status": "rejection"}, Code.TIMESTAMP),
    "waiting": ({"status": "waiting"}, Code.TIMESTAMP),
    "revocation warning": ({"status": "revocation_warning"}, Code.TIMESTAMP),
    "other content type": ({"content_type": "data"}, Code.MALFORMED),
    "no content type": ({"attributes": set_attribute("content_type", None)}, Code.TIMESTAMP),
    "signed as data": ({"attributes": set_attribute("content_type", "data")}, Code.TIMESTAMP),
    "no digest": ({"attributes": set_attribute("message_digest", None)}, Code.TIMESTAMP),
    "other digest": (
        {"attributes": set_attribute("message_digest", bytes(32))},
        Code.TIMESTAMP,
    ),
    "no named certificate": (
        {"attributes": set_attribute("signing_certificate_v2", None)},
        Code.TIMESTAMP,
    ),
    "other named certificate": (
        {
            "attributes": set_attribute(
                "signing_certificate_v2", TSA.signing_certificate(cert_hash=bytes(32))
            )
        },
        Code.TIMESTAMP,
    ),
    "named by a weak hash": (
        {
            "attributes": set_attribute(
                "signing_certificate_v2",
                TSA.signing_certificate(
                    hash_algorithm={"algorithm": "sha1"}, cert_hash=sha1(TSA.chain[0]).digest()
                ),
            )
        },
        Code.NOT_SUPPORTED,
    ),
    "named with another number": (
        {
            "attributes": set_attribute(
                "signing_certificate_v2",
                TSA.signing_certificate(issuer_serial=TSA.issuer_serial(5)),
            )
        },
        Code.TIMESTAMP,
    ),
    "attribute twice": ({"attributes": lambda found: [*found, found[0]]}, Code.MALFORMED),
    "too many attributes": (
        {
            "attributes": lambda found: [
                *found,
                *(cms.CMSAttribute({"type": f"1.2.{n}", "values": []}) for n in range(3, 30)),
            ]
        },
        Code.MALFORMED,
    ),
    "weak digest": ({"hash_name": "sha1"}, Code.NOT_SUPPORTED),
    "two hashes": ({"algorithm": "sha512_ecdsa"}, Code.MALFORMED),
    "unknown algorithm": ({"algorithm": "sha1_ecdsa"}, Code.NOT_SUPPORTED),
    "another method": ({"algorithm": "sha256_rsa"}, Code.TIMESTAMP),
    "another's key": ({"key": Tsa().key}, Code.TIMESTAMP),
    "another's certificate": ({"certificates": Tsa().chain}, Code.TIMESTAMP),
    "only the root": ({"certificates": TSA.chain[1:]}, Code.TIMESTAMP),
    "too many certificates": ({"certificates": TSA.chain[:1] * 33}, Code.TOO_LARGE),
    "no signer": ({"change": lambda parts: parts | {"signer_infos": []}}, Code.MALFORMED),
    "two signers": (
        {"change": lambda parts: parts | {"signer_infos": parts["signer_infos"] * 2}},
        Code.MALFORMED,
    ),
    "version of plain data": (
        {"change": lambda parts: parts | {"version": "v1"}},
        Code.NOT_SUPPORTED,
    ),
    "another hash announced": (
        {"change": lambda parts: parts | {"digest_algorithms": [{"algorithm": "sha512"}]}},
        Code.MALFORMED,
    ),
    "before the certificate": ({"at": START - LATER}, Code.TIMESTAMP),
    "after the certificate": ({"at": END + LATER}, Code.TIMESTAMP),
    "weak imprint": (
        {
            "info": TSA.info(
                MESSAGE,
                message_imprint={
                    "hash_algorithm": {"algorithm": "sha1"},
                    "hashed_message": sha1(MESSAGE).digest(),
                },
            ).dump()
        },
        Code.NOT_SUPPORTED,
    ),
    "imprint of another length": (
        {
            "info": TSA.info(
                MESSAGE,
                message_imprint={
                    "hash_algorithm": {"algorithm": "sha256"},
                    "hashed_message": sha256(MESSAGE).digest()[:-1],
                },
            ).dump()
        },
        Code.TIMESTAMP,
    ),
    "critical extension": (
        {
            "info": TSA.info(
                MESSAGE,
                extensions=[{"extn_id": "1.2.3", "critical": True, "extn_value": b"x"}],
            ).dump()
        },
        Code.NOT_SUPPORTED,
    ),
    "content that is no timestamp": ({"info": der.sequence()}, Code.MALFORMED),
}


@pytest.mark.parametrize("case", BENT)
def test_bent(case: str) -> None:
    bent, code = BENT[case]
    assert refused(TSA.stamp(MESSAGE, **bent)).code == code


def _signer(**changes: Any) -> dict[str, Any]:
    def change(signer: Any) -> Any:
        for name, value in changes.items():
            signer[name] = value
        return signer

    return {"change_signer": change}


SIGNERS: dict[str, tuple[dict[str, Any], Code]] = {
    "named by its key": (
        _signer(sid=cms.SignerIdentifier(name="subject_key_identifier", value=b"12345678")),
        Code.NOT_SUPPORTED,
    ),
    "another number": (
        _signer(
            sid=cms.SignerIdentifier(
                {
                    "issuer_and_serial_number": {
                        "issuer": TSA.issuer_serial()["issuer"][0].chosen,
                        "serial_number": 5,
                    }
                }
            )
        ),
        Code.TIMESTAMP,
    ),
    "version of a key's name": (_signer(version="v3"), Code.NOT_SUPPORTED),
    "no attributes": (_signer(signed_attrs=None), Code.MALFORMED),
    "no signature": (_signer(signature=b""), Code.TIMESTAMP),
    "signature of something else": (
        _signer(signature=b"\x30\x06\x02\x01\x01\x02\x01\x01"),
        Code.TIMESTAMP,
    ),
}


@pytest.mark.parametrize("case", SIGNERS)
def test_bent_signer(case: str) -> None:
    bent, code = SIGNERS[case]
    assert refused(TSA.stamp(MESSAGE, **bent)).code == code


def test_unsigned_attributes_change_nothing() -> None:
    attribute = cms.CMSAttribute({"type": "signing_time", "values": [cms.Time({"utc_time": END})]})
    response = TSA.stamp(MESSAGE, **_signer(unsigned_attrs=[attribute]))
    assert timestamps.check(response, MESSAGE, TRUSTED).time == AT


def test_another_message() -> None:
    assert refused(TSA.stamp(MESSAGE), message=b"another").code == Code.TIMESTAMP


def test_altered_content() -> None:
    """The time in the content is bent, and the digest attribute with it: the signature tells."""
    response = TSA.stamp(MESSAGE)
    old, new = TSA.info(MESSAGE).dump(), TSA.info(MESSAGE, AT + LATER).dump()
    bent = response.replace(old, new).replace(sha256(old).digest(), sha256(new).digest())
    assert refused(response.replace(old, new)).code == Code.TIMESTAMP
    assert str(refused(bent)) == "timestamp has a wrong signature"


AUTHORITIES: dict[str, dict[str, Any]] = {
    "no purpose": {"usages": ()},
    "another purpose": {"usages": (ExtendedKeyUsageOID.CODE_SIGNING,)},
    "two purposes": {"usages": (STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)},
    "purpose not critical": {"critical": False},
    "a CA": {"is_ca": True},
    "root expired": {"root_end": AT - LATER},
    "leaf expired": {"end": AT - LATER},
    "leaf not yet": {"start": AT + LATER},
}


@pytest.mark.parametrize("case", AUTHORITIES)
def test_authority_that_may_not(case: str) -> None:
    tsa = Tsa(**AUTHORITIES[case])
    assert refused(tsa.stamp(MESSAGE), (tsa.authority(),)).code == Code.TIMESTAMP


@pytest.mark.parametrize(
    "authority",
    [
        TSA.authority(AT + LATER, None),
        TSA.authority(None, AT - LATER),
        TSA.authority().replace(certificates=TSA.chain[:1]),
        TSA.authority().replace(certificates=(TSA.chain[0], Tsa().chain[1])),
        TSA.authority().replace(certificates=(TSA.chain[0], b"junk")),
    ],
    ids=["before its time", "after its time", "no root", "another root", "broken root"],
)
def test_authority_out_of_place(authority: Authority) -> None:
    assert refused(TSA.stamp(MESSAGE), (authority,)).code == Code.TIMESTAMP


def test_chain_is_judged_at_each_time() -> None:
    """That a chain held at one time says nothing of another."""
    tsa = Tsa(end=AT)
    trusted = (tsa.authority(),)
    assert timestamps.check(tsa.stamp(MESSAGE), MESSAGE, trusted).time == AT
    assert refused(tsa.stamp(MESSAGE, AT + LATER), trusted).code == Code.TIMESTAMP


def test_nobody_is_trusted() -> None:
    assert refused(TSA.stamp(MESSAGE), ()).code == Code.TIMESTAMP
    assert refused(TSA.stamp(MESSAGE), (Tsa().authority(),)).code == Code.TIMESTAMP


def test_same_name_other_key() -> None:
    """Whoever copies an authority's name and number still lacks its key."""
    number = TSA.leaf.serial_number
    forged = Tsa(serial=number)
    assert refused(forged.stamp(MESSAGE)).code == Code.TIMESTAMP


# Malformed -----------------------------------------------------------------------------------------------------

GOOD = TSA.stamp(MESSAGE)
_INFO = TSA.info(MESSAGE).dump()
MALFORMED = {
    "nothing": b"",
    "junk": b"junk",
    "something left over": GOOD + b"\0",
    "cut off": GOOD[:-1],
    "no token": der.sequence(der.sequence(der.integer(0))),
    "not signed data": der.sequence(
        der.sequence(der.integer(0)),
        der.sequence(der.oid("1.2.840.113549.1.7.1"), der.tlv(0xA0, der.tlv(4, b"x"))),
    ),
    "null with contents": rewritten(
        GOOD, der.oid("2.16.840.1.101.3.4.2.1"), der.oid("2.16.840.1.101.3.4.2.1") + b"\x05\x01x"
    ),
    "text and failure": rewritten(
        GOOD, der.sequence(der.integer(0)), der.sequence(der.integer(0), der.integer(0))
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(case: str) -> None:
    assert refused(MALFORMED[case]).code == Code.MALFORMED


def test_words_of_a_status_are_for_people() -> None:
    text = der.sequence(der.integer(0), der.sequence(der.tlv(0x0C, b"fine")), der.bits(b"\0"))
    response = rewritten(GOOD, der.sequence(der.integer(0)), text)
    assert timestamps.check(response, MESSAGE, TRUSTED).time == AT


def test_too_long() -> None:
    assert refused(bytes(limits.SIGNED_TIMESTAMP_BYTES + 1)).code == Code.TOO_LARGE


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"Z",
        b"20261120103000",
        b"20261120103000+0000Z",
        b"202611201030Z",
        b"20261120103000.Z",
        b"20261120103000.10Z",
        b"20261120103000,1Z",
        b"2026112010300aZ",
        b"20261120103000.1aZ",
        b"20261320103000Z",
        b"20261120103060Z",
        b"00001120103000Z",
    ],
)
def test_malformed_times(raw: bytes) -> None:
    """RFC 3161, 2.4.2: with seconds, in UTC, no zeros at the end of a fraction."""
    old = der.tlv(0x18, AT.strftime("%Y%m%d%H%M%SZ").encode())
    info = rewritten(_INFO, old, der.tlv(0x18, raw))
    assert refused(TSA.stamp(MESSAGE, info=info)).code == Code.MALFORMED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (der.integer(1), der.integer(2)),
        (der.integer(7), der.integer(7) + der.tlv(4, b"")),
    ],
)
def test_malformed_info(old: bytes, new: bytes) -> None:
    info = rewritten(_INFO, old, new)
    assert refused(TSA.stamp(MESSAGE, info=info)).code in (Code.MALFORMED, Code.NOT_SUPPORTED)


# Several ---------------------------------------------------------------------------------------------------------


def test_two_of_one_authority_count_once() -> None:
    first, second = TSA.stamp(MESSAGE, AT + LATER), TSA.stamp(MESSAGE)
    (found,) = timestamps.check_all((first, second), MESSAGE, TRUSTED)
    assert found.time == AT + LATER  # the first, as sigstore-go has it


def test_two_entries_of_one_authority_count_once() -> None:
    entries = (TSA.authority(START, AT), TSA.authority(AT + LATER, None))
    stamps = (TSA.stamp(MESSAGE), TSA.stamp(MESSAGE, AT + LATER))
    assert len(timestamps.check_all(stamps, MESSAGE, entries)) == 1


def test_two_certificates_of_one_key_count_once() -> None:
    again = Tsa(called="another name", key=TSA.key)
    entries = (TSA.authority(), again.authority())
    stamps = (TSA.stamp(MESSAGE), again.stamp(MESSAGE))
    assert [each.authority for each in timestamps.check_all(stamps, MESSAGE, entries)] == [0]


def test_two_authorities_in_the_order_of_time() -> None:
    other = Tsa()
    stamps = (b"junk", TSA.stamp(MESSAGE, AT + LATER), other.stamp(MESSAGE))
    found = timestamps.check_all(stamps, MESSAGE, (TSA.authority(), other.authority()))
    assert [(each.time, each.authority) for each in found] == [(AT, 1), (AT + LATER, 0)]


@pytest.mark.parametrize(
    ("stamps", "code"),
    [
        ((), Code.NO_TIMESTAMP),
        ((GOOD, b"junk"), None),
        ((b"junk",), Code.MALFORMED),
        ((b"junk", Tsa().stamp(MESSAGE)), Code.TIMESTAMP),
        ((GOOD,) * (limits.SIGNED_TIMESTAMPS + 1), Code.TOO_LARGE),
    ],
)
def test_fails_closed(stamps: tuple[bytes, ...], code: Code | None) -> None:
    if code is None:
        assert timestamps.check_all(stamps, MESSAGE, TRUSTED)
        return
    with pytest.raises(EvidenceError) as caught:
        timestamps.check_all(stamps, MESSAGE, TRUSTED)
    assert caught.value.code == code
