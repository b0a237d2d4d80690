"""Docker's words: tables, order, JSON, and its texts for failures."""

import pytest

from countermark.cli import docker_words
from countermark.cli.docker_words import DockerError, natural_key, notary_text, table
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    ExpiredError,
    NotFoundError,
    RefusedError,
    RollbackError,
    ThresholdError,
    UnavailableError,
)


def test_tags_sort_as_people_count() -> None:
    tags = ["v3.10.0", "v3.2.0", "10", "9", "latest", "v3.2.0-rc1", "a"]
    assert sorted(tags, key=natural_key) == [
        "9",
        "10",
        "a",
        "latest",
        "v3.2.0",
        "v3.2.0-rc1",
        "v3.10.0",
    ]


def test_tables_have_dockers_widths() -> None:
    # recorded from docker CLI 28.2.2: minimum width 10, three blanks of padding
    lines = table(("SIGNED TAG", "DIGEST", "SIGNERS"), [("v1", "d" * 64, "alice, bob")])
    assert lines[0] == "SIGNED TAG   DIGEST" + " " * 61 + "SIGNERS"
    assert lines[1] == "v1           " + "d" * 64 + "   alice, bob"
    assert table(("SIGNER", "KEYS"), [("al", "k")]) == ["SIGNER    KEYS", "al        k"]


def test_json_is_escaped_as_go_escapes_it() -> None:
    assert docker_words.go_json([{"Name": "a<b>&c"}]) == (
        '[\n    {\n        "Name": "a\\u003cb\\u003e\\u0026c"\n    }\n]'
    )


TEXTS = [
    (
        ExpiredError("timestamp expired at X"),
        "Error: remote repository R out-of-date: timestamp expired at X",
    ),
    (
        RollbackError("version 1 is lower than current version 2"),
        "Warning: potential malicious behavior - trust data version is lower than expected for remote repository R:"
        " version 1 is lower than current version 2",
    ),
    (
        ThresholdError("valid signatures did not meet threshold for timestamp"),
        "Warning: potential malicious behavior - trust data has insufficient signatures for remote repository R:"
        " valid signatures did not meet threshold for timestamp",
    ),
    (
        EvidenceError("H does not have trust data for R", code=Code.UNSIGNED),
        "Error: remote trust data does not exist for R: H does not have trust data for R",
    ),
    (
        NotFoundError("targets.ab trust data unavailable.", status=404),
        "Error: trust data missing for remote repository R or remote repository not found: targets.ab trust data"
        " unavailable.",
    ),
    (UnavailableError("EOF"), "Error: error contacting notary server: EOF"),
    (UnavailableError("500", status=500), "unable to reach trust server at this time: 500."),
    (
        RefusedError("no", status=401),
        "you are not authorized to perform this operation: server returned 401.",
    ),
    (RefusedError("no", status=403), "unable to reach trust server at this time: 403."),
    (
        EvidenceError("could not rotate trust to a new trusted root: x", code=Code.ROOT_ROTATION),
        "could not rotate trust to a new trusted root: x",
    ),
]


@pytest.mark.parametrize(("error", "text"), TEXTS)
def test_failures_in_dockers_words(error: CountermarkError, text: str) -> None:
    assert notary_text(error, "R") == text


COUNTS = [
    (0, "docker: 'docker trust sign' requires 1 argument"),
    (2, "docker: 'docker trust sign' requires 1 argument"),
]


@pytest.mark.parametrize(("count", "first"), COUNTS)
def test_argument_counts(count: int, first: str) -> None:
    with pytest.raises(DockerError) as caught:
        docker_words.exactly(["x"] * count, 1, "docker trust sign", "IMAGE:TAG")
    assert str(caught.value) == (
        f"{first}\n\nUsage:  docker trust sign IMAGE:TAG\n\nRun 'docker trust sign --help' for more information"
    )
    assert caught.value.exit_status == 1
    docker_words.exactly(["x"], 1, "p", "u")
    docker_words.at_least(["x", "y"], 2, "p", "u")
    with pytest.raises(DockerError, match="requires at least 2 arguments"):
        docker_words.at_least(["x"], 2, "p q", "u")


def test_shim_scripts_hand_everything_over() -> None:
    from countermark.assembly.drop_in import MARK
    from countermark.cli.shim import script

    text = script(("/a b/it's", "-m", "countermark"), "docker-shim")
    assert text.startswith("#!/bin/sh\n" + MARK)
    assert text.endswith("""exec '/a b/it'\\''s' '-m' 'countermark' docker-shim "$@"\n""")


def test_whole_parser_knows_every_visible_command() -> None:
    from countermark.cli.commands import COMMANDS, find

    for command in COMMANDS:
        found, rest = find([*command.words, "x"])
        assert found == command
        assert rest == ["x"]
    assert find(["nonsense"]) == (None, ["nonsense"])
