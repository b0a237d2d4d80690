"""The image is found among docker's flags, whatever their form."""

import pytest

from countermark.enforce import docker_flags
from countermark.enforce.docker_flags import parse_bool, parse_words


@pytest.mark.parametrize(
    ("line", "image"),
    [
        ("alpine sh", "alpine"),
        ("--rm -it alpine -v x:y", "alpine"),
        ("-it --name web -e A=1 -eB=2 -v /a:/b -p80:80 alpine", "alpine"),
        ("-itv /a:/b alpine", "alpine"),
        ("-itv=/a:/b alpine", "alpine"),
        ("--net host --dns-opt x --kernel-memory 1 alpine", "alpine"),
        ("--mount type=bind,src=/a,dst=/b --health-start-interval 1s alpine", "alpine"),
        ("--init=false --pull=always --platform linux/arm64 alpine", "alpine"),
        ("-d=false -w /x alpine", "alpine"),
        ("-h host alpine", "alpine"),
        ("-- alpine --rm", "alpine"),
        ("--use-api-socket --annotation a=b alpine", "alpine"),
    ],
)
def test_the_image_of_a_container(line: str, image: str) -> None:
    words = ["run", *line.split()]
    parsed = parse_words(docker_flags.CONTAINER, words, 1)
    assert parsed.trouble == ""
    assert words[parsed.arguments[0]] == image


@pytest.mark.parametrize(
    ("line", "trouble"),
    [
        ("--frob x alpine", "unknown flag: --frob"),
        ("-itZ alpine", "unknown shorthand flag in -itZ"),
        ("--name", "flag needs an argument: --name"),
        ("--rm=perhaps alpine", "invalid argument for --rm"),
    ],
)
def test_what_is_not_understood_is_said(line: str, trouble: str) -> None:
    assert parse_words(docker_flags.CONTAINER, line.split(), 0).trouble == trouble


def test_build_flags_stand_anywhere() -> None:
    words = [".", "-t", "a", "--build-arg", "A=1", "--no-cache", "-f", "Dockerfile.x", "--push"]
    parsed = parse_words(docker_flags.BUILD, words, 0)
    assert [words[place] for place in parsed.arguments] == ["."]
    file = parsed.last("file")
    assert file is not None
    assert (file.value, file.first, file.last) == ("Dockerfile.x", 6, 7)
    assert parsed.is_on("push")


def test_the_last_flag_counts() -> None:
    parsed = parse_words(docker_flags.PULL, ["-q", "--quiet=false", "x"], 0)
    assert not parsed.is_on("quiet")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("t", True), ("TRUE", True), ("0", False), ("f", False), ("False", False)]
    + [(word, None) for word in ("yes", "2", "", "tRue", "on")],
)
def test_truth_is_gos(text: str, value: bool | None) -> None:
    assert parse_bool(text) is value


def test_a_flag_without_value_is_true() -> None:
    assert parse_bool(None) is True
