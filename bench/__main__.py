"""Compare speed with the real programs, and write docs/benchmarks.md."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench import blobs, clients, page, publishing, reading
from bench.measuring import Row, say
from bench.stack import PROFILES, ROOT, Profile, Stack


def main() -> int:
    """Run what was asked for; 1 where a goal was missed."""
    parts: dict[str, tuple[str, Callable[[Stack, Profile], list[Row]]]] = {
        "clients": ("Commands", clients.rows),
        "reading": ("Trust server: reads", reading.rows),
        "publishing": ("Trust server: publications", publishing.rows),
        "blobs": ("Registry", blobs.rows),
    }
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="full")
    parser.add_argument(
        "--only", choices=parts, action="append", help="only this part; writes no page"
    )
    parser.add_argument(
        "--countermark", type=Path, default=ROOT / ".demo" / "venv" / "bin" / "countermark"
    )
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    args = parser.parse_args()
    profile, sections = PROFILES[args.profile], []
    for name in args.only or parts:
        title, rows = parts[name]
        say(f"{title} ({profile.name})")
        stack = Stack(args.countermark)
        try:
            sections.append((title, rows(stack, profile)))
        finally:
            stack.stop()
        for row in sections[-1][1]:
            ratio = f"{row.ratio:.2f}" if row.ratio is not None else "-"
            verdict = {True: "met", False: "MISSED", None: ""}[row.met]
            say(f"    {row.what}: {row.ours}; {row.peer} {row.theirs}; ratio {ratio} {verdict}")
    if not args.only:
        page.write(args.page, sections, profile, args.countermark)
        say(f"wrote {args.page}")
    return 1 if any(row.met is False for _, rows in sections for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
