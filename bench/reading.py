"""Reads of a trust server a second: wrk with sixteen TLS connections that stay open."""

import base64
import json
from collections.abc import Callable

from bench.load import Load, shown, wrk
from bench.measuring import Row, paired_ratio, say
from bench.publishing import Connection, Server, new_repository
from bench.stack import Profile, Stack

GUN = "bench.test/reads"


def rows(stack: Stack, profile: Profile) -> list[Row]:
    """Load the same files on each server in turn."""
    servers: dict[str, Server] = {
        "ours": stack.ours("ours-reads"),
        "notary-server, memory": stack.notary("reads-memory"),
        "notary-server, PostgreSQL": stack.sql_notary("reads-sql"),
    }
    files = {name: _published(server) for name, server in servers.items()}
    found = []
    for file, goals in (
        ("timestamp.json", {"notary-server, memory": 2.0, "notary-server, PostgreSQL": 10.0}),
        ("targets.json", {"notary-server, memory": None, "notary-server, PostgreSQL": 10.0}),
        ("targets.SHA256.json", {"notary-server, memory": 1.0, "notary-server, PostgreSQL": None}),
    ):
        loads: dict[str, list[Load]] = {name: [] for name in servers}
        for number in range(profile.rounds):
            say(f"  {file}, round {number + 1}")
            for name, server in servers.items():
                loads[name].append(wrk(f"{server.url}{files[name](file)}", profile.wrk_seconds))
        own = loads["ours"]
        for name, goal in goals.items():
            ratio = paired_ratio([load.rate for load in own], [load.rate for load in loads[name]])
            found.append(
                Row(
                    f"GET {file}",
                    shown(own),
                    name,
                    shown(loads[name]),
                    ratio,
                    goal,
                    more_is_better=True,
                )
            )
    return found


def _published(server: Server) -> Callable[[str], str]:
    """Publish a repository; where each of its files is."""
    publisher = new_repository(server, GUN)
    connection = Connection(server)
    base = f"/v2/{GUN}/_trust/tuf/"
    status, body = connection.ask("POST", base, publisher.next())
    if status != 200:
        raise RuntimeError(f"{status} {body[:200]!r}")
    snapshot = connection.ask("GET", f"{base}snapshot.json")[1].decode()
    connection.close()
    digest = base64.b64decode(
        json.loads(snapshot)["signed"]["meta"]["targets"]["hashes"]["sha256"]
    ).hex()
    return lambda file: base + file.replace("SHA256", digest)
