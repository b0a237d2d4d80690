"""Whatever bytes and words stand for a key: an answer, or one of our errors."""

import contextlib
import json
from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

import world
from countermark.adapters import pkcs11_uri
from countermark.adapters.http_client import HttpClient
from countermark.adapters.key_references import KeyReferences, Secrets
from countermark.core.errors import CountermarkError, InputError, KeyAccessError, MalformedError
from countermark.proofs import cosign_key_files, cosign_keys, public_keys, signing_keys
from countermark.proofs.pem import Block
from examples import examples

TYPES = st.sampled_from(
    [
        *cosign_key_files.TYPES,
        *(f"{kind}PRIVATE KEY" for kind in ("", "EC ", "RSA ")),
        *("PUBLIC KEY", "RSA PUBLIC KEY", "EC PARAMETERS"),
    ]
)
KEYS = [signing_keys.generate(name) for name in ("ecdsa-p256", "rsa-2048", "ed25519")]
CONTENTS = st.binary(max_size=200) | st.sampled_from([key.to_pkcs8() for key in KEYS])
TEXTS = st.binary(max_size=300) | st.builds(
    lambda kind, content: Block(type=kind, content=content).encode(), TYPES, CONTENTS
)
BASE64 = st.binary(max_size=40).map(lambda content: b64encode(content).decode()) | st.text(
    max_size=8
)
VALUES = st.none() | st.integers(0, 1 << 17) | BASE64


@examples(300)
@given(TEXTS)
def test_key_files(text: bytes) -> None:
    for read in (cosign_key_files.parse, cosign_keys.import_pem):
        with contextlib.suppress(KeyAccessError):
            read(text)
    with contextlib.suppress(MalformedError):
        public_keys.parse(text)


@examples(200)
@given(
    st.fixed_dictionaries({"N": VALUES, "r": VALUES, "p": VALUES}), VALUES, VALUES, VALUES, VALUES
)
def test_encrypted_keys(
    params: dict[str, object], salt: object, nonce: object, name: object, sealed: object
) -> None:
    document = {
        "kdf": {"name": name or "scrypt", "params": params, "salt": salt},
        "cipher": {"name": "nacl/secretbox", "nonce": nonce},
        "ciphertext": sealed,
    }
    text = Block(type=cosign_key_files.TYPES[0], content=json.dumps(document).encode()).encode()
    with contextlib.suppress(KeyAccessError):
        found = cosign_key_files.parse(text)
        assert found.rounds in (32768, 65536, 131072)


@examples(300)
@given(st.text(alphabet=st.characters(), max_size=60), st.booleans())
def test_uris_of_tokens(text: str, prefixed: bool) -> None:
    uri = f"pkcs11:token=t;{text}" if prefixed else text
    with contextlib.suppress(InputError, KeyAccessError):
        found = pkcs11_uri.parse(uri, {"COSIGN_PKCS11_MODULE_PATH": "/m.so"})
        assert found.label or found.id


SCHEMES = st.sampled_from(
    ["", "env://", "k8s://", "pkcs11:", "awskms://", "gcpkms://", "azurekms://", "hashivault://", "foo://", "http://"]
)  # fmt: skip


@examples(300)
@given(SCHEMES, st.text(alphabet=st.characters(), max_size=40))
def test_references(scheme: str, rest: str) -> None:
    """Nothing here is a whole reference, and so nobody is asked for anything."""
    client = HttpClient()
    found = KeyReferences(client, {}, "/nonexistent", Secrets(lambda: b""), lambda: world.NOW)
    for ask in (found.public_key, found.signing_key, found.create):
        with contextlib.suppress(CountermarkError):
            ask(f"{scheme}{rest}")
    client.close()
