"""What docker and notary sign on the real servers, ours verifies, inspects and pulls."""

import json
from collections.abc import Callable
from pathlib import Path

from interop.conftest import MakePerson
from interop.peers import NotaryServer
from interop.people import Person
from interop.reading import (
    codes,
    decision,
    inspected,
    layout_digest,
    listed,
    pushed_digest,
    signed_tags,
    without_additions,
)

Build = Callable[[str, str], str]


def test_a_pushed_tag(
    docker_cli: Path, trust_server: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    image = build(f"{repository}:v1", "first")
    digest = pushed_digest(person("publisher", trust_server, docker_cli).docker("push", image).ok())
    consumer = person("consumer", trust_server)

    found = decision(consumer.countermark("verify", "-o", "json", image).ok())
    assert (found["verdict"], found["digest"]) == ("allowed", digest)
    text = consumer.countermark("verify", image).ok()
    assert text.out.startswith(f"allowed  {image}\n  {digest}\n")

    consumer.countermark("pull", image, "--to", f"oci:{consumer.home}/copy").ok()
    assert layout_digest(consumer.home / "copy") == digest
    # where the signed image is asked for by tag and by digest, both must agree
    consumer.countermark("verify", f"{image}@{digest}").ok()
    other = f"{image}@sha256:{'0' * 64}"
    assert consumer.countermark("verify", other).exit in (1, 3)


def test_pull_into_the_daemon(
    notary: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    image = build(f"{repository}:v1", "for the daemon")
    publisher = person("publisher", notary)
    digest = pushed_digest(publisher.docker("push", image).ok())
    publisher.docker("rmi", image, trust=False).ok()
    publisher.docker("rmi", f"{repository}@{digest}", trust=False)
    person("consumer", notary).countermark("pull", image).ok()
    shown = publisher.docker("image", "inspect", image, trust=False).ok()
    assert f"{repository}@{digest}" in json.loads(shown.out)[0]["RepoDigests"]


def test_what_nobody_signed(
    notary: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    signed, unsigned = build(f"{repository}:signed", "s"), build(f"{repository}:unsigned", "u")
    unknown = build(f"{repository}-unknown:v1", "n")
    publisher, consumer = person("publisher", notary), person("consumer", notary)
    publisher.docker("push", signed).ok()
    for image in (unsigned, unknown):
        publisher.docker("push", image, trust=False).ok()
        found = decision(consumer.countermark("verify", "-o", "json", image).refused())
        assert found["verdict"] == "denied"
        assert "unsigned" in codes(found)
        consumer.countermark("pull", image, "--to", f"oci:{consumer.home}/no").refused("unsigned")
        assert not (consumer.home / "no").exists()
    assert inspected(consumer.countermark("trust", "inspect", unsigned))[0]["SignedTags"] == []
    consumer.countermark("trust", "inspect", unknown).refused(
        f"no signatures or cannot access {unknown}"
    )
    consumer.countermark("verify", signed).ok()


def delegated(publisher: Person, teammate: Person, image: str) -> None:
    """Alice and bob as signers; bob signs with his own key, which the publisher never sees."""
    repository = image.rpartition(":")[0]
    for person, name in ((publisher, "alice"), (teammate, "bob")):
        person.docker("trust", "key", "generate", name).ok()
    for person, name in ((publisher, "alice"), (teammate, "bob")):
        public = person.home / f"{name}.pub"
        publisher.docker("trust", "signer", "add", "--key", public, name, repository).ok()
    publisher.docker("trust", "sign", image).ok()


def test_delegated_signers(
    docker_cli: Path, trust_server: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    image = build(f"{repository}:v1", "delegated")
    publisher, teammate = (
        person("publisher", trust_server, docker_cli),
        person("teammate", trust_server, docker_cli),
    )
    delegated(publisher, teammate, image)
    consumer = person("consumer", trust_server)
    assert [
        signers
        for _, signers in signed_tags(consumer.countermark("trust", "inspect", image)).values()
    ] == [("alice",)]
    teammate.docker("trust", "sign", image).ok()

    theirs = teammate.docker("trust", "inspect", image).ok()
    assert without_additions(consumer.countermark("trust", "inspect", image).ok().out) == theirs.out
    assert without_additions(
        consumer.countermark("trust", "inspect", "--pretty", image).ok().out
    ) == (teammate.docker("trust", "inspect", "--pretty", image).ok().out)
    consumer.countermark("verify", image).ok()

    root = inspected(theirs)[0]["AdministrativeKeys"][0]["Keys"][0]["ID"]
    policy = consumer.home / "policy.yaml"
    for name, expected in (("alice", 0), ("bob", 0), ("carol", 1)):
        policy.write_text(
            f"version: 1\nsigners:\n  {name}: {{dct: {{root: {root}, role: targets/{name}}}}}\n"
            f"rules:\n- images: '{repository}'\n  require: {name}\n"
        )
        outcome = consumer.countermark("verify", "--policy", policy, image)
        assert outcome.exit == expected, outcome.text
    policy.write_text(
        f"version: 1\nsigners:\n  stranger: {{dct: {{root: '{'0' * 64}'}}}}\n"
        f"rules:\n- images: '{repository}'\n  require: stranger\n"
    )
    assert "pin" in codes(
        decision(consumer.countermark("verify", "-o", "json", "--policy", policy, image).refused())
    )


def test_docker_revokes(
    trust_server: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    kept, gone = build(f"{repository}:kept", "k"), build(f"{repository}:gone", "g")
    publisher, consumer = person("publisher", trust_server), person("consumer", trust_server)
    for image in (kept, gone):
        publisher.docker("push", image).ok()
        consumer.countermark("verify", image).ok()
    publisher.docker("trust", "revoke", gone).ok()
    assert "unsigned" in codes(
        decision(consumer.countermark("verify", "-o", "json", gone).refused())
    )
    consumer.countermark("verify", kept).ok()


def manifest_of(person: Person, image: str) -> tuple[str, int]:
    """Digest (hex) and size of an image that was pushed, as notary's addhash wants them."""
    raw = person.skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{image}").ok()
    digest = person.skopeo(
        "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{image}"
    ).ok()
    return digest.out.strip().removeprefix("sha256:"), len(raw.out.encode())


def test_notary_signs_and_rotates(
    trust_server: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    image = build(f"{repository}:v1", "by notary")
    publisher, consumer = person("publisher", trust_server), person("consumer", trust_server)
    publisher.docker("push", image, trust=False).ok()
    digest, size = manifest_of(publisher, image)
    publisher.notary("init", "-p", repository).ok()  # with a snapshot key of its own
    publisher.notary("addhash", "-p", repository, "v1", str(size), "--sha256", digest).ok()
    consumer.countermark("verify", image).ok()

    assert listed(publisher.notary("list", repository)) == {"v1": (digest, "targets")}
    fresh = 0
    for words in (
        ("snapshot", "-r"), ("targets",), ("root",), ("timestamp", "-r"),
        ("root",), ("root",), ("root",), ("targets",),
    ):  # fmt: skip
        publisher.notary("key", "rotate", repository, *words, stdin="yes\n").ok()
        if words == ("root",) and fresh < 2:
            fresh += (
                1  # let two more rotations pass, so that the cached root is several steps behind
            )
            continue
        found = decision(consumer.countermark("verify", "-o", "json", image).ok())
        assert found["digest"] == f"sha256:{digest}"
        fresh += 1
        person(f"newcomer{fresh}", trust_server).countermark("verify", image).ok()


def test_names_that_notary_allows(
    notary: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    image = build(f"{repository}:v1", "names")
    publisher, consumer = person("publisher", notary), person("consumer", notary)
    publisher.docker("push", image, trust=False).ok()
    digest, size = manifest_of(publisher, image)
    publisher.notary("init", repository).ok()
    names = ["v1", "v10", "v9", "ünïcode", "<&>", 'quo"te', "back\\slash", "a/b"]
    for name in [*names, *(f"t{number}" for number in range(40))]:
        publisher.notary("addhash", repository, name, str(size), "--sha256", digest).ok()
    publisher.notary("publish", repository).ok()
    consumer.countermark("verify", image).ok()
    theirs = consumer.docker("trust", "inspect", repository).ok()
    assert (
        without_additions(consumer.countermark("trust", "inspect", repository).ok().out)
        == theirs.out
    )


def test_a_cache_for_both(
    notary: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    """Docker's cache of yesterday is ours of today: a consumer who used docker before has nothing to believe anew."""
    image = build(f"{repository}:v1", "shared")
    person("publisher", notary).docker("push", image).ok()
    consumer = person("consumer", notary)
    consumer.docker("trust", "inspect", image).ok()
    cached = {
        p.name: p.read_bytes()
        for p in (consumer.trust / "tuf" / repository / "metadata").glob("*.json")
    }
    consumer.countermark("verify", image).ok()
    after = {
        p.name: p.read_bytes()
        for p in (consumer.trust / "tuf" / repository / "metadata").glob("*.json")
    }
    assert after["root.json"] == cached["root.json"]
    assert set(cached) <= set(after)
    consumer.docker("pull", image).ok()
