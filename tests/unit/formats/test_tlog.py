"""Notes and checkpoints: as Go's ``sumdb/note`` has them, and refused where it refuses."""

import pytest

from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.formats.go_text import to_base64
from countermark.formats.tlog import Checkpoint, Note, NoteSignature, is_name

# golang.org/x/mod/sumdb/note, its package example
PETER = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
LINE = "— example.com x08goAAA\n"


def test_a_note_there_and_back() -> None:
    note = Note.parse(PETER)
    assert note.encode() == PETER
    assert note.signatures[0].name == "PeterNeumann"
    assert note.signatures[0].key_id.hex() == "c74f20a3"
    assert len(note.signatures[0].value) == 64


def test_the_last_empty_line_is_the_one_that_counts() -> None:
    note = Note.parse(f"a\n\nb\n\n{LINE}{LINE}")
    assert note.text == "a\n\nb\n"
    assert len(note.signatures) == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "\n\n",
        "text\n",
        f"text\n{LINE}",
        "text\n\n",
        f"text\n\n{LINE[:-1]}",
        f"text\n\n{LINE}junk\n",
        f"text\n\n{LINE}\n",
        f"te\rxt\n\n{LINE}",
        f"te\0xt\n\n{LINE}",
        f"te\ud800xt\n\n{LINE}",
        "text\n\n- example.com x08goAAA\n",
        "text\n\n—example.com x08goAAA\n",
        "text\n\n— example.com\n",
        "text\n\n—  x08goAAA\n",
        "text\n\n— exa+mple x08goAAA\n",
        "text\n\n— exa\u00a0mple x08goAAA\n",
        "text\n\n— example.com x08goAAA =\n",
        "text\n\n— example.com x08goA\n",
        "text\n\n— example.com x08goA==\n",
        "text\n\n— example.com x08goAB=\n",  # what is left over is not zero
        "text\n\n— example.com !08goAAA\n",
        "text\n\n— example.com \u0430AAAAAAA\n",
    ],
)
def test_what_is_no_note(content: str) -> None:
    with pytest.raises(MalformedError):
        Note.parse(content)


@pytest.mark.parametrize("content", ["x" * 2**20 + f"\n\n{LINE}", "text\n\n" + LINE * 101])
def test_notes_that_are_too_large(content: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        Note.parse(content)
    assert caught.value.code == Code.TOO_LARGE


def test_names() -> None:
    assert is_name("example.com/log")
    assert not any(map(is_name, ("", "a b", "a+b", "a\tb", "a\u2003b")))


ROOT = to_base64(bytes(range(32)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"log\n0\n{ROOT}\n", Checkpoint(origin="log", size=0, root=bytes(range(32)))),
        (
            f"log - 123\n{2**63 - 1}\n{ROOT}\nTimestamp: 1\nmore\n",
            Checkpoint(
                origin="log - 123",
                size=2**63 - 1,
                root=bytes(range(32)),
                extensions=("Timestamp: 1", "more"),
            ),
        ),
    ],
)
def test_a_checkpoint_there_and_back(text: str, expected: Checkpoint) -> None:
    assert Checkpoint.parse(text) == expected
    assert expected.encode() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n1\n",
        f"log\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"log\n\n{ROOT}\n",
        "log\n1\n\n",
        f"log\n1\n{ROOT}\n\nmore\n",
        f"log\n01\n{ROOT}\n",
        f"log\n-1\n{ROOT}\n",
        f"log\n+1\n{ROOT}\n",
        f"log\n1 \n{ROOT}\n",
        f"log\n\u0661\n{ROOT}\n",
        f"log\n{2**63}\n{ROOT}\n",
        f"log\n{10**30}\n{ROOT}\n",
        "log\n1\nAAAA\n",
        f"log\n1\n{ROOT[:-1]}\n",
        f"log\n1\n{to_base64(bytes(33))}\n",
        "log\n1\n!\n",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(MalformedError):
        Checkpoint.parse(text)


def test_a_signature_line() -> None:
    line = NoteSignature(name="log", key_id=b"abcd", value=b"x").encode()
    assert line == "— log YWJjZHg=\n"
