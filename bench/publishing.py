"""Publications a second: sixteen writers, each on a repository of its own, over connections that stay open."""

import http.client
import json
import ssl
import threading
import time
from typing import Any

from bench.measuring import Row, median, paired_ratio, say
from bench.stack import Profile, Stack
from bench.uploads import KIND, Publisher
from interop.peers import NotaryServer, OurServer

WRITERS = 16
MOST_A_SECOND = 120  # by one writer; as many uploads are made beforehand as could ever be sent

Server = NotaryServer | OurServer


class Connection:
    """A TLS connection that stays open."""

    def __init__(self, server: Server) -> None:
        """Open it at the first request."""
        host, _, port = server.address.partition(":")
        context = ssl.create_default_context(cafile=str(server.ca))
        self._connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=60)

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """One request; status and body."""
        self._connection.request(method, path, body or None, {"Content-Type": KIND} if body else {})
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def new_repository(server: Server, gun: str) -> Publisher:
    """Make a repository on a server; its owner goes on from there."""
    connection = Connection(server)
    keys: dict[str, dict[str, Any]] = {}
    for role in ("timestamp", "snapshot"):
        status, body = connection.ask("GET", f"/v2/{gun}/_trust/tuf/{role}.key")
        if status != 200:
            raise RuntimeError(f"{role}.key: {status} {body[:200]!r}")
        keys[role] = json.loads(body)
    publisher = Publisher(gun, keys)
    status, body = connection.ask("POST", f"/v2/{gun}/_trust/tuf/", publisher.first())
    if status != 200:
        raise RuntimeError(f"first publication: {status} {body[:300]!r}")
    connection.close()
    return publisher


class Writer(threading.Thread):
    """One owner who publishes one upload after the other, until the time is over or something goes wrong."""

    def __init__(
        self, server: Server, owner: Publisher, seconds: float, start: threading.Barrier
    ) -> None:
        """Sign the uploads; ``start`` lets all writers begin at once."""
        super().__init__()
        self.owner, self.failure, self.sent, self.ended = owner, "", 0, 0.0
        self._connection, self._seconds, self._start = Connection(server), seconds, start
        self._path = f"/v2/{owner.gun}/_trust/tuf/"
        self._uploads = [owner.next() for _ in range(int(seconds * MOST_A_SECOND))]
        self._first_version = owner.version - len(self._uploads)

    def run(self) -> None:
        """Publish; what was not sent is made anew by the next writer."""
        # shake hands before the clock runs
        self._connection.ask("GET", f"{self._path}timestamp.json")
        self._start.wait()
        deadline = time.perf_counter() + self._seconds
        while (
            self.sent < len(self._uploads) and not self.failure and time.perf_counter() < deadline
        ):
            self._publish(self._uploads[self.sent])
        self.ended = time.perf_counter()
        self.owner.version = self._first_version + self.sent
        self._connection.close()

    def _publish(self, upload: bytes) -> None:
        try:
            status, answer = self._connection.ask("POST", self._path, upload)
        except (OSError, http.client.HTTPException) as error:
            self.failure = f"{type(error).__name__}: {error}"
            return
        if status == 200:
            self.sent += 1
        else:
            self.failure = f"{status} {answer[:200]!r}"


class Load:
    """Sixteen writers on one server."""

    def __init__(self, server: Server, name: str) -> None:
        """Make their repositories."""
        self.server, self.name, self.crashed_after = server, name, 0.0
        self._owners = [
            new_repository(server, f"bench.test/{name}/{number}") for number in range(WRITERS)
        ]

    def run(self, seconds: float) -> float:
        """Publish for so long; the publications a second that were acknowledged.

        Raises:
            RuntimeError: a server refused one; that it crashed is told by ``crashed_after``.
        """
        start = threading.Barrier(WRITERS + 1)
        writers = [Writer(self.server, owner, seconds, start) for owner in self._owners]
        for writer in writers:
            writer.start()
        start.wait()
        began = time.perf_counter()
        for writer in writers:
            writer.join()
        took = max(writer.ended for writer in writers) - began
        wrong = [writer.failure for writer in writers if writer.failure]
        if wrong and self.server.server.process.poll() is None:
            raise RuntimeError(f"{self.name}: {wrong[0]}")
        if wrong:
            self.crashed_after = took
        return sum(writer.sent for writer in writers) / took

    @property
    def acknowledged(self) -> int:
        """How many uploads the server has confirmed, each repository's first among them."""
        return sum(owner.version - 1 for owner in self._owners)

    def lost(self) -> int:
        """How many of them the server does not have."""
        connection, missing = Connection(self.server), 0
        for owner in self._owners:
            status, body = connection.ask("GET", f"/v2/{owner.gun}/_trust/tuf/targets.json")
            have = json.loads(body)["signed"]["version"] if status == 200 else 0
            missing += max(0, owner.version - 1 - have)
        connection.close()
        return missing


def rows(stack: Stack, profile: Profile) -> list[Row]:
    """Publish to each in turn; then pull the plug on ours and count what it forgot."""
    ours = stack.ours("ours-writes")
    own: list[float] = []
    theirs: dict[str, list[float]] = {"notary-server, PostgreSQL": [], "notary-server, memory": []}
    notes: list[str] = []
    load = Load(ours, "ours")
    for number in range(profile.rounds):
        say(f"  publishing, round {number + 1}")
        own.append(load.run(profile.publish_seconds))
        for name, rates in theirs.items():
            # a new one each round: on PostgreSQL it crashes sooner or later when many write at once
            sql = "PostgreSQL" in name
            label = f"writes-{'sql' if sql else 'memory'}-{number}"
            peer = Load(stack.sql_notary(label) if sql else stack.notary(label), label)
            rates.append(peer.run(profile.publish_seconds))
            if peer.crashed_after:
                notes.append(
                    f"{name} crashed after {peer.crashed_after:.1f} s in round {number + 1}"
                )
            stack.stop_last(2 if sql else 1)
    ours.kill()
    ours.start()
    lost = load.lost()
    result = [
        Row(
            "publications, 16 writers" + ("" if "memory" not in name else " (memory keeps nothing)"),
            f"{median(own):.0f}/s", name + "".join(f"; {note}" for note in notes if note.startswith(name)),
            f"{median(rates):.0f}/s", paired_ratio(own, rates), 1.0 if "PostgreSQL" in name else None,
            more_is_better=True,
        )
        for name, rates in theirs.items()
    ]  # fmt: skip
    result.append(
        Row(
            f"acknowledged publications lost when killed ({load.acknowledged} made)", str(lost), "", "",
            float(lost), 0.0, more_is_better=False,
        )
    )  # fmt: skip
    return result
