"""Reading and writing HTTP/1.1: what is refused, and that nothing else is raised."""

from collections.abc import Iterator

import pytest

from countermark.adapters.http_errors import ResetError
from countermark.adapters.http_wire import (
    AnswerReader,
    Headers,
    bounded,
    parse_head,
    request_head,
)
from countermark.core import limits
from countermark.core.errors import Code, InputError, MalformedError, UnavailableError


def reader(*pieces: bytes) -> AnswerReader:
    left: Iterator[bytes] = iter(pieces)
    return AnswerReader(lambda _: next(left, b""))


def read(raw: bytes, method: str = "GET", piece: int = 0) -> tuple[int, bytes]:
    pieces = [raw] if not piece else [raw[i : i + piece] for i in range(0, len(raw), piece)]
    answers = reader(*pieces)
    head = answers.head()
    return head.status, b"".join(answers.body(head, method))


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("piece", [0, 1, 3, 7])
@pytest.mark.parametrize(
    ("raw", "method", "expected"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", "GET", (200, b"hello")),
        (OK + b"Content-Length: 0\r\n\r\n", "GET", (200, b"")),
        (OK + b"Content-Length: 5\r\n\r\n", "HEAD", (200, b"")),
        (OK + b"\r\nto the end", "GET", (200, b"to the end")),
        (b"HTTP/1.0 200 OK\r\n\r\nold", "GET", (200, b"old")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", (204, b"")),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET", (304, b"")),
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", "GET", (200, b"x")),
        (b"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", "GET", (200, b"x")),
        (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", "GET", (200, b"hello")),
        (CHUNKED + b"1;a=b\r\nh\r\n004\r\nello\r\n0\r\nTrailer: x\r\n\r\n", "GET", (200, b"hello")),
        (CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", "GET", (200, b"0123456789")),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
            + OK
            + b"Content-Length: 1\r\n\r\nx",
            "GET",
            (200, b"x"),
        ),
    ],
)
def test_answers_are_read_however_they_are_cut(
    raw: bytes, method: str, expected: tuple[int, bytes], piece: int
) -> None:
    assert read(raw, method, piece) == expected


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"HTTP/2 200 OK\r\n\r\n", id="another version"),
        pytest.param(b"HTTP/1.2 200 OK\r\n\r\n", id="an unknown minor version"),
        pytest.param(b"http/1.1 200 OK\r\n\r\n", id="lower case"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1  200 OK\r\n\r\n", id="two blanks"),
        pytest.param(b"HTTP/1.1 20 OK\r\n\r\n", id="two digits"),
        pytest.param(b"HTTP/1.1 +20 OK\r\n\r\n", id="a sign"),
        pytest.param(b"HTTP/1.1 600 OK\r\n\r\n", id="status 600"),
        pytest.param(b"HTTP/1.1 200 a\x00b\r\n\r\n", id="NUL in the reason"),
        pytest.param(b"HTTP/1.1 101 Switching\r\n\r\n", id="switching protocols"),
        pytest.param(b"HTTP/1.1 100 C\r\n\r\n" * 7, id="interim answers for ever"),
        pytest.param(OK + b"A: 1\r\n folded\r\n\r\n", id="a folded header"),
        pytest.param(OK + b"A: 1\r\n\tfolded\r\n\r\n", id="folded with a tab"),
        pytest.param(OK + b" A: 1\r\n\r\n", id="white space before the first header"),
        pytest.param(OK + b"A : 1\r\n\r\n", id="white space before the colon"),
        pytest.param(OK + b": 1\r\n\r\n", id="no name"),
        pytest.param(OK + b"no colon\r\n\r\n", id="no colon"),
        pytest.param(OK + b"A: 1\nB: 2\r\n\r\n", id="a bare LF"),
        pytest.param(OK + b"A: 1\rB: 2\r\n\r\n", id="a bare CR"),
        pytest.param(OK + b"A: 1\x00\r\n\r\n", id="NUL in a value"),
        pytest.param(OK + b"A: 1\x7f\r\n\r\n", id="DEL in a value"),
        pytest.param(OK + b"A\xc3\xa4: 1\r\n\r\n", id="a name that is not ASCII"),
        pytest.param(OK + b"A: 1\r\n" * 200 + b"\r\n", id="too many lines"),
        pytest.param(OK + b"A: " + b"x" * limits.HEADER_BYTES + b"\r\n\r\n", id="too long"),
        pytest.param(b"x" * (limits.HEADER_BYTES + 70_000), id="no end"),
        pytest.param(OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", id="length twice"),
        pytest.param(OK + b"Content-Length: 1, 1\r\n\r\nx", id="length as a list"),
        pytest.param(OK + b"Content-Length: +1\r\n\r\nx", id="length with a sign"),
        pytest.param(OK + b"Content-Length: -1\r\n\r\nx", id="negative length"),
        pytest.param(OK + b"Content-Length: 0x1\r\n\r\nx", id="length in hex"),
        pytest.param(OK + b"Content-Length: 1 1\r\n\r\nx", id="length with a blank"),
        pytest.param(OK + b"Content-Length: \xb2\r\n\r\nx", id="length in other digits"),
        pytest.param(OK + b"Content-Length:\r\n\r\nx", id="empty length"),
        pytest.param(OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nx", id="huge length"),
        pytest.param(
            OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="both"
        ),
        pytest.param(
            OK + b"Content-Length:\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="both, one empty",
        ),
        pytest.param(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="gzip, chunked"),
        pytest.param(OK + b"Transfer-Encoding: identity\r\n\r\n", id="identity coding"),
        pytest.param(OK + b"Transfer-Encoding: xchunked\r\n\r\n", id="xchunked"),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="chunked twice",
        ),
        pytest.param(OK + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", id="compressed"),
        pytest.param(CHUNKED + b"g\r\nhello\r\n0\r\n\r\n", id="chunk size no hex"),
        pytest.param(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n", id="chunk size negative"),
        pytest.param(CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", id="chunk size with 0x"),
        pytest.param(CHUNKED + b"\r\nhello\r\n0\r\n\r\n", id="no chunk size"),
        pytest.param(CHUNKED + b"f" * 17 + b"\r\nhello", id="chunk size past 64 bits"),
        pytest.param(CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n", id="chunk longer than it says"),
        pytest.param(CHUNKED + b"5\nhello\r\n0\r\n\r\n", id="chunk line with a bare LF"),
        pytest.param(
            CHUNKED + b"5;" + b"x" * 2000 + b"\r\nhello\r\n0\r\n\r\n", id="long extension"
        ),
        pytest.param(CHUNKED + b"5;a\x00\r\nhello\r\n0\r\n\r\n", id="NUL in an extension"),
        pytest.param(CHUNKED + b"0\r\nno colon\r\n\r\n", id="trailer that is none"),
        pytest.param(CHUNKED + b"0\r\n" + b"A: 1\r\n" * 200 + b"\r\n", id="trailers for ever"),
    ],
)
def test_what_readers_could_take_differently_is_refused(raw: bytes) -> None:
    with pytest.raises(UnavailableError, match="malformed HTTP response") as caught:
        read(raw)
    assert caught.value.code == Code.MALFORMED


@pytest.mark.parametrize(
    "raw",
    [
        OK,
        OK + b"Content-Length: 5\r\n\r\nhell",
        CHUNKED,
        CHUNKED + b"5\r\nhell",
        CHUNKED + b"5\r\nhello",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_no_answer(raw: bytes) -> None:
    with pytest.raises(UnavailableError, match="unexpected EOF") as caught:
        read(raw)
    assert not isinstance(caught.value, ResetError)


def test_an_end_before_the_answer_can_be_tried_again() -> None:
    with pytest.raises(ResetError, match=r"^EOF$"):
        read(b"")


def test_two_answers_on_one_connection_do_not_mix() -> None:
    one = OK + b"Content-Length: 3\r\n\r\none"
    answers = reader(one + CHUNKED[:10], CHUNKED[10:] + b"3\r\ntwo\r\n0\r\n\r\n")
    first = answers.head()
    assert b"".join(answers.body(first, "GET")) == b"one"
    assert not answers.at_rest
    second = answers.head()
    assert b"".join(answers.body(second, "GET")) == b"two"
    assert answers.at_rest


@pytest.mark.parametrize(
    ("lines", "keeps"),
    [
        (b"HTTP/1.1 200 OK", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close", False),
        (b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive, Close", False),
        (b"HTTP/1.0 200 OK", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", True),
    ],
)
def test_who_leaves_the_connection_open(lines: bytes, keeps: bool) -> None:
    assert parse_head(lines).keeps is keeps


def test_a_field_sent_twice_has_no_one_value() -> None:
    headers = Headers([("a", "1"), ("a", "2"), ("b", "3")])
    assert headers.all("a") == ("1", "2")
    assert headers.one("b") == "3"
    assert headers.one("c") == ""
    with pytest.raises(UnavailableError) as caught:
        headers.one("a")
    assert caught.value.code == Code.MALFORMED


def test_headers_do_not_show_their_values() -> None:
    assert "secret" not in repr(Headers([("set-cookie", "secret")]))


@pytest.mark.parametrize(
    ("name", "value"),
    [("A", "x\r\nB: y"), ("A", "x\ny"), ("A", "x\0"), ("A b", "x"), ("", "x"), ("Ä", "x")],
)
def test_no_header_of_ours_can_smuggle_another(name: str, value: str) -> None:
    with pytest.raises(InputError) as caught:
        request_head("GET", "/", [(name, value)])
    assert caught.value.code == Code.BAD_INPUT


@pytest.mark.parametrize(
    "raw", [OK + b"Content-Length: 6\r\n\r\nsecret", CHUNKED + b"6\r\nsecret\r\n0\r\n\r\n"]
)
def test_bodies_are_bounded(raw: bytes) -> None:
    def body(max_bytes: int) -> bytes:
        answers = reader(raw)
        head = answers.head()
        return b"".join(bounded(answers.body(head, "GET"), head, max_bytes))

    assert body(6) == b"secret"
    with pytest.raises(MalformedError, match="longer than 5 bytes") as caught:
        body(5)
    assert caught.value.code == Code.TOO_LARGE
