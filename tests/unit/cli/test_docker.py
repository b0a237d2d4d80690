"""The drop-in docker with a fake one behind it, its texts for refusals, the plugins, the shims."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import world
from countermark.assembly import drop_in as wiring
from countermark.assembly.drop_in import MARK, DockerCommand
from countermark.assembly.program import Program
from countermark.cli import docker, shim
from countermark.cli.output import Output
from countermark.core.claim import Finding, Rejection, Silence
from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.policy.model import Decision, Verdict
from countermark.schemes.dct.signer import Published

GOOD, OTHER = Digest.of(b"good"), Digest.of(b"other")
NAME = "registry.example.test/pay"
ENTRY = (sys.executable, "-P", "-c", "from countermark.cli.start import entry; entry()")
FAKE = """#!/bin/sh
for word in "$0" "$@"; do printf '[%s]' "$word"; done
printf '%s' "trust=$DOCKER_CONTENT_TRUST"; echo to stderr >&2; cat; exit 42
"""


class Told:
    """What a command printed, in memory."""

    def __init__(self) -> None:
        self._out, self._err = io.StringIO(), io.StringIO()
        self.output = Output(self._out, self._err)

    @property
    def out(self) -> str:
        return self._out.getvalue()

    @property
    def err(self) -> str:
        return self._err.getvalue()


def fake_docker(folder: Path, text: str = FAKE) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "docker"
    path.write_text(text)
    path.chmod(0o755)
    return path


def called(
    words: list[str | bytes], environment: Mapping[str, str], folder: Path, given: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*ENTRY, *words],
        env={"HOME": str(folder), "PYTHONWARNINGS": "error", **environment},
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
        cwd=folder,
    )


# Handing over -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("trust", ["", "0", "1"])
def test_words_input_output_and_status_pass_unchanged(tmp_path: Path, trust: str) -> None:
    fake = fake_docker(tmp_path / "bin")
    words: list[str | bytes] = ["exec", "-it", "a b", "", "--help", "--", "*", b"\xff\xfe", "--x=y"]
    environment = {"PATH": f"{fake.parent}:/usr/bin:/bin", "DOCKER_CONTENT_TRUST": trust}
    done = called(["docker-shim", *words], environment, tmp_path, b"typed\n")
    assert done.returncode == 42
    shown = b"".join(b"[%s]" % (w if isinstance(w, bytes) else w.encode()) for w in words)
    assert done.stdout == b"[" + os.fsencode(fake) + b"]" + shown + f"trust={trust}typed\n".encode()
    assert done.stderr == b"to stderr\n"


def test_nothing_heavy_is_loaded_before_the_real_docker(tmp_path: Path) -> None:
    code = (
        "import sys, os; from countermark.cli import main\n"
        "def told(*_):\n"
        "    print(' '.join(sorted(sys.modules))); sys.stdout.flush(); os._exit(0)\n"
        "os.execve = told\n"
        "main.main(['docker-shim', 'run', '--rm', 'alpine'])\n"
    )
    fake = fake_docker(tmp_path / "bin")
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PATH": str(fake.parent), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = set(done.stdout.split())
    heavy = {
        "argparse",
        "ssl",
        "socket",
        "subprocess",
        "json",
        "yaml",
        "cryptography",
        "typing",
        "logging",
        "asyncio",
    }
    heavy |= {"countermark.engine", "countermark.enforce.docker", "countermark.config"}
    assert loaded & heavy == set()


def test_a_package_in_the_working_directory_is_not_run(tmp_path: Path) -> None:
    program = Program({"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")})
    script = tmp_path / "shim"
    script.write_text(shim.script(program.installation.command, "docker-shim"))
    script.chmod(0o755)
    fake_docker(tmp_path / "bin")
    (tmp_path / "countermark").mkdir()
    (tmp_path / "countermark" / "__init__.py").write_text("raise SystemExit(99)")
    done = subprocess.run(
        [script, "ps"], cwd=tmp_path, capture_output=True, timeout=60, check=False, input=b"",
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 42


@pytest.mark.parametrize("line", ["ps", "pull alpine"])
def test_no_docker_behind_us(tmp_path: Path, line: str) -> None:
    fake_docker(tmp_path / "shims", f"#!/bin/sh\n{MARK}\nexit 1\n")
    path = f"{tmp_path}/shims:{tmp_path}/nowhere:relative:"
    for trust in ("0", "1"):
        told = Told()
        program = Program({"PATH": path, "DOCKER_CONTENT_TRUST": trust, "HOME": str(tmp_path)})
        assert docker.drop_in(line.split(), program, told.output) == 125
        assert told.err.startswith("docker: there is no other docker on PATH")
        assert told.out == ""


def test_words_not_understood_are_refused_while_trust_is_on(tmp_path: Path) -> None:
    fake = fake_docker(tmp_path / "bin")
    environment = {"PATH": str(fake.parent), "HOME": str(tmp_path), "DOCKER_CONTENT_TRUST": "1"}
    told = Told()
    status = docker.drop_in(["run", "--frob", "x", "alpine"], Program(environment), told.output)
    assert status == 125
    assert "content trust is on" in told.err


def test_a_mistake_in_a_policy_refuses(tmp_path: Path) -> None:
    fake = fake_docker(tmp_path / "bin")
    (tmp_path / "policy.yaml").write_text("version: 1\nrulez: []\n")
    environment = {
        "PATH": str(fake.parent), "HOME": str(tmp_path), "DOCKER_CONTENT_TRUST": "1",
        "COUNTERMARK_POLICY": str(tmp_path / "policy.yaml"),
    }  # fmt: skip
    told = Told()
    assert docker.drop_in(["pull", "localhost:1/x:1"], Program(environment), told.output) == 1
    assert "rulez" in told.err


def test_sigterm_is_for_the_docker_that_runs_in_our_place(tmp_path: Path) -> None:
    fake = fake_docker(
        tmp_path / "bin",
        f"#!{sys.executable}\nimport signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print('ready', flush=True)\nsignal.pause()\n",
    )
    environment = {"PATH": str(fake.parent), "HOME": str(tmp_path), "DOCKER_CONTENT_TRUST": "1"}
    with subprocess.Popen(
        [*ENTRY, "docker-shim", "push", f"{NAME}:v1"], env=environment, stdout=subprocess.PIPE, cwd=tmp_path
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(60) == 5


POLICY = """version: 1
signers:
  here: {dct: {root: first-use, server: https://here.example.test}}
  there: {dct: {root: first-use, server: https://there.example.test}}
  usual: {dct: {root: first-use}}
rules:
- images: registry.example.test/pay
  require: [here, usual]
- images: registry.example.test/pay:v*
  require: there
- images: registry.example.test/other
  require: usual
- images: registry.example.test/free
  allow: nobody signs it
"""


@pytest.mark.parametrize(
    ("policy", "name", "servers"),
    [
        (POLICY, "pay", {"https://here.example.test", "", "https://there.example.test"}),
        (POLICY, "other", {""}),
        (POLICY, "free", set()),
        (POLICY, "unheard-of", set()),
        ("", "pay", {""}),
    ],
)
def test_where_all_tags_are_asked_for(
    tmp_path: Path, policy: str, name: str, servers: set[str]
) -> None:
    (tmp_path / "policy.yaml").write_text(policy)
    environment = {"HOME": str(tmp_path)}
    if policy:
        environment["COUNTERMARK_POLICY"] = str(tmp_path / "policy.yaml")
    repository = ImageReference.parse(f"registry.example.test/{name}").repository
    command = DockerCommand(["pull", "-a", repository.name], Program(environment))
    assert set(command.trust_servers(repository)) == servers


# What the daemon pushed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        (f'["{NAME}@{GOOD}"]', (GOOD,)),
        (f'["{NAME}@{GOOD}","{NAME}@{OTHER}"]', (GOOD, OTHER)),
        (f'["registry.example.test/other@{GOOD}","<none>@<none>"]', ()),
        ("[]", ()),
        ("null", ()),
    ],
)
def test_what_was_pushed(tmp_path: Path, printed: str, found: tuple[Digest, ...]) -> None:
    text = f"""#!/bin/sh
    [ "$*" = "-H tcp://h:1 --tlsverify image inspect --format {{{{json .RepoDigests}}}} {NAME}:v1" ] || exit 9
    echo '{printed}'
    """
    fake = fake_docker(tmp_path / "bin", text)
    program = Program({"PATH": str(fake.parent), "HOME": str(tmp_path)})
    words = ["-H", "tcp://h:1", "--tlsverify", "push", f"{NAME}:v1"]
    reference = ImageReference.parse(f"{NAME}:v1")
    assert DockerCommand(words, program).pushed(reference) == found


def test_docker_does_not_say_what_it_pushed(tmp_path: Path) -> None:
    fake = fake_docker(tmp_path / "bin", "#!/bin/sh\necho no such image >&2; exit 1\n")
    program = Program({"PATH": str(fake.parent), "HOME": str(tmp_path)})
    told = Told()
    judge = docker.Judge(DockerCommand(["push", f"{NAME}:v1"], program), told.output)
    with pytest.raises(docker_error(), match="does not say what it pushed: no such image"):
        judge.sign(ImageReference.parse(f"{NAME}:v1"))
    assert told.out == ""


def docker_error() -> type[Exception]:
    from countermark.cli.docker_words import DockerError

    return DockerError


class SigningProgram(Program):
    """A program whose registry and trust server are in memory; what was signed is in ``signed``, by all of them."""

    has_tag = GOOD
    is_new = False
    signed: ClassVar[list[tuple[str, str, Digest, int]]] = []

    def registry(self, policy: object = None) -> Any:
        return world.MemoryRegistry({f"{NAME}:v1": self.has_tag})

    @property
    def dct(self) -> Any:
        return SimpleNamespace(publisher=self)

    def sign(
        self, repository: Repository, tag: str, digest: Digest, size: int, now: datetime, *, accept_lapsed: bool
    ) -> Published:  # fmt: skip
        assert not accept_lapsed
        self.signed.append((repository.name, tag, digest, size))
        return Published(initialized=self.is_new)


class MovedProgram(SigningProgram):
    has_tag = OTHER


class NewProgram(SigningProgram):
    is_new = True


@pytest.mark.parametrize("kind", [SigningProgram, NewProgram, MovedProgram])
def test_only_what_the_daemon_pushed_is_signed(tmp_path: Path, kind: type[SigningProgram]) -> None:
    fake = fake_docker(tmp_path / "bin", f"#!/bin/sh\necho '[\"{NAME}@{GOOD}\"]'\n")
    told, kind.signed = Told(), []
    environment = {"PATH": str(fake.parent), "HOME": str(tmp_path), "DOCKER_CONTENT_TRUST": "1"}
    status = docker.drop_in(["push", f"{NAME}:v1"], kind(environment), told.output)
    if kind is MovedProgram:
        assert (status, kind.signed) == (1, [])
        assert f"failed to sign {NAME}:v1: the registry's tag is {OTHER} now" in told.err
        assert str(GOOD) in told.err
        assert "Successfully" not in told.out
        return
    assert status == 0, told.err
    assert [row[:3] for row in kind.signed] == [(NAME, "v1", GOOD)]
    first = [f'Finished initializing "{NAME}"'] if kind.is_new else []
    lines = ["Signing and pushing trust metadata", *first, f"Successfully signed {NAME}:v1"]
    assert told.out.splitlines() == lines


# Refusals in docker's words -------------------------------------------------------------------------------


def decided(finding: Finding, image: str = f"{NAME}:v1") -> Decision:
    reference = ImageReference.parse(image)
    return Decision(
        reference=reference,
        subject=Subject(repository=reference.repository, digest=OTHER, tag=reference.tag),
        time=datetime(2026, 1, 1, tzinfo=UTC),
        point="docker",
        verdict=Verdict.DENIED,
        mode="enforce",
        layers=(),
        findings=(finding,),
    )


def rejected(code: Code, text: str) -> Rejection:
    return Rejection(signer="s", code=code, reason=text)


def silent(code: Code, text: str) -> Silence:
    return Silence(signer="s", code=code, reason=text)


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (rejected(Code.UNSIGNED, "No valid trust data for v1"), "No valid trust data for v1"),
        (rejected(Code.UNSIGNED, "No trust data for v1"), "No trust data for v1"),
        (
            rejected(Code.UNSIGNED, f"h:1 does not have trust data for {NAME}"),
            f"Error: remote trust data does not exist for {NAME}: h:1 does not have trust data for {NAME}",
        ),
        (
            rejected(Code.EXPIRED, "timestamp expired at some time"),
            f"Error: remote repository {NAME} out-of-date: timestamp expired at some time",
        ),
        (
            rejected(Code.ROLLBACK, "version 1 is lower than current version 2"),
            "Warning: potential malicious behavior - trust data version is lower than expected for remote repository"
            f" {NAME}: version 1 is lower than current version 2",
        ),
        (
            rejected(Code.BELOW_THRESHOLD, "valid signatures did not meet threshold for timestamp"),
            "Warning: potential malicious behavior - trust data has insufficient signatures for remote repository"
            f" {NAME}: valid signatures did not meet threshold for timestamp",
        ),
        (rejected(Code.CHECKSUM, "sha256 checksum for x did not match"), "sha256 checksum for x did not match"),
        (silent(Code.UNAVAILABLE, "EOF"), "Error: error contacting notary server: EOF"),
        (
            silent(Code.UNAVAILABLE, "unable to reach trust server at this time: 500."),
            "unable to reach trust server at this time: 500.",
        ),
        (
            silent(Code.REFUSED, "you are not authorized to perform this operation: server returned 401."),
            "you are not authorized to perform this operation: server returned 401.",
        ),
        (
            silent(Code.NOT_FOUND, "targets trust data unavailable."),
            f"Error: trust data missing for remote repository {NAME} or remote repository not found:"
            " targets trust data unavailable.",
        ),
    ],
)  # fmt: skip
def test_refusals_in_dockers_words(finding: Finding, text: str) -> None:
    assert docker.refusal(decided(finding)) == [text]


def test_a_moved_tag_is_refused_in_our_words() -> None:
    finding = rejected(Code.MOVED_TAG, "v1 is signed as another digest").replace(
        signed_digest=GOOD, signed_by=("alice", "bob")
    )
    assert docker.refusal(decided(finding)) == [
        f"{NAME}:v1 is not the image that was signed",
        f"  the tag is {OTHER}",
        f"  signed is  {GOOD}, by alice, bob",
        f"  to get the signed one: docker pull {NAME}@{GOOD}",
        "  to always take the signed one, with a warning: COUNTERMARK_MOVED_TAG=useSigned",
    ]
    assert docker.refusal(decided(finding, f"{NAME}:v1@{OTHER}"))[1] == f"  you ask for {OTHER}"


def test_a_refusal_about_docker_hub_says_what_became_of_its_server(tmp_path: Path) -> None:
    finding = silent(Code.UNAVAILABLE, "EOF")
    for image, server, count in (
        ("alpine:3", "", 3),
        ("alpine:3", "https://notary.example.test", 1),
        (f"{NAME}:v1", "", 1),
    ):
        environment = {"HOME": str(tmp_path), "DOCKER_CONTENT_TRUST_SERVER": server}
        judge = docker.Judge(DockerCommand(["pull", image], Program(environment)), Told().output)
        found = judge.lines(decided(finding, image))
        assert found[0] == "Error: error contacting notary server: EOF"
        assert len(found) == count


# Docker's flags in the environment ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({}, {}),
        ({"config": "/c"}, {"DOCKER_CONFIG": "/c"}),
        ({"config": ""}, {}),
        ({"host": "tcp://h"}, {"DOCKER_HOST": "tcp://h"}),
        ({"context": "c"}, {"DOCKER_CONTEXT": "c", "DOCKER_HOST": ""}),
        ({"tlsverify": ""}, {"DOCKER_TLS_VERIFY": "1"}),
        ({"tlsverify": "false", "tls": "0", "debug": ""}, {}),
    ],
)
def test_dockers_flags_in_the_environment(options: dict[str, str], changes: dict[str, str]) -> None:
    assert wiring.environment_of(options) == changes


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"host": "a", "context": "b"}, Code.BAD_INPUT),
        ({"tls": ""}, Code.NOT_SUPPORTED),
        ({"tlscacert": "x"}, Code.NOT_SUPPORTED),
    ],
)
def test_dockers_flags_that_only_docker_obeys(options: dict[str, str], code: Code) -> None:
    with pytest.raises(InputError) as caught:
        wiring.environment_of(options)
    assert caught.value.code == code


def test_a_changed_environment_is_another_programs() -> None:
    program = Program({"DOCKER_HOST": "tcp://h", "HOME": "/h"})
    changed = program.with_environment({"DOCKER_HOST": "", "DOCKER_CONFIG": "/c"})
    assert changed.environment == {"HOME": "/h", "DOCKER_CONFIG": "/c"}
    assert (changed.dct.folder, program.dct.folder) == ("/c/trust", "/h/.docker/trust")


# The plugins ------------------------------------------------------------------------------------------------------


def plugged(words: str, told: Told, home: Path) -> int:
    return docker.plugin(words.split(), Program({"HOME": str(home), "PATH": ""}), told.output)


def test_metadata(tmp_path: Path) -> None:
    for name in ("trust", "countermark"):
        told = Told()
        assert plugged(f"{name} docker-cli-plugin-metadata", told, tmp_path) == 0
        found = json.loads(told.out)
        assert (found["SchemaVersion"], found["Vendor"]) == ("0.1.0", "Countermark")


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("trust trust", "docker trust: "),
        ("trust trust --help", "docker trust: "),
        ("trust help trust", "docker trust: "),
        ("trust --log-level debug trust key", "docker trust key: "),
        ("trust trust key --help", "docker trust key: "),
        ("countermark countermark", "docker countermark: "),
        ("countermark help countermark trust", "docker countermark trust: "),
        ("countermark __complete countermark ver", ":0\n"),
    ],
)
def test_help_of_plugins(tmp_path: Path, words: str, first: str) -> None:
    told = Told()
    assert plugged(words, told, tmp_path) == 0
    assert told.out.startswith(first)
    assert told.err == ""


def test_help_of_a_plugins_command(tmp_path: Path) -> None:
    for words, name in (
        ("trust trust sign --help", "docker trust sign"),
        ("trust help trust sign", "docker trust sign"),
        ("countermark countermark trust sign -h", "docker countermark trust sign"),
    ):
        told = Told()
        assert plugged(words, told, tmp_path) == 0
        assert f"\n  {name} registry.example.com/pay:v3" in told.out, told.out


@pytest.mark.parametrize(
    ("words", "first", "status"),
    [
        ("trust trust nonsense x", "docker: unknown command: docker trust nonsense\n", 1),
        ("trust trust key nonsense", "docker: unknown command: docker trust key nonsense\n", 1),
        ("countermark countermark docker-shim ps", "docker: unknown command: docker countermark docker-shim\n", 1),
        ("trust trust sign", "docker: 'docker trust sign' requires 1 argument\n", 1),
        ("trust trust sign --frob", "unknown flag: --frob\n", 125),
    ],
)  # fmt: skip
def test_errors_of_plugins(tmp_path: Path, words: str, first: str, status: int) -> None:
    told = Told()
    assert plugged(words, told, tmp_path) == status
    assert told.err.startswith(first)


@pytest.mark.parametrize("words", ["", "nonsense", "trust sign x", "trust --frob trust", "trust"])
def test_not_called_as_a_plugin(tmp_path: Path, words: str) -> None:
    with pytest.raises(InputError):
        plugged(words, Told(), tmp_path)


def test_the_config_flag_moves_the_trust_folder(tmp_path: Path) -> None:
    told = Told()
    environment = {
        "HOME": str(tmp_path),
        "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": "passphrase",
    }
    words = f"trust --config {tmp_path}/c trust key generate alice --dir {tmp_path}"
    assert docker.plugin(words.split(), Program(environment), told.output) == 0
    assert len(list((tmp_path / "c" / "trust" / "private").iterdir())) == 1
    assert not (tmp_path / ".docker").exists()


# The shims --------------------------------------------------------------------------------------------------------


def shims(action: str, home: Path, *names: str, path: str = "") -> tuple[int, Told]:
    import argparse

    told = Told()
    program = Program({"HOME": str(home), "PATH": path})
    args = argparse.Namespace(dir=str(home / "bin"), names=list(names))
    return getattr(shim, action)(args, program, told.output), told


def test_install_status_remove(tmp_path: Path) -> None:
    bin_folder = tmp_path / "bin"
    path = f"{bin_folder}:/usr/bin"
    every = ("docker", "docker-trust", "docker-countermark")
    assert shims("install", tmp_path, *every, path=path)[1].err == ""
    assert sorted(p.name for p in bin_folder.iterdir()) == [
        "docker",
        "docker-countermark",
        "docker-trust",
    ]
    assert all(os.access(p, os.X_OK) and MARK in p.read_text() for p in bin_folder.iterdir())
    shims("install", tmp_path, "docker", path=path)  # again, over its own
    shown = shims("status", tmp_path, path=path)[1].out
    assert shown.count("  installed ") == 3
    assert "and not this" not in shown
    _, told = shims("status", tmp_path, "docker", path="/nowhere")
    assert "but docker is nothing on PATH, and not this" in told.out
    assert "the real docker: not found on PATH" in told.out
    assert shims("remove", tmp_path)[1].out.count("removed ") == 3
    assert list(bin_folder.iterdir()) == []
    assert "not installed" in shims("status", tmp_path)[1].out


def test_a_cosign_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "bin" / "cosign"
    path = f"{file.parent}:/usr/bin"
    assert shims("install", tmp_path, "cosign", path=path)[1].err == ""
    assert [each.name for each in file.parent.iterdir()] == ["cosign"]
    assert os.access(file, os.X_OK)
    assert MARK in file.read_text()
    assert "not this" not in shims("status", tmp_path, "cosign", path=path)[1].out
    assert (
        "but cosign is nothing on PATH, and not this" in shims("status", tmp_path, "cosign")[1].out
    )
    assert shims("remove", tmp_path, "cosign")[1].out == f"removed {file}\n"
    assert not file.exists()


def test_a_cosign_of_ours_that_would_not_be_run(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    _, told = shims("install", tmp_path, "cosign", path="/nowhere")
    assert told.err == f"countermark: warning: {folder} is not on PATH: put it there\n"
    real = fake_docker(tmp_path / "real").rename(tmp_path / "real" / "cosign")
    path = f"{real.parent}:{folder}"
    _, told = shims("install", tmp_path, "cosign", path=path)
    assert "put it before the real cosign" in told.err
    _, told = shims("status", tmp_path, "cosign", path=path)
    assert f"but cosign is {real} on PATH, and not this" in told.out


def test_another_cosign_stays(tmp_path: Path) -> None:
    file = tmp_path / "bin" / "cosign"
    file.parent.mkdir()
    file.write_bytes(b"\x7fELF" + bytes(8000))
    with pytest.raises(InputError, match="is not ours; nothing was written") as caught:
        shims("install", tmp_path, "cosign")
    assert caught.value.code == Code.KEY_EXISTS
    assert f"{file} is not ours and stays" in shims("remove", tmp_path, "cosign")[1].err
    assert "not ours" in shims("status", tmp_path, "cosign")[1].out
    assert file.stat().st_size == 8004


@pytest.mark.parametrize(
    ("said", "installed"),
    [
        ("Docker version 20.10.24+dfsg1, build 297e128", ["docker-countermark"]),
        ("Docker version 28.2.2, build e6534b4", ["docker-countermark"]),
        ("Docker version 29.0.0, build 3d4129b", ["docker-countermark", "docker-trust"]),
        ("something else", ["docker-countermark", "docker-trust"]),
    ],
)
def test_plugins_that_this_docker_can_use(tmp_path: Path, said: str, installed: list[str]) -> None:
    real = fake_docker(tmp_path / "real", f"#!/bin/sh\necho '{said}'\n")
    _, told = shims("install", tmp_path, path=str(real.parent))
    assert sorted(p.name for p in (tmp_path / "bin").iterdir()) == installed
    assert ("is left out" in told.err) == ("docker-trust" not in installed)


def test_not_first_on_path_is_said(tmp_path: Path) -> None:
    assert "does not come first on PATH" in shims("install", tmp_path, "docker", path="")[1].err
    # docker looks for its plugins elsewhere, so PATH does not matter to them
    assert shims("install", tmp_path, "docker-trust", path="")[1].err == ""


@pytest.mark.parametrize("kind", ["script", "large", "folder", "dangling link"])
def test_what_is_not_ours_stays(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    foreign = folder / "docker-countermark"
    if kind == "script":
        foreign.write_text("#!/bin/sh\n")
    elif kind == "large":
        foreign.write_bytes(bytes(20 * 1024 * 1024))
    elif kind == "folder":
        foreign.mkdir()
    else:
        foreign.symlink_to("/nowhere/at/all")
    with pytest.raises(InputError, match="not ours; nothing was written") as caught:
        shims("install", tmp_path, "docker-trust", "docker-countermark")
    assert caught.value.code == Code.KEY_EXISTS
    assert not (folder / "docker-trust").exists()
    assert "is not ours and stays" in shims("remove", tmp_path)[1].err
    assert os.path.lexists(foreign)
    assert "not ours" in shims("status", tmp_path)[1].out


def test_no_such_shim(tmp_path: Path) -> None:
    for action in ("install", "remove", "status"):
        with pytest.raises(InputError, match="no such shim: podman"):
            shims(action, tmp_path, "podman")
