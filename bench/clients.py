"""Cold commands: each run is a new process, as people and scripts start them."""

import shutil
from collections.abc import Callable
from pathlib import Path

from bench.measuring import Command, Launcher, Row, Sample, in_turns, median, paired_ratio, say
from bench.stack import Profile, Stack, docker
from interop import images, peers
from interop.people import Person

MOST_MEMORY = 40.0  # MiB


def rows(stack: Stack, profile: Profile) -> list[Row]:
    """Compare inspection, and verification with docker's trusted pull of an image that is there."""
    cli = docker()
    server = stack.notary("clients-notary")
    registry = stack.start("clients-registry", peers.Registry)
    daemon = stack.start("clients-daemon", lambda _: peers.Daemon())
    image = f"{registry.address}/bench/image:v1"
    _sign(
        Person(stack.folder / "publisher", server.url, daemon.host, cli).believes(
            server.address, server.ca
        ),
        image,
    )
    person = {
        name: Person(stack.folder / name, server.url, daemon.host, cli).believes(
            server.address, server.ca
        )
        for name in ("docker", "countermark")
    }
    person["docker"].docker("pull", image).ok()
    launcher = Launcher(stack.folder)
    found = []
    try:
        for title, goal, ours, theirs in (
            ("trust inspect", 1.3, ("trust", "inspect", image), ("trust", "inspect", image)),
            (
                "verify / trusted pull of an image that is there",
                1.0,
                ("verify", image),
                ("pull", image),
            ),
        ):
            for state, forget in (("cached", False), ("first contact", True)):
                say(f"  {title}, {state}")
                # the daemon's own work in a pull is not in docker's CPU time and memory, only in its wall time
                found += _compare(
                    f"{title}, {state}", None if forget else goal, launcher, profile,
                    _command([stack.countermark, *ours], person["countermark"], forget=forget),
                    _command([cli, *theirs], person["docker"], forget=forget),
                )  # fmt: skip
    finally:
        launcher.stop()
    return found


def _sign(publisher: Person, image: str) -> None:
    """Sign with two signers, as a repository in use has them."""
    publisher.docker("import", "-", image, stdin=images.tar("bench"), trust=False).ok()
    publisher.docker("push", image, trust=False).ok()
    for name in ("alice", "bob"):
        publisher.docker("trust", "key", "generate", name).ok()
        public = publisher.home / f"{name}.pub"
        publisher.docker(
            "trust", "signer", "add", "--key", public, name, image.rpartition(":")[0]
        ).ok()
    publisher.docker("trust", "sign", image).ok()


def _command(words: list[Path | str], person: Person, *, forget: bool) -> Command:
    def forget_all() -> None:
        shutil.rmtree(person.trust / "tuf", ignore_errors=True)
        shutil.rmtree(person.trust / "countermark", ignore_errors=True)

    nothing: Callable[[], object] = lambda: None  # noqa: E731
    environment = person.environment | {"DOCKER_CONTENT_TRUST": "1"}
    return Command([str(word) for word in words], environment, forget_all if forget else nothing)


def _compare(
    what: str,
    goal: float | None,
    launcher: Launcher,
    profile: Profile,
    ours: Command,
    theirs: Command,
) -> list[Row]:
    own, peer = in_turns(
        profile.client_runs, 2, lambda: launcher.run(ours), lambda: launcher.run(theirs)
    )
    peer_name = "docker"

    def milliseconds(samples: list[Sample], member: str) -> str:
        return f"{median([getattr(sample, member) for sample in samples]) * 1000:.0f} ms"

    result = []
    for member, title, limit in (("wall", "wall time", goal), ("cpu", "CPU time", None)):
        ratio = paired_ratio([getattr(s, member) for s in own], [getattr(s, member) for s in peer])
        result.append(
            Row(
                f"{what}: {title}", milliseconds(own, member), peer_name, milliseconds(peer, member), ratio, limit,
                more_is_better=False,
            )
        )  # fmt: skip
    memory, peer_memory = median([s.memory for s in own]), median([s.memory for s in peer])
    result.append(
        Row(
            f"{what}: peak memory (goal: {MOST_MEMORY:.0f} MiB)", f"{memory:.1f} MiB", peer_name,
            f"{peer_memory:.1f} MiB", memory / peer_memory, MOST_MEMORY / peer_memory, more_is_better=False,
        )
    )  # fmt: skip
    return result
