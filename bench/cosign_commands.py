"""Commands of cosign beside ours, cold: verify with a key and with an identity, sign with a key, many signatures."""

from collections.abc import Callable, Sequence

from bench.distance import Distance
from bench.measuring import Command, Launcher, Row, Sample, in_turns, median, paired_ratio, say
from bench.sigstore import ALICE, Ours
from bench.stack import Profile, Stack
from interop.processes import Words

MEMORY_GOAL = 0.7
MANY = 100
FAR_SECONDS = 0.02  # there and back, to a registry that is in the same country
Run = Callable[[], Sample]


def rows(stack: Stack, profile: Profile) -> list[Row]:
    """Compare them, all on one server of ours."""
    box = Ours(stack, "cosign-registry")
    launcher = Launcher(stack.folder)
    try:
        return [
            *_with_key(box, launcher, profile),
            *_with_identity(box, launcher, profile),
            *_signing(box, launcher, profile),
            *_many(box, launcher, profile),
        ]
    finally:
        launcher.stop()


def compared(
    what: str,
    goals: tuple[float | None, float | None],
    profile: Profile,
    theirs: Run,
    ours: dict[str, Run],
    times: int = 0,
) -> list[Row]:
    """Run all in turns; rows of wall time, CPU time and peak memory, for each of ours beside theirs.

    ``goals`` are for wall time and memory, as parts of theirs; ``times`` is how often, 0 as the profile says.
    """
    say(f"  {what}")
    *own, peer = in_turns(times or profile.client_runs, 2, *ours.values(), theirs)
    found = []
    for name, samples in zip(ours, own, strict=True):
        found += _rows(f"{what}: `{name}`", goals, samples, peer)
    return found


def _rows(
    what: str,
    goals: tuple[float | None, float | None],
    own: Sequence[Sample],
    peer: Sequence[Sample],
) -> list[Row]:
    result = []
    for title, member, unit, scale, goal in (
        ("wall time", "wall", "ms", 1000.0, goals[0]),
        ("CPU time", "cpu", "ms", 1000.0, None),
        ("peak memory", "memory", "MiB", 1.0, goals[1]),
    ):
        mine, others = ([getattr(each, member) for each in samples] for samples in (own, peer))
        figures = [f"{median(values) * scale:.0f} {unit}" for values in (mine, others)]
        result.append(
            Row(
                f"{what}, {title}", figures[0], "cosign", figures[1], paired_ratio(mine, others), goal,
                more_is_better=False,
            )
        )  # fmt: skip
    return result


def _always(launcher: Launcher, command: Command) -> Run:
    return lambda: launcher.run(command)


def _with_key(box: Ours, launcher: Launcher, profile: Profile) -> list[Row]:
    image, key = box.image(), box.folder / "cosign.pub"
    box.cosign_run("sign", "--key", box.folder / "cosign.key", *box.cosign.key_only, image).ok()
    words: Words = ["verify", "--key", key, *box.cosign.offline, image]
    own: Words = ["verify", "--key", key, "--accept-unlogged", "our own key", image]
    return compared(
        "verify with a key", (1.0, MEMORY_GOAL), profile, _always(launcher, box.theirs(*words)),
        {
            "cosign verify": _always(launcher, box.ours("cosign", *words)),
            "verify": _always(launcher, box.ours(*own)),
        },
    )  # fmt: skip


def _with_identity(box: Ours, launcher: Launcher, profile: Profile) -> list[Row]:
    image, token = box.image(), box.folder / "token"
    token.write_text(box.token())
    box.cosign_run(
        "sign", "-y", "--identity-token", token, "--signing-config", box.config, "--trusted-root", box.root,
        image,
    ).ok()  # fmt: skip
    root: Words = ["--trusted-root", box.root]
    words: Words = ["verify", "--certificate-identity", ALICE]
    words += ["--certificate-oidc-issuer", box.issuer, *root, image]
    own: Words = ["verify", "--identity", ALICE, "--issuer", box.issuer, *root, "--offline", image]
    return compared(
        "verify with an identity", (1.5, MEMORY_GOAL), profile, _always(launcher, box.theirs(*words)),
        {
            "cosign verify": _always(launcher, box.ours("cosign", *words)),
            "verify": _always(launcher, box.ours(*own)),
        },
    )  # fmt: skip


def _signing(box: Ours, launcher: Launcher, profile: Profile) -> list[Row]:
    """Each signs an image that has no signature yet, first with a key alone, then with our log and timestamps."""
    key: Words = ["--key", box.folder / "cosign.key"]
    services: Words = ["-y", "--signing-config", box.config, "--trusted-root", box.root]
    found = []
    for what, words, own in (
        ("sign with a key", [*box.cosign.key_only], ["--no-log"]),
        ("sign with a key, logged by ours", services, services[1:]),
    ):
        count = max(8, profile.client_runs // 2)
        said: dict[str, tuple[str, Words]] = {
            "cosign sign": ("ours", ["cosign", "sign", *key, *words]),
            "sign": ("ours", ["sign", *key, *own]),
            "theirs": ("theirs", ["sign", *key, *words]),
        }
        runs = {
            name: each_in_turn(launcher, box, program, line, count + 2)
            for name, (program, line) in said.items()
        }
        theirs = runs.pop("theirs")
        found += compared(what, (0.9, None), profile, theirs, runs, count)
    return found


def each_in_turn(launcher: Launcher, box: Ours, program: str, words: Words, count: int) -> Run:
    """Run the same words again and again, each time on a new image."""
    commands = box.on_new_images(program, words, count)
    return lambda: launcher.run(next(commands))


def _many(box: Ours, launcher: Launcher, profile: Profile) -> list[Row]:
    """One image with many signatures of one key; then the same where the registry is not on this machine."""
    image, key = box.image(), box.folder / "cosign.pub"
    say(f"  {MANY} signatures of one image are made")
    box.run("sign", "--key", box.folder / "cosign.key", "--no-log", *[image] * MANY).ok()
    words: Words = ["verify", "--key", key, *box.cosign.offline]
    found = box.cosign_run(*words, image).ok().out.count("docker-manifest-digest")
    if found != MANY:
        raise RuntimeError(f"cosign sees {found} signatures of {MANY}")
    own: Words = ["verify", "--key", key, "--accept-unlogged", "our own key"]

    def beside(
        what: str, goals: tuple[float | None, float | None], image: str, times: int
    ) -> list[Row]:
        return compared(
            what, goals, profile, _always(launcher, box.theirs(*words, image)),
            {
                "cosign verify": _always(launcher, box.ours("cosign", *words, image)),
                "verify": _always(launcher, box.ours(*own, image)),
            },
            times,
        )  # fmt: skip

    what = f"verify an image with {MANY} signatures"
    near = beside(what, (0.5, MEMORY_GOAL), image, max(6, profile.client_runs // 4))
    host, _, rest = image.partition("/")
    name, _, port = host.partition(":")
    with Distance(int(port), FAR_SECONDS / 2) as far:
        distant = f"{name}:{far.port}/{rest}"
        what = f"the same, the registry {FAR_SECONDS * 1000:.0f} ms away"
        return near + beside(what, (None, None), distant, max(3, profile.client_runs // 10))
