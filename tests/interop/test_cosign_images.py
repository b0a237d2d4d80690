"""What lies beside an image, shown, fetched, attached, copied, removed: the real cosign's words beside ours."""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from countermark.core.reference import ImageReference
from countermark.formats import oci
from countermark.schemes.cosign.find import legacy_tag
from interop.cosign_images import Image
from interop.processes import Outcome, run
from interop.test_cosign_mirror import CHECK, kinds, moved, signed
from interop.test_cosign_sign import OLD, ours

Make = Callable[[str], Image]
NO_MATCH = {"legacy": 12, "bundle": 1}  # cosign's exit codes


def own(image: Image, *words: str) -> Outcome:
    """Run a command of our own words where the others run."""
    folder = str(image.cosign.folder)
    given = {"PATH": "/usr/bin:/bin", "HOME": folder, "DOCKER_CONFIG": folder}
    program = [sys.executable, "-P", "-m", "countermark"]
    return run([*program, *words], given | image.place.environment, image.cosign.folder)


def said(outcome: Outcome) -> tuple[int, str, str]:
    return outcome.exit, outcome.out, outcome.err


def same(image: Image, *words: str) -> None:
    """Demand that both say the same."""
    assert said(ours(image, *words)) == said(image.run(*words))


def blocks(outcome: Outcome) -> list[str]:
    """``tree`` as its head and its blocks, which the real one prints in any order."""
    head, *found = outcome.ok().out.split("└── ")
    grouped: list[str] = [head]
    for each in found:
        if each.startswith("🍒"):
            grouped[-1] += each
        else:
            grouped.append(each)
    return [grouped[0], *sorted(grouped[1:])]


def documents(outcome: Outcome) -> list[str]:
    return sorted(json.dumps(json.loads(line), sort_keys=True) for line in outcome.ok().out.splitlines())  # fmt: skip


def test_tree(make_image: Make) -> None:
    image = make_image("one")
    nothing = image.run("tree", image.reference)
    assert ours(image, "tree", image.reference).out == nothing.out
    signed(image)
    image.run("attach", "sbom", "--sbom", str(image.cosign.folder / "p.json"), image.reference).ok()
    assert blocks(ours(image, "tree", image.reference)) == blocks(
        image.run("tree", image.reference)
    )


@pytest.mark.parametrize("what", ["tree", "download signature", "download attestation"])
def test_an_image_that_is_not_there(make_image: Make, what: str) -> None:
    image = make_image("one")
    missing = image.reference.replace(":v1", ":v9")
    theirs, mine = image.run(*what.split(), missing), ours(image, *what.split(), missing)
    assert (theirs.exit, mine.exit) == (1, 1)
    assert theirs.out == mine.out
    assert "entity not found in registry" in theirs.err or "signature" in what
    assert "entity not found in registry" in mine.err


def test_triangulate(make_image: Make) -> None:
    image = make_image("one")
    for kind in ("signature", "attestation", "sbom", "digest", "zz"):
        words = ("triangulate", "--type", kind, image.reference)
        theirs, mine = image.run(*words), ours(image, *words)
        assert (mine.exit, mine.out) == (theirs.exit, theirs.out)
        assert mine.err == theirs.err


def test_downloads(make_image: Make) -> None:
    """cosign prints older signatures only where there is no bundle."""
    image = make_image("one")
    words = ("download", "signature", image.reference)
    theirs, mine = image.run(*words), ours(image, *words)
    assert (mine.exit, mine.err) == (theirs.exit, theirs.err)
    attestations = ("download", "attestation", image.reference)
    same(image, *attestations)
    image.run("sign", "--key", "cosign.key", *OLD, image.reference).ok()
    older = documents(image.run(*words))
    assert documents(ours(image, *words)) == older
    signed(image)
    theirs, mine = image.run(*words), ours(image, *words)
    assert len(documents(mine)) == len(documents(theirs)) + 1
    assert set(documents(theirs)) < set(documents(mine))
    for more in ((), ("--predicate-type", "vuln"), ("--predicate-type", "slsaprovenance")):
        asked = ("download", "attestation", *more, image.reference)
        theirs, mine = image.run(*asked), ours(image, *asked)
        assert (mine.exit, mine.err) == (theirs.exit, theirs.err)
        if theirs.exit == 0:
            assert documents(mine) == documents(theirs)
    wrong = ("download", "attestation", "--predicate-type", "zz", image.reference)
    same(image, *wrong)


def test_sboms(make_image: Make) -> None:
    image = make_image("one")
    content = image.cosign.folder / "sbom.xml"
    content.write_text("<bom/>")
    got = ("download", "sbom", image.reference)
    same(image, *got)
    for play in (ours, Image.run):
        for flags in (
            ("--type", "cyclonedx"),
            ("--type", "syft"),
            ("--type", "zz"),
            ("--input-format", "xml"),
        ):
            words = ("attach", "sbom", "--sbom", str(content), *flags, image.reference)
            outcome = play(image, *words)
            other = (Image.run if play is ours else ours)(image, *words)
            assert (outcome.exit, outcome.err) == (other.exit, other.err)
        mine = ours(image, *got)
        assert said(mine) == said(image.run(*got))
        assert mine.out == "<bom/>"


def test_signatures_that_are_attached(make_image: Make) -> None:
    """What one downloads the other attaches, and both verify it."""
    image = make_image("one")
    folder = image.cosign.folder
    image.run("sign", "--key", "cosign.key", *OLD, image.reference).ok()
    (found,) = documents(ours(image, "download", "signature", image.reference))
    parts = json.loads(found)
    image.run("clean", "-f", image.reference).ok()
    image.run(*CHECK, image.reference).refused("no signatures found", exit=10)
    (folder / "payload").write_bytes(base64.b64decode(parts["Payload"]))
    (folder / "sig").write_text(parts["Base64Signature"])
    words = ("attach", "signature", "--payload", "payload", "--signature", "sig", image.reference)
    for play in (ours, Image.run):
        play(image, *words).ok()
        image.run(*CHECK, image.reference).ok()
        ours(image, *CHECK, image.reference).ok()
        ours(image, "clean", "-f", image.reference).ok()
        assert kinds(image, image.reference) == []
    other = make_image("other")
    mine = ours(image, *words[:-1], other.reference)
    mine.refused("it is about sha256:", exit=1)


def test_bundles_and_attestations_that_are_attached(make_image: Make) -> None:
    image = make_image("one")
    folder = image.cosign.folder
    signed(image)
    bundles = ours(image, "download", "attestation", "--predicate-type", "vuln", image.reference)
    lines = bundles.ok().out.splitlines()
    assert len(lines) == 2
    (folder / "bundle.json").write_text(lines[0])
    (folder / "envelope.json").write_text(lines[1])
    attested = ("verify-attestation", *CHECK[1:], "--type", "vuln", image.reference)
    for play in (ours, Image.run):
        for file in ("bundle.json", "envelope.json"):
            ours(image, "clean", "-f", image.reference).ok()
            image.run(*attested).refused("no matching attestations", exit=1)
            play(image, "attach", "attestation", "--attestation", file, image.reference).ok()
            image.run(*attested).ok()
            ours(image, *attested).ok()


def test_copies_and_folders(make_image: Make, tmp_path: Path) -> None:
    image = make_image("one")
    signed(image)
    to = moved(image, "two")
    done = ours(image, "copy", image.reference, to).ok()
    theirs = image.run("copy", image.reference, moved(image, "three")).ok()
    assert done.err.splitlines()[:4] == theirs.err.splitlines()[:4]  # why not to use it
    assert kinds(image, to) == ["att", "referrer", "referrer", "sig"]
    ours(image, "save", "--dir", tmp_path / "saved", image.reference).ok()
    ours(image, "load", "--dir", tmp_path / "saved", moved(image, "four")).ok()
    assert kinds(image, moved(image, "four")) == ["att", "referrer", "referrer", "sig"]
    for word in ("save", "load"):
        same(image, word, image.reference)
    ours(image, "load", "--dir", tmp_path / "none", to).refused("signed image index", exit=1)
    only = moved(image, "five")
    ours(image, "copy", "--only", "sig", image.reference, only).ok()
    assert kinds(image, only) == ["referrer", "sig"]
    image.run("tree", only).refused("entity not found in registry", exit=1)  # no tag is moved
    ours(image, "copy", "--only", "zz", image.reference, only).refused("--only", exit=1)


def test_cleaning(make_image: Make) -> None:
    image = make_image("one")
    signed(image)
    words = ("clean", "--type", "signature", image.reference)
    refused = ours(image, *words, stdin="n\n")
    theirs = image.cosign(*words, environment=image.place.environment, stdin="n\n")
    assert refused.exit == theirs.exit == 1
    assert "user declined the prompt" in refused.err
    assert len(kinds(image, image.reference)) == 4
    ours(image, *words, stdin="y\n").ok()
    assert kinds(image, image.reference) == ["att", "referrer", "referrer"]
    ours(image, "clean", "-f", image.reference).ok()
    assert kinds(image, image.reference) == []
    same(image, "clean", "-f", image.reference)


@pytest.mark.parametrize("form", ["legacy", "bundle"])
def test_what_others_have_lost_is_put_back(make_image: Make, form: str) -> None:
    """Another program read the list before ours was in it, and wrote it afterwards."""
    image = make_image("one")
    flags = OLD if form == "legacy" else image.cosign.key_only
    where = ImageReference.parse(image.reference).repository
    tag = legacy_tag(image.digest, "sig") if form == "legacy" else oci.fallback_tag(image.digest)
    sign = ("sign", "--key", "cosign.key", *flags)
    ours(image, *sign, "-a", "by=one", image.reference).ok()
    has_list = form == "legacy" or not image.place.has_api
    before = image.place.client.tagged(where, tag) if has_list else None
    ours(image, *sign, "-a", "by=two", image.reference).ok()
    if before is not None:
        image.place.client.put_manifest(where, tag, before[1], before[0])
        ours(image, *CHECK, "-a", "by=two", image.reference).refused("by", exit=NO_MATCH[form])
    repaired = own(image, "repair", "-o", "json", image.reference).ok()
    counts = json.loads(repaired.out)["repaired"]
    name = "signatures" if form == "legacy" else "bundles"
    wanted = 1 if has_list else 0
    assert counts == {"bundles": 0, "signatures": 0, "attestations": 0} | {name: wanted}
    for by in ("one", "two"):
        ours(image, *CHECK, "-a", f"by={by}", image.reference).ok()
        image.run(*CHECK, "-a", f"by={by}", image.reference).ok()


@pytest.mark.parametrize(("to", "left"), [("bundle", "referrer"), ("legacy", "att")])
def test_attestations_in_the_other_form(make_image: Make, to: str, left: str) -> None:
    """The real cosign makes them in one form, and verifies what we put there in the other."""
    image = make_image("one")
    (image.cosign.folder / "p.json").write_text('{"ok": true}')
    flags = OLD if to == "bundle" else image.cosign.key_only
    attest = ("attest", "--key", "cosign.key", "--predicate", "p.json")
    image.run(*attest, "--type", "vuln", *flags, image.reference).ok()
    image.run(*attest, "--type", "https://acme.test/t", *flags, image.reference).ok()
    image.run("sign", "--key", "cosign.key", *flags, image.reference).ok()
    words = ("convert", "--to", to, "--key", "cosign.pub", "-o", "json", image.reference)
    found = json.loads(own(image, *words).ok().out)["attestations"]
    assert [each["state"] for each in found] == ["converted"] * 2
    assert {each["predicateType"] for each in found} == {
        "https://cosign.sigstore.dev/attestation/vuln/v1",
        "https://acme.test/t",
    }
    again = json.loads(own(image, *words).ok().out)["attestations"]
    assert [each["state"] for each in again] == ["present"] * 2
    # only what we made is left
    gone = "attestation" if to == "bundle" else "referrer"
    ours(image, "clean", "-f", "--type", gone, image.reference).ok()
    assert set(kinds(image, image.reference)) - {"sig"} == {left}
    for kind in ("vuln", "https://acme.test/t"):
        attested = ("verify-attestation", *CHECK[1:], "--type", kind, image.reference)
        image.run(*attested).ok()
        ours(image, *attested).ok()
