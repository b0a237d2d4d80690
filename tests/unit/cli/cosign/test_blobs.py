"""Files signed and attested in this process: forms, places, and everything that must leave nothing behind."""

import json
from pathlib import Path

import pytest

from countermark.proofs import cosign_keys, public_keys, signing_keys
from playing import Play, both

pytestmark = pytest.mark.slow

EMPTY = b'{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}'
KEY = ("--key", "cosign.key")
NEW = (*KEY, "--signing-config", "empty.json", "--bundle", "b.json")
OLD = (*KEY, "--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false")
CHECK = ("--key", "cosign.pub", "--insecure-ignore-tlog")
STATED = ("--predicate", "predicate", "--type", "vuln")


@pytest.fixture
def keyed(folder: Path) -> Path:
    key = signing_keys.generate()
    (folder / "cosign.key").write_bytes(cosign_keys.encode(key, b"secret"))
    (folder / "cosign.pub").write_bytes(public_keys.encode(key.public))
    (folder / "empty.json").write_bytes(EMPTY)
    (folder / "blob").write_bytes(b"what is signed")
    (folder / "predicate").write_text('{"a": 1}')
    return folder


def test_every_form_verifies(play: Play, keyed: Path) -> None:
    status, out, err = play("sign-blob", *NEW, "blob", COSIGN_PASSWORD="secret")
    assert (status, out) == (0, ""), err
    assert err == "Using payload from: blob\nSigning artifact...\nWrote bundle to file b.json\n"
    assert (keyed / "b.json").stat().st_mode & 0o777 == 0o600
    assert play("verify-blob", *CHECK, "--bundle", "b.json", "blob")[0] == 0
    status, out, _ = play("sign-blob", *OLD, "blob", COSIGN_PASSWORD="secret")
    (keyed / "s").write_text(out)
    assert play("verify-blob", *CHECK, "--signature", "s", "blob")[0] == 0
    play(
        "sign-blob",
        *OLD,
        "--output-signature",
        "raw",
        "--b64=false",
        "blob",
        COSIGN_PASSWORD="secret",
    )
    assert (keyed / "raw").read_bytes()[0] == 0x30
    assert play("verify-blob", *CHECK, "--signature", "raw", "blob")[0] == 0


def test_every_form_of_attestations_verifies(play: Play, keyed: Path) -> None:
    verify = ("verify-blob-attestation", *CHECK, "--type", "vuln")
    assert play("attest-blob", *NEW, *STATED, "blob", COSIGN_PASSWORD="secret")[0] == 0
    assert play(*verify, "--bundle", "b.json", "blob")[0] == 0
    outputs = ("--output-signature", "s", "--output-attestation", "a", "--bundle", "o.json")
    assert play("attest-blob", *OLD, *STATED, *outputs, "blob", COSIGN_PASSWORD="secret")[0] == 0
    for given in (("--signature", "s"), ("--bundle", "o.json")):
        assert play(*verify, *given, "blob")[0] == 0
    statement = json.loads((keyed / "a").read_bytes())
    assert [each["name"] for each in statement["subject"]] == ["blob"]
    # and the statement is taken again as it is
    status, _, err = play("attest-blob", *NEW, "--statement", "a", "blob", COSIGN_PASSWORD="secret")
    assert status == 0, err
    assert play(*verify, "--bundle", "b.json", "blob")[0] == 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("sign-blob", *NEW, "blob", "predicate"), "--bundle takes the result of one file"),
        (("sign-blob", *KEY, "blob"), "must specify --bundle with --new-bundle-format"),
        (
            ("sign-blob", *KEY, "--signing-config", "empty.json", "--bundle", "none/b", "blob"),
            "signing blob: create bundle file: open none/b: no such file or directory",
        ),
        (
            ("sign-blob", *KEY, "--signing-config", "empty.json", "--bundle", ".", "blob"),
            "signing blob: create bundle file: open .: is a directory",
        ),
        (("sign-blob", *NEW, "none"), "signing none: getting payload: open none: no such file or directory"),
        (
            ("sign-blob", *OLD[:2], "--use-signing-config=false", "--bundle", "b.json", "blob"),
            "signing blob: upload to tlog: user declined the prompt",
        ),
        (("attest-blob", *NEW, *STATED, "blob", "more"), "accepts 1 arg(s), received 2"),
        (("attest-blob", *NEW, *STATED), "accepts 1 arg(s), received 0"),
        (("attest-blob", *NEW, *STATED[:3], "zz", "blob"), "invalid predicate type: zz"),
        (
            ("attest-blob", *NEW, *STATED, "--hash", "ab", "blob"),
            "unable to decode provided digest: not a sha256 in hex",
        ),
        (
            ("attest-blob", *NEW, "--predicate", "-", "-"),
            "standard input is either the file or the predicate",
        ),
        (
            ("attest-blob", *NEW, "--statement", "predicate"),
            "invalid statement: invalid statement: ",
        ),
        (
            ("attest-blob", *OLD, *STATED, "--output-certificate", "c", "blob"),
            "no certificate found in bundle",
        ),
        (
            ("sign-blob", "--key", "cosign.pub", *NEW[2:], "blob"),
            "signing blob: getting keypair and token: getting signer: reading key: unsupported pem type: PUBLIC KEY",
        ),
    ],
)  # fmt: skip
def test_what_goes_wrong_leaves_nothing(
    play: Play, keyed: Path, words: tuple[str, ...], text: str
) -> None:
    before = sorted(keyed.iterdir())
    status, _, err = play(*words, COSIGN_PASSWORD="secret")
    assert status == 1
    assert f"Error: {text}" in err
    assert sorted(keyed.iterdir()) == before


def test_a_wrong_password(play: Play, keyed: Path) -> None:
    status, out, err = play("sign-blob", *NEW, "blob", COSIGN_PASSWORD="wrong")
    key = "getting keypair and token: getting signer: reading key: "
    assert (status, out) == (1, "")
    assert err.startswith(both(f"signing blob: {key}decrypt: encrypted: decryption failed"))
    assert not (keyed / "b.json").exists()


def test_several_files_of_the_old_form_are_printed(play: Play, keyed: Path) -> None:
    status, out, _ = play("sign-blob", *OLD, "blob", "predicate", COSIGN_PASSWORD="secret")
    assert status == 0
    assert len(out.splitlines()) == 2


def test_a_digest_instead_of_the_file(play: Play, keyed: Path) -> None:
    from hashlib import sha256

    digest = sha256(b"what is signed").hexdigest()
    words = ("attest-blob", *NEW, *STATED, "--hash", digest)
    assert play(*words, COSIGN_PASSWORD="secret")[0] == 0
    verify = ("verify-blob-attestation", *CHECK, "--type", "vuln", "--bundle", "b.json")
    assert play(*verify, "blob")[0] == 0
    assert play(*verify, "predicate")[0] == 1
