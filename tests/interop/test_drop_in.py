"""A drop-in docker in front of the real one, and the docker CLI plugins, on the real stack."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from interop import images
from interop.conftest import MakePerson
from interop.peers import Daemon, NotaryServer, OurServer
from interop.people import Person
from interop.processes import Outcome, run
from interop.reading import pushed_digest

Build = Callable[[str, str], str]
PROGRESS = re.compile(r"[0-9a-f]{12}: ")
PROGRAM = "int main(void) { return 7; }"


def install(person: Person, folder: Path, name: str) -> None:
    person.countermark("shim", "install", "--dir", folder, name).ok()


def with_drop_in(person: Person, folder: Path) -> Person:
    """Put our docker in front of the one that the person has."""
    install(person, folder, "docker")
    person.environment["PATH"] = f"{folder}:{person.cli.parent}:/usr/bin:/bin"
    person.cli = folder / "docker"
    return person


class Stack:
    """A publisher and a consumer with the real docker, and the consumer's twin with ours in front of it."""

    def __init__(self, server: NotaryServer, make: MakePerson, cli: Path, folder: Path) -> None:
        self.publisher = make("publisher", server, cli)
        self.real = make("real", server, cli)
        self.ours = with_drop_in(make("ours", server, cli), folder / "bin")
        # whoever has ours in front, calling the docker behind it
        self.behind = make("ours", server, cli)

    def sign(self, image: str) -> str:
        return pushed_digest(self.publisher.docker("push", image).ok())

    def push(self, image: str) -> str:
        return pushed_digest(self.publisher.docker("push", image, trust=False).ok())

    def remove(self, *names: str) -> None:
        for name in names:
            self.publisher.docker("rmi", "-f", name, trust=False)

    def id_of(self, name: str) -> str:
        return (
            self.publisher.docker("image", "inspect", "-f", "{{.Id}}", name, trust=False)
            .ok()
            .out.strip()
        )


@pytest.fixture
def stack(
    notary: NotaryServer, person: MakePerson, docker_cli: Path, tmp_path: Path, daemon: Daemon
) -> Stack:
    return Stack(notary, person, docker_cli, tmp_path)


@pytest.fixture
def newer_stack(
    notary: NotaryServer, person: MakePerson, newer_docker: Path, tmp_path: Path, daemon: Daemon
) -> Stack:
    return Stack(notary, person, newer_docker, tmp_path)


def same(ours: Outcome, theirs: Outcome) -> None:
    """Demand the same status and the same bytes, but for how far the daemon was when it drew a layer's progress."""

    def steady(text: str) -> list[str]:
        return [line for line in text.splitlines(keepends=True) if not PROGRESS.match(line)]

    found, wanted = ([o.exit, steady(o.out), steady(o.err)] for o in (ours, theirs))
    assert found == wanted, ours.text + theirs.text


# pull ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("-q",), ("--disable-content-trust=false",)])
def test_pull_of_a_signed_image(
    stack: Stack, repository: str, build: Build, words: tuple[str, ...]
) -> None:
    image = build(f"{repository}:v1", "signed")
    digest = stack.sign(image)
    outcomes = []
    for person in (stack.real, stack.ours):
        stack.remove(image, f"{repository}@{digest}")
        outcomes.append(person.docker("pull", *words, image).ok())
        stack.id_of(image)
    same(outcomes[1], outcomes[0])


def test_pull_of_the_default_tag_with_its_words_elsewhere(
    stack: Stack, repository: str, build: Build
) -> None:
    image = build(f"{repository}:latest", "latest")
    stack.sign(image)
    for words in (["image", "pull"], ["-D", "pull"], ["pull", "--platform", "linux/amd64"]):
        ours, theirs = (p.docker(*words, repository) for p in (stack.ours, stack.real))
        assert ours.out == theirs.out
        assert ours.exit == theirs.exit == 0, ours.text


def test_pull_of_what_nobody_signed(stack: Stack, repository: str, build: Build) -> None:
    signed, unsigned = build(f"{repository}:signed", "s"), build(f"{repository}:unsigned", "u")
    unknown = build(f"{repository}-unknown:v1", "n")
    stack.sign(signed)
    stack.push(unsigned)
    stack.push(unknown)
    for image, text in (
        (unsigned, "No valid trust data for unsigned\n"),
        (unknown, "Error: remote trust data does not exist for"),
    ):
        stack.remove(image)
        found = stack.ours.docker("pull", image).refused(text)
        same(found, stack.real.docker("pull", image))
        stack.publisher.docker("image", "inspect", image, trust=False).refused()
    stack.ours.docker("pull", "--disable-content-trust", unsigned).ok()


def test_pull_of_what_is_not_in_the_registry(stack: Stack, repository: str, build: Build) -> None:
    """Docker asks the trust server first, we the registry: the status is the same, and nothing is fetched."""
    stack.sign(build(f"{repository}:v1", "v1"))
    for name, text in (
        (f"{repository}:no-such-tag", "not found: manifest unknown"),
        (f"{repository}-no-such:v1", "not found: manifest unknown"),
        ("localhost:1/no:v1", "connection refused"),
    ):
        assert stack.real.docker("pull", name).exit == 1
        found = stack.ours.docker("pull", name).refused(text)
        assert found.out == ""
        stack.ours.docker("run", name).refused(text, exit=125)


def test_pull_of_a_moved_tag(stack: Stack, repository: str, build: Build) -> None:
    image = build(f"{repository}:v1", "the signed one")
    signed = stack.sign(image)
    build(image, "another one")
    moved = stack.push(image)
    stack.remove(image)
    found = stack.ours.docker("pull", image).refused(
        f"{image} is not the image that was signed",
        f"the tag is {moved}",
        f"signed is  {signed}, by Repo Admin",
        f"docker pull {repository}@{signed}",
    )
    assert found.out == ""
    stack.publisher.docker("image", "inspect", image, trust=False).refused()

    # by digest docker checks nothing, and neither do we
    stack.ours.docker("pull", f"{repository}@{signed}").ok()
    taken = stack.ours.docker("pull", image, COUNTERMARK_MOVED_TAG="useSigned").ok()
    assert f"{image}@{signed}" in taken.out
    assert "countermark: warning: the registry's tag points to" in taken.err
    assert stack.id_of(image) == stack.id_of(f"{repository}@{signed}")


def test_pull_of_all_tags(stack: Stack, repository: str, build: Build) -> None:
    names = [build(f"{repository}:{tag}", tag) for tag in ("v2", "v10", "unsigned")]
    for name in names[:2]:
        stack.sign(name)
    stack.push(names[2])
    stack.remove(*names)
    found = stack.ours.docker("pull", "-a", repository).ok()
    assert [line for line in found.out.splitlines() if line.startswith("Pull (")] == [
        line
        for number, name in enumerate(names[:2], 1)
        for line in found.out.splitlines()
        if line.startswith(f"Pull ({number} of 2): {name}@sha256:")
    ]
    stack.publisher.docker("image", "inspect", *names[:2], trust=False).ok()
    stack.publisher.docker("image", "inspect", names[2], trust=False).refused()
    same(
        stack.ours.docker("pull", "-a", f"{repository}:v2"),
        stack.real.docker("pull", "-a", f"{repository}:v2"),
    )
    unknown = f"{repository}-unknown"
    same(stack.ours.docker("pull", "-a", unknown), stack.real.docker("pull", "-a", unknown))


def test_pull_while_the_trust_server_is_away(stack: Stack, repository: str, build: Build) -> None:
    image = build(f"{repository}:v1", "v1")
    stack.sign(image)
    away = "https://localhost:1"
    for person in (stack.ours, stack.real):
        person.docker("pull", image, DOCKER_CONTENT_TRUST_SERVER=away).refused(
            "Error: error contacting notary server: "
        )
        person.docker("pull", image).ok()
        cached = person.docker("pull", image, DOCKER_CONTENT_TRUST_SERVER=away).ok()
        assert "using cached timestamp" in cached.err


@pytest.mark.parametrize(
    ("value", "words", "is_checked"),
    [
        ("1", (), True),
        ("yes", (), True),
        ("True", (), True),
        ("0", (), False),
        ("False", (), False),
        ("", (), False),
        ("1", ("--disable-content-trust",), False),
        ("1", ("--disable-content-trust=true",), False),
        ("0", ("--disable-content-trust=false",), True),
        ("", ("--disable-content-trust=0",), True),
        ("1", ("--disable-content-trust=false", "--disable-content-trust"), False),
    ],
)
def test_when_content_trust_is_on(
    newer_stack: Stack, repository: str, build: Build, value: str, words: tuple[str, ...],
    is_checked: bool,
) -> None:  # fmt: skip
    image = build(f"{repository}:v1", "v1")
    newer_stack.push(image)
    found = newer_stack.ours.docker("pull", *words, image, DOCKER_CONTENT_TRUST=value)
    theirs = newer_stack.real.docker("pull", *words, image, DOCKER_CONTENT_TRUST=value)
    same(found, theirs)
    assert found.exit == (1 if is_checked else 0), found.text


# push ------------------------------------------------------------------------------------------------


def test_push_signs(stack: Stack, repository: str, build: Build) -> None:
    image = build(f"{repository}:v1", "first")
    first = stack.ours.docker("push", image).ok()
    digest = pushed_digest(first)
    assert first.out.endswith(
        f'Signing and pushing trust metadata\nFinished initializing "{repository}"\n'
        f"Successfully signed {image}\n"
    )
    pulled = stack.real.docker("pull", image).ok()
    assert f"Pull (1 of 1): {image}@{digest}" in pulled.out

    second = build(f"{repository}:v2", "second")
    same(stack.ours.docker("push", second).ok(), _pushed_again_by_docker(stack, second))
    assert (
        pushed_digest(stack.ours.docker("push", second).ok())
        in stack.real.docker("pull", second).ok().out
    )
    other = build(f"{repository}:other", "other")
    unsigned = stack.ours.docker("push", "--disable-content-trust", other).ok()
    assert "Signing" not in unsigned.out
    stack.real.docker("pull", other).refused("No valid trust data for other")


def _pushed_again_by_docker(stack: Stack, image: str) -> Outcome:
    """The real docker's push with our keys; the layers are there already, so that both print the same."""
    done = stack.behind.docker("push", image).ok()
    pushed = [line.replace("Layer already exists", "Pushed") for line in done.out.splitlines()]
    return done._replace(out="\n".join(pushed) + "\n")


def test_push_of_all_tags_and_of_a_digest(stack: Stack, repository: str, build: Build) -> None:
    image = build(f"{repository}:v1", "v1")
    digest = pushed_digest(stack.ours.docker("push", image).ok())
    for words in (["push", "-a", repository], ["push", f"{repository}@{digest}"]):
        ours, theirs = stack.ours.docker(*words), stack.real.docker(*words)
        assert (ours.exit, ours.err) == (theirs.exit, theirs.err), ours.text + theirs.text


def test_push_without_the_keys(stack: Stack, repository: str, build: Build) -> None:
    stack.sign(build(f"{repository}:v1", "v1"))
    image = build(f"{repository}:v2", "v2")
    stack.ours.docker("push", image).refused(
        f"failed to sign {image}: ", "the image is in the registry; its tag is not signed"
    )
    stack.real.docker("pull", image).refused("No valid trust data for v2")


# run, create, build ------------------------------------------------------------------------------------


def test_run_and_create(
    stack: Stack, repository: str, build: Build, tmp_path: Path, docker_cli: Path
) -> None:
    image = f"{repository}:program"
    _build_program(stack, image, tmp_path)
    digest = stack.sign(image)
    unsigned = build(f"{repository}:unsigned", "u")
    stack.push(unsigned)
    name = repository.rpartition("/")[2]
    try:
        stack.ours.docker("create", "--name", name, image, "/x").ok()
        shown = stack.real.docker("inspect", "-f", "{{.Config.Image}}", name, trust=False).ok()
        assert shown.out.strip() == f"{repository}@{digest}"
    finally:
        stack.real.docker("rm", "-f", name, trust=False)
    ran = stack.ours.docker("run", "--rm", "--network", "none", image)
    assert ran.exit == 7, ran.text
    for command, status in (("run", 125), ("create", 1)):
        stack.ours.docker(command, unsigned, "/x").refused(
            "No valid trust data for unsigned", exit=status
        )
    refused = [p.docker("run", unsigned, "/x") for p in (stack.ours, stack.real)]
    assert refused[0].exit == refused[1].exit
    first, wanted = (outcome.err.splitlines()[0] for outcome in refused)
    assert first == wanted.removesuffix(".")  # docker 20.10 ends it with a full stop


def _build_program(stack: Stack, image: str, folder: Path) -> None:
    """An image with a program that ends with status 7."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is missing (Debian: gcc)")
    source = folder / "context"
    source.mkdir()
    (folder / "main.c").write_text(PROGRAM)
    subprocess.run(
        [compiler, "-static", "-o", source / "program", folder / "main.c"], check=True, timeout=60
    )
    (source / "Dockerfile").write_text('FROM scratch\nCOPY program /\nCMD ["/program"]\n')
    stack.publisher.docker("build", "-t", image, source, trust=False).ok()


def test_build(stack: Stack, repository: str, build: Build, tmp_path: Path) -> None:
    base, unsigned = build(f"{repository}:base", "b"), build(f"{repository}:unsigned", "u")
    digest = stack.sign(base)
    stack.push(unsigned)
    context = tmp_path / "context"
    context.mkdir()
    (context / "file").write_text("content")
    dockerfile = context / "Dockerfile"

    dockerfile.write_text(f"ARG TAG=base\nFROM {repository}:${{TAG}} AS one\nCOPY file /copied\n")
    built = stack.ours.docker("build", "-t", f"{repository}:built", context).ok()
    assert f"{repository}@{digest}" in built.out
    stack.ours.docker("build", "--build-arg", "TAG=unsigned", context).refused(
        "No valid trust data for unsigned"
    )
    dockerfile.write_text(f"FROM {base}\nCOPY --from={unsigned} /message.txt /copied\n")
    stack.ours.docker("build", context).refused("No valid trust data for unsigned")
    stack.ours.docker("build", "--disable-content-trust", context).ok()
    stack.ours.docker("build", "-", stdin=f"FROM {base}\n").ok()
    stack.ours.docker("build", "-", stdin=f"FROM {unsigned}\n").refused(
        "No valid trust data for unsigned"
    )
    # the Dockerfile that was made for it is gone, and what was there is as it was
    assert sorted(path.name for path in context.iterdir()) == ["Dockerfile", "file"]


# Everything else --------------------------------------------------------------------------------------


@pytest.mark.parametrize("trust", [True, False])
def test_all_else_is_dockers_byte_for_byte(
    stack: Stack, repository: str, build: Build, trust: bool
) -> None:
    image = build(f"{repository}:v1", "v1")
    stack.push(image)
    for words in (
        ["version"], ["--version"], ["images", "--no-trunc", "-q", repository], ["inspect", image],
        ["image", "inspect", "-f", "{{.Id}}", image], ["history", "-q", image], [], ["--help"],
        ["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Image}} {{.Names}}"],  # the plain table tells ages
        ["inspect", "no-such"],
        ["pull", "--help"], ["run", "--help"], ["no-such-command"], ["--no-such-flag"][: 0 if trust else 1],
        ["save", image], ["info", "-f", "{{.Driver}}"], ["trust", "inspect", image], ["rmi", "no-such-image"],
        ["tag", image, f"{repository}:again"], ["image"], ["image", "no-such-command"], ["pull"],
        ["pull", f"{repository}@sha256:{'0' * 64}"], ["trust", "key"],
    ):  # fmt: skip
        same(
            stack.ours.docker(*words, trust=trust),
            stack.behind.docker(*words, trust=trust),
        )


def test_standard_input_reaches_docker(stack: Stack, repository: str) -> None:
    image = f"{repository}:loaded"
    archive = images.tar("imported")
    stack.ours.docker("import", "-", image, stdin=archive).ok()
    assert stack.id_of(image).startswith("sha256:")


@pytest.mark.parametrize(
    "words",
    [
        ["pull", "--no-such-flag", "IMAGE"],
        ["run", "--no-such-flag", "x", "IMAGE"],
        ["--no-such-flag", "pull", "IMAGE"],
        ["build", "--no-such-flag", "."],
        ["buildx", "bake"],
    ],
)
def test_words_that_are_not_understood(
    newer_stack: Stack, repository: str, words: list[str]
) -> None:
    given = [f"{repository}:v1" if word == "IMAGE" else word for word in words]
    found = newer_stack.ours.docker(*given)
    assert found.exit in (1, 125), found.text
    assert "content trust is on" in found.err


def test_dockers_config_flag(newer_stack: Stack, repository: str, build: Build) -> None:
    image = build(f"{repository}:v1", "v1")
    newer_stack.sign(image)
    home = newer_stack.ours.home
    elsewhere = home / "elsewhere"
    shutil.copytree(home / "tls", elsewhere / "tls")
    (elsewhere / "config.json").write_text("{}")
    newer_stack.ours.docker("--config", elsewhere, "pull", image).ok()
    assert (elsewhere / "trust" / "tuf").is_dir()
    assert not (home / "trust" / "tuf").exists()
    # the CA of the trust server is not in this one
    (home / "empty").mkdir()
    newer_stack.ours.docker("--config", home / "empty", "pull", image).refused(
        "Error: error contacting notary server: "
    )


def test_no_docker_behind_it(newer_stack: Stack, tmp_path: Path) -> None:
    for trust in (True, False):
        found = newer_stack.ours.docker(
            "pull", "alpine", trust=trust, PATH=f"{tmp_path}/bin:{tmp_path}"
        )
        found.refused("docker: there is no other docker on PATH", exit=125)


def test_a_policy_decides(newer_stack: Stack, repository: str, build: Build) -> None:
    image = build(f"{repository}:v1", "v1")
    digest = newer_stack.sign(image)
    folder = newer_stack.ours.home / "countermark"
    folder.mkdir()
    (folder / "policy.yaml").write_text(
        f"version: 1\nrules:\n- images: {repository}\n  deny: not any more\n"
    )
    newer_stack.ours.docker("pull", image).refused("not any more")
    newer_stack.ours.docker("pull", f"{repository}@{digest}").refused("not any more")


# The plugins ----------------------------------------------------------------------------------------------


@pytest.fixture
def plugged(notary: NotaryServer, person: MakePerson, newer_docker: Path, daemon: Daemon) -> Person:
    """A person whose docker has our plugins, among them the one that it does not need."""
    made = person("plugged", notary, newer_docker)
    made.countermark("shim", "install", "docker-countermark", "docker-trust").ok()
    return made


def test_plugins_are_dockers(
    notary: NotaryServer, person: MakePerson, newer_docker: Path, daemon: Daemon
) -> None:
    plugged = person("plugged", notary, newer_docker)
    plugged.countermark("shim", "install").ok()
    folder = plugged.home / "cli-plugins"
    assert [path.name for path in folder.iterdir()] == ["docker-countermark"]
    assert "Invalid Plugins" not in plugged.docker("--help").ok().out
    found = json.loads(plugged.docker("info", "-f", "{{json .ClientInfo.Plugins}}").ok().out)
    named = {plugin["Name"]: plugin for plugin in found}
    assert named["countermark"]["ShortDescription"] == "Say who vouches for container images"
    assert "Err" not in named["countermark"]
    plugged.countermark("shim", "remove").ok()
    assert list(folder.iterdir()) == []


def test_docker_countermark(plugged: Person, repository: str, build: Build) -> None:
    image = build(f"{repository}:v1", "v1")
    plugged.docker("push", image).ok()
    found = plugged.docker("countermark", "verify", image).ok()
    same(found, plugged.countermark("verify", image))
    unsigned = plugged.docker("countermark", "verify", f"{image}-not")
    same(unsigned, plugged.countermark("verify", f"{image}-not"))
    assert unsigned.exit in (1, 3)
    elsewhere = plugged.home / "elsewhere"
    shutil.copytree(plugged.home / "cli-plugins", elsewhere / "cli-plugins")
    shutil.copytree(plugged.home / "tls", elsewhere / "tls")
    plugged.docker("--config", elsewhere, "countermark", "verify", image).ok()
    assert (elsewhere / "trust" / "tuf").is_dir()
    helped = plugged.docker("countermark", "verify", "--help").ok()
    assert "docker countermark verify" in helped.out
    assert "docker countermark" in plugged.docker("help", "countermark").ok().out
    plugged.docker("countermark", "no-such").refused("docker: unknown command: docker countermark")


def test_docker_trust_as_docker_29_calls_it(plugged: Person, repository: str, build: Build) -> None:
    image = build(f"{repository}:v1", "v1")
    plugged.docker("push", image, trust=False).ok()
    plugin = plugged.home / "cli-plugins" / "docker-trust"

    def call(*words: str) -> Outcome:
        return run([plugin, *words], plugged.environment, plugged.home)

    real = [plugged.docker(*words) for words in (["trust", "sign"], ["trust", "no-such"])]
    same(call("trust", "sign"), real[0])
    same(call("trust", "no-such"), real[1])
    call("trust", "key", "generate", "alice").ok()
    call("trust", "signer", "add", "--key", "alice.pub", "alice", repository).ok()
    call("--log-level", "error", "trust", "sign", image).ok()
    same(
        call("trust", "inspect", "--pretty", image).ok(),
        call("-D", "trust", "inspect", "--pretty", image),
    )
    shown = json.loads(plugged.docker("trust", "inspect", image).ok().out)
    assert shown[0]["SignedTags"][0]["Signers"] == ["alice"]
    assert "docker trust sign" in call("trust", "sign", "--help").ok().out
    elsewhere = plugged.home / "elsewhere"
    elsewhere.mkdir()
    call("--config", str(elsewhere), "trust", "key", "generate", "bob").ok()
    assert len(list((elsewhere / "trust" / "private").iterdir())) == 1
    call("--tls", "trust", "sign", image).refused("are not understood here", exit=2)
    call("sign", image).refused("not called by docker", exit=2)


# Our own server ----------------------------------------------------------------------------------------------


def test_against_our_own_server(
    ours: OurServer, person: MakePerson, newer_docker: Path, tmp_path: Path, slug: str, build: Build
) -> None:
    """The trust server is ours too; the registry is trusted by the daemon since it is on localhost."""
    pusher = with_drop_in(person("pusher", ours, newer_docker), tmp_path / "bin")
    image = build(f"{ours.address}/{slug}:v1", "v1")
    pushed = pusher.docker("push", image)
    if "certificate signed by unknown authority" in pushed.err:
        pytest.skip("the daemon does not believe our CA")
    pushed.ok()
    person("puller", ours, newer_docker).docker("pull", image).ok()
