"""Signatures over whatever: what is signed verifies, what is changed does not, and nothing but a bool comes back."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings as sodium

from countermark.proofs import ed25519ph, signatures, signing_keys, spki
from examples import examples

KEYS = [signing_keys.generate(name) for name in ("ecdsa-p256", "ecdsa-p384", "rsa-2048", "ed25519")]
SEEDS = st.binary(min_size=32, max_size=32)


@examples(60)
@given(st.sampled_from(KEYS), st.binary(max_size=200), st.binary(min_size=1, max_size=8))
def test_what_is_signed_verifies(key: signing_keys.LocalKey, message: bytes, more: bytes) -> None:
    made = key.sign(message)
    assert signatures.verify(key.public, message, made)
    assert not signatures.verify(key.public, message + more, made)
    digest = hashlib.new(signatures.hash_for(key.public), message).digest()
    assert signatures.verify_digest(key.public, digest, key.sign_digest(digest))


@examples(200)
@given(
    st.sampled_from(KEYS),
    st.binary(max_size=300),
    st.sampled_from(["", "sha256", "sha384", "sha512", "md5"]),
    st.booleans(),
)
def test_no_bytes_are_a_signature_by_chance(
    key: signing_keys.LocalKey, junk: bytes, hash_name: str, pss: bool
) -> None:
    assert signatures.verify(key.public, b"m", junk, hash_name, pss=pss) is False
    assert signatures.verify_digest(key.public, junk, junk, hash_name, pss=pss) is False


@examples(60)
@given(SEEDS, st.binary(max_size=200))
def test_ed25519ph_is_what_libsodium_makes(seed: bytes, message: bytes) -> None:
    public, secret = sodium.crypto_sign_seed_keypair(seed)
    state = sodium.crypto_sign_ed25519ph_state()
    sodium.crypto_sign_ed25519ph_update(state, message)
    expected = sodium.crypto_sign_ed25519ph_final_create(state, secret)
    digest = hashlib.sha512(message).digest()
    assert ed25519ph.sign(seed, digest) == expected
    assert ed25519ph.verify(public, digest, expected)
    assert not ed25519ph.verify(public, hashlib.sha512(message + b".").digest(), expected)


@examples(150)
@given(
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=64, max_size=64),
    st.binary(min_size=64, max_size=64),
)
def test_ed25519ph_takes_nothing_by_chance(public: bytes, digest: bytes, junk: bytes) -> None:
    assert ed25519ph.verify(public, digest, junk) is False


@examples(60)
@given(SEEDS)
def test_every_key_is_read_as_a_point(seed: bytes) -> None:
    """The double-and-add in Python agrees with libsodium's for every key."""
    public, _ = sodium.crypto_sign_seed_keypair(seed)
    digest = hashlib.sha512(seed).digest()
    key = spki.of_ed25519(public)
    assert signatures.verify_digest(key, digest, ed25519ph.sign(seed, digest))
