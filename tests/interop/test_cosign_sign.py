"""What ours signs and attests, cosign verifies, and the reverse; and where they refuse, they say the same."""

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from interop.cosign_images import Image
from interop.cosign_peers import PASSWORD
from interop.processes import Outcome, run

OLD = ("--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false", "-y")
FORMS = ("bundle", "legacy")

Make = Callable[[str], Image]


def ours(image: Image, *words: str | Path, stdin: str = "", **environment: str) -> Outcome:
    """Run ``countermark cosign`` where the real one runs."""
    folder = image.cosign.folder
    given = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "DOCKER_CONFIG": str(folder),
        "COSIGN_PASSWORD": PASSWORD,
        **image.place.environment,
        **environment,
    }
    program = [sys.executable, "-P", "-m", "countermark", "cosign"]
    return run([*program, *words], given, folder, stdin)


def how(image: Image, form: str) -> tuple[str, ...]:
    return OLD if form == "legacy" else image.cosign.key_only


def verified(outcome: Outcome) -> list[dict[str, object]]:
    found = json.loads(outcome.ok().out)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_each_verifies_what_the_other_signs(make_image: Make, form: str) -> None:
    image = make_image("one")
    words = ("sign", "--key", "cosign.key", *how(image, form))
    ours(image, *words, "-a", "by=ours", image.reference).ok()
    image.run(*words, "-a", "by=theirs", image.reference).ok()
    check = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog")
    both = [ours(image, *check, image.reference), image.run(*check, image.reference)]
    for outcome in both:
        found = {str(entry["optional"]) for entry in verified(outcome)}
        assert found == {"{'by': 'ours'}", "{'by': 'theirs'}"}
    one, other = (sorted(map(str, verified(outcome))) for outcome in both)
    assert one == other
    for by in ("ours", "theirs"):
        for outcome in (
            ours(image, *check, "-a", f"by={by}", image.reference),
            image.run(*check, "-a", f"by={by}", image.reference),
        ):
            (entry,) = verified(outcome)
            assert entry["optional"] == {"by": by}


@pytest.mark.parametrize("form", FORMS)
def test_each_verifies_what_the_other_attests(make_image: Make, form: str) -> None:
    image = make_image("one")
    predicate = image.cosign.folder / "predicate.json"
    predicate.write_text('{"builder": {"id": "x"}, "score": 1.5}')
    words = ("attest", "--key", "cosign.key", *how(image, form), "--predicate", str(predicate))
    ours(image, *words, "--type", "https://acme.test/ours", image.reference).ok()
    image.run(*words, "--type", "https://acme.test/theirs", image.reference).ok()
    check = ("verify-attestation", "--key", "cosign.pub", "--insecure-ignore-tlog", "--type")
    for kind in ("https://acme.test/ours", "https://acme.test/theirs"):
        one = ours(image, *check, kind, image.reference).ok().out
        other = image.run(*check, kind, image.reference).ok().out
        assert json.loads(one)["payload"] == json.loads(other)["payload"]
    for outcome in (
        ours(image, *check, "vuln", image.reference),
        image.run(*check, "vuln", image.reference),
    ):
        outcome.refused("none of the attestations matched the predicate type: vuln, found: ")


def test_an_attestation_is_no_signature(make_image: Make) -> None:
    """cosign takes any attestation for a signature (docs/compatibility.md)."""
    image = make_image("one")
    words = ("attest", "--key", "cosign.key", *image.cosign.key_only, "--predicate", "-")
    ours(image, *words, "--type", "vuln", image.reference, stdin='{"failed": true}').ok()
    check = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", image.reference)
    image.run(*check).ok()
    ours(image, *check).refused("expected is a signature")


@pytest.mark.parametrize("form", FORMS)
def test_refusals_have_the_same_status(make_image: Make, form: str) -> None:
    image, other = make_image("one"), make_image("other")
    name, _, _ = image.reference.rpartition(":")
    image.run("generate-key-pair", "--output-key-prefix", "wrong").ok()
    ours(image, "sign", "--key", "cosign.key", *how(image, form), image.reference).ok()
    flag = ("--insecure-ignore-tlog",)
    for words in (
        ("verify", "--key", "wrong.pub", *flag, image.reference),
        ("verify", "--key", "cosign.pub", *flag, "-a", "x=y", image.reference),
        ("verify", "--key", "cosign.pub", *flag, other.reference),
        ("verify", "--key", "cosign.pub", *flag, f"{name}:nope"),
        ("verify", "--key", "cosign.pub", *flag, f"{name}@sha256:{'a' * 64}"),
        ("verify", "--key", "none.pub", *flag, image.reference),
        ("verify", *flag, image.reference),
        ("verify", "--key", "cosign.pub", "--certificate-identity", "x", *flag, image.reference),
        ("verify", "--certificate-identity", "x", *flag, image.reference),
        ("verify", "--key", "cosign.pub", *flag, "-a", "zz", image.reference),
        ("verify", "--key", "cosign.pub", "--nosuch", image.reference),
        ("verify", "--key", "cosign.pub", *flag, "Not/A/Reference"),
        ("verify", "--key", "cosign.pub", *flag),
        ("sign", "--key", "cosign.key", *how(image, form), f"{name}:nope"),
        ("sign", "--key", "none.key", *how(image, form), image.reference),
        ("sign", "--key", "cosign.key", *how(image, form), "-a", "zz", image.reference),
        ("sign", "--key", "cosign.key", *how(image, form)),
        ("attest", "--key", "cosign.key", *how(image, form), image.reference),
    ):
        one, two = ours(image, *words), image.run(*words)
        assert one.exit == two.exit != 0, one.text + two.text
        assert one.out.strip() == two.out.strip() == ""


def test_a_wrong_password_signs_nothing(make_image: Make) -> None:
    image = make_image("one")
    words = ("sign", "--key", "cosign.key", *image.cosign.key_only, image.reference)
    ours(image, *words, COSIGN_PASSWORD="wrong").refused("decrypt: encrypted: decryption failed")
    check = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", image.reference)
    ours(image, *check).refused("no signatures found", exit=10)


def test_a_bundle_in_a_file(make_image: Make) -> None:
    image = make_image("one")
    words = ("sign", "--key", "cosign.key", *image.cosign.key_only, "--bundle", "one.json")
    ours(image, *words, "--upload=false", image.reference).ok()
    file = image.cosign.folder / "one.json"
    assert file.stat().st_mode & 0o777 == 0o600
    image.run("attach", "signature", "--bundle", "one.json", image.reference)
    check = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", image.reference)
    assert ours(image, *check).exit == image.run(*check).exit
    ours(
        image,
        "sign",
        "--key",
        "cosign.key",
        *image.cosign.key_only,
        "--upload=false",
        image.reference,
    ).refused("must enable upload to the OCI registry or specify a local --bundle path")


@pytest.mark.parametrize("form", FORMS)
def test_eight_at_once_are_eight_afterwards(make_image: Make, form: str) -> None:
    """Of eight that cosign makes at once six are left, of the older form fewer."""
    image = make_image("one")

    def sign(number: int) -> Outcome:
        words = ("sign", "--key", "cosign.key", *how(image, form), "-a", f"n={number}")
        return ours(image, *words, image.reference)

    with ThreadPoolExecutor(8) as pool:
        for outcome in pool.map(sign, range(8)):
            outcome.ok()
    check = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", image.reference)
    for outcome in (ours(image, *check), image.run(*check)):
        found = [entry["optional"] for entry in verified(outcome)]
        assert sorted(map(str, found)) == [str({"n": str(number)}) for number in range(8)]
