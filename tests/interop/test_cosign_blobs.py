"""Files that ours signs and attests: the same words and files as cosign's, and each verifies what the other makes.

Where ours differs on purpose a test says so; docs/compatibility.md says why.
"""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

from fake_blobs import BLOB
from interop.processes import Outcome
from interop.sigstore_stack import SigstoreStack
from interop.test_cosign_files import OFFLINE, Pair, handed_over, pair  # noqa: F401 - a fixture

OLD = ("--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false", "-y")
KEY = ("--key", "cosign.key")
DIGEST = sha256(BLOB).hexdigest()
RESULTS = ("b.json", "s", "c", "a", "t")


@pytest.fixture
def keyed(pair: Pair) -> Pair:  # noqa: F811
    pair.real("generate-key-pair").ok()
    (pair.folder / "predicate").write_text('{"a": 1}')
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "blob", "digest": {"sha256": DIGEST}}],
        "predicateType": "https://x.test/y",
        "predicate": {"a": 1},
    }
    (pair.folder / "statement").write_text(json.dumps(statement))
    (pair.folder / "folder").mkdir()
    return pair


def shape(pair: Pair, outcome: Outcome) -> tuple[int, str, str, dict[str, object]]:  # noqa: F811
    """What a command came to, and the files that it left, without what a signature makes different each time.

    Without "Signing artifact..." too, which cosign says from another thread, and now and then too late.
    """
    files: dict[str, object] = {}
    for name in RESULTS:
        path = pair.folder / name
        if path.exists():
            files[name] = (path.stat().st_mode & 0o777, outline(path.read_bytes()))
            path.unlink()
    err = outcome.err.replace("Signing artifact...\n", "")
    return outcome.exit, outline_text(outcome.out), err, files


def outline_text(text: str) -> str:
    return re.sub(r"[A-Za-z0-9+/=]{40,}", "SIGNATURE", text)


def outline(content: bytes) -> object:
    try:
        return names(json.loads(content))
    except ValueError:
        return "text"


def names(value: object) -> object:
    if isinstance(value, dict):
        return {name: names(each) for name, each in value.items()}
    return [names(each) for each in value] if isinstance(value, list) else type(value).__name__


def same(pair: Pair, *words: str, stdin: bytes = b"") -> int:  # noqa: F811
    real = shape(pair, pair.real(*words, stdin=stdin))
    ours = shape(pair, pair.ours(*words, stdin=stdin))
    assert ours == real, words
    return real[0]


def test_files_are_signed_as_there(keyed: Pair) -> None:
    new = (*KEY, *keyed.real.key_only)
    good: tuple[tuple[str, ...], ...] = (
        (*new, "--bundle", "b.json", "blob"),
        (*new, "--bundle", "b.json", "-"),
        (*new, "--bundle", "b.json", "--output-signature", "s", "blob"),
        (*new, "--bundle", "b.json", "--output", "s", "blob"),
        (*new, "--bundle", "b.json", "--rfc3161-timestamp", "t", "blob"),
        (*new, "--bundle", "b.json", "--b64=false", "blob"),
        (*new, "--bundle", "b.json", "--signing-algorithm", "rsa-sign-pkcs1-2048-sha256", "blob"),
        (*KEY, *OLD, "blob"),
        (*KEY, *OLD, "blob", "other"),
        (*KEY, *OLD, "blob", "--output", "s", "--output-certificate", "c"),
        (*KEY, *OLD, "blob", "--output-signature", "s", "--b64=false"),
        (*KEY, *OLD, "blob", "--output-signature", "s", "--bundle", "b.json"),
        (*KEY, *OLD, "blob", "--bundle", "b.json", "--rfc3161-timestamp", "t"),
    )
    for words in good:
        assert same(keyed, "sign-blob", *words, stdin=BLOB) == 0
    config = ("--signing-config", new[3], "--trusted-root", new[6])
    bad: tuple[tuple[str, ...], ...] = (
        (*new, "blob"),
        (*new, "-"),
        new,
        (*new, "--bundle", "b.json", "none"),
        (*new, "--bundle", "b.json", "--signing-algorithm", "foo", "blob"),
        (*new, "--bundle", "b.json", "--use-signing-config", "blob"),
        (*new, "--bundle", "b.json", "--tlog-upload=false", "blob"),
        (*new, "--bundle", "b.json", "--rekor-url", "http://127.0.0.1:1", "blob"),
        (*new, "--bundle", "b.json", "--nosuch", "blob"),
        ("--key", "none", *config, "--bundle", "b.json", "blob"),
        (*KEY, "--signing-config", new[3], "--trusted-root", "none", "--bundle", "b.json", "blob"),
        (*KEY, "--new-bundle-format=false", "blob"),
        ("--key", "none", *OLD, "blob"),
        (*KEY, "--use-signing-config=false", "--bundle", "b.json", "blob"),
    )
    for words in bad:
        assert same(keyed, "sign-blob", *words) == 1


def test_things_are_attested_as_there(keyed: Pair) -> None:
    new = (*KEY, *keyed.real.key_only)
    stated = ("--predicate", "predicate")
    good: tuple[tuple[str, ...], ...] = (
        (*new, "--bundle", "b.json", *stated, "blob"),
        (*new, "--bundle", "b.json", *stated, "--type", "slsaprovenance", "folder/../blob"),
        (*new, "--bundle", "b.json", *stated, "--type", "https://x.test/y", "-"),
        (*new, "--bundle", "b.json", *stated, "--hash", DIGEST, "anything"),
        (*new, "--bundle", "b.json", "--statement", "statement"),
        (*new, "--bundle", "b.json", *stated, "blob", "--output-signature", "s", "--output-attestation", "a"),
        (*new, "--bundle", "b.json", *stated, "blob", "--rfc3161-timestamp-bundle", "t"),
        (*KEY, *OLD, *stated, "blob", "--output-signature", "s", "--output-attestation", "a"),
        (*KEY, *OLD, *stated, "blob", "--output-signature", "s", "--bundle", "b.json"),
        (*KEY, *OLD, "--statement", "statement", "--output-signature", "s"),
    )  # fmt: skip
    for words in good:
        assert same(keyed, "attest-blob", *words, stdin=BLOB) == 0
    assert (
        same(
            keyed,
            "attest-blob",
            *new,
            "--bundle",
            "b.json",
            "--predicate",
            "-",
            "blob",
            stdin=b"{}",
        )
        == 0
    )
    config = ("--signing-config", new[3], "--trusted-root", new[6])
    bad: tuple[tuple[str, ...], ...] = (
        (*new, "--bundle", "b.json", "blob"),
        (*new, "--bundle", "b.json", *stated),
        (*new, "--bundle", "b.json", *stated, "blob", "other"),
        (*new, "--bundle", "b.json", *stated, "--statement", "statement", "blob"),
        (*new, "--bundle", "b.json", "--predicate", "none", "blob"),
        (*new, "--bundle", "b.json", *stated, "none"),
        (*new, "--bundle", "b.json", "--statement", "none"),
        (*new, *stated, "blob"),
        ("--key", "none", *config, "--bundle", "b.json", *stated, "blob"),
    )
    for words in bad:
        assert same(keyed, "attest-blob", *words) == 1
    # standard output has the certificate's or the timestamp's absence told after the envelope, as there
    for flag in ("--output-certificate", "--rfc3161-timestamp-bundle"):
        assert same(keyed, "attest-blob", *KEY, *OLD, *stated, flag, "c", "blob") == 1


def test_what_ours_refuses(keyed: Pair) -> None:
    """Each is in docs/compatibility.md."""
    new, stated = (*KEY, *keyed.real.key_only), ("--predicate", "predicate")
    cases: tuple[tuple[tuple[str, ...], str], ...] = (
        (("sign-blob", *new, "--bundle", "b.json", "blob", "other"), "takes the result of one file"),
        (("attest-blob", *new, "--bundle", "b.json", *stated, "--type", "zz", "blob"), "invalid predicate type: zz"),
        (("attest-blob", *new, "--bundle", "b.json", *stated, "--hash", "abcd", "blob"), "not a sha256 in hex"),
        (("attest-blob", *new, "--bundle", "b.json", "--statement", "statement", "other"),
         "digests do not match digests in statement"),
    )  # fmt: skip
    for words, text in cases:
        keyed.real(*words).ok()
        (keyed.folder / "b.json").unlink()
        keyed.ours(*words).refused(text)
        assert not (keyed.folder / "b.json").exists()
    # told before anything is signed, or logged
    lost = ("sign-blob", *new, "--bundle", "none/b.json", "blob")
    keyed.real(*lost).refused("create bundle file")
    ours = keyed.ours(*lost).refused(
        "create bundle file: open none/b.json: no such file or directory"
    )
    assert "Signing artifact..." not in ours.err


def test_results_go_where_a_person_wants_them(keyed: Pair) -> None:
    """Links are followed, devices are written to and stay what they are."""
    link = keyed.folder / "link"
    link.symlink_to("real.json")
    words = ("sign-blob", *KEY, *keyed.real.key_only, "--bundle")
    keyed.ours(*words, "link", "blob").ok()
    assert link.is_symlink()
    assert json.loads((keyed.folder / "real.json").read_text())["messageSignature"]
    outcome = keyed.ours(*words, "/dev/stdout", "blob").ok()
    assert json.loads(outcome.out)["messageSignature"]
    assert Path("/dev/null").is_char_device()
    keyed.ours(*words, "/dev/null", "blob").ok()
    assert Path("/dev/null").is_char_device()


# Keys of every kind -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "algorithm", ["ecdsa-p256", "rsa-2048", "ecdsa-p384", "ecdsa-p521", "ed25519"]
)
def test_what_ours_signs_each_verifies(pair: Pair, algorithm: str) -> None:  # noqa: F811
    """As far as the real one can verify such keys at all: its faults 6 and 7."""
    handed_over(pair, algorithm)
    pair.ours("sign-blob", *KEY, "--bundle", "b.json", *pair.real.key_only, "blob").ok()
    pair.ours("sign-blob", *KEY, *OLD, "--output-signature", "s", "blob").ok()
    hashed = {"ecdsa-p384": "sha384", "ecdsa-p521": "sha512"}.get(algorithm)
    told = ("--signature-digest-algorithm", hashed) if hashed else ()
    for given in (("--bundle", "b.json"), ("--signature", "s")):
        words = ("verify-blob", *OFFLINE, *given)
        pair.ours(*words, "blob").ok()
        pair.ours(*words, "other").refused()
        if algorithm == "ed25519" and given[0] == "--bundle":
            pair.real(*words, "blob").refused()
        else:
            pair.real(*words, *told, "blob").ok()
            pair.real(*words, *told, "other").refused()


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "rsa-2048", "ecdsa-p384", "ed25519"])
def test_what_ours_attests_each_verifies(pair: Pair, algorithm: str) -> None:  # noqa: F811
    handed_over(pair, algorithm)
    (pair.folder / "predicate").write_text('{"a": 1}')
    stated = ("--predicate", "predicate", "--type", "vuln", "blob")
    pair.ours("attest-blob", *KEY, "--bundle", "b.json", *pair.real.key_only, *stated).ok()
    pair.ours(
        "attest-blob", *KEY, *OLD, "--output-signature", "s", "--bundle", "o.json", *stated
    ).ok()
    for given in (("--bundle", "b.json"), ("--bundle", "o.json"), ("--signature", "s")):
        words = ("verify-blob-attestation", *OFFLINE, *given, "--type", "vuln")
        pair.ours(*words, "blob").ok()
        pair.ours(*words, "other").refused()
        if algorithm in ("ecdsa-p256", "rsa-2048"):
            pair.real(*words, "blob").ok()
            pair.real(*words, "other").refused()


# Identities -------------------------------------------------------------------------------------------------


ALGORITHMS = (
    "ecdsa-sha2-256-nistp256",
    "ecdsa-sha2-384-nistp384",
    "ecdsa-sha2-512-nistp521",
    "rsa-sign-pkcs1-2048-sha256",
)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_identities_sign_with_keys_of_each_kind(
    pair: Pair,  # noqa: F811
    sigstore: SigstoreStack,
    algorithm: str,
) -> None:
    """On the real Fulcio, Rekor 2 and timestamp authority."""
    words = (*sigstore.signing, "-y", "--identity-token", sigstore.token_file())
    outcome = pair.ours(
        "sign-blob", *words, "--signing-algorithm", algorithm, "--bundle", "b.json", "blob"
    ).ok()
    assert outcome.err.splitlines() == [
        "Generating ephemeral keys...",
        "Using payload from: blob",
        "Signing artifact...",
        "Wrote bundle to file b.json",
    ]
    for run in (pair.ours, pair.real):
        check = ("verify-blob", *sigstore.identity, *sigstore.trusting, "--bundle", "b.json")
        run(*check, "blob").ok()
        run(*check, "other").refused()


def test_identities_attest(pair: Pair, sigstore: SigstoreStack) -> None:  # noqa: F811
    (pair.folder / "predicate").write_text('{"a": 1}')
    words = (*sigstore.signing, "-y", "--identity-token", sigstore.token_file())
    stated = ("--predicate", "predicate", "--bundle", "b.json", "blob")
    for signed in (pair.ours, pair.real):
        signed("attest-blob", *words, *stated).ok()
        for run in (pair.ours, pair.real):
            check = (
                "verify-blob-attestation",
                *sigstore.identity,
                *sigstore.trusting,
                "--bundle",
                "b.json",
            )
            run(*check, "blob").ok()
            run(*check, "other").refused()


def test_the_old_form_needs_the_old_log(pair: Pair, sigstore: SigstoreStack) -> None:  # noqa: F811
    """cosign writes an entry of Rekor 2 there, which nobody can verify then."""
    words = (
        *sigstore.signing,
        "-y",
        "--identity-token",
        sigstore.token_file(),
        "--new-bundle-format=false",
    )
    outcome = pair.ours("sign-blob", *words, "--bundle", "o.json", "blob")
    outcome.refused("the legacy format holds entries of Rekor 1 alone")
    assert not (pair.folder / "o.json").exists()
