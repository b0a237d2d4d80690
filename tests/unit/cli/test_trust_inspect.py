"""``trust inspect`` against docker's golden files, and its words for what cannot be shown.

The golden files are those of docker/cli (tests/vectors/notary-v1/README.md). Ours adds members and sections, each
behind docker's own; without them both are equal to the byte.
"""

import argparse
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from countermark.cli import trust_inspect
from countermark.cli.docker_words import DockerError
from countermark.cli.output import Output
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    UnavailableError,
)

GOLDEN = Path(__file__).parents[2] / "vectors" / "notary-v1" / "docker-cli" / "golden"
ADDED = {"Role", "LastSigned", "Expires", "Roles", "Pinned", "Stale"}
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def row(tag: str, *signers: str) -> SimpleNamespace:
    """A row as docker's fake repositories have it: the digest is no digest at all."""
    digest = SimpleNamespace(hex=f"{tag}-digest".encode().hex())
    return SimpleNamespace(tag=tag, digest=digest, signers=signers, role="targets", length=1)


class FakeCollection:
    """A repository's trust data: rows, and signers with their keys."""

    root_keys = ("rootID",)
    repository_keys = ("targetsID",)
    is_pinned = False
    trusted = SimpleNamespace(stale=False)

    def __init__(
        self, rows: list[SimpleNamespace], signers: list[tuple[str, tuple[str, ...]]]
    ) -> None:
        self._rows, self._signers = rows, signers

    def rows(self) -> list[SimpleNamespace]:
        return self._rows

    def signers(self) -> list[tuple[str, tuple[str, ...]]]:
        return self._signers

    def expiries(self) -> dict[str, datetime]:
        return {"root": NOW.replace(year=2036), "targets": NOW.replace(year=2029)}

    def signed_at(self, role: str) -> datetime | None:
        return NOW if role == "targets" else None


ALICE_AND_BOB: list[tuple[str, tuple[str, ...]]] = [("alice", ("A",)), ("bob", ("B",))]
EMPTY = FakeCollection([], [])
PLAIN = FakeCollection([row("green")], [])
SIGNED = FakeCollection(
    [row("red", "alice", "bob"), row("blue", "alice"), row("green")], ALICE_AND_BOB
)


class FakeProgram:
    """Loads one collection, or fails to."""

    def __init__(self, loaded: FakeCollection | CountermarkError) -> None:
        self._loaded = loaded
        self.dct = SimpleNamespace(
            servers=SimpleNamespace(server_for=lambda repository: repository),
            loader=SimpleNamespace(load=self._load),
        )
        self.causes: list[str] = []

    def _load(self, *_: object) -> FakeCollection:
        if isinstance(self._loaded, CountermarkError):
            raise self._loaded
        return self._loaded

    def now(self) -> datetime:
        return NOW

    def debug(self, text: str) -> None:
        self.causes.append(text)


Inspect = Callable[..., str]


@pytest.fixture
def printed() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def inspect(printed: io.StringIO) -> Inspect:
    def run(loaded: FakeCollection | CountermarkError, *images: str, pretty: bool = False) -> str:
        program: Any = FakeProgram(loaded)
        words = argparse.Namespace(
            images=list(images), pretty=pretty, history=False, prog="docker trust inspect"
        )
        assert trust_inspect.inspect(words, program, Output(printed, io.StringIO())) == 0
        return printed.getvalue()

    return run


def without_additions(value: Any, path: str = "") -> Any:
    """Take our members away, and demand that each stood behind all of docker's."""
    if isinstance(value, list):
        return [without_additions(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    names = list(value)
    own = [name for name in names if name in ADDED]
    assert names[len(names) - len(own) :] == own, f"{path}: {names}"
    return {n: without_additions(v, f"{path}.{n}") for n, v in value.items() if n not in ADDED}


JSON = [
    ("empty-repo", EMPTY, ["reg/img:unsigned-tag"]),
    ("full-repo-no-signers", PLAIN, ["signed-repo"]),
    ("one-tag-no-signers", PLAIN, ["signed-repo:green"]),
    ("full-repo-with-signers", SIGNED, ["signed-repo"]),
    ("multiple-repos-with-signers", SIGNED, ["signed-repo", "signed-repo"]),
    ("unsigned-tag-with-signers", SIGNED, ["signed-repo:unsigned"]),
]


@pytest.mark.parametrize(("name", "collection", "images"), JSON, ids=[case[0] for case in JSON])
def test_json_is_dockers_and_more(
    inspect: Inspect, name: str, collection: FakeCollection, images: list[str]
) -> None:
    ours = json.loads(inspect(collection, *images))
    golden = (GOLDEN / f"trust-inspect-{name}.golden").read_text(encoding="utf-8")
    assert json.dumps(without_additions(ours), indent=4) == golden.rstrip("\n")


PRETTY = [
    ("full-repo-no-signers", PLAIN, "signed-repo"),
    ("full-repo-with-signers", SIGNED, "signed-repo"),
    ("one-tag-no-signers", PLAIN, "signed-repo:green"),
    ("unsigned-tag-with-signers", SIGNED, "signed-repo:unsigned"),
]


@pytest.mark.parametrize(("name", "collection", "image"), PRETTY, ids=[case[0] for case in PRETTY])
def test_pretty_begins_as_docker_ends(
    inspect: Inspect, name: str, collection: FakeCollection, image: str
) -> None:
    golden = (GOLDEN / f"trust-inspect-pretty-{name}.golden").read_text(encoding="utf-8")
    ours = inspect(collection, image, pretty=True)
    assert ours[: len(golden)] == golden
    assert ours[len(golden) :] == (
        "\nRoles\n\n"
        "ROLE      LAST SIGNED            EXPIRES\n"
        "root      -                      2036-11-25\n"
        "targets   2026-11-25 12:00 UTC   2029-11-25\n"
        "\nRoot: believed on first use (countermark trust pin keeps it)\n"
    )


def test_several_repositories_are_two_lines_apart(inspect: Inspect) -> None:
    text = inspect(PLAIN, "a", "b", pretty=True)
    assert "(countermark trust pin keeps it)\n\n\n\nSignatures for b\n" in text


def test_our_members(inspect: Inspect) -> None:
    record = json.loads(inspect(SIGNED, "signed-repo:red"))[0]
    assert record["SignedTags"][0]["Role"] == "targets"
    assert record["Signers"][0] == {
        "Name": "bob", "Keys": [{"ID": "B"}], "LastSigned": None, "Expires": None
    }  # fmt: skip
    assert record["Roles"]["targets"] == {
        "Expires": "2029-11-25T12:00:00Z", "LastSigned": "2026-11-25T12:00:00Z"
    }  # fmt: skip
    assert (record["Pinned"], record["Stale"]) == ("first-use", False)


def test_a_signer_without_keys_has_no_member_for_them(inspect: Inspect) -> None:
    record = json.loads(inspect(FakeCollection([], [("carol", ())]), "r"))[0]
    assert list(record["Signers"][0]) == ["Name", "LastSigned", "Expires"]


def test_names_of_others_cannot_draw_on_the_terminal(inspect: Inspect) -> None:
    text = inspect(FakeCollection([row("v1", "al\x1b[2Jice")], []), "r", pretty=True)
    assert "\x1b" not in text
    assert "al\\x1b[2Jice" in text


NOTHING = [
    (EvidenceError("H does not have trust data for R", code=Code.UNSIGNED), ""),
    (UnavailableError("dial tcp: refused"), "Error: error contacting notary server: dial tcp: refused"),
    (UnavailableError("x", status=500, hint="later"), "unable to reach trust server at this time: 500.\nlater"),
]  # fmt: skip


@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize(("error", "hint"), NOTHING, ids=["unsigned", "unreachable", "broken"])
def test_what_cannot_be_shown(
    inspect: Inspect, printed: io.StringIO, error: CountermarkError, hint: str, pretty: bool
) -> None:
    with pytest.raises(DockerError) as caught:
        inspect(error, "r:v1", pretty=pretty)
    assert str(caught.value) == "no signatures or cannot access r:v1"
    assert (caught.value.exit_status, caught.value.hint) == (1, hint)
    assert printed.getvalue() == ("" if pretty else "[]\n")


def test_a_wrong_reference_is_told_as_docker_tells_it(
    inspect: Inspect, printed: io.StringIO
) -> None:
    with pytest.raises(DockerError, match="invalid reference format"):
        inspect(SIGNED, "signed-repo", "a/UPPER")
    assert len(json.loads(printed.getvalue())) == 1  # what was found before is shown
    with pytest.raises(DockerError, match="requires at least 1 argument"):
        inspect(SIGNED)


def test_input_errors_of_the_loader_keep_their_text(inspect: Inspect) -> None:
    with pytest.raises(DockerError) as caught:
        inspect(InputError("valid https URL required"), "r")
    assert str(caught.value) == "valid https URL required"
