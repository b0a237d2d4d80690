"""``make fuzz``: each reader under atheris for some seconds, in a process of its own, and a table of what came of it.

Led by coverage (libFuzzer). The inputs that it finds worth keeping stay in ``.fuzz/READER/corpus``, so that the next
run begins where this one ended; what goes wrong lies beside it, as ``.fuzz/READER/crash-…``. Put that under
``tests/vectors/fuzz/READER`` with a name that says what was wrong, mend the reader, and ``make test`` replays it.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".fuzz"
CALL_SECONDS, MEBIBYTES = (
    10,
    2_048,
)  # what one call may take: it is instrumented, and not alone on its machine
FOUND = ("crash-", "timeout-", "oom-", "leak-", "slow-unit-")


class Result(NamedTuple):
    """What came of one reader."""

    name: str
    runs: int
    edges: int
    kept: int
    problem: str

    @property
    def row(self) -> str:
        return (
            f"{self.name:22} {self.runs:>10} {self.edges:>7} {self.kept:>6}  {self.problem or 'ok'}"
        )


def fuzz(name: str, words: Sequence[str]) -> None:
    """Be libFuzzer for one reader; this does not return."""
    import atheris  # only here: the extra ``fuzz``

    with atheris.instrument_imports(include=["countermark"]):
        from fuzz.targets import TARGETS, faults
    target = TARGETS[name]
    folder = WORK / name / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    for content in (*target.seeds(), *faults(target).values()):
        (folder / sha256(content).hexdigest()).write_bytes(content)
    atheris.Setup([sys.argv[0], *words, str(folder)], target.feed)
    atheris.Fuzz()


def watch(name: str, seconds: int) -> Result:
    """Have another process fuzz a reader, and read what it says."""
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    for kind in FOUND:
        for old in folder.glob(f"{kind}*"):
            old.unlink()
    limits = (
        f"-max_total_time={seconds}",
        f"-timeout={CALL_SECONDS}",
        f"-rss_limit_mb={MEBIBYTES}",
    )
    words = [sys.executable, __file__, "--one", name, "--", *limits, f"-artifact_prefix={folder}/"]
    log = folder / "log"
    with log.open("wb") as sink:
        status = subprocess.run(
            words, stdout=sink, stderr=subprocess.STDOUT, check=False
        ).returncode
    text = log.read_text("utf-8", "replace")
    runs = re.findall(r"^(?:Done|#)(?: |)(\d+)", text, re.MULTILINE)
    edges = re.findall(r"cov: (\d+)", text)
    found = sorted(path.name for kind in FOUND for path in folder.glob(f"{kind}*"))
    problem = ", ".join(found) or (f"exit {status}, see {log.relative_to(ROOT)}" if status else "")
    kept = len(list((folder / "corpus").glob("*")))
    return Result(name, int(runs[-1]) if runs else 0, int(edges[-1]) if edges else 0, kept, problem)


def main() -> int:
    sys.path.insert(0, str(ROOT / "tests"))
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", help="which (all of them)")
    parser.add_argument("--seconds", type=int, default=60, help="how long for each (60)")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once (1)")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs found")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        fuzz(given.one, given.readers)
    from fuzz.targets import TARGETS

    if unknown := set(given.readers) - TARGETS.keys():
        parser.error(
            f"no such readers: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}"
        )
    if given.fresh:
        shutil.rmtree(WORK, ignore_errors=True)
    print(f"{'reader':22} {'calls':>10} {'edges':>7} {'corpus':>6}", flush=True)
    bad = 0
    with ThreadPoolExecutor(given.jobs) as pool:
        for result in pool.map(lambda name: watch(name, given.seconds), given.readers or TARGETS):
            print(result.row, flush=True)
            bad += bool(result.problem)
    print(
        f"{bad} of {len(given.readers or TARGETS)} readers went wrong"
        if bad
        else "every reader held"
    )
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
