"""Signing with an identity on the real Fulcio, Rekor 2 and timestamp authority: ours and cosign's alike."""

import json
from collections.abc import Callable

import pytest

from interop.cosign_images import Image
from interop.cosign_indexes import push_index
from interop.sigstore_stack import SigstoreStack
from interop.test_cosign_sign import ours, verified

Make = Callable[[str], Image]


def signing(stack: SigstoreStack) -> tuple[str, ...]:
    """Flags that sign as ALICE; the token in a file, since cosign takes others than RS256 only so."""
    return (*stack.signing, "--identity-token", stack.token_file(), "-y")


def test_each_verifies_what_the_other_signs(make_image: Make, sigstore: SigstoreStack) -> None:
    image = make_image("one")
    outcome = ours(image, "sign", *signing(sigstore), "-a", "by=ours", image.reference).ok()
    assert "Generating ephemeral keys..." in outcome.err
    image.run("sign", *signing(sigstore), "-a", "by=theirs", image.reference).ok()
    check = ("verify", *sigstore.identity, *sigstore.trusting, image.reference)
    for outcome in (ours(image, *check), image.run(*check)):
        said = [entry["optional"] for entry in verified(outcome)]
        assert sorted(each["by"] for each in said if isinstance(each, dict)) == ["ours", "theirs"]
    wrong = ("verify", "--certificate-identity", "eve@example.test", *sigstore.identity[2:])
    for outcome in (
        ours(image, *wrong, *sigstore.trusting, image.reference),
        image.run(*wrong, *sigstore.trusting, image.reference),
    ):
        assert outcome.exit == 1
        assert outcome.out.strip() == ""


def test_each_verifies_what_the_other_attests(make_image: Make, sigstore: SigstoreStack) -> None:
    image = make_image("one")
    predicate = image.cosign.folder / "predicate.json"
    predicate.write_text('{"ok": true}')
    words = ("attest", *signing(sigstore), "--predicate", str(predicate), "--type")
    ours(image, *words, "https://acme.test/ours", image.reference).ok()
    image.run(*words, "https://acme.test/theirs", image.reference).ok()
    for kind in ("https://acme.test/ours", "https://acme.test/theirs"):
        check = ("verify-attestation", *sigstore.identity, *sigstore.trusting, "--type", kind)
        one, other = ours(image, *check, image.reference), image.run(*check, image.reference)
        assert json.loads(one.ok().out)["payload"] == json.loads(other.ok().out)["payload"]


def test_one_certificate_serves_a_whole_index(make_image: Make, sigstore: SigstoreStack) -> None:
    """cosign asks for a key, a token and a certificate for each child."""
    image = make_image("one")
    index = push_index(image)
    outcome = ours(image, "sign", "-r", *signing(sigstore), index).ok()
    assert outcome.err.count("Generating ephemeral keys...") == 1
    assert outcome.err.count("Signing artifact...") == 3


def test_a_key_in_the_log(make_image: Make, sigstore: SigstoreStack) -> None:
    image = make_image("one")
    words = ("sign", "--key", "cosign.key", *sigstore.signing, "-y", image.reference)
    ours(image, *words).ok()
    image.run(*words).ok()
    check = ("verify", "--key", "cosign.pub", *sigstore.trusting, image.reference)
    for outcome in (ours(image, *check), image.run(*check)):
        assert len(verified(outcome)) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("--identity-token", "a.b.c"),
        ("--identity-token", "nowhere"),
    ],
)
def test_refused_tokens(make_image: Make, sigstore: SigstoreStack, words: tuple[str, ...]) -> None:
    image = make_image("one")
    for run in (ours, Image.run):
        outcome = run(image, "sign", *sigstore.signing, "-y", *words, image.reference)
        assert outcome.exit == 1, outcome.text
    check = ("verify", *sigstore.identity, *sigstore.trusting, image.reference)
    ours(image, *check).refused("no signatures found", exit=10)


def test_the_old_form_needs_the_old_log(make_image: Make, sigstore: SigstoreStack) -> None:
    image = make_image("one")
    words = ("sign", "--new-bundle-format=false", *signing(sigstore), image.reference)
    ours(image, *words).refused("the legacy format holds entries of Rekor 1 alone")
