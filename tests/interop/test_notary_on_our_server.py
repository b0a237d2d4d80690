"""The notary command, and plain HTTP requests, find in our server what they find in notary-server 0.7.0."""

import http.client
import json
import shutil
import ssl
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from interop.peers import NotaryServer, OurServer
from interop.people import Person
from interop.transcripts import normal, shown

Server = NotaryServer | OurServer

# GUN is the repository; ``yes:`` in front answers the question that the command asks.
LIFE = """
owner: list GUN
owner: init GUN
owner: status GUN
owner: publish GUN
owner: list GUN
owner: add GUN a.txt a.txt
owner: add GUN b.txt a.txt
owner: remove GUN b.txt
owner: status GUN
owner: publish GUN
owner: list GUN
consumer: lookup GUN a.txt
consumer: lookup GUN b.txt
consumer: verify GUN a.txt -i ../owner/a.txt
owner: add -p GUN b.txt a.txt
owner: key rotate GUN snapshot -r
owner: key rotate GUN timestamp -r
owner: key rotate GUN targets
yes: key rotate GUN root
consumer: list GUN
yes: key rotate GUN root
yes: key rotate GUN root
consumer: list GUN
owner: delegation list GUN
owner: delegation add -p GUN targets/releases bob.pub --all-paths
owner: delegation add -p GUN targets/bob bob.pub --paths v
owner: delegation list GUN
bob: add -p GUN v1 ../owner/a.txt -r targets/releases -r targets/bob
bob: add -p GUN w1 ../owner/a.txt -r targets/bob
consumer: list GUN
consumer: list GUN -r targets/bob
bob: reset GUN --all
bob: witness -p GUN targets/releases
consumer: list GUN -r targets/releases
owner: remove -p GUN a.txt
consumer: list GUN
yes: delegation remove -p GUN targets/bob
consumer: list GUN -r targets/bob
owner: key rotate GUN snapshot
owner: add -p GUN c.txt a.txt
consumer: list GUN
stranger: add -p GUN mine.txt ../owner/a.txt
owner: delete GUN --remote
newcomer: list GUN
"""


def test_the_life_of_a_repository(
    notary: NotaryServer, sql_notary: NotaryServer, ours: OurServer, slug: str, tmp_path: Path
) -> None:
    """Each step of notary's prints the same on ours and on the reference, and ends the same."""
    gun = f"example.test/{slug}"
    key = _delegation_key(tmp_path)
    theirs = _play(gun, tmp_path / "memory", notary, key)
    # the reference itself did what the script wants of it
    assert sum("[exit 0]" in step for step in theirs) > 25
    for name, server in (("sql", sql_notary), ("ours", ours)):
        for step, expected in zip(_play(gun, tmp_path / name, server, key), theirs, strict=True):
            assert step == expected


def _delegation_key(folder: Path) -> Person:
    """Bob's key pair, made by docker; he uses the same one with every server."""
    bob = Person(folder / "bob-key", "https://localhost:1")
    bob.docker("trust", "key", "generate", "bob").ok()
    return bob


def _play(gun: str, folder: Path, server: Server, key: Person) -> list[str]:
    people: dict[str, Person] = {}
    words = {gun: "GUN", server.address: "TRUST", str(folder): "HOMES"}
    transcript = []
    for line in LIFE.strip().splitlines():
        name, _, command = line.partition(": ")
        name, stdin = ("owner", "yes\n") if name == "yes" else (name, "")
        if name not in people:
            people[name] = person = Person(folder / name, server.url).believes(
                server.address, server.ca
            )
            (person.home / "a.txt").write_text("the content of a target")
            if name in ("owner", "bob"):
                (person.home / "bob.pub").write_bytes((key.home / "bob.pub").read_bytes())
            if name == "bob":
                shutil.copytree(key.trust / "private", person.trust / "private")
        outcome = people[name].notary(*command.replace("GUN", gun).split(), stdin=stdin)
        transcript.append(f"$ {line}\n{shown(outcome, words)}")
    return transcript


class Answer(NamedTuple):
    """What a server answers, as far as a client depends on it."""

    status: int
    kind: str
    cache: str
    body: Any


def ask(
    server: Server, method: str, path: str, body: bytes = b"", kind: str = "", words: str = ""
) -> Answer:
    """Send one request as it stands, and take the answer with what is random replaced."""
    context = ssl.create_default_context(cafile=str(server.ca))
    host, _, port = server.address.partition(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
    try:
        headers = {"Content-Type": kind} if kind else {}
        connection.request(method, path, body=body or None, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    shown_text = normal(text, {words: "GUN"} if words else {})
    is_error = answer.status >= 400 and shown_text.startswith("{")
    return Answer(
        answer.status, answer.headers.get("Content-Type", ""), answer.headers.get("Cache-Control", ""),
        json.loads(shown_text) if is_error else shown_text,
    )  # fmt: skip


def multipart(files: dict[str, str]) -> tuple[bytes, str]:
    """A body of notary's uploads."""
    parts = [
        f'--frontier\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n{content}\r\n"
        for name, content in files.items()
    ]
    return (
        "".join(parts) + "--frontier--\r\n"
    ).encode(), 'multipart/form-data; boundary="frontier"'


def error(answer: Answer) -> tuple[int, str, list[tuple[str, str]]]:
    """Status, type and the errors' codes and messages; details have the server's own words."""
    found = answer.body["errors"] if isinstance(answer.body, dict) else []
    return answer.status, answer.kind, [(e["code"], e["message"]) for e in found]


READS = (
    "/v2/",
    "/v2/GUN/_trust/tuf/root.json",
    "/v2/GUN/_trust/tuf/timestamp.json",
    "/v2/GUN/_trust/tuf/snapshot.json",
    "/v2/GUN/_trust/tuf/targets.json",
    "/v2/GUN/_trust/tuf/1.root.json",
    "/v2/GUN/_trust/tuf/2.targets.json",
    "/v2/GUN/_trust/tuf/timestamp.key",
    "/v2/GUN/_trust/tuf/snapshot.key",
)
REFUSED_READS = (
    "/v2/GUN/_trust/tuf/9.root.json",
    "/v2/GUN/_trust/tuf/targets/nobody.json",
    f"/v2/GUN/_trust/tuf/root.{'0' * 64}.json",
    "/v2/GUN/_trust/tuf/root.key",
    "/v2/GUN/_trust/tuf/targets.key",
    "/v2/example.test/nobody/_trust/tuf/root.json",
    "/v2/example.test/nobody/_trust/tuf/timestamp.json",
    "/v2/GUN/_trust/changefeed",
    "/v2/GUN/_trust/changefeed?records=x",
)


@pytest.fixture
def published(notary: NotaryServer, ours: OurServer, slug: str, tmp_path: Path) -> str:
    """A repository that docker's way of signing made on both servers: the server holds the snapshot key."""
    gun = f"example.test/{slug}"
    for name, server in (("theirs", notary), ("ours", ours)):
        owner = Person(tmp_path / name, server.url).believes(server.address, server.ca)
        (owner.home / "a.txt").write_text("a target")
        owner.notary("init", "-p", gun).ok()
        owner.notary("key", "rotate", gun, "snapshot", "-r").ok()
        owner.notary("add", "-p", gun, "a.txt", owner.home / "a.txt").ok()
    return gun


def test_reads(notary: NotaryServer, ours: OurServer, published: str) -> None:
    for path in READS:
        their_answer, our_answer = (
            ask(server, "GET", path.replace("GUN", published), words=published)
            for server in (notary, ours)
        )
        assert their_answer.status == 200, path
        assert our_answer.status == 200, path
        if path != "/v2/":  # which ours answers as a registry does: it is both
            assert our_answer[:3] == their_answer[:3], path
        if path.endswith(".json"):  # the same members, whatever their values
            assert _shape(our_answer.body) == _shape(their_answer.body), path


def _shape(text: str) -> object:
    """Of metadata: the names of members and the types of values, in their order."""

    def of(value: object) -> object:
        if isinstance(value, dict):
            # maps from identifiers have as many entries; the identifiers themselves are random
            names = [name if not name.startswith("ID") else "ID" for name in value]
            return [(name, of(member)) for name, member in zip(names, value.values(), strict=True)]
        return [of(part) for part in value] if isinstance(value, list) else type(value).__name__

    return of(json.loads(text))


@pytest.mark.parametrize("path", REFUSED_READS)
def test_refused_reads(notary: NotaryServer, ours: OurServer, published: str, path: str) -> None:
    their_answer, our_answer = (
        ask(server, "GET", path.replace("GUN", published), words=published)
        for server in (notary, ours)
    )
    assert their_answer.status >= 400
    assert error(our_answer) == error(their_answer)


UPLOADS: dict[str, tuple[bytes, str]] = {
    "not multipart": (b"{}", "application/json"),
    "no file name": (
        b'--frontier\r\nContent-Disposition: form-data; name="files"\r\n\r\n{}\r\n--frontier--\r\n',
        'multipart/form-data; boundary="frontier"',
    ),
    "unknown role": multipart({"nonsense": "{}"}),
    "not JSON": multipart({"targets": "nonsense"}),
    "targets without signatures": multipart(
        {
            "targets": '{"signed":{"_type":"Targets","delegations":{"keys":{},"roles":[]},'
            '"expires":"2040-01-01T00:00:00Z","targets":{},"version":9},"signatures":[]}'
        }
    ),
    "an old version": multipart(
        {
            "targets": '{"signed":{"_type":"Targets","delegations":{"keys":{},"roles":[]},'
            '"expires":"2040-01-01T00:00:00Z","targets":{},"version":1},"signatures":[]}'
        }
    ),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_refused_uploads(notary: NotaryServer, ours: OurServer, published: str, name: str) -> None:
    body, kind = UPLOADS[name]
    their_answer, our_answer = (
        ask(server, "POST", f"/v2/{published}/_trust/tuf/", body, kind) for server in (notary, ours)
    )
    assert their_answer.status >= 400
    assert error(our_answer) == error(their_answer)
    for server in (notary, ours):  # and nothing has changed
        assert ask(server, "GET", f"/v2/{published}/_trust/tuf/targets.json").status == 200


def test_the_change_feed(notary: NotaryServer, ours: OurServer, published: str) -> None:
    records = []
    for server in (notary, ours):
        answer = ask(server, "GET", f"/v2/{published}/_trust/changefeed?records=10")
        assert answer.status == 200
        document = json.loads(answer.body)
        found = [(r["GUN"], r["Version"], r["Category"]) for r in document["records"]]
        assert document["count"] == len(found)
        assert {tuple(record) for record in document["records"]} == {
            ("ID", "CreatedAt", "GUN", "Version", "SHA256", "Category")
        }
        records.append(found)
    assert records[0] == records[1]
    assert len(records[0]) == 3
