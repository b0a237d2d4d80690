"""Images signed by docker on the real server, and someone in between: ours refuses what must be refused.

Each attack is played against a consumer who saw the good repository before, and against one who never did. Where
docker refuses too, it is held to that, so that the attack is known to be one; where it does not, the case says so.
"""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from interop.conftest import MakePerson
from interop.interceptor import LOST, Alter, Interceptor, Passing
from interop.peers import Authority, NotaryServer, Registry
from interop.people import Person
from interop.reading import codes, decision, pushed_digest

Build = Callable[[str, str], str]


class Scene(NamedTuple):
    """A signed repository behind the interceptor, and who looks at it."""

    image: str
    repository: str
    digest: str
    publisher: Person
    seasoned: Person  # has seen and cached the good repository
    newcomer: Person
    between: Interceptor

    def path(self, name: str) -> str:
        """Where the client asks for a role's file; by hash, when ``name`` is a prefix of several."""
        return f"/v2/{self.repository}/_trust/tuf/{name}"


@pytest.fixture
def scene(interceptor: Interceptor, repository: str, person: MakePerson, build: Build) -> Scene:
    """Signed twice, with a signer alice, so that every role has an older version."""
    image = build(f"{repository}:v1", "good")
    publisher = person("publisher", interceptor)
    digest = pushed_digest(publisher.docker("push", image, trust=False).ok())
    publisher.docker("trust", "key", "generate", "alice").ok()
    publisher.docker(
        "trust", "signer", "add", "--key", publisher.home / "alice.pub", "alice", repository
    ).ok()
    publisher.docker("trust", "sign", image).ok()
    seasoned, newcomer = person("seasoned", interceptor), person("newcomer", interceptor)
    seasoned.countermark("verify", image).ok()
    return Scene(image, repository, digest, publisher, seasoned, newcomer, interceptor)


def test_a_tag_that_was_overwritten(scene: Scene, person: MakePerson, build: Build) -> None:
    mallory = person("mallory", scene.between)
    evil = pushed_digest(mallory.docker("push", build(scene.image, "evil"), trust=False).ok())
    for consumer in (scene.seasoned, scene.newcomer):
        found = decision(consumer.countermark("verify", "-o", "json", scene.image).refused())
        assert (found["verdict"], found["digest"]) == ("denied", evil)
        assert "moved-tag" in codes(found)
        outcome = consumer.countermark(
            "pull", scene.image, "--to", f"oci:{consumer.home}/no"
        ).refused()
        assert scene.digest in outcome.out
        assert evil in outcome.out
        assert not (consumer.home / "no").exists()
        consumer.countermark(
            "pull", f"{scene.repository}@{scene.digest}", "--to", f"oci:{consumer.home}/yes"
        ).ok()
        consumer.countermark("verify", f"{scene.repository}@{evil}").refused()


def flip(body: bytes) -> bytes:
    """Change one letter of the first base64 text: still JSON, another meaning."""
    found = re.search(rb'"sha256":"(.)', body)
    assert found, body
    at = found.start(1)
    return body[:at] + (b"A" if body[at : at + 1] != b"A" else b"B") + body[at + 1 :]


def altered(pattern: str, change: Callable[[Passing], Passing]) -> Callable[[Scene], Alter]:
    """An alteration of the answers whose path matches, within the repository's trust data."""

    def make(scene: Scene) -> Alter:
        wanted = re.compile(re.escape(scene.path("")) + pattern)

        def alter(path: str, answer: Passing) -> Passing:
            return change(answer) if wanted.fullmatch(path) and answer.status == 200 else answer

        return alter

    return make


HASH = r"(\.[0-9a-f]{64})?\.json"


def tampered(role: str) -> Callable[[Scene], Alter]:
    return altered(role + HASH, lambda answer: answer._replace(body=flip(answer.body)))


def status(code: int, role: str, body: bytes = b"{}") -> Callable[[Scene], Alter]:
    return altered(role + HASH, lambda _: Passing(code, body))


def unsigned(answer: Passing) -> Passing:
    document = json.loads(answer.body)
    document["signatures"] = []
    return answer._replace(body=json.dumps(document).encode())


def resigned(answer: Passing) -> Passing:
    """The signatures of somebody else: right in form, wrong in substance."""
    document = json.loads(answer.body)
    for signature in document["signatures"]:
        signature["sig"] = base64.b64encode(bytes(range(64))).decode()
    return answer._replace(body=json.dumps(document).encode())


BAD, EMPTY, WITHHELD = (
    {"below-threshold", "bad-signature"},
    {"no-signatures"},
    {"not-found", "freeze", "checksum"},
)

# name: what is done; which codes ours may name; whether docker refuses it for the seasoned and for the newcomer
ATTACKS: dict[str, tuple[Callable[[Scene], Alter], set[str], bool, bool]] = {
    "timestamp tampered": (tampered("timestamp"), BAD, True, True),
    "snapshot tampered": (tampered("snapshot"), {"checksum"}, True, True),
    "releases tampered": (tampered("targets/releases"), {"checksum"}, False, True),
    "timestamp without signatures": (altered("timestamp.json", unsigned), EMPTY, True, True),
    "timestamp signed by another": (altered("timestamp.json", resigned), BAD, True, True),
    "timestamp that is no JSON": (status(200, "timestamp", b"<html>"), {"malformed"}, True, True),
    "timestamp that is empty": (status(200, "timestamp", b""), {"malformed"}, True, True),
    "snapshot withheld": (status(404, "snapshot"), WITHHELD, False, True),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_someone_in_between(name: str, scene: Scene, person: MakePerson, build: Build) -> None:
    make, expected, seasoned_refused, newcomer_refused = ATTACKS[name]
    veteran = person("veteran", scene.between)
    veteran.docker("pull", scene.image).ok()
    # a new version of everything, so that a seasoned client has to fetch what is altered
    scene.publisher.docker("push", build(f"{scene.repository}:v2", "new")).ok()
    scene.between.alter = make(scene)
    for consumer, theirs, docker_refuses in (
        (scene.seasoned, veteran, seasoned_refused),
        (scene.newcomer, person("rookie", scene.between), newcomer_refused),
    ):
        ours = consumer.countermark("verify", "-o", "json", scene.image)
        assert ours.exit in (1, 3), f"{name}: let pass\n{ours.text}"
        found = decision(ours)
        assert codes(found) & expected, (name, codes(found), ours.text)
        pulled = consumer.countermark("pull", scene.image, "--to", f"oci:{consumer.home}/no")
        assert pulled.exit in (1, 3), pulled.text
        assert not (consumer.home / "no").exists()
        if docker_refuses:
            theirs.docker("pull", scene.image).refused()
    # and when the attacker goes away, all is well: a refusal leaves nothing behind that has to be repaired by hand
    scene.between.reset()
    for consumer in (scene.seasoned, scene.newcomer):
        consumer.countermark("verify", scene.image).ok()


def test_an_older_state_played_again(scene: Scene, person: MakePerson, build: Build) -> None:
    """All files of last week, correctly signed: a seasoned client notices, whatever the attacker serves."""
    old = dict(scene.between.remembered)
    veteran = person("veteran", scene.between)
    bad = build(f"{scene.repository}:v2", "signed by mistake, and revoked")
    scene.publisher.docker("push", bad, trust=False).ok()
    scene.publisher.docker("trust", "sign", bad).ok()
    scene.seasoned.countermark("verify", bad).ok()
    with_bad = dict(scene.between.remembered)
    scene.publisher.docker("trust", "revoke", bad).ok()
    scene.seasoned.countermark("verify", scene.image).ok()
    veteran.docker("pull", scene.image).ok()

    for what in (old, with_bad):
        files = {p: a for p, a in what.items() if p.startswith(scene.path("")) and a.status == 200}
        assert scene.path("timestamp.json") in files
        scene.between.replay(files)
        for image in (scene.image, bad):
            outcome = scene.seasoned.countermark("verify", "-o", "json", image).refused()
            assert "rollback" in codes(decision(outcome)), outcome.text
        veteran.docker("pull", scene.image).refused("version")
        scene.between.reset()
    scene.seasoned.countermark("verify", scene.image).ok()


def test_files_of_different_publications(scene: Scene) -> None:
    """The new timestamp with the old snapshot under the new one's address."""
    old = {
        p: a for p, a in scene.between.remembered.items() if p.startswith(scene.path("snapshot."))
    }
    (body,) = (
        {answer.body for answer in old.values()} if len(old) == 1 else {list(old.values())[-1].body}
    )
    scene.publisher.docker("trust", "sign", scene.image).ok()
    scene.between.alter = lambda path, answer: (
        answer._replace(body=body)
        if path.startswith(scene.path("snapshot.")) and answer.status == 200
        else answer
    )
    for consumer in (scene.seasoned, scene.newcomer):
        outcome = consumer.countermark("verify", "-o", "json", scene.image).refused()
        assert codes(decision(outcome)) & {"checksum", "mixed", "rollback", "too-large"}, (
            outcome.text
        )


@pytest.fixture
def swapped(
    scene: Scene,
    authority: Authority,
    person: MakePerson,
    tmp_path: Path,
    registry: Registry,
    build: Build,
) -> object:
    """Mallory's own trust server: the same repository, correctly signed, with her root."""
    server = NotaryServer(tmp_path / "mallory-server", authority)
    try:
        mallory = person("mallory", server)
        build(scene.image, "mallory's")
        mallory.docker("push", scene.image).ok()
        yield server
    finally:
        server.stop()


def test_a_swapped_root(scene: Scene, swapped: NotaryServer, person: MakePerson) -> None:
    """The same name with another's root: refused by all who know the first; a pin refuses it for newcomers too."""
    veteran, pinned = person("veteran", scene.between), person("pinned", scene.between)
    veteran.docker("trust", "inspect", scene.image).ok()
    pinned.countermark("trust", "pin", scene.repository).ok()
    scene.between.upstream = swapped.url
    for consumer in (scene.seasoned, pinned):
        outcome = consumer.countermark("verify", "-o", "json", scene.image).refused()
        assert codes(decision(outcome)) & {"root-rotation", "rollback", "pin", "bad-chain"}, (
            outcome.text
        )
    veteran.docker("pull", scene.image).refused()
    # a newcomer believes the first root seen, and is told so; not under --require-pin
    first = decision(scene.newcomer.countermark("verify", "-o", "json", scene.image).ok())
    assert '"first-use"' in json.dumps(first)
    scene.newcomer.countermark("verify", "--require-pin", scene.image).refused("first-use")


def test_a_release_role_without_valid_signature(
    scene: Scene, person: MakePerson, build: Build
) -> None:
    """Its only signer was taken out: docker falls back to what targets said long ago, silently; ours refuses."""
    image = build(f"{scene.repository}-two:v1", "old, signed before there were signers")
    repository = image.rpartition(":")[0]
    owner, veteran = person("owner", scene.between), person("veteran", scene.between)
    stale = pushed_digest(owner.docker("push", image).ok())
    for name in ("alice", "bob"):
        owner.docker("trust", "key", "generate", name).ok()
        owner.docker(
            "trust", "signer", "add", "--key", owner.home / f"{name}.pub", name, repository
        ).ok()
    build(image, "new, and fixed")
    current = pushed_digest(owner.docker("push", image, trust=False).ok())
    alice, bob = (_key_of(owner, name) for name in ("alice", "bob"))
    withheld = owner.trust / "bob"
    (owner.trust / "private" / bob).rename(withheld)  # so that alice alone signs
    owner.docker("trust", "sign", "--local", image).ok()
    assert stale != current
    assert current in veteran.docker("pull", image).ok().out
    scene.seasoned.countermark("verify", image).ok()
    owner.notary(
        "delegation", "remove", "-p", repository, "targets/releases", alice.removesuffix(".key")
    ).ok()

    assert stale in veteran.docker("pull", image).ok().out  # docker's downgrade
    for consumer in (scene.seasoned, scene.newcomer):
        for asked in (image, f"{image}@{stale}"):
            outcome = consumer.countermark("verify", "-o", "json", asked).refused()
            assert codes(decision(outcome)) & {"below-threshold", "bad-signature"}, outcome.text


def _key_of(person: Person, name: str) -> str:
    """The file of a signer's private key."""
    (found,) = (
        p.name
        for p in (person.trust / "private").glob("*.key")
        if f"role: {name}\n" in p.read_text()
    )
    return found


def test_a_release_role_that_is_withheld(scene: Scene, person: MakePerson) -> None:
    newcomers = person("fresh", scene.between), person("rookie", scene.between)
    wanted = re.compile(rf"{re.escape(scene.path('targets/releases'))}{HASH}")
    scene.between.alter = lambda path, answer: (
        Passing(404, b"{}") if wanted.fullmatch(path) else answer
    )
    outcome = newcomers[0].countermark("verify", scene.image)
    assert outcome.exit in (1, 3), outcome.text
    newcomers[1].docker("pull", scene.image).refused()


def test_a_server_that_is_away(scene: Scene, person: MakePerson) -> None:
    """Who saw it lately goes on with a warning, as docker does; who did not cannot know, and that is no yes."""
    scene.between.alter = lambda _path, _answer: LOST
    seen = decision(scene.seasoned.countermark("verify", "-o", "json", scene.image).ok())
    assert '"stale": true' in json.dumps(seen)
    outcome = scene.newcomer.countermark("verify", "-o", "json", scene.image)
    assert outcome.exit == 3, outcome.text
    assert decision(outcome)["verdict"] == "unknown"
    # a refusal is not an absence: whoever can answer 401 or 404 must not make us believe the cache
    for code in (401, 403, 404):
        scene.between.alter = lambda path, answer, code=code: (  # type: ignore[misc]
            Passing(code, b"{}") if "timestamp.json" in path else answer
        )
        outcome = scene.seasoned.countermark("verify", scene.image)
        assert outcome.exit in (1, 3, 4), outcome.text


def test_a_certificate_of_nobody(
    scene: Scene, tmp_path: Path, notary: NotaryServer, authority: Authority, person: MakePerson
) -> None:
    """TLS is verified for every trust server, also on loopback, where docker does not look."""
    stranger = Authority(tmp_path / "stranger")
    between = Interceptor(tmp_path / "between", stranger, notary.url, authority.ca)
    try:
        newcomer = person("misled", between).believes(between.address, authority.ca)
        outcome = newcomer.countermark("verify", scene.image)
        assert outcome.exit == 3, outcome.text
        assert "certificate" in outcome.out + outcome.err
        assert between.requests == []
    finally:
        between.stop()
