"""Whatever a server sends: our errors and no others."""

import contextlib
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from countermark.adapters.docker_config import DockerConfig
from countermark.adapters.http_challenge import parse_challenges
from countermark.adapters.http_date import parse_http_date
from countermark.adapters.http_url import Url
from countermark.adapters.http_wire import AnswerReader, bounded
from countermark.core.errors import ConfigError, EvidenceError, InputError, UnavailableError
from countermark.formats import oci

PARTS = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 100 C\r\n\r\n",
            b"HTTP/1.0 204\r\n",
            b"Content-Length: 5\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"\r\n",
            b"\r",
            b"\n",
            b"5\r\nhello\r\n",
            b"0\r\n\r\n",
            b"ff;x=y\r\n",
            b" folded\r\n",
            b"\0",
        ]
    )
    | st.binary(max_size=20),
    max_size=12,
)


def read(pieces: list[bytes]) -> list[bytes]:
    left: Iterator[bytes] = iter([piece for piece in pieces if piece])
    reader = AnswerReader(lambda _: next(left, b""))
    bodies = []
    while True:
        head = reader.head()
        body = b"".join(bounded(reader.body(head, "GET"), head, 1000))
        bodies.append(body)


@given(PARTS)
def test_answers(pieces: list[bytes]) -> None:
    with pytest.raises((UnavailableError, EvidenceError)):
        read(pieces)


@given(PARTS, st.lists(st.integers(0, 60), max_size=4))
def test_how_an_answer_is_cut_changes_nothing(pieces: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(pieces)
    edges = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    cut = [whole[a:b] for a, b in itertools.pairwise(edges)]
    assert outcome([whole]) == outcome(cut)


def outcome(pieces: list[bytes]) -> tuple[type[BaseException], str]:
    with pytest.raises((UnavailableError, EvidenceError)) as caught:
        read(pieces)
    return caught.type, caught.value.code


@given(st.lists(st.text(max_size=200), max_size=3))
def test_challenges(values: list[str]) -> None:
    for challenge in parse_challenges(values):
        assert challenge.scheme == challenge.scheme.lower()


@given(st.text(max_size=100) | st.from_regex(r"https?://[^/]{0,20}(/[ -~]{0,20})?", fullmatch=True))
@example("https://[::1]:443/?a#b")
def test_urls(text: str) -> None:
    try:
        url = Url.parse(text)
    except InputError:
        return
    assert Url.parse(str(url)) == url
    assert url.join(url.target) == url


@given(st.text(max_size=60))
def test_dates(text: str) -> None:
    found = parse_http_date(text)
    assert found is None or found.tzinfo is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            [
                "schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size", "platform",
                "annotations", "subject", "auths", "auth", "credsStore", "credHelpers", "a.test",
            ]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_documents(value: object) -> None:
    import json

    content = json.dumps(value).encode()
    with contextlib.suppress(EvidenceError):
        oci.parse_document(content)
    with contextlib.suppress(ConfigError):
        DockerConfig.parse(content)
