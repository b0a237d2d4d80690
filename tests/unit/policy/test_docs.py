"""Every example of docs/policy.md does what it says."""

import re
from pathlib import Path

import pytest

import fake_sigstore
from claims import GOOD, NOW, OTHER, claim, rejection
from countermark.adapters.conditions import CelConditions
from countermark.core.claim import Finding
from countermark.core.errors import Code, ConfigError
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.formats import strict_json
from countermark.policy.decide import decide
from countermark.policy.explain import as_json, lines
from countermark.policy.match import choose, unreachable
from countermark.policy.model import Case, Decision, Layer, Policy
from countermark.policy.parse import parse
from countermark.policy.pattern import Pattern

TEXT = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
SIGSTORE = fake_sigstore.Sigstore()
FILES = {
    ".pem": fake_sigstore.pem_of(SIGSTORE.authority.chain[-1]).encode(),
    ".pub": fake_sigstore.pem(fake_sigstore.new_key()).encode(),
    ".json": SIGSTORE.trusted_root(),
}
GOOD_FILES = [text for kind, note, text in BLOCKS if kind == "yaml" and not note]
REFUSED = "refused: "
BAD_FILES = [(n.removeprefix(REFUSED), text) for _, n, text in BLOCKS if n.startswith(REFUSED)]


def load(text: str) -> Layer:
    return parse(
        text.encode(),
        file="policy.yaml",
        read_file=lambda path: FILES.get(Path(path).suffix),
        check_condition=CelConditions().check,
    )


def block(kind: str, note: str) -> str:
    (found,) = (text for k, n, text in BLOCKS if (k, n) == (kind, note))
    return str(found)


def test_there_are_examples() -> None:
    assert len(GOOD_FILES) == 8
    assert len(BAD_FILES) == 2


@pytest.mark.parametrize("text", GOOD_FILES)
def test_every_file_loads_and_each_rule_can_decide(text: str) -> None:
    layer = load(text)
    assert Policy(layers=(layer,)).layers == (layer,)
    assert unreachable(layer) == []


@pytest.mark.parametrize(("message", "text"), BAD_FILES)
def test_what_is_refused_is_refused_in_these_words(message: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert message in str(caught.value)


def decided(image: str, *found: Finding) -> Decision:
    reference = ImageReference.parse(image)
    subject = Subject(repository=reference.repository, digest=GOOD, tag=reference.tag)
    chosen = choose(load(GOOD_FILES[0]), subject, NOW)
    return decide([chosen], Case(reference=reference, subject=subject), found, NOW)


MOVED = rejection(
    "releases",
    Code.MOVED_TAG,
    reason="latest is signed for another digest",
    signed_digest=OTHER,
    signed_by=("targets/releases",),
)
ALICE = claim("alice", "1a2b3c4d5e6f" + "0" * 52)
BOB = claim("bob", "77aa88bb99cc" + "0" * 52)


def test_the_text_of_an_allowed_image() -> None:
    assert "\n".join(lines(decided("acme/pay:v1", ALICE, BOB))) + "\n" == block("text", "allowed")


def test_the_text_of_a_moved_tag() -> None:
    assert "\n".join(lines(decided("acme/shop:latest", MOVED))) + "\n" == block("text", "moved")


def test_the_record_of_a_refusal() -> None:
    record = as_json(
        decided("acme/pay:v1", ALICE, rejection("bob", reason="bob has not signed v1"))
    )
    assert strict_json.pretty(record) + "\n" == block("json", "denied")


ROWS = re.findall(r"^\| `([^`|]+)` \| `([^|]+)` \| (.*?) \|$", TEXT.split("## Images")[1], re.MULTILINE)  # fmt: skip


@pytest.mark.parametrize(("pattern", "matching", "other"), ROWS[:4])
def test_the_table_of_patterns(pattern: str, matching: str, other: str) -> None:
    assert Pattern.parse(pattern).matches(ImageReference.parse(matching))
    for name in re.findall(r"`([^`]+)`", other):
        assert not Pattern.parse(pattern).matches(ImageReference.parse(name))


def test_the_table_of_patterns_is_found() -> None:
    assert [row[0] for row in ROWS[:4]] == [
        "acme/*",
        "ghcr.io/acme/**",
        "*.acme.test/**",
        "acme/pay:v*",
    ]


def test_where_an_image_really_is() -> None:
    (layer,) = (load(text) for text in GOOD_FILES if "registries:" in text)
    place = Policy(layers=(layer,)).place_of(
        Repository(registry="docker.io", path="library/alpine")
    )
    assert place is not None
    there = place.locate(Repository(registry="docker.io", path="library/alpine"))
    assert str(there) == "mirror.acme.test/hub/library/alpine"


def test_the_members_of_a_record_are_described() -> None:
    table = TEXT.split("| member | meaning |")[1]
    for member in as_json(decided("acme/pay:v1", ALICE)):
        assert f"`{member}`" in table or f"`{member}[]`" in table or member == "version"
