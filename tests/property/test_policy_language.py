"""What holds for every pattern and every policy file."""

import re

from hypothesis import assume, example, given
from hypothesis import strategies as st

from countermark.config import parse as parse_config
from countermark.core.errors import ConfigError, InputError
from countermark.core.reference import ImageReference
from countermark.policy.match import clashes, unreachable
from countermark.policy.parse import parse
from countermark.policy.pattern import Pattern, glob_covers, globs_meet
from examples import examples

several = examples(300)

components = st.text("ab*", min_size=1, max_size=4).filter(lambda text: "**" not in text)
names = st.lists(st.one_of(components, st.just("**")), min_size=1, max_size=4)
tags = st.one_of(st.none(), components)
patterns = st.builds(lambda parts, tag: Pattern(parts=("x.test", *parts), tag=tag), names, tags)
images = st.builds(
    lambda parts, tag: ImageReference.parse("x.test/" + "/".join(parts) + (f":{tag}" if tag else "")),
    st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4),
    st.one_of(st.none(), st.text("ab", min_size=1, max_size=3)),
)  # fmt: skip


def by_expression(pattern: Pattern, image: ImageReference) -> bool:
    """The definition, by regular expressions."""
    parts = [
        "[^/]+(/[^/]+)*" if part == "**" else part.replace(".", r"\.").replace("*", "[^/]*")
        for part in pattern.parts
    ]
    if not re.fullmatch("/".join(parts), image.repository.name):
        return False
    if pattern.tag is None:
        return True
    return image.tag is not None and bool(re.fullmatch(pattern.tag.replace("*", ".*"), image.tag))


@several
@given(patterns, images)
def test_matching_is_as_defined(pattern: Pattern, image: ImageReference) -> None:
    assert pattern.matches(image) == by_expression(pattern, image)


@several
@given(patterns, patterns, images)
def test_what_two_patterns_match_they_meet_on(
    one: Pattern, other: Pattern, image: ImageReference
) -> None:
    if one.matches(image) and other.matches(image):
        assert one.meets(other)
        assert other.meets(one)


@several
@given(patterns, patterns, images)
@example(
    Pattern(parts=("x.test", "*", "**")),
    Pattern(parts=("x.test", "**", "a")),
    ImageReference.parse("x.test/b/a"),
)
def test_what_covers_a_pattern_matches_all_of_it(
    one: Pattern, other: Pattern, image: ImageReference
) -> None:
    if one.covers(other):
        assert one.meets(other)
        if other.matches(image):
            assert one.matches(image)


@several
@given(patterns, patterns, patterns)
def test_covering_is_an_order(one: Pattern, other: Pattern, third: Pattern) -> None:
    assert one.covers(one)
    if one.covers(other) and other.covers(third):
        assert one.covers(third)


@several
@given(patterns, patterns)
def test_patterns_that_cannot_be_told_apart_are_of_equal_rank(one: Pattern, other: Pattern) -> None:
    if one.covers(other) and other.covers(one) and "**" not in (*one.parts, *other.parts):
        assert one.specificity == other.specificity


@several
@given(components, st.text("ab", max_size=5))
def test_a_text_is_met_where_it_is_covered(glob: str, text: str) -> None:
    assert glob_covers(glob, text) == (re.fullmatch(glob.replace("*", ".*"), text) is not None)
    assert globs_meet(glob, text) == glob_covers(glob, text)


@several
@given(st.text(max_size=40))
def test_any_text_is_a_pattern_or_an_input_error(text: str) -> None:
    try:
        pattern = Pattern.parse(text)
    except InputError:
        return
    assert Pattern.parse(str(pattern)) == pattern


# Files ----------------------------------------------------------------------------------------------

FILE = b"""\
version: 1
unmatched: warn
mode: {default: warn, docker: enforce}
movedTag: useSigned
onUnavailable: {lastGood: 24h}
requirePin: true
signers:
  a: {dct: {root: first-use, role: targets/alice, server: "https://notary.acme.test"}}
  b: {dct: {root: [4d1f3b8e0c5a69724d1f3b8e0c5a69724d1f3b8e0c5a69724d1f3b8e0c5a6972]}, notAfter: 2027-06-30}
rules:
- images: registry.k8s.io/**
  allow: needed to boot
  until: 2027-03-31T12:00:00Z
- images: docker.io/acme/p*y:v*
  require: [a, {any: [b, {signer: a, until: 2027-06-30}]}]
- images: "**"
  require: {atLeast: 2, of: [a, b, {dct: {root: first-use}}]}
  priority: -3
  mode: audit
registries:
  docker.io: {at: "mirror.acme.test:5000/hub", login: docker-config}
"""

pieces = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b"\n", b": ", b"- ", b"{", b"}", b"[", b"]", b"'", b'"', b"*", b"&a ", b"!x ", b"~", b"true", b"99999999999",
         b"|\n", b"\xff", b"\x00", b"\t", b"# ", b"---\n", b"<<: ", b"0001-01-01T00:00:00+23:00", b"first-use"]
    ),
)  # fmt: skip


@examples(600)
@given(st.data())
def test_any_bytes_are_a_layer_or_a_config_error_with_its_file(data: st.DataObject) -> None:
    content = FILE
    for _ in range(data.draw(st.integers(min_value=0, max_value=3))):
        start = data.draw(st.integers(min_value=0, max_value=len(content)))
        length = data.draw(st.sampled_from((0, 1, 2, 5, 20)))
        content = content[:start] + data.draw(pieces) + content[start + length :]
    layer = refused = None
    try:
        layer = parse(content, file="p.yaml", read_file=lambda _: None)
    except ConfigError as error:
        refused = error
    if layer is not None:
        assert list(clashes(layer)) == []
        assert isinstance(unreachable(layer), list)
    else:
        assert refused is not None
        assert refused.file == "p.yaml"
        assert str(refused).startswith("p.yaml")


@several
@given(st.binary(max_size=60))
def test_any_bytes_are_a_config_or_a_config_error(content: bytes) -> None:
    file = "config.yaml"
    try:
        parse_config(content, "config.yaml")
    except ConfigError as error:
        file = error.file
    assert file == "config.yaml"


@several
@given(
    st.lists(st.sampled_from(["a", "*a", "a*", "**", "ab"]), min_size=1, max_size=4),
    st.integers(0, 3),
)
def test_rules_of_a_layer_that_loads_are_ordered_for_every_image(
    parts: list[str], count: int
) -> None:
    """Two rules that both match an image have different ranks, or say the same."""
    lines = [
        f"- {{images: 'x.test/{part}', deny: reason {n % (count + 1)}}}"
        for n, part in enumerate(parts)
    ]
    content = ("version: 1\nrules:\n" + "\n".join(lines)).encode()
    try:
        layer = parse(content, file="p.yaml", read_file=lambda _: None)
    except ConfigError as error:
        assume("say different things" not in str(error))
        raise
    for name in ("a", "b", "aa", "ab", "ba", "aba"):
        image = ImageReference.parse(f"x.test/{name}")
        matching = [rule for rule in layer.rules if rule.images.matches(image)]
        best = [
            r
            for r in matching
            if r.images.specificity == min(m.images.specificity for m in matching)
        ]
        assert len({rule.outcome for rule in best}) <= 1
