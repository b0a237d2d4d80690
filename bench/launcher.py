"""Starts the programs that are measured, from a process so small that its own memory cannot be taken for theirs.

Reads a line of JSON per command, ``{"words", "environment", "folder"}``, and answers with what it took. A child's
peak memory begins with that of the process that started it; a bare Python is smaller than anything measured here.
"""

import json
import os
import sys
import time


def measured(words: list[str], environment: dict[str, str], folder: str) -> dict[str, float]:
    """Run one command to its end: wall and CPU seconds, peak memory in MiB, exit status."""
    os.chdir(folder)
    sink = os.open(os.devnull, os.O_RDWR)
    files = [(os.POSIX_SPAWN_DUP2, sink, stream) for stream in (0, 1, 2)]
    began = time.perf_counter()
    process = os.posix_spawn(words[0], words, environment, file_actions=files)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - began
    os.close(sink)
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss / 1024,
        "exit": os.waitstatus_to_exitcode(status),
    }


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(measured(**asked)), flush=True)
