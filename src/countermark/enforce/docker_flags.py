"""Docker's flags: which take a value, so that the image among them is found.

The tables are the union of docker 20.10.24 and 28.2.2 (``--help``, and hidden flags by trying) and of buildx 0.30's
``build``; no flag changed its kind between them. A flag that is not here is not guessed at.
"""

from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FlagTable(Value):
    """The flags of one command: names that take a value, names that do not, and one-letter names.

    ``interspersed``: flags may follow arguments too, until ``--``; else they end at the first argument.
    """

    valued: frozenset[str]
    plain: frozenset[str]
    letters: "Mapping[str, str]"
    interspersed: bool = True


class Flag(Value):
    """A flag as given: its long name, its value (None for a plain one without), its first and last word."""

    name: str
    value: str | None
    first: int
    last: int


class ParsedWords(Value):
    """A command's words: the flags, the places of the other words, and what was not understood ("" if all was)."""

    flags: tuple[Flag, ...]
    arguments: tuple[int, ...]
    trouble: str = ""

    def last(self, name: str) -> Flag | None:
        """The last flag of a name, which is the one that counts."""
        return next((flag for flag in reversed(self.flags) if flag.name == name), None)

    def all(self, name: str) -> tuple[Flag, ...]:
        """Every flag of a name."""
        return tuple(flag for flag in self.flags if flag.name == name)

    def is_on(self, name: str) -> bool:
        """Say whether a plain flag is given and not ``=false``."""
        flag = self.last(name)
        return flag is not None and parse_bool(flag.value) is not False


def _table(valued: str, plain: str, letters: str, *, interspersed: bool = True) -> FlagTable:
    pairs = (pair.split("=") for pair in letters.split())
    return FlagTable(
        valued=frozenset(valued.split()),
        plain=frozenset(plain.split()),
        letters=dict(pairs),
        interspersed=interspersed,
    )


_CONTAINER = (
    "add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns"
    " cidfile cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus"
    " cpuset-cpus cpuset-mems detach-keys device device-cgroup-rule device-read-bps device-read-iops"
    " device-write-bps device-write-iops dns dns-opt dns-option dns-search domainname entrypoint env"
    " env-file expose gpus group-add health-cmd health-interval health-retries health-start-interval"
    " health-start-period health-timeout hostname io-maxbandwidth io-maxiops ip ip6 ipc isolation"
    " kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory"
    " memory-reservation memory-swap memory-swappiness mount name net net-alias network network-alias"
    " oom-score-adj pid pids-limit platform publish pull restart runtime security-opt shm-size stop-signal"
    " stop-timeout storage-opt sysctl tmpfs ulimit user userns uts volume volume-driver volumes-from"
    " workdir"
)
_CONTAINER_PLAIN = (
    "detach disable-content-trust help init interactive no-healthcheck oom-kill-disable privileged"
    " publish-all quiet read-only rm sig-proxy tty use-api-socket"
)
_CONTAINER_LETTERS = (
    "a=attach c=cpu-shares d=detach e=env h=hostname i=interactive l=label m=memory p=publish"
    " P=publish-all q=quiet t=tty u=user v=volume w=workdir"
)
CONTAINER = _table(_CONTAINER, _CONTAINER_PLAIN, _CONTAINER_LETTERS, interspersed=False)

BUILD = _table(
    "add-host allow annotation attest build-arg build-context builder cache-from cache-to call"
    " cgroup-parent cpu-period cpu-quota cpu-shares cpuset-cpus cpuset-mems file iidfile isolation label"
    " memory memory-swap metadata-file network no-cache-filter output platform progress provenance root"
    " sbom secret security-opt server-config shm-size ssh tag target ulimit",
    "check compress debug detach disable-content-trust force-rm help load no-cache pull push quiet rm"
    " squash stream",
    "c=cpu-shares D=debug f=file h=help m=memory o=output q=quiet t=tag",
)
PULL = _table("platform", "all-tags disable-content-trust help quiet", "a=all-tags h=help q=quiet")
PUSH = PULL
GLOBAL = _table(
    "config context host log-level tlscacert tlscert tlskey",
    "debug help tls tlsverify version",
    "c=context D=debug H=host h=help l=log-level v=version",
    interspersed=False,
)


def parse_bool(text: str | None) -> bool | None:
    """Read a truth as Go's ParseBool does, None where it is neither; no text is true, as for a flag without value."""
    if text is None or text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    return False if text in ("0", "f", "F", "FALSE", "false", "False") else None


def parse_words(table: FlagTable, words: "Sequence[str]", start: int) -> ParsedWords:
    """Tell flags from arguments as pflag does, from word ``start`` on.

    A word that is no flag of the table is ``trouble``, and nothing after it is looked at.
    """
    flags: list[Flag] = []
    arguments: list[int] = []
    place = start
    while place < len(words):
        word = words[place]
        if word == "--":
            arguments += range(place + 1, len(words))
            break
        if not word.startswith("-") or word == "-":
            arguments.append(place)
            if not table.interspersed:
                arguments += range(place + 1, len(words))
                break
            place += 1
            continue
        found, trouble = _flags_of(table, words, place)
        if trouble:
            return ParsedWords(flags=tuple(flags), arguments=tuple(arguments), trouble=trouble)
        flags += found
        place = found[-1].last + 1
    return ParsedWords(flags=tuple(flags), arguments=tuple(arguments))


def _flags_of(table: FlagTable, words: "Sequence[str]", place: int) -> tuple[list[Flag], str]:
    word = words[place]
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        return _one(table, words, place, name, value if equals else None)
    found: list[Flag] = []
    rest = word[1:]
    while rest:
        name, rest = table.letters.get(rest[0], f"-{rest[0]}"), rest[1:]
        if name in table.valued and rest:
            given: str | None = rest.removeprefix("=")
            rest = ""
        elif rest.startswith("="):
            given, rest = rest[1:], ""
        else:
            given = None
        one, trouble = _one(table, words, place, name, given)
        if trouble:
            return found, f"unknown shorthand flag in {word[:80]}" if name[0] == "-" else trouble
        found += one
    return found, ""


def _one(
    table: FlagTable, words: "Sequence[str]", place: int, name: str, given: str | None
) -> tuple[list[Flag], str]:
    if name in table.plain:
        if parse_bool(given) is None:
            return [], f"invalid argument for --{name}"
        return [Flag(name=name, value=given, first=place, last=place)], ""
    if name not in table.valued:
        return [], f"unknown flag: --{name[:80]}"
    if given is not None:
        return [Flag(name=name, value=given, first=place, last=place)], ""
    if place + 1 >= len(words):
        return [], f"flag needs an argument: --{name}"
    return [Flag(name=name, value=words[place + 1], first=place, last=place + 1)], ""
