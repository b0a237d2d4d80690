"""Programs that keep keys, in the protocol of sigstore-kms-NAME."""

import hashlib
import json
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from countermark.adapters.key_plugins import PluginKeys
from countermark.core.errors import Code, CountermarkError, KeyAccessError, UnavailableError
from countermark.proofs import public_keys, signatures, signing_keys

# keeps its key in a file beside it, and notes what it was asked
PROGRAM = """#!{python}
import base64, json, os, sys
sys.path[:0] = {path!r}
from countermark.proofs import public_keys, signing_keys
here = os.path.dirname(os.path.abspath(__file__))
version, text = sys.argv[1:]
asked, message = json.loads(text), sys.stdin.buffer.read()
with open(here + "/asked", "a") as file:
    print(json.dumps([version, asked, message.decode("latin-1")]), file=file)
key = signing_keys.from_pkcs8(open(here + "/key", "rb").read())
text = lambda content: base64.b64encode(content).decode()
if asked["methodName"] == "defaultAlgorithm":
    print(json.dumps({{"defaultAlgorithm": {{"defaultAlgorithm": "best"}}}}))
elif asked["methodName"] == "createKey":
    assert asked["createKey"] == {{"algorithm": "best"}}
    print(json.dumps({{"createKey": {{"publicKeyPEM": text(public_keys.encode(key.public))}}}}))
elif asked["methodName"] == "publicKey":
    print(json.dumps({{"publicKey": {{"publicKeyPEM": text(public_keys.encode(key.public))}}}}))
else:
    options = asked["signMessage"]["signOptions"]["messageOptions"]
    digest = options.get("digest")
    made = key.sign_digest(base64.b64decode(digest)) if digest else key.sign(message)
    print(json.dumps({{"signMessage": {{"signature": text(made)}}}}))
sys.exit(3)  # says nothing
"""


def installed(folder: Path, script: str, name: str = "sigstore-kms-safe") -> PluginKeys:
    file = folder / name
    file.write_text(script)
    file.chmod(0o755)
    return PluginKeys({"PATH": str(folder)})


def with_key(folder: Path, algorithm: str) -> tuple[PluginKeys, signing_keys.LocalKey]:
    key = signing_keys.generate(algorithm)
    (folder / "key").write_bytes(key.to_pkcs8())
    return installed(folder, PROGRAM.format(python=sys.executable, path=sys.path)), key


def asked(folder: Path) -> list[list[object]]:
    return [json.loads(line) for line in (folder / "asked").read_text().splitlines()]


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "ed25519"])
def test_a_program_signs(tmp_path: Path, algorithm: str) -> None:
    plugins, key = with_key(tmp_path, algorithm)
    found = plugins.signing_key("safe://a key")
    assert found.public == key.public
    assert signatures.verify(key.public, b"message", found.sign(b"message"))
    digest = hashlib.new(signatures.hash_for(key.public), b"message").digest()
    if algorithm == "ed25519":
        with pytest.raises(KeyAccessError):
            found.sign_digest(digest)
    else:
        assert signatures.verify_digest(key.public, digest, found.sign_digest(digest))


def test_a_program_makes_a_key(tmp_path: Path) -> None:
    plugins, key = with_key(tmp_path, "ecdsa-p256")
    assert plugins.create("safe://new") == key.public


def test_what_a_program_is_asked(tmp_path: Path) -> None:
    plugins, _ = with_key(tmp_path, "ecdsa-p384")
    found = plugins.signing_key("safe://a key")
    found.sign(b"message")
    found.sign_digest(bytes(48))
    rpc = {"keyVersion": "", "remoteVerification": False}
    start = {"protocolVersion": "v1", "keyResourceID": "a key", "rpcOptions": rpc}
    public = {"methodName": "publicKey", "publicKey": {"publicKeyOptions": {"rpcOptions": rpc}}}

    def signs(options: dict[str, object]) -> dict[str, object]:
        inner = {"rpcOptions": rpc, "messageOptions": options}
        return {"methodName": "signMessage", "signMessage": {"signOptions": inner}}

    digest = b64encode(bytes(48)).decode()
    assert asked(tmp_path) == [
        ["v1", {"initOptions": start | {"hashFunc": 5}} | public, ""],
        ["v1", {"initOptions": start | {"hashFunc": 6}} | signs({"hashFunc": 6}), "message"],
        [
            "v1",
            {"initOptions": start | {"hashFunc": 6}} | signs({"digest": digest, "hashFunc": 6}),
            "",
        ],
    ]


def test_which_program(tmp_path: Path) -> None:
    plugins = installed(tmp_path, "#!/bin/sh\n")
    assert plugins.program("safe://x") == str(tmp_path / "sigstore-kms-safe")
    for reference in ("other://x", "://x", "../safe://x", "a/../safe://x", "sa fe://x"):
        assert not plugins.program(reference)


PEM = b64encode(public_keys.encode(signing_keys.generate().public)).decode()


@pytest.mark.parametrize(
    ("printed", "kind", "code"),
    [
        ('{"errorMessage": "no\\tway"}', KeyAccessError, Code.REFUSED),
        ("", UnavailableError, Code.MALFORMED),
        ("nonsense", UnavailableError, Code.MALFORMED),
        ("{}", UnavailableError, Code.MALFORMED),
        ('{"publicKey": {"publicKeyPEM": "*"}}', UnavailableError, Code.MALFORMED),
        ('{"publicKey": {"publicKeyPEM": "AAAA"}}', KeyAccessError, Code.MALFORMED),
        (f'{{"errorMessage": "", "publicKey": {{"publicKeyPEM": "{PEM}"}}}}', UnavailableError, Code.MALFORMED),
    ],
)  # fmt: skip
def test_a_program_that_does_not_keep_to_it(
    tmp_path: Path, printed: str, kind: type[CountermarkError], code: Code
) -> None:
    plugins = installed(tmp_path, f"#!/bin/sh\n/bin/cat <<'END'\n{printed}\nEND\n")
    with pytest.raises(kind) as caught:
        plugins.signing_key("safe://x").sign(b"m")
    assert caught.value.code == code


def test_a_programs_refusal_is_told(tmp_path: Path) -> None:
    text = '{"errorMessage": "no\\tway"}'
    plugins = installed(tmp_path, f"#!/bin/sh\n/bin/cat <<'END'\n{text}\nEND\n")
    with pytest.raises(KeyAccessError, match="sigstore-kms-safe: plugin returned error: no way"):
        plugins.public_key("safe://x")


def test_a_program_that_signs_with_another_key(tmp_path: Path) -> None:
    plugins, _ = with_key(tmp_path, "ecdsa-p256")
    found = plugins.signing_key("safe://x")
    (tmp_path / "key").write_bytes(signing_keys.generate().to_pkcs8())
    with pytest.raises(KeyAccessError) as caught:
        found.sign(b"m")
    assert caught.value.code == Code.BAD_SIGNATURE
