"""Image patterns: completion, matching, specificity, overlap, cover."""

import pytest

from countermark.core.errors import InputError
from countermark.core.reference import ImageReference
from countermark.policy.pattern import Pattern, glob_covers, globs_meet

A = "sha256:" + "a" * 64
B = "sha256:" + "b" * 64

COMPLETED = [
    ("alpine", "docker.io/library/alpine"),
    ("alpine:3", "docker.io/library/alpine:3"),
    (f"alpine@{A}", f"docker.io/library/alpine@{A}"),
    (f"alpine:3*@{A}", f"docker.io/library/alpine:3*@{A}"),
    ("acme/pay", "docker.io/acme/pay"),
    ("acme/*", "docker.io/acme/*"),
    ("acme/**", "docker.io/acme/**"),
    ("index.docker.io/acme/pay", "docker.io/acme/pay"),
    ("docker.io/alpine", "docker.io/library/alpine"),
    ("docker.io/al*", "docker.io/library/al*"),
    ("docker.io/**", "docker.io/**"),
    ("**", "**"),
    ("**:v1", "**:v1"),
    ("**/pay", "**/pay"),
    ("*/acme/pay", "*/acme/pay"),
    ("*.acme.test/**", "*.acme.test/**"),
    ("localhost/pay", "localhost/pay"),
    ("localhost:5000/pay:v*", "localhost:5000/pay:v*"),
    ("[::1]:5000/pay", "[::1]:5000/pay"),
    ("Registry/app", "Registry/app"),
    ("ghcr.io/a/**/z:*", "ghcr.io/a/**/z:*"),
]


@pytest.mark.parametrize(("text", "full"), COMPLETED)
def test_short_names_are_completed_as_in_references(text: str, full: str) -> None:
    pattern = Pattern.parse(text)
    assert str(pattern) == full
    assert Pattern.parse(full) == pattern


REFUSED = [
    ("", "invalid reference format"),
    ("Alpine", "repository name must be lowercase"),
    ("*", "may mean a registry or an image"),
    ("al*", "may mean a registry or an image"),
    ("acme*/pay", "may mean a registry or an image"),
    ("registry.k8s.io", "may mean a registry or an image"),
    ("ghcr.io/a**/b", "'**' is a whole component"),
    ("ghcr.io/***/b", "'**' is a whole component"),
    ("acme/pay:**", "'**' is a whole component"),
    ("acme/pay:", "tag ''"),
    ("acme/pay:a b", "tag 'a b'"),
    ("acme//pay", "invalid reference format"),
    ("/pay", "invalid reference format"),
    ("acme/pay/", "invalid reference format"),
    ("acme/../pay", "invalid reference format"),
    ("ex ample.com/a", "registry"),
    ("acme/pay@sha256:*", "lower-case hex"),
    ("acme/pay@*", "not a digest"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_no_image_can_be_called_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("*", r"\*")):
        Pattern.parse(text)


def test_an_ambiguous_pattern_says_how_to_write_either() -> None:
    with pytest.raises(InputError) as caught:
        Pattern.parse("registry.k8s.io")
    assert caught.value.hint == (
        "write registry.k8s.io/** for a registry, docker.io/registry.k8s.io for an image, '**' for every image"
    )


MATCHES = [
    ("alpine", "alpine", True),
    ("alpine", "alpine:3", True),
    ("alpine", f"alpine@{A}", True),
    ("alpine", "index.docker.io/library/alpine:edge", True),
    ("alpine", "quay.io/library/alpine", False),
    ("acme/*", "acme/pay", True),
    ("acme/*", "acme/pay/sub", False),
    ("acme/**", "acme/pay/sub", True),
    ("acme/**", "acme2/pay", False),
    ("docker.io/acme/**", "acme/pay", True),
    ("registry.k8s.io/**", "registry.k8s.io/pause", True),
    ("registry.k8s.io/**", "registry.k8s.io.evil.test/pause", False),
    ("registry.k8s.io/**", "evil.test/registry.k8s.io/pause", False),
    ("ghcr.io/a/**", "ghcr.io/a", False),  # '**' is at least one component
    ("ghcr.io/a/**/z", "ghcr.io/a/z", False),
    ("ghcr.io/a/**/z", "ghcr.io/a/b/z", True),
    ("ghcr.io/a/**/z", "ghcr.io/a/b/z/z", True),
    ("ghcr.io/a/**/z", "ghcr.io/a/b/z/c", False),
    ("**", "alpine", True),
    ("**/pay", "acme/pay", True),
    ("**/pay", "acme/repay", False),
    ("*/acme/pay", "quay.io/acme/pay", True),
    ("*/acme/pay", "quay.io/x/acme/pay", False),
    ("*.acme.test/**", "a.b.acme.test/x", True),
    ("*.acme.test/**", "acme.test/x", False),
    ("acme/p*y*", "acme/pay-y", True),
    ("acme/p*y*", "acme/pa", False),
    ("acme/*a*b*", "acme/ba", False),
    ("acme/pay:v*", "acme/pay:v1", True),
    ("acme/pay:v*", "acme/pay:v", True),
    ("acme/pay:v*", "acme/pay:dev", False),
    ("acme/pay:v*", f"acme/pay@{A}", False),
    ("acme/pay:v1", "acme/pay:v1", True),
    ("acme/pay:v1", "acme/pay:v10", False),
    (f"acme/pay@{A}", f"acme/pay@{A}", True),
    (f"acme/pay@{A}", f"acme/pay:v1@{A}", True),
    (f"acme/pay@{A}", f"acme/pay@{B}", False),
    (f"acme/pay@{A}", "acme/pay:v1", False),
    (f"acme/pay:v*@{A}", f"acme/pay:v1@{A}", True),
    (f"acme/pay:v*@{A}", f"acme/pay@{A}", False),
    ("localhost:5000/*", "localhost:5000/pay:v1", True),
    ("localhost:5000/*", "localhost:5001/pay:v1", False),
]


@pytest.mark.parametrize(("pattern", "image", "expected"), MATCHES)
def test_matching_is_anchored_on_every_side(pattern: str, image: str, expected: bool) -> None:
    assert Pattern.parse(pattern).matches(ImageReference.parse(image)) is expected


# Each list from the most specific to the least.
ORDERED = [
    [
        f"acme/pay:v1@{A}",
        f"acme/pay:v*@{A}",
        f"acme/pay@{A}",
        "acme/pay:v1",
        "acme/pay:v*",
        "acme/pay",
    ],
    ["docker.io/acme/pay", "docker.io/acme/p*", "docker.io/acme/**", "docker.io/**", "*/**", "**"],
    # the first difference from the left decides, however long the rest
    ["ghcr.io/a/*", "ghcr.io/*/b/c/d/e", "*/a/b/c/d"],
    ["ghcr.io/a/**/z", "ghcr.io/a/**"],
    # no counting of characters
    ["ghcr.io/a/*", "ghcr.io/a/**/a-very-long-name-indeed"],
    # the path before the digest
    ["ghcr.io/a/b", f"ghcr.io/a/*@{A}"],
]


@pytest.mark.parametrize("patterns", ORDERED)
def test_the_first_difference_from_the_left_decides(patterns: list[str]) -> None:
    backwards = patterns[::-1]  # so that a stable sort does not hide equal ranks
    found = sorted(backwards, key=lambda text: Pattern.parse(text).specificity)
    assert found == patterns


def test_lengths_of_names_make_no_difference() -> None:
    short, long = Pattern.parse("ghcr.io/a/b*"), Pattern.parse("ghcr.io/aaaaaaa/*bbbbbb*")
    assert short.specificity == long.specificity


MEETINGS = [
    ("alpine", "alpine", True),
    ("alpine", "busybox", False),
    ("acme/*", "acme/pay", True),
    ("acme/a*", "acme/*z", True),
    ("acme/a*b", "acme/c*", False),
    ("acme/ab*", "acme/a*c", True),
    ("acme/*", "acme/**", True),
    ("acme/*", "acme/*/**", False),
    ("ghcr.io/**/a", "ghcr.io/b/**", True),
    ("ghcr.io/**/a", "ghcr.io/**/b", False),
    ("**", "ghcr.io/a/b/c", True),
    ("acme/pay:v*", "acme/pay:*1", True),
    ("acme/pay:v*", "acme/pay:x*", False),
    ("acme/pay:v*", "acme/pay", True),
    ("acme/pay:v1", f"acme/pay@{A}", True),
    (f"acme/pay@{A}", f"acme/pay@{B}", False),
    (f"acme/pay@{A}", f"acme/*@{A}", True),
]


@pytest.mark.parametrize(("one", "other", "expected"), MEETINGS)
def test_whether_two_patterns_can_meet(one: str, other: str, expected: bool) -> None:
    first, second = Pattern.parse(one), Pattern.parse(other)
    assert first.meets(second) is expected
    assert second.meets(first) is expected


COVERS = [
    ("acme/*", "acme/pay", True),
    ("acme/pay", "acme/*", False),
    ("acme/**", "acme/*", True),
    ("acme/*", "acme/**", False),
    ("acme/a*", "acme/ab*", True),
    ("acme/ab*", "acme/a*", False),
    ("acme/a*c", "acme/ab*c", True),
    ("ghcr.io/a/*/**", "ghcr.io/a/**/b", True),
    ("ghcr.io/a/**/b", "ghcr.io/a/*/**", False),
    ("**", "ghcr.io/a/**", True),
    ("ghcr.io/**", "**", False),
    ("acme/pay", "acme/pay:v1", True),
    ("acme/pay:v*", "acme/pay:v1*", True),
    ("acme/pay:v*", "acme/pay", False),
    ("acme/pay", f"acme/pay@{A}", True),
    (f"acme/pay@{A}", "acme/pay", False),
    (f"acme/pay@{A}", f"acme/pay:v1@{A}", True),
]


@pytest.mark.parametrize(("one", "other", "expected"), COVERS)
def test_whether_one_pattern_covers_another(one: str, other: str, expected: bool) -> None:
    assert Pattern.parse(one).covers(Pattern.parse(other)) is expected


def test_globs_of_texts() -> None:
    assert glob_covers("prod-*", "prod-")
    assert not glob_covers("prod-*", "xprod-1")
    assert globs_meet("a*", "a")
    assert not globs_meet("a", "b")


def test_many_stars_cost_little() -> None:
    # a backtracking matcher would need 2^40 steps here
    assert not glob_covers("a*" * 40 + "b", "a" * 120)
    assert not globs_meet("a*" * 40 + "b", "*a" * 40 + "c")
