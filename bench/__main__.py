"""Compare speed with the real programs, and write docs/benchmarks.md."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench import (
    blobs,
    certificate_load,
    clients,
    cosign_commands,
    keyless_commands,
    log_load,
    log_proofs,
    page,
    publishing,
    reading,
)
from bench.measuring import Row, say
from bench.stack import PROFILES, ROOT, Profile, Stack

PARTS: dict[str, tuple[str, Callable[[Stack, Profile], list[Row]]]] = {
    "clients": ("Commands", clients.rows),
    "reading": ("Trust server: reads", reading.rows),
    "publishing": ("Trust server: publications", publishing.rows),
    "blobs": ("Registry", blobs.rows),
    "cosign": ("Commands of cosign", cosign_commands.rows),
    "keyless": ("Keyless signing", keyless_commands.rows),
    "log": ("Transparency log", log_load.rows),
    "certificates": ("Certificate authority", certificate_load.certificates),
    "proofs": ("A large log", log_proofs.rows),
    "timestamps": ("Timestamp authority", certificate_load.timestamps),
}


def _parts(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(PARTS)}")
    return names


def main() -> int:
    """Run what was asked for; 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="full")
    parser.add_argument(
        "--only",
        type=_parts,
        metavar="PART[,PART]",
        help=f"print these alone, and write no page: {', '.join(PARTS)}",
    )
    parser.add_argument(
        "--countermark", type=Path, default=ROOT / ".demo" / "venv" / "bin" / "countermark"
    )
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    args = parser.parse_args()
    profile, sections = PROFILES[args.profile], []
    for name in args.only or PARTS:
        title, rows = PARTS[name]
        say(f"{title} ({profile.name})")
        stack = Stack(args.countermark)
        try:
            sections.append((title, rows(stack, profile)))
        finally:
            stack.stop()
        say("\n".join(page.section(*sections[-1])))
    if not args.only:
        page.write(args.page, sections, profile, args.countermark)
        say(f"wrote {args.page}")
    return 1 if any(row.met is False for _, rows in sections for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
