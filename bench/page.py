"""The page of figures: docs/benchmarks.md."""

from collections.abc import Sequence
from pathlib import Path

from bench.measuring import Row
from bench.stack import Profile, docker, machine, version
from interop.processes import find

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

## Repeat it

    make peers          # docker, notary, docker-registry, PostgreSQL, wrk: Debian's packages
    make bench          # some ten minutes, writes this page
    make bench PROFILE=quick
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
    lines += ["- notary-server and notary-signer 0.7.0 (Debian), PostgreSQL of the same", ""]
    for title, rows in sections:
        lines += section(title, rows)
    path.write_text("\n".join(lines).rstrip() + "\n" + NOTES, encoding="utf-8")


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
        goal = f"{'≥' if row.more_is_better else '≤'} {row.goal:.2g}"
        met = "met" if row.met else "**missed**"
    return f"| {row.what} | {row.ours} | {row.peer} | {row.theirs} | {ratio} | {goal} | {met} |"
