"""Extensions as bytes: what can be read, and what is refused."""

from collections.abc import Callable

import pytest

import mint
from countermark.core.errors import ChainError, MalformedError
from countermark.proofs import certificate_extensions as extensions
from countermark.proofs import certificate_signatures, der, spki, x509
from countermark.proofs.certificate_extensions import CaLimits, Name, NameConstraints
from countermark.proofs.x509 import Certificate, Extension

PLAIN = mint.leaf(mint.make("root")).ours.replace(extensions=(), is_ca=False)


def having(kind: bytes, value: str, *, is_ca: bool = False) -> Certificate:
    extension = Extension(kind=kind, critical=True, value=bytes.fromhex(value))
    return PLAIN.replace(extensions=(extension,), is_ca=is_ca)


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        ("03020780", {0}),
        ("03020106", {5, 6}),
        ("030205a0", {0, 2}),
        ("03020000", set()),
        ("0303070080", {8}),
    ],
)
def test_key_usage(value: str, bits: set[int]) -> None:
    assert extensions.key_usage(having(extensions.KEY_USAGE, value)) == frozenset(bits)


READERS: list[tuple[Callable[[Certificate], object], bytes, object]] = [
    (extensions.key_usage, extensions.KEY_USAGE, None),
    (extensions.purposes, extensions.PURPOSES, None),
    (extensions.ca_limits, extensions.BASIC_CONSTRAINTS, CaLimits()),
    (extensions.names, extensions.ALTERNATIVE_NAMES, ()),
    (extensions.name_constraints, extensions.NAME_CONSTRAINTS, NameConstraints()),
]


@pytest.mark.parametrize(("reader", "kind", "absent"), READERS)
def test_what_is_not_there(
    reader: Callable[[Certificate], object], kind: bytes, absent: object
) -> None:
    assert reader(PLAIN) == absent


@pytest.mark.parametrize(("reader", "kind", "absent"), READERS)
@pytest.mark.parametrize("value", ["", "00", "0500", "3080", "30820000", "04033003"])
def test_junk(
    reader: Callable[[Certificate], object], kind: bytes, absent: object, value: str
) -> None:
    with pytest.raises(MalformedError):
        reader(having(kind, value))


@pytest.mark.parametrize(
    ("reader", "kind", "value"),
    [
        (extensions.key_usage, extensions.KEY_USAGE, "0300"),
        (extensions.key_usage, extensions.KEY_USAGE, "030100"),
        (extensions.key_usage, extensions.KEY_USAGE, "03020880"),
        (extensions.key_usage, extensions.KEY_USAGE, "03020781"),
        (extensions.key_usage, extensions.KEY_USAGE, "03040080808000"),
        (extensions.key_usage, extensions.KEY_USAGE, "0302078000"),
        (extensions.purposes, extensions.PURPOSES, "3000"),
        (extensions.purposes, extensions.PURPOSES, "30020500"),
        (extensions.purposes, extensions.PURPOSES, "300406022a0300"),
        (extensions.ca_limits, extensions.BASIC_CONSTRAINTS, "30030201000500"),
        (extensions.ca_limits, extensions.BASIC_CONSTRAINTS, "3003020100"),
        (extensions.ca_limits, extensions.BASIC_CONSTRAINTS, "30030101ff"),
        (extensions.ca_limits, extensions.BASIC_CONSTRAINTS, "30050500020100"),
        (extensions.names, extensions.ALTERNATIVE_NAMES, "3000"),
        (extensions.names, extensions.ALTERNATIVE_NAMES, "3003810161ff"),
        (extensions.name_constraints, extensions.NAME_CONSTRAINTS, "3000"),
        (extensions.name_constraints, extensions.NAME_CONSTRAINTS, "3002a000"),
        # a minimum of zero is the default, and none of RFC 5280's certificates has another
        (extensions.name_constraints, extensions.NAME_CONSTRAINTS, "300aa0083006810161800100"),
        (extensions.name_constraints, extensions.NAME_CONSTRAINTS, "3002a200"),
    ],
)
def test_malformed(reader: Callable[[Certificate], object], kind: bytes, value: str) -> None:
    with pytest.raises(MalformedError):
        reader(having(kind, value))


@pytest.mark.parametrize(
    ("value", "is_ca", "expected"),
    [
        ("3000", False, CaLimits()),
        ("3003010100", False, CaLimits()),
        ("30030101ff", True, CaLimits(is_ca=True)),
        ("30060101ff020103", True, CaLimits(is_ca=True, below=3)),
    ],
)
def test_basic_constraints(value: str, is_ca: bool, expected: CaLimits) -> None:
    found = extensions.ca_limits(having(extensions.BASIC_CONSTRAINTS, value, is_ca=is_ca))
    assert found == expected


def test_names_of_every_kind() -> None:
    found = extensions.names(having(extensions.ALTERNATIVE_NAMES, "3006810161820162"))
    assert found == (Name(kind=0x81, content=b"a"), Name(kind=0x82, content=b"b"))


def test_constraints() -> None:
    raw = "3010a00630048102612ea106300482022e62"
    found = extensions.name_constraints(having(extensions.NAME_CONSTRAINTS, raw))
    assert found.permitted == (Name(kind=0x81, content=b"a."),)
    assert found.excluded == (Name(kind=0x82, content=b".b"),)


# Algorithms ---------------------------------------------------------------------------------------------

SHA256, SHA384, SHA1 = "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2", "1.3.14.3.2.26"
MGF1, NULL = "1.2.840.113549.1.1.8", der.tlv(der.NULL)


def pss(
    hash_oid: str, mask: str = MGF1, mask_hash: str = "", salt: int = 32, last: bytes = b""
) -> bytes:
    hashing = der.sequence(der.oid(hash_oid), NULL)
    masking = der.sequence(der.oid(mask_hash or hash_oid), NULL)
    return der.sequence(
        der.oid("1.2.840.113549.1.1.10"),
        der.sequence(
            der.tlv(der.context(0), hashing),
            der.tlv(der.context(1), der.sequence(der.oid(mask), masking)),
            der.tlv(der.context(2), der.integer(salt)),
            last,
        ),
    )


def test_pss() -> None:
    found = certificate_signatures.algorithm(pss(SHA256))
    assert (found.kind, found.hash_name, found.pss) == ("rsa", "sha256", True)


@pytest.mark.parametrize(
    "identifier",
    [
        pss(SHA1, salt=20),
        pss(SHA256, mask="1.2.3"),
        pss(SHA256, mask_hash=SHA384),
        pss(SHA256, salt=20),
        pss(SHA384),
        pss(SHA256, last=der.tlv(der.context(3), der.integer(1))),
        pss(SHA256, last=b"\0"),
        der.sequence(der.oid("1.2.840.113549.1.1.10")),
        der.sequence(der.oid("1.2.840.113549.1.1.10"), der.sequence()),
        der.sequence(der.oid("1.2.840.113549.1.1.5"), NULL),  # SHA-1
        der.sequence(der.oid("1.2.840.113549.1.1.4"), NULL),  # MD5
        der.sequence(der.oid("1.2.840.113549.1.1.11")),  # without its NULL
        der.sequence(der.oid("1.2.840.10045.4.1")),  # ECDSA with SHA-1
        der.sequence(der.oid("1.2.840.10045.4.3.1")),  # ECDSA with SHA-224
        der.sequence(der.oid("1.2.840.10045.4.3.2"), NULL),
        der.sequence(der.oid("1.3.101.113")),  # Ed448
        b"",
        b"junk",
    ],
    ids=range(18),
)
def test_algorithms_that_do_not_count(identifier: bytes) -> None:
    with pytest.raises(ChainError, match="does not count"):
        certificate_signatures.algorithm(identifier)


def test_a_pss_hash_may_come_without_its_null() -> None:
    sha = der.oid(SHA256)
    masking = der.sequence(der.oid(MGF1), der.sequence(sha))
    identifier = der.sequence(
        der.oid("1.2.840.113549.1.1.10"),
        der.sequence(
            der.tlv(der.context(0), der.sequence(sha)),
            der.tlv(der.context(1), masking),
            der.tlv(der.context(2), der.integer(32)),
        ),
    )
    assert certificate_signatures.algorithm(identifier).pss


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "ed25519", "rsa2048"])
def test_what_we_write_is_what_we_read(kind: str) -> None:
    key = spki.parse(mint.spki(mint.key(kind)))
    found = certificate_signatures.algorithm(certificate_signatures.identifier(key))
    assert found.kind == key.kind
    assert mint.make(
        "x", private=mint.key(kind)
    ).ours.algorithm == certificate_signatures.identifier(key)


def test_no_algorithm_for_a_curve_that_nobody_uses() -> None:
    with pytest.raises(MalformedError):
        certificate_signatures.identifier(spki.parse(mint.spki(mint.key("P-224"))))


# The certificate around them ----------------------------------------------------------------------------


def test_extensions_of_a_certificate() -> None:
    made = mint.make("x")
    found = x509.parse(made.der)
    assert found.version == 3
    assert found.body == made.theirs.tbs_certificate_bytes
    assert found.signature == made.theirs.signature
    assert found.extension(extensions.KEY_USAGE) is not None
    assert found.extension(b"nothing") is None


WHOLE = mint.make("x").der


def bent(old: str, new: str) -> bytes:
    """The certificate with one place changed, whose length stays."""
    before, after = bytes.fromhex(old), bytes.fromhex(new)
    assert WHOLE.count(before) >= 1
    assert len(before) == len(after)
    return WHOLE.replace(before, after, 1)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("a003020102", "a003020103", "unknown version"),
        ("a003020102", "a0030201ff", "unknown version"),
        ("0603551d130101ff", "0603551d13010101", "neither true nor false"),
        ("0603551d130101ff", "0603551d13010100", ""),  # an explicit FALSE, which Go takes too
    ],
)
def test_certificates_bent_in_one_place(old: str, new: str, match: str) -> None:
    if not match:
        assert not any(e.critical for e in x509.parse(bent(old, new)).extensions[1:2])
        return
    with pytest.raises(MalformedError, match=match):
        x509.parse(bent(old, new))


def test_an_older_certificate_says_no_version() -> None:
    reader = der.DerReader(WHOLE).sequence()
    body = reader.take(der.SEQUENCE)
    _, _, algorithm = reader.element()
    signature = reader.bits()
    fields = der.DerReader(body)
    fields.skip(der.context(0))
    kept = []
    while fields.next_tag() not in (-1, der.context(3)):
        kept.append(fields.element()[2])
    old = der.sequence(der.sequence(*kept), algorithm, der.bits(signature))
    found = x509.parse(old)
    assert (found.version, found.extensions, found.is_ca) == (1, (), False)


def test_a_body_that_is_none() -> None:
    with pytest.raises(MalformedError, match="no body"):
        x509.parse(der.sequence(der.tlv(der.SET, b""), der.sequence(), der.bits(b"")))


def test_an_extension_twice() -> None:
    made = mint.make("x")
    name = x509.parse(made.der)
    twice = name.extensions[0]
    raw = der.sequence(der.tlv(der.OID, twice.kind), der.tlv(der.OCTET_STRING, twice.value))
    reader = der.DerReader(made.der).sequence()
    fields = der.DerReader(reader.take(der.SEQUENCE))
    _, _, algorithm = reader.element()
    kept = []
    while fields.next_tag() != der.context(3):
        kept.append(fields.element()[2])
    kept.append(der.tlv(der.context(3), der.sequence(raw, raw)))
    with pytest.raises(MalformedError, match="an extension twice"):
        x509.parse(der.sequence(der.sequence(*kept), algorithm, der.bits(b"")))
