"""Image references and digests."""

import pytest

from countermark.core.digest import Digest
from countermark.core.errors import InputError
from countermark.core.reference import ImageReference, Repository, Subject

D = "sha256:" + "ab" * 32

GOOD = [
    ("alpine", "docker.io/library/alpine", "alpine"),
    ("alpine:3", "docker.io/library/alpine:3", "alpine:3"),
    ("library/alpine", "docker.io/library/alpine", "alpine"),
    ("index.docker.io/library/alpine", "docker.io/library/alpine", "alpine"),
    ("acme/pay:v1", "docker.io/acme/pay:v1", "acme/pay:v1"),
    ("localhost/pay", "localhost/pay", "localhost/pay"),
    ("localhost:5000/pay:v1", "localhost:5000/pay:v1", "localhost:5000/pay:v1"),
    ("[::1]:5000/pay", "[::1]:5000/pay", "[::1]:5000/pay"),
    ("quay.io/a/b/c", "quay.io/a/b/c", "quay.io/a/b/c"),
    ("Registry/app", "Registry/app", "Registry/app"),
    (f"a/b@{D}", f"docker.io/a/b@{D}", f"a/b@{D}"),
    (f"a/b:t@{D}", f"docker.io/a/b:t@{D}", f"a/b:t@{D}"),
    ("a/b__c--d.e:T_1.-x", "docker.io/a/b__c--d.e:T_1.-x", "a/b__c--d.e:T_1.-x"),
]

BAD = [
    "",
    ":tag",
    "Alpine",
    "a//b",
    "a/../b",
    "/a",
    "a/",
    "a:",
    "a:t:u",
    "a@",
    "a@sha256:ab",
    "a@md5:" + "a" * 32,
    "a@sha256:" + "AB" * 32,
    "a b",
    "a\n",
    "a:t\n",
    "ex ample.com/a",
    "exa$mple.com/a",
    "-x.com/a",
    "a:" + "t" * 129,
    "a/" + "b" * 300,
    "ab" * 32,
    "localhost:port/a",
]


@pytest.mark.parametrize(("text", "full", "familiar"), GOOD)
def test_references_are_read_as_docker_reads_them(text: str, full: str, familiar: str) -> None:
    reference = ImageReference.parse(text)
    assert str(reference) == full
    assert reference.familiar == familiar
    assert ImageReference.parse(full) == reference
    assert ImageReference.parse(familiar) == reference


@pytest.mark.parametrize("text", BAD)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        ImageReference.parse(text)


def test_default_tag_is_added_only_where_nothing_says_which() -> None:
    assert ImageReference.parse("a").with_default_tag().tag == "latest"
    assert ImageReference.parse("a:b").with_default_tag().tag == "b"
    assert ImageReference.parse(f"a@{D}").with_default_tag().tag is None


def test_subject_names_all_it_knows() -> None:
    repository = Repository(registry="docker.io", path="library/a")
    subject = Subject(repository=repository, digest=Digest.parse(D), tag="t")
    assert str(subject) == f"docker.io/library/a:t@{D}"
    assert str(subject.pinned) == f"docker.io/library/a@{D}"


def test_digests_compute_compare_and_round_trip() -> None:
    digest = Digest.of(b"foo")
    assert str(digest) == "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    assert digest.matches(b"foo")
    assert not digest.matches(b"bar")
    assert Digest.from_raw(digest.raw) == digest
    assert Digest.parse(str(Digest.of(b"foo", "sha512"))).matches(b"foo")


@pytest.mark.parametrize(
    "text",
    ["", "sha256", "sha256:", "sha256:" + "g" * 64, "sha1:" + "a" * 40, "sha256:" + "a" * 63],
)
def test_bad_digests_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        Digest.parse(text)
