"""The page of figures: docs/benchmarks.md."""

import re
from collections.abc import Sequence
from pathlib import Path

from bench.measuring import Row
from bench.stack import Profile, docker, machine, version
from interop.cosign_peers import find_go_program
from interop.peers import BASE_ENVIRONMENT
from interop.processes import find, run

INTRODUCTION = """# Benchmarks

Ours beside the programs that it stands in for: on one machine, in turns (ours, theirs, ours, theirs), medians. A
ratio is the median of ratios of runs that stood beside each other, so that a slow phase of the machine hits both; on
two shared cores differences below 15 % are noise. Load comes over loopback from the same machine, which it slows for
both.
"""
NOTES = """
Commands are cold: each run is a new process. *First contact* has no cached trust data. The image has two signers, who
both signed it. Docker's figures are the client's own; its daemon's work shows in wall time only. Reads and
publications go over 16 TLS connections that stay open; uploads are signed beforehand. Ours syncs each publication to
disk before it is acknowledged, as PostgreSQL does; notary-server in memory keeps nothing, and stands here to compare.

Commands of cosign: the real cosign and ours run with the same words, the same key file (its scrypt costs each of
them some 300 ms) and the same registry, `countermark serve`, over TLS; every signature is of an image that has none
yet. Rows named `verify` and `sign` are our own few words for the same. Where the registry is said to be away, a relay
between it and both holds every byte back for half of that time each way. Keyless signing: ours with `countermark
serve --sigstore`; cosign with the real Fulcio, Rekor 2 (tiles in a folder, a checkpoint a second, batches of 100
ms, durable deduplication) and timestamp-server, with an identity token that is there already.

Load on the servers of Sigstore comes from wrk over 16 connections that stay open, ours over TLS, theirs without.
Entries, certificate requests and timestamp queries are signed beforehand; no entry is sent twice, and every answer
has to be a good one. Ours keeps each entry and each certificate durably before it answers. Fulcio has a certificate
log of ours, since none of its own is packaged; it keeps certificates as durably. The large log is filled through
our own tree, index and tiles, in batches of 16,384 and without a sync after each tile, since a million signed
requests would take longer than all the rest; the server that answers from it is the one that is shipped. Rekor 2
and ours prove an entry when they take it; older ones are proven from the tiles by whoever asks, which takes more of
them in a larger log.

## Repeat it

    make peers          # docker, notary, docker-registry, PostgreSQL, wrk: Debian's packages
    make bench          # some forty minutes, writes this page
    make bench PROFILE=quick
    python -m bench --only cosign,log       # some tables, and no page

cosign, fulcio, rekor-server and timestamp-server are looked for in ~/go/bin, where `go install` puts them, and on the
PATH. timestamp-server takes port 2112 of the machine, so that only one can run.
"""


def write(
    path: Path, sections: Sequence[tuple[str, Sequence[Row]]], profile: Profile, countermark: Path
) -> None:
    """Write the page anew."""
    lines = [
        INTRODUCTION,
        f"Machine: {machine()}.",
        "",
        f"Profile: {profile.name}. Compared programs:",
        "",
    ]
    lines += [
        f"- {version(program)}" for program in (countermark, docker(), find("docker-registry"))
    ]
    lines += ["- notary-server and notary-signer 0.7.0 (Debian), PostgreSQL of the same"]
    lines += [*map(_sigstore_version, ("cosign", "fulcio", "rekor-server", "timestamp-server")), ""]
    for title, rows in sections:
        lines += section(title, rows)
    path.write_text("\n".join(lines).rstrip() + "\n" + NOTES, encoding="utf-8")


def _sigstore_version(name: str) -> str:
    """A program of Sigstore's, with the version of the module that Go built it from."""
    told = run([find_go_program(name), "version"], BASE_ENVIRONMENT)
    found = re.search(r"GitVersion:\s*(\S+)", told.out + told.err)
    return f"- {name} {found[1] if found else '(of an unknown version)'}"


def section(title: str, rows: Sequence[Row]) -> list[str]:
    """The lines of one table, none where there is nothing in it."""
    if not rows:
        return []
    head = "| what | ours | peer | theirs | ratio | goal | |"
    return [f"## {title}", "", head, "|---|---|---|---|---|---|---|", *map(_line, rows), ""]


def _line(row: Row) -> str:
    ratio = "" if row.ratio is None or not row.theirs else f"{row.ratio:.2f}"
    goal, met = "", ""
    if row.goal is not None:
        goal = f"{'≥' if row.more_is_better else '≤'} {f'{row.goal:.2g}' if row.goal < 100 else f'{row.goal:.0f}'}"
        met = "met" if row.met else "**missed**"
    return f"| {row.what} | {row.ours} | {row.peer} | {row.theirs} | {ratio} | {goal} | {met} |"
