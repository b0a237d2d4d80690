"""Passwords of cosign's keys: from the environment, a pipe, a terminal."""

import os
import pty
import termios
from collections.abc import Iterator

import pytest

from countermark.adapters.password_prompt import PasswordPrompt
from countermark.core.errors import Code, KeyAccessError


class Person:
    """Somebody at a terminal, or the end of a pipe, who has typed everything already."""

    def __init__(self, typed: bytes, *, terminal: bool = False, **environment: str) -> None:
        if terminal:
            self.far, self.source = pty.openpty()
            os.write(self.far, typed)
        else:
            self.source, to = os.pipe()
            os.write(to, typed)
            os.close(to)
            self.far = -1
        self.shown: list[str] = []
        self.prompt = PasswordPrompt(environment, self.source, self.shown.append)

    def leave(self) -> None:
        os.close(self.source)
        if self.far >= 0:
            os.close(self.far)


@pytest.fixture
def people() -> Iterator[type[Person]]:
    made: list[Person] = []

    class Made(Person):
        def __init__(self, typed: bytes, *, terminal: bool = False, **environment: str) -> None:
            super().__init__(typed, terminal=terminal, **environment)
            made.append(self)

    yield Made
    for person in made:
        person.leave()


def test_the_environment_comes_first(people: type[Person]) -> None:
    person = people(b"typed\n", terminal=True, COSIGN_PASSWORD="")
    assert person.prompt.password() == b""
    assert person.prompt.new_password() == b""
    assert person.shown == []


def test_a_pipe_is_the_password_whole(people: type[Person]) -> None:
    person = people(b"two\nlines\n", terminal=False)
    assert person.prompt.new_password() == b"two\nlines\n"
    assert person.prompt.password() == b"two\nlines\n"
    assert person.shown == []


def test_too_much_in_the_pipe(people: type[Person]) -> None:
    source, to = os.pipe()
    os.set_blocking(to, False)
    prompt = PasswordPrompt({}, source, lambda _: None)
    if hasattr(os, "posix_fadvise"):
        import fcntl

        fcntl.fcntl(to, fcntl.F_SETPIPE_SZ, 1024 * 1024)
    os.write(to, b"x" * 70_000)
    os.close(to)
    with pytest.raises(KeyAccessError, match="too long"):
        prompt.password()
    os.close(source)


def test_a_terminal_is_asked_without_echo(people: type[Person]) -> None:
    person = people(b"pass\n", terminal=True)
    assert person.prompt.password() == b"pass"
    assert person.shown == ["Enter password for private key: ", "\n"]
    assert termios.tcgetattr(person.source)[3] & termios.ECHO


def test_a_new_password_is_asked_for_twice(people: type[Person]) -> None:
    assert people(b"same\nsame\n", terminal=True).prompt.new_password() == b"same"
    with pytest.raises(KeyAccessError, match="passwords do not match") as caught:
        people(b"one\nother\n", terminal=True).prompt.new_password()
    assert caught.value.code == Code.PASSPHRASE


def test_neither_pipe_nor_terminal() -> None:
    source = os.open(os.devnull, os.O_RDONLY)
    with pytest.raises(KeyAccessError, match="inappropriate ioctl for device"):
        PasswordPrompt({}, source, lambda _: None).password()
    os.close(source)
    with pytest.raises(KeyAccessError, match="inappropriate ioctl for device"):
        PasswordPrompt({}, 9_999, lambda _: None).password()


def test_other_secrets(people: type[Person]) -> None:
    person = people("päss\n".encode(), terminal=True, COSIGN_PASSWORD="not this")
    assert person.prompt.hidden("Password: ") == "päss"
    assert person.shown == ["Password: ", "\n"]
    assert people(b"pass\n").prompt.hidden("Password: ") is None
    with pytest.raises(KeyAccessError, match="not UTF-8"):
        people(b"\xff\n", terminal=True).prompt.hidden("Password: ")


def test_pins(people: type[Person]) -> None:
    assert people(b"", COSIGN_PKCS11_PIN="1234").prompt.pin("PIN: ") == "1234"
    person = people(b"4321\n", terminal=True)
    assert person.prompt.pin("PIN: ") == "4321"
    assert person.shown[0] == "PIN: "


@pytest.mark.parametrize(
    ("typed", "answer"),
    [(b"y\n", True), (b"Yes\n", True), (b"n\n", False), (b"", False), (b"\n", False)],
)
def test_confirmation(people: type[Person], typed: bytes, answer: bool) -> None:
    person = people(typed)
    assert person.prompt.confirm() is answer
    assert person.shown == ["Are you sure you would like to continue? [y/N] "]
