"""Every image of a Dockerfile is found, or the file is refused."""

import pytest

from countermark.core.errors import InputError
from countermark.enforce import dockerfile


def names(text: str, **arguments: str) -> list[str]:
    return [use.name for use in dockerfile.parse(text.encode(), arguments).uses]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM alpine", ["alpine"]),
        ("from alpine:3.20 as base\n", ["alpine:3.20"]),
        ("\ufeffFROM alpine", ["alpine"]),
        ("# note\n\n  FROM\talpine\r\nRUN x\r\n", ["alpine"]),
        ("FROM --platform=$BUILDPLATFORM golang AS build", ["golang"]),
        ("FROM scratch", []),
        ("FROM a AS base\nFROM base\nFROM BASE AS c\nCOPY --from=c / /", ["a"]),
        ("FROM a\nCOPY --from=0 / /\nCOPY --chown=1 --from=tools:1 /x /y", ["a", "tools:1"]),
        ('FROM a\nCOPY --from=tools ["x", "y"]', ["a", "tools"]),
        ("FROM a\nCOPY --link --from=tools x y", ["a", "tools"]),
        (
            "FROM a\nRUN --mount=type=bind,from=gcc,target=/g --mount=type=cache,target=/c make",
            ["a", "gcc"],
        ),
        ("FROM a\nRUN --mount=From=gcc,target=/g make", ["a", "gcc"]),
        ("FROM a\nRUN --mount=type=secret,id=fromage cat", ["a"]),
        ("# syntax=docker/dockerfile:1\nFROM a", ["docker/dockerfile:1", "a"]),
        ("# escape=`\n# syntax = me/front x\nFROM a", ["me/front", "a"]),
        ("# first = 1\n# syntax=old/parsers:1\nFROM a", ["old/parsers:1", "a"]),
        ("#!/bin/x\n# syntax=docker/dockerfile:1\nFROM a", ["docker/dockerfile:1", "a"]),
        ("# words\n# syntax=docker/dockerfile:1\nFROM a", ["a"]),
        ("# escape=`\nFROM a\nRUN c:\\ `\n && FROM x\nFROM b", ["a", "b"]),
        ("FROM a\nRUN one \\\n# FROM comment\n\n  two\nFROM b", ["a", "b"]),
        ("FROM \\\n  alpine", ["alpine"]),
        ("FROM a\nRUN <<EOF\nfrom os import path\nFROM x\nEOF\nFROM b", ["a", "b"]),
        ("FROM a\nRUN <<-'EOF' cat\n\tFROM x\n\tEOF\nFROM b", ["a", "b"]),
        ("FROM a\nCOPY <<one <<two /x/\nFROM x\none\nFROM y\ntwo\nFROM b", ["a", "b"]),
        ('FROM a\nRUN echo "x <<EOF"\nFROM b', ["a", "b"]),
        ("FROM a\nRUN x <<< y\nFROM b", ["a", "b"]),
        ("FROM a\nRUN echo $((1<<2))\nFROM b", ["a", "b"]),
        ("FROM a\nENV X <<EOF\nFROM b", ["a", "b"]),
        ("FROM a\nONBUILD COPY --from=later / /", ["a"]),
        ("FROM a AS x\nONBUILD COPY --from=evil / /\nFROM x", ["a", "evil"]),
        ("FROM a\nADD https://x/y /z\nCMD FROM", ["a"]),
    ],
)
def test_images_are_found(text: str, found: list[str]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    ("text", "arguments", "found"),
    [
        ("ARG V=3\nFROM alpine:$V", {}, "alpine:3"),
        ("ARG V=3\nFROM alpine:${V}-x", {"V": "4"}, "alpine:4-x"),
        ("ARG R=a B=$R/b\nFROM ${B}", {}, "a/b"),
        ('ARG V="3.1"\nFROM alpine:${V:-9}', {}, "alpine:3.1"),
        ("ARG V='3$X'\nFROM alpine:${V:+8}", {}, "alpine:8"),
        ("ARG V\nFROM alpine:${V:-9}", {}, "alpine:9"),
        ("ARG V\nFROM alpine:${V:-9}", {"V": ""}, "alpine:9"),
        ("ARG V\nFROM alpine:${V-9}x", {"V": ""}, "alpine:x"),
        ("FROM alpine:${V:-${W}9}", {"V": "not declared"}, "alpine:9"),
        ("ARG TARGETARCH\nFROM x-${TARGETARCH}", {"TARGETARCH": "arm64"}, "x-arm64"),
    ],
)
def test_variables_of_from(text: str, arguments: dict[str, str], found: str) -> None:
    assert names(text, **arguments) == [found]


def test_the_platform_is_known_where_there_is_one() -> None:
    text = b"FROM x-$TARGETOS-${TARGETARCH}$TARGETVARIANT"
    parsed = dockerfile.parse(text, {}, platform="linux/arm/v7")
    assert [use.name for use in parsed.uses] == ["x-linux-armv7"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no FROM"),
        ("RUN x", "no FROM"),
        ("FROM a b", "FROM takes an image"),
        ("FROM 'a'", "quotes"),
        ("FROM --platform='x y' a", "quotes"),
        ("FROM $MISSING", "empty"),
        ("FROM x-$TARGETARCH", "platform that is not known"),
        ("FROM ${A#x}", "not understood"),
        ("FROM ${A:?must}", "must"),
        ("FROM a\nCOPY --from=$X / /", "quotes or variables"),
        ('FROM a\nCOPY --from="evil" / /', "quotes or variables"),
        ("FROM a\nCOPY --fr\\om=evil / /", "quotes or variables"),
        ("FROM a\nCOPY --from evil / /", "without ="),
        ('FROM a\nRUN --mount="from=evil",target=/x y', "quotes in --mount"),
        ('FROM a\nRUN --mount=type=bind,"from=evil",target=/x y', "quotes in --mount"),
        ("FROM a\nRUN --mount=from=$X,target=/x y", "quotes or variables"),
        ("FROM a\nCOPY --from=late / /\nFROM b AS late", "later stage"),
        ("FROM a\nRUN x \\\\\nFROM b", "two \\"),
        ("FROM a\n\u00a0FROM evil", "invisible"),
        ("FROM a\n\x01FROM evil", "invisible"),
        ("FROM a\u00e9", "unusual"),
        ("FROM a\nRUN <<EOF\nx", "does not end"),
        ("FROM a\nRUN <<CMD\nFROM evil\nCMD", "may differ"),
        ("FROM a\nRUN <<EOF\nFROM evil\nRUN x \\\nEOF", "where the heredoc EOF ends"),
        ("FROM a\nRUN <<$X\nFROM evil\n$X", "may differ"),
        ('FROM a\nRUN "x <<EOF\nFROM evil', "open quote"),
        ("FROM a\nFR\u041eM evil", "unknown instruction"),
        ("FROM a\nINCLUDE x", "unknown instruction"),
        ("// syntax=evil\nFROM a", "another notation"),
        ('{"syntax": "evil"}', "another notation"),
        ("# check=skip=all\n# escape=`\nFROM a", "escape"),
        ("# escape=x\nFROM a", "escape"),
        ("FROM al\\\npine", "over two lines"),
    ],
)
def test_what_cannot_be_understood_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        names(text)
    assert why in str(caught.value)


def test_named_contexts_are_no_images() -> None:
    text = b"FROM alpine:latest\nCOPY --from=src / /\nFROM docker.io/library/alpine:3"
    contexts = frozenset(dockerfile.context_key(name) for name in ("alpine", "src"))
    parsed = dockerfile.parse(text, {}, contexts)
    assert [use.name for use in parsed.uses] == ["docker.io/library/alpine:3"]


def test_only_the_names_change() -> None:
    text = (
        "# syntax=docker/dockerfile:1\r\nARG S=base\n\nFROM  alpine:3  AS base # é\nCOPY --from=tools /x \\\n /y\n"
        "RUN --mount=from=gcc,target=/g <<EOF\nFROM alpine:3\nEOF\nFROM $S\n\n"
    ).replace(" # é", "")
    parsed = dockerfile.parse(text.encode(), {})
    new = parsed.rewritten({use.name: f"{use.name.partition(':')[0]}@D" for use in parsed.uses})
    expected = (
        text.replace("docker/dockerfile:1", "docker/dockerfile@D")
        .replace("FROM  alpine:3 ", "FROM  alpine@D ")
        .replace("=tools ", "=tools@D ")
        .replace("from=gcc,", "from=gcc@D,")
        # a variable that led to a stage is written out, so that it leads nowhere else
        .replace("FROM $S", "FROM base")
    )
    assert new.decode() == expected


def test_a_digest_may_stay_as_it_is() -> None:
    parsed = dockerfile.parse(b"FROM a\nFROM b", {})
    assert parsed.rewritten({"b": "b@D"}) == b"FROM a\nFROM b@D"


def test_size_is_bounded() -> None:
    with pytest.raises(InputError):
        dockerfile.parse(b"FROM a\n" + b"#" * dockerfile.MAX_BYTES, {})
