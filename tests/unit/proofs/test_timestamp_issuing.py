"""Timestamps that we make, judged by OpenSSL, rfc3161-client and ourselves; and the queries for them."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from countermark.core.errors import Code, InputError, KeyAccessError
from countermark.formats.trusted_root import Authority
from countermark.proofs import cms, der, signing_keys, timestamps
from countermark.proofs import timestamp_queries as queries
from countermark.proofs.certificates import encode_pem
from countermark.proofs.timestamp_issuing import Stamper, issue_chain
from countermark.proofs.timestamp_queries import Query

NOW = datetime(2026, 11, 20, 10, 30, 5, 600_000, tzinfo=UTC)
MESSAGE = b"a signature"
KEYS = {
    name: signing_keys.generate(name)
    for name in ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048")
}
CHAINS = {name: issue_chain(key, "example", "stamps", NOW) for name, key in KEYS.items()}
STAMPER = Stamper(KEYS["ecdsa-p256"], CHAINS["ecdsa-p256"])
QUERY = queries.parse(queries.encode(MESSAGE))


def authority(chain: tuple[bytes, ...]) -> Authority:
    return Authority(
        organization="",
        common_name="",
        uri="https://tsa.example.test",
        certificates=chain,
        start=None,
    )


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("certificate", [True, False])
@pytest.mark.parametrize("nonce", [None, 0, 2**63])
def test_others_verify_them(
    kind: str, hash_name: str, certificate: bool, nonce: int | None, tmp_path: Path
) -> None:
    chain = CHAINS[kind]
    query = queries.encode(MESSAGE, hash_name, nonce=nonce, certificate=certificate)
    response = Stamper(KEYS[kind], chain).stamp(queries.parse(query), NOW)
    found = timestamps.check(response, MESSAGE, (authority(chain),))
    assert (found.time, found.nonce) == (NOW.replace(microsecond=0), nonce)
    assert (chain[0] in response) == certificate
    loaded = [x509.load_der_x509_certificate(each) for each in chain]
    verifier = VerifierBuilder().tsa_certificate(loaded[0]).add_root_certificate(loaded[1]).build()
    assert verifier.verify_message(decode_timestamp_response(response), MESSAGE)
    (tmp_path / "query").write_bytes(query)
    (tmp_path / "response").write_bytes(response)
    (tmp_path / "leaf").write_bytes(encode_pem(chain[0]))
    (tmp_path / "root").write_bytes(encode_pem(chain[1]))
    words = "openssl ts -verify -queryfile query -in response -CAfile root -untrusted leaf"
    done = subprocess.run(words.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "Verification: OK\n", done.stderr


def test_form() -> None:
    """What timestamp-server writes too: version, policy, accuracy, the authority's name."""
    data = cms.parse(STAMPER.stamp(QUERY, NOW)[9:])
    info = timestamps.parse_info(data.content)
    assert der.tlv(der.OID, info.policy) == der.oid("1.3.6.1.4.1.57264.2")
    assert data.content_type == timestamps.TST_INFO
    assert data.certificates == ()
    assert set(data.signer.attributes) == {
        der.oid(kind)[2:]
        for kind in (
            "1.2.840.113549.1.9.3",
            "1.2.840.113549.1.9.4",
            "1.2.840.113549.1.9.5",
            "1.2.840.113549.1.9.16.2.47",
        )
    }
    assert 2**158 <= info.serial < 2**159  # always of 20 bytes


def test_numbers_differ() -> None:
    stamps = [STAMPER.stamp(QUERY, NOW) for _ in range(20)]
    trusted = (authority(CHAINS["ecdsa-p256"]),)
    assert len({timestamps.check(each, MESSAGE, trusted).serial for each in stamps}) == 20


def test_imprint_and_nonce_are_repeated_as_they_came() -> None:
    """Without the NULL that others write, and with any number."""
    imprint = der.sequence(
        der.sequence(der.oid("2.16.840.1.101.3.4.2.1")),
        der.tlv(der.OCTET_STRING, timestamps.digest_of("sha256", MESSAGE)),
    )
    for nonce in (b"\x02\x01\xff", b"\x02\x10" + b"\x01" * 16):
        query = queries.parse(der.sequence(der.integer(1), imprint, nonce))
        response = STAMPER.stamp(query, NOW)
        assert imprint in response
        assert nonce in response


def test_after_2049() -> None:
    """Certificates and signing time change their form of time (RFC 5652, 11.3)."""
    now = datetime(2050, 1, 1, tzinfo=UTC)
    key = KEYS["ecdsa-p256"]
    chain = issue_chain(key, "example", "stamps", now)
    response = Stamper(key, chain).stamp(QUERY, now)
    assert timestamps.check(response, MESSAGE, (authority(chain),)).time == now


def test_another_zone_tells_the_same_time() -> None:
    from datetime import timezone

    there = NOW.astimezone(timezone(timedelta(hours=9)))
    response = STAMPER.stamp(QUERY, there)
    found = timestamps.check(response, MESSAGE, (authority(CHAINS["ecdsa-p256"]),))
    assert found.time == NOW.replace(microsecond=0)


# Refused --------------------------------------------------------------------------------------------------------


def test_another_key() -> None:
    with pytest.raises(KeyAccessError):
        Stamper(signing_keys.generate(), CHAINS["ecdsa-p256"])


def test_key_whose_timestamps_others_do_not_verify() -> None:
    key = signing_keys.generate("ed25519")
    with pytest.raises(KeyAccessError) as caught:
        Stamper(key, issue_chain(key, "example", "stamps", NOW))
    assert caught.value.code == Code.NOT_SUPPORTED


@pytest.mark.parametrize("away", [timedelta(days=-1), timedelta(days=4000)])
def test_nothing_is_stamped_outside_the_certificate(away: timedelta) -> None:
    with pytest.raises(KeyAccessError):
        STAMPER.stamp(QUERY, NOW + away)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (
            Query(imprint=QUERY.imprint, policy=b"\x2a\x03"),
            "unaccepted policy: requested TSA policy is not supported by the TSA",
        ),
        (
            Query(imprint=QUERY.imprint, is_extended=True),
            "unaccepted extension: requested extensions are not supported by the TSA",
        ),
    ],
)
def test_wishes_that_are_not_granted(query: Query, text: str) -> None:
    with pytest.raises(InputError) as caught:
        STAMPER.stamp(query, NOW)
    assert str(caught.value) == text


def test_own_policy() -> None:
    key = KEYS["ecdsa-p256"]
    stamper = Stamper(key, CHAINS["ecdsa-p256"], "1.2.3.4")
    policy = der.oid("1.2.3.4")[2:]
    response = stamper.stamp(QUERY.replace(policy=policy), NOW)
    assert timestamps.parse_info(cms.parse(response[9:]).content).policy == policy


# Queries ---------------------------------------------------------------------------------------------------------


@given(
    st.sampled_from(["sha256", "sha384", "sha512"]),
    st.none() | st.integers(0, 2**160),
    st.booleans(),
)
def test_what_is_asked_is_read(hash_name: str, nonce: int | None, wants: bool) -> None:
    found = queries.parse(queries.encode(MESSAGE, hash_name, nonce=nonce, certificate=wants))
    digest = timestamps.digest_of(hash_name, MESSAGE)
    assert found == Query(
        imprint=queries.imprint_of(hash_name, digest),
        nonce=b"" if nonce is None else der.integer(nonce),
        wants_certificate=wants,
    )
