"""What ours signs on the real servers, docker and notary accept; what ours revokes, they refuse."""

from collections.abc import Callable
from pathlib import Path

from interop import images
from interop.conftest import MakePerson
from interop.peers import NotaryServer
from interop.reading import inspected, listed, pushed_digest, signed_tags

Build = Callable[[str, str], str]


def test_push_and_sign(
    docker_cli: Path, trust_server: NotaryServer, repository: str, person: MakePerson
) -> None:
    image = f"{repository}:v1"
    publisher, consumer = (
        person("publisher", trust_server),
        person("consumer", trust_server, docker_cli),
    )
    digest = images.oci_layout(publisher.home / "image", "ours")
    publisher.countermark("push", f"oci:{publisher.home}/image", image, "--sign").ok()

    pulled = consumer.docker("pull", image).ok()
    assert f"Pull (1 of 1): {image}@{digest}" in pulled.out
    consumer.docker("create", image, "/message.txt").ok()
    assert listed(consumer.notary("list", repository)) == {
        "v1": (digest.removeprefix("sha256:"), "targets")
    }
    assert signed_tags(consumer.docker("trust", "inspect", image)) == {
        "v1": (digest, ("Repo Admin",))
    }

    second = images.oci_layout(publisher.home / "second", "ours, newer")
    publisher.countermark(
        "push", f"oci:{publisher.home}/second", image, DOCKER_CONTENT_TRUST="1"
    ).ok()
    assert second in consumer.docker("pull", image).ok().out


def test_sign_what_the_daemon_has(
    docker_cli: Path, trust_server: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    image = build(f"{repository}:v1", "from the daemon")
    publisher, consumer = (
        person("publisher", trust_server, docker_cli),
        person("consumer", trust_server, docker_cli),
    )
    digest = pushed_digest(publisher.docker("push", image, trust=False).ok())
    publisher.countermark("trust", "key", "generate", "alice").ok()
    publisher.countermark("trust", "signer", "add", "--key", "alice.pub", "alice", repository).ok()
    publisher.countermark("trust", "sign", image).ok()
    assert digest in consumer.docker("pull", image).ok().out
    assert signed_tags(consumer.docker("trust", "inspect", image)) == {"v1": (digest, ("alice",))}


def test_sign_from_the_registry(
    trust_server: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    image = build(f"{repository}:v1", "from the registry")
    publisher, consumer = person("publisher", trust_server), person("consumer", trust_server)
    digest = pushed_digest(publisher.docker("push", image, trust=False).ok())
    publisher.countermark("trust", "key", "generate", "alice").ok()
    publisher.countermark("trust", "signer", "add", "--key", "alice.pub", "alice", repository).ok()
    signed = publisher.countermark("trust", "sign", image, "--from-registry", DOCKER_HOST="").ok()
    assert digest in signed.out + signed.err  # it says what it signs
    assert digest in consumer.docker("pull", image).ok().out


def test_what_we_revoke_is_refused(
    docker_cli: Path, trust_server: NotaryServer, repository: str, person: MakePerson
) -> None:
    publisher, consumer = (
        person("publisher", trust_server),
        person("consumer", trust_server, docker_cli),
    )
    for tag in ("kept", "gone"):
        images.oci_layout(publisher.home / tag, tag)
        publisher.countermark(
            "push", f"oci:{publisher.home}/{tag}", f"{repository}:{tag}", "--sign"
        ).ok()
        consumer.docker("pull", f"{repository}:{tag}").ok()
    revoked = publisher.countermark("trust", "revoke", f"{repository}:gone").ok()
    assert revoked.out == f"Successfully deleted signature for {repository}:gone\n"
    consumer.docker("pull", f"{repository}:gone").refused("No valid trust data for gone")
    assert set(listed(consumer.notary("list", repository))) == {"kept"}
    consumer.docker("pull", f"{repository}:kept").ok()

    publisher.countermark("trust", "revoke", "-y", repository).ok()
    consumer.docker("pull", f"{repository}:kept").refused("No valid trust data for kept")
    assert listed(consumer.notary("list", repository)) == {}


def test_signers_that_we_add_and_remove(
    docker_cli: Path, trust_server: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    image = build(f"{repository}:v1", "signers")
    publisher, teammate = (
        person("publisher", trust_server),
        person("teammate", trust_server, docker_cli),
    )
    consumer = person("consumer", trust_server, docker_cli)
    publisher.docker("push", image, trust=False).ok()
    teammate.docker("trust", "key", "generate", "bob").ok()
    publisher.countermark("trust", "key", "generate", "alice").ok()
    added = publisher.countermark(
        "trust", "signer", "add", "--key", "alice.pub", "alice", repository
    ).ok()
    assert f'Successfully initialized "{repository}"' in added.out
    publisher.countermark(
        "trust", "signer", "add", "--key", teammate.home / "bob.pub", "bob", repository
    ).ok()

    teammate.docker("trust", "sign", image).ok()  # docker signs with the role that ours made
    publisher.countermark("trust", "sign", image).ok()
    ((digest, signers),) = signed_tags(consumer.docker("trust", "inspect", image)).values()
    assert signers == ("alice", "bob")
    assert digest in consumer.docker("pull", image).ok().out
    roles = consumer.notary("delegation", "list", repository).ok().out
    assert all(role in roles for role in ("targets/alice", "targets/bob", "targets/releases"))

    publisher.countermark("trust", "signer", "remove", "-f", "bob", repository).ok()
    after = inspected(consumer.docker("trust", "inspect", image))[0]
    assert [signer["Name"] for signer in after["Signers"]] == ["alice"]
    publisher.countermark("trust", "sign", image).ok()
    consumer.docker("pull", image).ok()
    second = build(f"{repository}:v2", "bob is out")
    publisher.docker("push", second, trust=False).ok()
    teammate.docker("trust", "sign", second).refused()


def test_docker_adds_us(
    docker_cli: Path, trust_server: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    image = build(f"{repository}:v1", "we are the signer")
    owner, signer = person("owner", trust_server, docker_cli), person("signer", trust_server)
    consumer = person("consumer", trust_server, docker_cli)
    digest = pushed_digest(owner.docker("push", image, trust=False).ok())
    signer.countermark("trust", "key", "generate", "carol").ok()
    owner.docker(
        "trust", "signer", "add", "--key", signer.home / "carol.pub", "carol", repository
    ).ok()
    signer.countermark("trust", "sign", image, "--from-registry").ok()
    assert signed_tags(consumer.docker("trust", "inspect", image)) == {"v1": (digest, ("carol",))}
    assert digest in consumer.docker("pull", image).ok().out


def test_rotations_that_docker_follows(
    docker_cli: Path, trust_server: NotaryServer, repository: str, person: MakePerson
) -> None:
    image = f"{repository}:v1"
    publisher, consumer = (
        person("publisher", trust_server),
        person("consumer", trust_server, docker_cli),
    )
    images.oci_layout(publisher.home / "image", "rotated")
    publisher.countermark("push", f"oci:{publisher.home}/image", image, "--sign").ok()
    consumer.docker("pull", image).ok()
    for number, role in enumerate(("targets", "root", "root", "root", "timestamp", "snapshot")):
        publisher.countermark("trust", "rotate", "-y", repository, role).ok()
        if number != 1:  # so that docker has to follow two roots at once
            consumer.docker("pull", image).ok()
            consumer.notary("list", repository).ok()
        person(f"newcomer{number}", trust_server, docker_cli).docker("pull", image).ok()
    publisher.countermark("push", f"oci:{publisher.home}/image", f"{repository}:v2", "--sign").ok()
    consumer.docker("pull", f"{repository}:v2").ok()
