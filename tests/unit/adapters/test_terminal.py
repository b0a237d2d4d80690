"""Passphrases and confirmations, in docker's words, from the environment, a pipe and a terminal."""

import os
import pty
import termios
import threading
from collections.abc import Iterator

import pytest

from countermark.adapters import terminal
from countermark.adapters.terminal import Terminal
from countermark.core.errors import Code, KeyAccessError
from countermark.core.ports import PassphraseRequest

ID = "1234567890abcdef" * 4
GOOD = "correct horse"


class Piped:
    """A person at the other end of a pipe, with all answers given at once."""

    def __init__(self, answers: str, **environment: str) -> None:
        self.source, to = os.pipe()
        os.write(to, answers.encode())
        os.close(to)
        self.shown: list[str] = []
        self.terminal = Terminal(environment, self.source, self.shown.append)

    @property
    def text(self) -> str:
        return "".join(self.shown)

    def open(self, attempt: int = 0, role: str = "targets") -> str:
        return self.terminal.passphrase(PassphraseRequest(key_id=ID, role=role, attempt=attempt))

    def new(self, role: str = "targets", key_id: str = ID) -> str:
        return self.terminal.passphrase(PassphraseRequest(key_id=key_id, role=role, new=True))

    def rest(self) -> bytes:
        return os.read(self.source, 1000)


@pytest.fixture
def piped() -> Iterator["type[Piped]"]:
    made: list[Piped] = []

    class Made(Piped):
        def __init__(self, answers: str, **environment: str) -> None:
            super().__init__(answers, **environment)
            made.append(self)

    yield Made
    for one in made:
        os.close(one.source)


def test_a_new_key(piped: type[Piped]) -> None:
    person = piped(f"  {GOOD} \n{GOOD}\n")
    assert person.new() == GOOD
    assert person.text == (
        "Enter passphrase for new repository key with ID 1234567: \n"
        "Repeat passphrase for new repository key with ID 1234567: \n"
    )


@pytest.mark.parametrize(
    ("role", "shown"),
    [("root", "root"), ("targets", "repository"), ("snapshot", "repository"), ("alice", "alice")],
)
def test_names_of_roles(piped: type[Piped], role: str, shown: str) -> None:
    person = piped("x\n")
    person.open(role=role)
    assert person.text == f"Enter passphrase for {shown} key with ID 1234567: \n"


def test_a_new_root_key_comes_with_a_warning_once(piped: type[Piped]) -> None:
    person = piped(f"short\n{GOOD}\n{GOOD}\n")
    person.new("root", key_id="")
    assert person.text.count("You are about to create a new root signing key passphrase") == 1
    assert "Enter passphrase for new root key: \n" in person.text


def test_short_and_different_ones_are_asked_for_again(piped: type[Piped]) -> None:
    person = piped(f"1234567\n{GOOD}\nother horse\n{GOOD}\n{GOOD}\n")
    assert person.new() == GOOD
    assert terminal.TOO_SHORT in person.text
    assert terminal.MISMATCH in person.text


def test_eight_bytes_are_enough(piped: type[Piped]) -> None:
    assert piped("ünïcöd\nünïcöd\n").new() == "ünïcöd"


def test_a_new_one_has_twelve_attempts(piped: type[Piped]) -> None:
    person = piped("short\n" * 12 + f"{GOOD}\n{GOOD}\n")
    with pytest.raises(KeyAccessError) as caught:
        person.new()
    assert str(caught.value) == "maximum number of passphrase attempts exceeded"
    assert caught.value.code == Code.PASSPHRASE
    assert person.text.count("Enter passphrase") == 12


def test_an_existing_one_has_four_attempts(piped: type[Piped]) -> None:
    person = piped("a\nb\nc\nd\ne\n")
    assert [person.open(attempt) for attempt in range(4)] == ["a", "b", "c", "d"]
    with pytest.raises(KeyAccessError) as caught:
        person.open(4)
    assert str(caught.value) == "password invalid, operation has failed."
    assert person.text.count(terminal.INCORRECT) == 3


def test_answers_are_remembered_per_role(piped: type[Piped]) -> None:
    person = piped(f"wrong\nright\n{GOOD}\n{GOOD}\nalice's\n")
    assert person.open() == "wrong"
    assert person.open(1) == "right"
    assert person.open() == "right"
    assert person.new("root") == GOOD
    assert person.open(role="root") == GOOD
    assert person.open(role="alice") == "alice's"


@pytest.mark.parametrize("answers", ["", f"{GOOD}\n"])
def test_the_end_of_input_ends_a_choice(piped: type[Piped], answers: str) -> None:
    with pytest.raises(KeyAccessError) as caught:
        piped(answers).new()
    assert str(caught.value) == "maximum number of passphrase attempts exceeded"


def test_the_end_of_input_ends_an_opening(piped: type[Piped]) -> None:
    with pytest.raises(KeyAccessError) as caught:
        piped("").open()
    assert str(caught.value) == "password invalid, operation has failed."


def test_what_follows_is_left_for_the_next_reader(piped: type[Piped]) -> None:
    person = piped("first\nfor another program\n")
    assert person.open() == "first"
    assert person.rest() == b"for another program\n"


@pytest.mark.parametrize(
    ("role", "passphrase"), [("root", "R"), ("targets", "T"), ("snapshot", "T"), ("alice", "T")]
)
def test_the_environment_answers(piped: type[Piped], role: str, passphrase: str) -> None:
    person = piped(
        "",
        DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE="R",
        DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE="T",
    )
    assert person.open(role=role) == passphrase
    assert person.new(role) == passphrase  # no shortest length here, as docker has it
    assert person.open(1, role) == passphrase
    with pytest.raises(KeyAccessError) as caught:
        person.open(2, role)
    assert str(caught.value) == "password invalid, operation has failed."
    assert "_PASSPHRASE" in caught.value.hint
    assert person.text == ""


def test_an_empty_variable_is_not_set(piped: type[Piped]) -> None:
    assert piped("typed\n", DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE="").open() == "typed"


def test_secrets_are_in_no_text(piped: type[Piped]) -> None:
    person = piped(f"{GOOD}\n", DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE="from outside")
    person.open()
    assert GOOD not in repr(person.terminal) + str(person.terminal)
    assert "from outside" not in repr(person.terminal)
    with pytest.raises(KeyAccessError) as caught:
        person.open(2, role="root")
    assert "from outside" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("content", ["x" * 70_000 + "\n", "\udcff\n"])
def test_odd_input_is_refused(content: str) -> None:
    source, to = os.pipe()

    def write() -> None:
        with os.fdopen(to, "wb") as file:
            file.write(content.encode("utf-8", "surrogateescape"))

    writer = threading.Thread(target=write)
    writer.start()
    request = PassphraseRequest(key_id=ID, role="targets")
    with os.fdopen(source, "rb") as rest:
        with pytest.raises(KeyAccessError) as caught:
            Terminal({}, source, lambda _: None).passphrase(request)
        rest.read()
        writer.join()
    assert caught.value.code == Code.PASSPHRASE


@pytest.mark.parametrize(
    ("answer", "means"),
    [("y\n", True), ("Y\n", True), ("y", True), ("y\r\n", True)]
    + [(text, False) for text in ("yes\n", "n\n", "\n", "", " y\n", "yy\n")],
)
def test_confirmations(piped: type[Piped], answer: str, means: bool) -> None:
    person = piped(answer)
    assert person.terminal.confirm("Sure?") is means
    assert person.text == "Sure? [y/N] "


def test_a_terminal_does_not_echo_and_is_put_back() -> None:
    person, program = pty.openpty()
    try:
        before = termios.tcgetattr(program)
        echoed: list[bool] = []

        def show(text: str) -> None:
            if text.startswith("Enter"):
                os.write(person, b"secret words\n")

        shown = Terminal({}, program, show)

        class Watched(Terminal):
            def _line(self) -> str | None:
                echoed.append(bool(termios.tcgetattr(program)[3] & termios.ECHO))
                return super()._line()

        shown = Watched({}, program, show)
        assert shown.passphrase(PassphraseRequest(key_id=ID, role="alice")) == "secret words"
        assert echoed == [False]
        assert termios.tcgetattr(program) == before
    finally:
        os.close(person)
        os.close(program)


def test_a_closed_input_answers_nothing() -> None:
    source, to = os.pipe()
    os.close(to)
    os.close(source)
    assert Terminal({}, source, lambda _: None).confirm("Sure?") is False
