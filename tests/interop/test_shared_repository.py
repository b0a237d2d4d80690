"""Docker, notary and ours publish to one repository in turn, from one trust folder and from several."""

from collections.abc import Callable
from pathlib import Path

import pytest

from interop import images
from interop.conftest import MakePerson
from interop.peers import NotaryServer, OurServer
from interop.people import Person
from interop.reading import inspected, listed, pushed_digest, signed_tags

Build = Callable[[str, str], str]


@pytest.fixture(params=["notary", "sql_notary", "ours"])
def any_server(request: pytest.FixtureRequest) -> NotaryServer | OurServer:
    """Each trust server: theirs in memory, theirs on PostgreSQL, ours."""
    server = request.getfixturevalue(request.param)
    assert isinstance(server, NotaryServer | OurServer)
    return server


def publish(person: Person, tool: str, image: str, build: Build) -> str:
    """Push and sign with docker, or with ours; the digest."""
    if tool == "docker":
        build(image, f"{image} by docker")
        return pushed_digest(person.docker("push", image).ok())
    layout = person.home / image.rpartition(":")[2]
    digest = images.oci_layout(layout, f"{image} by ours")
    person.countermark("push", f"oci:{layout}", image, "--sign").ok()
    return digest


@pytest.mark.parametrize("first", ["docker", "countermark"])
def test_one_home_two_tools(
    first: str,
    docker_cli: Path,
    any_server: NotaryServer | OurServer,
    repository: str,
    person: MakePerson,
    build: Build,
) -> None:
    """One person changes from tool to tool: keys, caches and pending changes are the same files for both."""
    publisher, consumer = (
        person("publisher", any_server, docker_cli),
        person("consumer", any_server, docker_cli),
    )
    second = "docker" if first == "countermark" else "countermark"
    expected = {}
    for number, tool in enumerate((first, second, first, second, second)):
        tag = f"v{number}"
        expected[tag] = publish(publisher, tool, f"{repository}:{tag}", build)
        seen = {
            name: {row: digest for row, (digest, _) in signed_tags(person_inspects).items()}
            for name, person_inspects in (
                ("docker", consumer.docker("trust", "inspect", repository)),
                ("ours", consumer.countermark("trust", "inspect", repository)),
            )
        }
        assert seen == {"docker": expected, "ours": expected}
        consumer.docker("pull", f"{repository}:{tag}").ok()
        consumer.countermark("verify", f"{repository}:{tag}").ok()
    # one root key, one for the repository: neither tool made its own
    assert len(publisher.key_files()) == 2
    assert not list((publisher.trust / "tuf" / repository / "changelist").glob("*.change"))


def test_two_homes_two_signers(
    docker_cli: Path,
    any_server: NotaryServer | OurServer,
    repository: str,
    person: MakePerson,
    build: Build,
) -> None:
    image = build(f"{repository}:v1", "both sign")
    alice, bob = person("alice", any_server, docker_cli), person("bob", any_server)
    consumer = person("consumer", any_server, docker_cli)
    digest = pushed_digest(alice.docker("push", image, trust=False).ok())
    alice.docker("trust", "key", "generate", "alice").ok()
    bob.countermark("trust", "key", "generate", "bob").ok()
    alice.docker(
        "trust", "signer", "add", "--key", alice.home / "alice.pub", "alice", repository
    ).ok()
    alice.countermark(
        "trust", "signer", "add", "--key", bob.home / "bob.pub", "bob", repository
    ).ok()
    for turn in range(3):  # each publishes upon the other's releases role
        (
            alice.docker("trust", "sign", image)
            if turn % 2
            else bob.countermark("trust", "sign", image)
        ).ok()
    (bob.countermark("trust", "sign", image)).ok()
    for tool in (consumer.docker, consumer.countermark):
        assert signed_tags(tool("trust", "inspect", image)) == {"v1": (digest, ("alice", "bob"))}
    assert digest in consumer.docker("pull", image).ok().out
    consumer.countermark("verify", image).ok()

    bob.countermark("trust", "revoke", image).ok()
    # alice's own role still has it, which only she can change; the released role has not
    consumer.docker("pull", image).refused("No trust data for v1")
    consumer.countermark("verify", image).refused("unsigned")


def test_notary_and_ours(
    any_server: NotaryServer | OurServer, repository: str, person: MakePerson
) -> None:
    """Notary makes the repository with a snapshot key of its own; ours publishes to it all the same."""
    publisher, consumer = person("publisher", any_server), person("consumer", any_server)
    file = publisher.home / "a.txt"
    file.write_text("a target that is no image")
    publisher.notary("init", "-p", repository).ok()
    publisher.notary("add", "-p", repository, "a.txt", file).ok()
    digest = images.oci_layout(publisher.home / "image", "beside notary's")
    publisher.countermark("push", f"oci:{publisher.home}/image", f"{repository}:v1", "--sign").ok()
    expected = {"a.txt", "v1"}
    assert set(listed(consumer.notary("list", repository))) == expected
    publisher.notary("add", "-p", repository, "b.txt", file).ok()
    assert set(listed(consumer.notary("list", repository))) == expected | {"b.txt"}
    assert digest in consumer.docker("pull", f"{repository}:v1").ok().out
    found = inspected(consumer.countermark("trust", "inspect", repository))[0]
    assert {row["SignedTag"] for row in found["SignedTags"]} == expected | {"b.txt"}
    publisher.notary("key", "rotate", repository, "snapshot", "-r").ok()  # now the server holds it
    publisher.countermark("trust", "revoke", f"{repository}:v1").ok()
    assert set(listed(consumer.notary("list", repository))) == {"a.txt", "b.txt"}
