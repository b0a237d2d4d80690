"""Docker, dockerd and skopeo, unmodified, use ``countermark serve`` as docker-registry and notary-server."""

import re
from collections.abc import Callable
from pathlib import Path

import bcrypt

from interop import images
from interop.conftest import MakePerson
from interop.peers import Daemon, NotaryServer, OurServer, Registry
from interop.people import Person
from interop.reading import decision, inspected, layout_digest, pushed_digest, signed_tags
from interop.transcripts import shown

Build = Callable[[str, str], str]

# The whole life of a repository: who does what. REPO is the repository; ``plain`` has trust off.
LIFE = """
publisher: pull REPO:v1
publisher: trust inspect REPO:v1
publisher: trust revoke REPO:v1
publisher: push REPO:v1
publisher: push REPO:v1
publisher: trust inspect REPO:v1
consumer: pull REPO:v1
consumer: pull REPO:v2
publisher: push REPO:v2
consumer: pull REPO:v2
consumer: pull -a REPO
publisher: trust inspect --pretty REPO
publisher: trust revoke REPO:v2
publisher: trust revoke REPO:v2
consumer: pull REPO:v2
publisher: trust key generate alice
teammate: trust key generate bob
publisher: trust signer add --key alice.pub alice REPO
publisher: trust signer add --key ../teammate/bob.pub bob REPO
publisher: trust sign REPO:v1
publisher: trust sign REPO:v1
teammate: trust sign REPO:v1
teammate: trust inspect --pretty REPO:v1
teammate: trust sign REPO:v2
consumer: pull REPO:v2
consumer: create REPO:v2 /message.txt
stranger: push REPO:v3
plain: pull REPO:v3
consumer: pull REPO:v3
publisher: trust revoke -y REPO
teammate: trust inspect --pretty REPO
teammate: trust revoke -y REPO
consumer: pull REPO:v1
"""

# What the daemon tells of layers, which depends on what it has already.
PROGRESS = (
    "Preparing", "Waiting", "Pushed", "Layer already exists", "Mounted from", "Pulling fs layer",
    "Verifying Checksum", "Download complete", "Pull complete", "Already exists", "Status: ",
)  # fmt: skip


def test_the_life_of_a_repository(
    docker_cli: Path, registry: Registry, notary: NotaryServer, ours: OurServer, daemon: Daemon, slug: str,
    person: MakePerson, build: Build, tmp_path: Path,
) -> None:  # fmt: skip
    """Each step prints the same on ours and on the reference, and ends the same."""
    theirs = _play(
        f"{registry.address}/{slug}", tmp_path / "theirs", notary, daemon, docker_cli, build
    )
    own = _play(f"{ours.address}/{slug}", tmp_path / "ours", ours, daemon, docker_cli, build)
    for ours_step, their_step in zip(own, theirs, strict=True):
        assert ours_step == their_step
    # the reference itself did what the script wants of it
    assert sum("[exit 0]" in step for step in theirs) > 15


def _play(
    repository: str,
    folder: Path,
    server: NotaryServer | OurServer,
    daemon: Daemon,
    cli: Path,
    build: Build,
) -> list[str]:
    people: dict[str, Person] = {}
    words = {
        repository: "REPO",
        server.address: "HOST",  # on ours, registry and trust server are one
        repository.partition("/")[0]: "HOST",
        str(folder): "HOMES",
    }
    words[repository.partition("/")[2]] = "PATH"
    for tag in ("v1", "v2", "v3"):
        build(f"{repository}:{tag}", f"life {tag}")
    transcript = []
    for line in LIFE.strip().splitlines():
        name, _, command = line.partition(": ")
        if name not in people:
            people[name] = Person(folder / name, server.url, daemon.host, cli).believes(
                server.address, server.ca
            )
        outcome = people[name].docker(
            *command.replace("REPO", repository).split(), trust=name != "plain"
        )
        transcript.append(f"$ {line}\n{_settled(shown(outcome, words))}")
    return transcript


def _settled(text: str) -> str:
    """Without what depends on the daemon's layers and progress, and with unordered lists in order."""
    kept = [line for line in text.splitlines() if not any(word in line for word in PROGRESS)]
    if any(
        line.startswith("Pull (") for line in kept
    ):  # docker pulls the tags of a repository in random order
        kept = sorted(re.sub(r"Pull \(\d of", "Pull (N of", line) for line in kept)
    return "\n".join(line for line in kept if line != "ID12")


def test_skopeo_and_docker_move_images(
    ours: OurServer, slug: str, person: MakePerson, build: Build, daemon: Daemon
) -> None:
    """Skopeo pushes, docker pulls; docker pushes, skopeo reads, copies, lists and deletes."""
    repository = f"{ours.address}/{slug}"
    publisher = person("publisher", ours)
    certificates = publisher.home / "certs"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(ours.ca.read_bytes())
    digest = images.oci_layout(publisher.home / "image", "by skopeo")
    to, source = f"--dest-cert-dir={certificates}", f"--src-cert-dir={certificates}"
    publisher.skopeo("copy", to, f"oci:{publisher.home}/image", f"docker://{repository}:oci").ok()
    publisher.docker("pull", f"{repository}:oci", trust=False).ok()
    publisher.docker("pull", f"{repository}@{digest}", trust=False).ok()

    build(f"{repository}:docker", "by docker")
    pushed = pushed_digest(publisher.docker("push", f"{repository}:docker", trust=False).ok())
    publisher.skopeo(
        "copy",
        source,
        f"docker://{repository}:docker",
        f"oci:{publisher.home}/copy",
        "--preserve-digests",
    )
    read = publisher.skopeo(
        "inspect",
        f"--cert-dir={certificates}",
        "--format",
        "{{.Digest}}",
        f"docker://{repository}:docker",
    ).ok()
    assert read.out.strip() == pushed
    tags = publisher.skopeo(
        "list-tags", f"--cert-dir={certificates}", f"docker://{repository}"
    ).ok()
    assert '"docker"' in tags.out
    assert '"oci"' in tags.out
    copied = f"docker://{ours.address}/{slug}-copy:v1"
    publisher.skopeo("copy", source, to, f"docker://{repository}:oci", copied).ok()
    publisher.skopeo("copy", source, copied, f"oci:{publisher.home}/back").ok()
    assert layout_digest(publisher.home / "back") == digest
    publisher.skopeo("delete", f"--cert-dir={certificates}", copied).ok()
    publisher.skopeo("inspect", f"--cert-dir={certificates}", copied).refused(exit=1)


def test_an_overwritten_tag(
    docker_cli: Path, ours: OurServer, slug: str, person: MakePerson, build: Build
) -> None:
    """Docker takes the signed digest, ours refuses; neither takes the attacker's image."""
    image = build(f"{ours.address}/{slug}:v1", "good")
    publisher, mallory = person("publisher", ours, docker_cli), person("mallory", ours, docker_cli)
    good = pushed_digest(publisher.docker("push", image).ok())
    evil = pushed_digest(mallory.docker("push", build(image, "evil"), trust=False).ok())
    assert good != evil
    consumer = person("consumer", ours, docker_cli)
    pulled = consumer.docker("pull", image).ok()
    assert good in pulled.out
    assert evil not in pulled.out
    found = decision(consumer.countermark("verify", "-o", "json", image).refused())
    assert found["verdict"] == "denied"
    assert found["digest"] == evil
    consumer.countermark("pull", image, "--to", f"oci:{consumer.home}/no").refused(
        "moved-tag", good, evil
    )


def test_it_keeps_what_it_acknowledged(
    tmp_path: Path,
    daemon: Daemon,
    slug: str,
    build: Build,
) -> None:
    """Killed without warning after docker was told that all is well, it has everything when it starts again."""
    server = OurServer(tmp_path / "server")
    try:
        publisher = Person(tmp_path / "publisher", server.url, daemon.host).believes(
            server.address, server.ca
        )
        image = build(f"{server.address}/{slug}:v1", "kept")
        publisher.docker("push", image).ok()
        before = inspected(publisher.docker("trust", "inspect", image))
        server.kill()
        server.start()
        consumer = Person(tmp_path / "consumer", server.url, daemon.host).believes(
            server.address, server.ca
        )
        assert inspected(consumer.docker("trust", "inspect", image)) == before
        consumer.docker("pull", image).ok()
        publisher.docker("push", build(f"{server.address}/{slug}:v2", "and goes on")).ok()
        assert set(
            signed_tags(consumer.docker("trust", "inspect", f"{server.address}/{slug}"))
        ) == {"v1", "v2"}
    finally:
        server.stop()


def test_users_log_in_to_write(tmp_path: Path, daemon: Daemon, slug: str, build: Build) -> None:
    """With users, docker login is needed to push and to sign, and not to pull; a wrong password is refused."""
    users = tmp_path / "users"
    users.write_text(htpasswd("alice", "alice's password"))
    server = OurServer(tmp_path / "server", "--htpasswd", str(users))
    try:
        alice, consumer = (
            Person(tmp_path / name, server.url, daemon.host).believes(server.address, server.ca)
            for name in ("alice", "consumer")
        )
        image = build(f"{server.address}/{slug}:v1", "for those who may")
        alice.docker("push", image).refused()
        login = ("login", "-u", "alice", "--password-stdin", server.address)
        alice.docker(*login, stdin="wrong").refused()
        alice.docker(*login, stdin="alice's password").ok()
        digest = pushed_digest(alice.docker("push", image).ok())
        assert digest in consumer.docker("pull", image).ok().out
        consumer.docker("push", image).refused()
        consumer.docker("trust", "revoke", "-y", image).refused()
        alice.docker("trust", "revoke", "-y", image).ok()
        signed = alice.countermark(
            "push", f"docker-daemon:{image}", f"{server.address}/{slug}:v2", "--sign"
        )
        signed.ok()
        consumer.countermark("verify", f"{server.address}/{slug}:v2").ok()
    finally:
        server.stop()


def htpasswd(user: str, password: str) -> str:
    """A line of an htpasswd file, as ``htpasswd -B`` writes it."""
    return f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(5)).decode()}\n"
