"""The drop-in docker: what it verifies, what it runs, what it says and with which status."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from countermark.core.digest import Digest
from countermark.core.errors import Code, CountermarkError, InputError, UnavailableError
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.enforce import docker_plan
from countermark.enforce.docker import DropIn, Screen, plugin_metadata, plugin_words
from countermark.enforce.docker_plan import Settings
from countermark.formats import strict_json
from countermark.policy.model import Decision, Verdict

ON = Settings(content_trust="1", environment={"LOCAL": "9"})
OFF = Settings(environment={})
POLICY = ON.replace(has_policy=True)
GOOD = Digest.of(b"good")
OTHER = f"sha256:{'a' * 64}"


class World:
    """All that the drop-in meets: the real docker, files, a judge, a screen. It knows the images in ``signed``."""

    def __init__(self, signed: str = "", files: Mapping[str, bytes] | None = None) -> None:
        self.signed = {ImageReference.parse(name).with_default_tag() for name in signed.split()}
        self.files = dict(files or {})
        self.input = b""
        self.statuses: list[int] = []
        self.ran: list[tuple[str, bytes | None]] = []
        self.became: list[tuple[str, bool]] = []
        self.built: list[dict[str, bytes]] = []
        self.removed = 0
        self.asked: list[str] = []
        self.out: list[str] = []
        self.err: list[str] = []
        self.was_signed: list[str] = []
        self.trouble: CountermarkError | None = None
        self.warning = ""

    def run(self, line: str, settings: Settings = ON) -> int:
        screen = Screen(result=self.out.append, note=self.err.append)
        return DropIn(settings, self, self, self, screen).run(line.split())

    # the real docker
    def become(self, words: Sequence[str], *, trusted: bool) -> int:
        self.became.append((" ".join(words), trusted))
        return 42

    def call(
        self, words: Sequence[str], *, given: bytes | None = None, hidden_line: str = ""
    ) -> int:
        self.ran.append((" ".join(words), given))
        return self.statuses.pop(0) if self.statuses else 0

    # files
    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def is_folder(self, path: str) -> bool:
        return path in (".", "ctx")

    def standard_input(self) -> bytes:
        return self.input

    def write_temporary(self, files: Mapping[str, bytes]) -> str:
        self.built.append(dict(files))
        return "/tmp/new"

    def remove_temporary(self, folder: str) -> None:
        assert folder == "/tmp/new"
        self.removed += 1

    # the judge
    def verify(self, reference: ImageReference) -> Decision:
        self.asked.append(reference.familiar)
        if self.trouble:
            raise self.trouble
        verdict = Verdict.ALLOWED if reference in self.signed else Verdict.DENIED
        subject = Subject(repository=reference.repository, digest=GOOD, tag=reference.tag)
        return Decision(
            reference=reference,
            subject=subject,
            time=datetime(2026, 1, 1, tzinfo=UTC),
            point="docker",
            verdict=verdict,
            mode="enforce",
            layers=(),
            findings=(),
        )

    def lines(self, decision: Decision) -> Sequence[str]:
        if decision.passes:
            return [self.warning] if self.warning else []
        return [f"No valid trust data for {decision.reference.tag}"]

    def signed_tags(self, repository: Repository) -> Sequence[str]:
        return sorted(r.tag for r in self.signed if r.repository == repository and r.tag)

    def sign(self, reference: ImageReference) -> None:
        self.was_signed.append(str(reference))


# What is the real docker's alone -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("ps -a", ON),
        ("", ON),
        ("--version", ON),
        ("pull --help", ON),
        ("image ls", ON),
        ("image", ON),
        ("container inspect x", ON),
        ("buildx ls", ON),
        ("trust inspect alpine", ON),
        ("pull alpine", OFF),
        ("pull alpine", OFF.replace(content_trust="0")),
        ("pull alpine", OFF.replace(content_trust="False")),
        ("run --unknown x alpine", OFF),
        ("pull --disable-content-trust alpine", ON),
        ("run --disable-content-trust=true alpine", ON),
        ("buildx bake", OFF),
        ("--frob run alpine", OFF),
        (f"pull alpine@{OTHER}", ON),
        (f"pull alpine:3@{OTHER}", ON),
        ("pull", ON),
        ("pull a b", ON),
        ("run", ON),
        ("push", ON),
        ("build", ON),
    ],
)
def test_passes_unchanged(line: str, settings: Settings) -> None:
    world = World()
    assert world.run(line, settings) == 42
    assert world.became == [(line, False)]
    assert not world.asked


@pytest.mark.parametrize("text", ["1", "true", "T", "yes", "2", "no"])
def test_whatever_is_not_false_switches_trust_on(text: str) -> None:
    world = World()
    assert world.run("pull alpine", OFF.replace(content_trust=text)) == 1
    assert world.asked == ["alpine:latest"]


# Pull ----------------------------------------------------------------------------------------------


def test_pull_prints_what_docker_prints() -> None:
    world = World("localhost:5000/pay:v3")
    assert world.run("-D --config d image pull --platform linux/arm64 localhost:5000/pay:v3") == 0
    pinned = f"localhost:5000/pay@{GOOD}"
    assert world.ran == [
        (f"-D --config d image pull --platform linux/arm64 {pinned}", None),
        (f"-D --config d tag {pinned} localhost:5000/pay:v3", None),
    ]
    assert world.out == [f"Pull (1 of 1): localhost:5000/pay:v3@{GOOD}", "localhost:5000/pay:v3"]
    assert world.err == [f"Tagging {pinned} as localhost:5000/pay:v3"]


def test_pull_says_which_tag_it_takes() -> None:
    world = World("alpine")
    assert world.run("pull --disable-content-trust=false alpine", OFF) == 0
    assert world.out[0] == "Using default tag: latest"
    assert world.out[-1] == "docker.io/library/alpine:latest"
    quiet = World("alpine")
    quiet.run("pull -q alpine")
    assert quiet.out[0] == f"Pull (1 of 1): alpine:latest@{GOOD}"
    assert quiet.ran[0][0] == f"pull --quiet alpine@{GOOD}"


def test_pull_of_what_nobody_vouches_for() -> None:
    world = World()
    assert world.run("pull alpine:3") == 1
    assert (world.out, world.err, world.ran) == ([], ["No valid trust data for 3"], [])


def test_pull_all_tags() -> None:
    world = World("pay:1 pay:2 other:3")
    assert world.run("pull -a pay") == 0
    assert world.out == [
        f"Pull (1 of 2): pay:1@{GOOD}",
        f"Pull (2 of 2): pay:2@{GOOD}",
        "docker.io/library/pay",
    ]
    nothing = World()
    assert nothing.run("pull -a pay") == 1
    assert nothing.err == ["No trusted tags for docker.io/library/pay"]


def test_pull_all_tags_ends_at_the_first_failure() -> None:
    world = World("pay:1 pay:2")
    world.statuses = [7]
    assert world.run("pull -a pay") == 7
    assert len(world.ran) == 1


def test_pull_by_digest_is_judged_where_there_is_a_policy() -> None:
    world = World(f"alpine@{OTHER}")
    assert world.run(f"pull alpine@{OTHER}", POLICY) == 0
    assert world.asked == [f"alpine@{OTHER}"]
    assert [line for line, _ in world.ran] == [f"pull alpine@{GOOD}"]
    assert World().run(f"pull alpine@{OTHER}", POLICY) == 1


@pytest.mark.parametrize(
    ("line", "text", "status"),
    [
        ("pull -a alpine:3", "tag can't be used with --all-tags/-a", 1),
        (f"push alpine@{OTHER}", "cannot push a digest reference", 1),
        ("push -a alpine:3", "tag can't be used with --all-tags/-a", 1),
        ("pull Alpine", "invalid reference format: repository name must be lowercase", 1),
        ("run Alpine", "docker: invalid reference format: repository name must be lowercase", 125),
    ],
)
def test_dockers_refusals(line: str, text: str, status: int) -> None:
    world = World()
    assert world.run(line) == status
    assert world.err[0] == text
    assert not world.became


# Push ----------------------------------------------------------------------------------------------


def test_push_signs_after_the_real_push() -> None:
    world = World()
    assert world.run("push -q --disable-content-trust=false localhost:5000/pay") == 0
    assert world.ran == [("push -q localhost:5000/pay", None)]
    assert world.out == ["Signing and pushing trust metadata"]
    assert world.was_signed == ["localhost:5000/pay:latest"]


def test_a_failed_push_signs_nothing() -> None:
    world = World()
    world.statuses = [1]
    assert world.run("push pay:1") == 1
    assert not world.was_signed


def test_push_of_all_tags_signs_nothing() -> None:
    world = World()
    assert world.run("image push --all-tags pay") == 0
    assert world.err == ["No tag specified, skipping trust metadata push"]
    assert not world.was_signed


# Run and create ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "became"),
    [
        ("run -it --rm alpine sh -c alpine", f"run -it --rm alpine@{GOOD} sh -c alpine"),
        ("run --disable-content-trust=false alpine", f"run alpine@{GOOD}"),
        (
            "-H tcp://h container run -v /a:/b alpine:latest x",
            f"-H tcp://h container run -v /a:/b alpine@{GOOD} x",
        ),
        ("create --name alpine alpine", f"create --name alpine alpine@{GOOD}"),
        (f"run alpine@{OTHER}", f"run alpine@{OTHER}"),
        (f"run {'b' * 64}", f"run {'b' * 64}"),
        (f"run {OTHER}", f"run {OTHER}"),
        (
            "run --mount type=image,source=alpine,target=/a alpine",
            f"run --mount type=image,source=alpine@{GOOD},target=/a alpine@{GOOD}",
        ),
        (
            "run --mount=src=alpine,type=image alpine",
            f"run --mount=src=alpine@{GOOD},type=image alpine@{GOOD}",
        ),
        (
            "run --mount type=bind,source=/x,target=/a alpine",
            f"run --mount type=bind,source=/x,target=/a alpine@{GOOD}",
        ),
    ],
)
def test_containers_run_by_digest(line: str, became: str) -> None:
    world = World("alpine")
    assert world.run(line) == 42
    assert world.became == [(became, True)]


def test_run_of_what_nobody_vouches_for() -> None:
    world = World()
    assert world.run("run --rm alpine:3") == 125
    assert world.err == [
        "docker: No valid trust data for 3",
        "\nRun 'docker run --help' for more information",
    ]
    assert World().run("create alpine:3") == 1


def test_a_mounted_image_is_checked_too() -> None:
    world = World("alpine")
    assert world.run("run --mount type=image,source=evil,target=/a alpine") == 125
    assert not world.became


def test_an_image_id_cannot_be_judged_by_a_policy() -> None:
    world = World()
    assert world.run(f"run {'b' * 64}", POLICY) == 125
    assert "image ID" in world.err[0]


@pytest.mark.parametrize(
    "line",
    [
        "run --frob x alpine",
        "run -Z alpine",
        "pull --frob alpine",
        "--frob run alpine",
        "buildx --frob build .",
        "build --frob .",
    ],
)
def test_unknown_flags_are_refused_while_trust_is_on(line: str) -> None:
    world = World("alpine")
    assert world.run(line) == 125
    assert "not understood: unknown" in world.err[0]
    assert not world.became


def test_trust_switched_on_behind_an_unknown_flag_is_seen() -> None:
    world = World("alpine")
    assert world.run("run --frob --disable-content-trust=false alpine", OFF) == 125
    assert not world.became


def test_a_server_out_of_reach_is_a_refusal() -> None:
    world = World("alpine")
    world.trouble = UnavailableError("Error: error contacting notary server: EOF", hint="see")
    assert world.run("run alpine") == 125
    assert world.err[:2] == ["docker: Error: error contacting notary server: EOF", "  see"]


def test_a_bug_is_no_refusal() -> None:
    world = World("alpine")
    world.trouble = CountermarkError("odd")
    with pytest.raises(CountermarkError) as caught:
        world.run("run alpine")
    assert caught.value.code == Code.BUG


def test_weak_decisions_are_said() -> None:
    world = World("alpine")
    world.warning = "warned: \x1b[2J"
    world.run("run alpine")
    assert world.err == ["warned: \\x1b[2J"]


# Build ---------------------------------------------------------------------------------------------

FILE = {"./Dockerfile": b"FROM alpine\nCOPY --from=tools:1 / /\n"}
BUILT = f"FROM alpine@{GOOD}\nCOPY --from=tools@{GOOD} / /\n".encode()


@pytest.mark.parametrize(
    ("line", "ran"),
    [
        ("build -t x .", "build --file /tmp/new/Dockerfile -t x ."),
        ("image build . --pull -q", "image build --file /tmp/new/Dockerfile . --pull -q"),
        ("buildx build --push .", "buildx build --file /tmp/new/Dockerfile --push ."),
        ("buildx --builder b b .", "buildx --builder b b --file /tmp/new/Dockerfile ."),
        (
            "builder build --disable-content-trust=false .",
            "builder build --file /tmp/new/Dockerfile .",
        ),
    ],
)
def test_builds_take_a_rewritten_file(line: str, ran: str) -> None:
    world = World("alpine tools:1", FILE)
    assert world.run(line) == 0
    assert world.ran == [(ran, None)]
    assert world.built == [{"Dockerfile": BUILT}]
    assert world.removed == 1


@pytest.mark.parametrize(
    "flag", ["-f b/My.file", "--file=b/My.file", "-fb/My.file", "-f=b/My.file"]
)
def test_a_file_elsewhere_keeps_its_name_and_ignore_file(flag: str) -> None:
    files = {"b/My.file": FILE["./Dockerfile"], "b/My.file.dockerignore": b"*.log\n"}
    world = World("alpine tools:1", files)
    world.statuses = [9]
    assert world.run(f"build {flag} ctx") == 9
    assert world.ran == [("build --file /tmp/new/My.file ctx", None)]
    assert world.built == [{"My.file": BUILT, "My.file.dockerignore": b"*.log\n"}]
    assert world.removed == 1


def test_a_file_from_standard_input() -> None:
    world = World("alpine tools:1")
    world.input = FILE["./Dockerfile"]
    assert world.run("build -f - .") == 0
    assert world.built == [{"Dockerfile": BUILT}]
    world = World("alpine tools:1")
    world.input = FILE["./Dockerfile"]
    assert world.run("build -t x -") == 0
    assert world.ran == [("build -t x -", BUILT)]


def test_variables_come_from_flags_and_environment() -> None:
    files = {"./Dockerfile": b"ARG V\nARG W\nARG LOCAL\nFROM alpine:$V$W$LOCAL\n"}
    world = World("alpine:19", files)
    assert world.run("build --build-arg V=1 --build-arg LOCAL --build-arg W .") == 0
    assert world.asked == ["alpine:19"]


def test_one_platform_gives_variables() -> None:
    files = {"./Dockerfile": b"FROM x-$TARGETARCH\n"}
    world = World("x-arm64", files)
    assert world.run("build --platform linux/arm64 .") == 0
    assert World("x-arm64", files).run("build --platform linux/arm64,linux/amd64 .") == 1
    assert World("x-arm64", files).run("build .") == 1


@pytest.mark.parametrize(
    ("flag", "rewritten"),
    [
        ("--cache-from alpine", f"--cache-from alpine@{GOOD}"),
        ("--cache-from alpine,alpine:latest", f"--cache-from alpine@{GOOD},alpine@{GOOD}"),
        ("--cache-from=type=registry,ref=alpine", f"--cache-from=type=registry,ref=alpine@{GOOD}"),
        ("--cache-from type=local,src=alpine", "--cache-from type=local,src=alpine"),
        (
            "--build-context x=docker-image://alpine",
            f"--build-context x=docker-image://alpine@{GOOD}",
        ),
        ("--build-context x=folder", "--build-context x=folder"),
        ("--build-arg BUILDKIT_SYNTAX=alpine", f"--build-arg BUILDKIT_SYNTAX=alpine@{GOOD}"),
        ("--sbom=generator=alpine", f"--sbom=generator=alpine@{GOOD}"),
        ("--sbom=false", "--sbom=false"),
        ("--attest type=provenance,mode=max", "--attest type=provenance,mode=max"),
        ("--attest type=sbom,generator=alpine", f"--attest type=sbom,generator=alpine@{GOOD}"),
    ],
)
def test_images_in_build_flags(flag: str, rewritten: str) -> None:
    world = World("alpine", {"./Dockerfile": b"FROM scratch\n"})
    assert world.run(f"build {flag} .") == 0
    assert world.ran == [(f"build --file /tmp/new/Dockerfile {rewritten} .", None)]
    if GOOD.hex in rewritten:
        assert World("", {"./Dockerfile": b"FROM scratch\n"}).run(f"build {flag} .") == 1


def test_a_named_context_takes_an_images_place() -> None:
    world = World("", {"./Dockerfile": b"FROM alpine\n"})
    assert world.run("build --build-context alpine=folder .") == 0
    assert not world.asked


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("build https://github.com/x/y.git", "no local folder"),
        ("build git@host:x", "no local folder"),
        ("build nowhere", "no local folder"),
        ("build ctx", "no such file: ctx/Dockerfile"),
        ("build -f https://x/Dockerfile .", "from elsewhere"),
        ("build --build-context x=oci-layout://x .", "cannot be checked"),
        ("build --build-context x=https://x/y .", "cannot be checked"),
        ("build --build-arg BUILDKIT_SYNTAX .", "BUILDKIT_SYNTAX"),
        ("build --sbom=true .", "generator that is not named"),
        ("build --attest type=sbom .", "generator that is not named"),
        ("build -qf Dockerfile .", "-qf"),
        ("buildx bake", "docker buildx bake cannot be checked"),
        ("build -f x -", "standard input cannot be checked"),
    ],
)
def test_builds_that_cannot_be_checked(line: str, why: str) -> None:
    world = World("alpine tools:1", {**FILE, "Dockerfile": b"FROM alpine"})
    assert world.run(line) == 1
    assert why in world.err[0]
    assert not world.ran
    assert not world.became


@pytest.mark.parametrize("start", [b"\x1f\x8bxx", b"x" * 257 + b"ustar"])
def test_an_archive_as_context_is_refused(start: bytes) -> None:
    world = World("alpine")
    world.input = start
    assert world.run("build -") == 1
    assert "standard input" in world.err[0]


def test_one_unsigned_image_stops_the_build() -> None:
    world = World("alpine", FILE)
    assert world.run("build .") == 1
    assert world.err == ["No valid trust data for 1"]
    assert not world.ran


def test_digests_in_files_stay_unless_there_is_a_policy() -> None:
    text = f"FROM alpine@{OTHER}\n".encode()
    world = World("", {"./Dockerfile": text})
    assert world.run("build .") == 0
    assert world.built == [{"Dockerfile": text}]
    assert World("", {"./Dockerfile": text}).run("build .", POLICY) == 1


def test_the_temporary_file_goes_even_if_docker_cannot_run() -> None:
    class Broken(World):
        def call(
            self, words: Sequence[str], *, given: bytes | None = None, hidden_line: str = ""
        ) -> int:
            raise InputError("cannot run docker")

    world = Broken("alpine tools:1", FILE)
    assert world.run("build .") == 1
    assert world.removed == 1


# The CLI plugin --------------------------------------------------------------------------------------


def test_plugin_metadata_has_what_old_docker_wants() -> None:
    parsed = strict_json.Reader(strict_json.parse(plugin_metadata("1.2", "text").encode()))
    assert parsed.text("SchemaVersion") == "0.1.0"
    assert parsed.text("Vendor")
    assert parsed.text("Version") == "1.2"


def test_plugin_words() -> None:
    options, rest = plugin_words(
        "trust", ["--config", "d", "-D", "trust", "inspect", "--pretty", "x"]
    )
    assert options == {"config": "d", "debug": ""}
    assert rest == ("inspect", "--pretty", "x")
    with pytest.raises(InputError):
        plugin_words("trust", ["other", "trust"])


def test_global_options() -> None:
    words = ["--config=d", "-c", "ctx", "-H", "unix:///s", "pull", "x"]
    assert docker_plan.global_options(words) == {
        "config": "d",
        "context": "ctx",
        "host": "unix:///s",
    }
