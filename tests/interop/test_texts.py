"""Our ``trust`` commands print what docker's print: stdout, stderr and exit status, in equal situations.

A script is played with docker 28 on one repository and with ours on another, each from a fresh home; ``setup`` lines
are docker's in both, so that both begin with the same. DIFFERENT lists where ours says something else, and why.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from interop.peers import Daemon, NotaryServer, Registry
from interop.people import Person
from interop.reading import without_additions
from interop.transcripts import normal

Build = Callable[[str, str], str]

# ``setup`` and ``settle`` lines are done by docker for both, with trust off for ``plain``; the others are compared.
SIGNED = """
setup owner: push REPO:v1
setup owner: push REPO:v3.10.0
setup owner: push REPO:v3.2.0
"""
SIGNERS = """
plain owner: push REPO:v1
plain owner: push REPO:v2
setup owner: trust key generate alice
setup bob: trust key generate bob
setup owner: trust signer add --key alice.pub alice REPO
setup owner: trust signer add --key ../bob/bob.pub bob REPO
setup owner: trust sign REPO:v1
setup bob: trust sign REPO:v1
"""
SCRIPTS: dict[str, str] = {
    "key generate": """
owner: trust key generate alice
owner: trust key generate alice
owner: trust key generate Alice
owner: trust key generate -- -x
owner: trust key generate bob --dir keys
owner: trust key generate bob --dir nowhere
owner: trust key generate root --dir keys
owner: trust key generate
owner: trust key generate a b
owner: trust key generate --nonsense a
""",
    "key load": """
setup owner: trust key generate alice --dir keys
owner: trust key load nowhere.pem
owner: trust key load keys/alice.pub
owner: trust key load a.txt
owner: trust key load --name Bad! a.txt
owner: trust key load
owner: trust key load a b
""",
    "inspect": f"""
owner: trust inspect REPO
owner: trust inspect REPO:v1
owner: trust inspect --pretty REPO
owner: trust inspect REPO:v1 REPO
{SIGNED}
owner: trust inspect REPO
owner: trust inspect REPO:v1
owner: trust inspect REPO:v9
owner: trust inspect --pretty REPO
owner: trust inspect --pretty REPO:v1
owner: trust inspect --pretty REPO:v9
owner: trust inspect REPO:v1 REPO:v3.2.0
owner: trust inspect REPO:v1 REPO-unknown
owner: trust inspect REPO-unknown REPO:v1 REPO-other
owner: trust inspect --pretty REPO:v1 REPO-unknown
owner: trust inspect --pretty REPO:v1 REPO:v3.2.0
fresh: trust inspect REPO
owner: trust inspect
owner: trust inspect REPO:
owner: trust inspect UPPER/x
owner: trust inspect --nonsense REPO
owner: trust inspect -z REPO
""",
    "inspect signers": f"""{SIGNERS}
owner: trust inspect REPO
owner: trust inspect --pretty REPO
owner: trust inspect --pretty REPO:v1
owner: trust inspect --pretty REPO:v2
fresh: trust inspect REPO:v1
""",
    "sign": f"""{SIGNERS}
owner: trust sign REPO:v1
bob: trust sign REPO:v1
owner: trust sign REPO
owner: trust sign REPO@sha256:0000000000000000000000000000000000000000000000000000000000000000
fresh: trust sign REPO:v1
owner: trust sign REPO:no-such-image
owner: trust sign
owner: trust sign a b
owner: trust sign --nonsense REPO:v1
""",
    "revoke": f"""
owner: trust revoke REPO:v1
owner: trust revoke -y REPO
{SIGNED}
owner: trust revoke REPO:v1
owner: trust revoke REPO:v1
owner: trust revoke REPO
owner: trust revoke -y REPO@sha256:0000000000000000000000000000000000000000000000000000000000000000
owner: trust revoke -y REPO
owner: trust revoke -y REPO
owner: trust revoke
owner: trust inspect --pretty REPO
""",
    "signer add": """
setup owner: trust key generate alice
setup owner: trust key generate carol
owner: trust signer add alice REPO
owner: trust signer add --key nowhere.pub alice REPO
owner: trust signer add --key a.txt alice REPO
owner: trust signer add --key alice.pub Alice REPO
owner: trust signer add --key alice.pub releases REPO
owner: trust signer add --key alice.pub alice REPO
owner: trust signer add --key alice.pub alice REPO
owner: trust signer add --key alice.pub --key carol.pub both REPO REPO-b
owner: trust signer add --key carol.pub alice REPO:tagged
fresh: trust signer add --key ../owner/alice.pub late REPO
owner: trust signer add --key alice.pub alice
owner: trust signer add
owner: trust inspect --pretty REPO
""",
    "signer remove": f"""
owner: trust signer remove alice REPO
{SIGNERS}
owner: trust signer remove nobody REPO
owner: trust signer remove releases REPO
owner: trust signer remove alice
owner: trust signer remove alice REPO-unknown
""",
}
# What ours says otherwise, and why. Each of these lines has to differ: when one no longer does, it goes.
DIFFERENT = {
    "owner: trust inspect REPO:": "ours says what is wrong with the reference",
    "fresh: trust sign REPO:v1": "ours shows who signed before it looks for a key, as docker does when it has one",
}
# Below docker's error ours may say what to do next, on lines of their own that begin with two blanks.
HINT = re.compile(r"^  .*\n", re.MULTILINE)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_words(
    name: str, newer_docker: Path, registry: Registry, notary: NotaryServer, daemon: Daemon, slug: str, build: Build,
    tmp_path: Path,
) -> None:  # fmt: skip
    theirs, ours = (
        _play(
            SCRIPTS[name],
            tool,
            f"{registry.address}/{tool[:3]}-{slug}",
            tmp_path / tool[:3],
            newer_docker,
            notary,
            daemon,
            build,
        )
        for tool in ("docker", "countermark")
    )
    differing = []
    for (line, their_outcome), (_, our_outcome) in zip(theirs, ours, strict=True):
        if line in DIFFERENT:
            assert our_outcome != their_outcome, f"{line}: no longer different"
        elif our_outcome != their_outcome:
            differing.append(f"$ {line}\n--- docker\n{their_outcome}\n--- ours\n{our_outcome}")
    assert not differing, "\n\n".join(differing)


def _play(
    script: str,
    tool: str,
    repository: str,
    folder: Path,
    cli: Path,
    server: NotaryServer,
    daemon: Daemon,
    build: Build,
) -> list[tuple[str, str]]:
    people: dict[str, Person] = {}
    words = {
        repository: "REPO",
        server.address: "TRUST",
        str(folder): "HOMES",
        repository.partition("/")[0]: "REG",
    }
    words[repository.partition("/")[2]] = "PATH"
    for tag in ("v1", "v2", "v3.10.0", "v3.2.0"):
        build(f"{repository}:{tag}", tag)
    found = []
    for line in filter(None, script.splitlines()):
        head, _, command = line.partition(": ")
        *mark, name = head.split()
        if name not in people:
            people[name] = someone = Person(folder / name, server.url, daemon.host, cli)
            someone.believes(server.address, server.ca)
            (someone.home / "a.txt").write_text("no key at all\n")
            (someone.home / "a.txt").chmod(0o600)
            (someone.home / "keys").mkdir()
        someone = people[name]
        arguments = command.replace("REPO", repository).split()
        if mark:
            someone.docker(*arguments, trust=mark != ["plain"]).ok()
            continue
        outcome = (
            someone.docker(*arguments) if tool == "docker" else someone.countermark(*arguments)
        )
        if tool != "docker" and "inspect" in arguments:  # which says more than docker does
            outcome = outcome._replace(out=without_additions(outcome.out))
        if tool != "docker":
            outcome = outcome._replace(err=HINT.sub("", outcome.err))
        out, err = (
            normal(stream, words).replace("countermark", "docker")
            for stream in (outcome.out, outcome.err)
        )
        found.append((line, f"[exit {outcome.exit}]\n{out}--- stderr\n{err}"))
    return found
