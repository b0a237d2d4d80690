"""``sigstore user`` and ``sigstore token``: words in, accounts and tokens out."""

import argparse
import io
import json
from collections.abc import Callable

import bcrypt
import pytest

from countermark.cli import sigstore_users as commands
from countermark.cli.output import Output
from countermark.core.errors import Code, InputError, KeyAccessError, NotFoundError
from identity import ALICE, ROBOT, MemoryUsers, users


class Source:
    def token(self, name: str, password: str) -> str:
        return f"token for {name} with {password}"


class Hosting:
    def __init__(self) -> None:
        self.store = users()
        self.asked: list[tuple[str, ...]] = []

    def accounts(self, data: str) -> MemoryUsers:
        self.asked.append(("accounts", data))
        return self.store

    def identity_issuer(self, issuer: str, ca: str, data: str) -> Source:
        self.asked.append((issuer, ca, data))
        return Source()


class Program:
    """``typed`` are the passwords that somebody types one after the other; empty: nobody is there."""

    def __init__(self) -> None:
        self.typed: list[str] = []
        self.prompts: list[str] = []
        self.hosting = Hosting()

    def password_from_stdin(self) -> str:
        return "a password that was sent"

    def typed_password(self, prompt: str) -> str | None:
        self.prompts.append(prompt)
        return self.typed.pop(0) if self.typed else None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Run:
    """One command with its words; ``out`` and ``err`` are what it printed."""

    def __init__(self, *, terminal: bool = False) -> None:
        self.program = Program()
        self._out, self._err = io.StringIO(), Terminal() if terminal else io.StringIO()

    def __call__(self, name: str, *words: str) -> int:
        parser = argparse.ArgumentParser()
        getattr(commands, f"{name}_arguments")(parser)
        command: Callable[..., int] = getattr(commands, name)
        return command(parser.parse_args(words), self.program, Output(self._out, self._err))

    @property
    def out(self) -> str:
        return self._out.getvalue()

    @property
    def err(self) -> str:
        return self._err.getvalue()


def test_add() -> None:
    run = Run()
    assert run("user_add", "carol@example.com", "--data", "/srv", "--password-stdin") == 0
    assert run.out == "added carol@example.com\n"
    kept = run.program.hosting.store.kept["carol@example.com"]
    assert bcrypt.checkpw(b"a password that was sent", kept.password_hash.encode())
    assert not kept.is_program
    assert run.program.hosting.asked == [("accounts", "/srv")]


def test_add_a_program() -> None:
    run = Run()
    run("user_add", "ci@example.com", "--program", "--password-stdin")
    assert run.program.hosting.store.kept["ci@example.com"].is_program


def test_an_account_that_is_there() -> None:
    run = Run()
    before = run.program.hosting.store.kept[ALICE]
    with pytest.raises(InputError, match="already") as caught:
        run("user_add", ALICE, "--password-stdin")
    assert caught.value.code == Code.KEY_EXISTS
    assert run.program.hosting.store.kept[ALICE] == before
    assert run("user_add", ALICE, "--password-stdin", "--replace") == 0
    assert run.out == f"replaced {ALICE}\n"
    assert run.program.hosting.store.kept[ALICE] != before


def test_no_address() -> None:
    with pytest.raises(InputError, match="not an e-mail address"):
        Run()("user_add", "carol", "--password-stdin")


@pytest.mark.parametrize("name", ["user_add", "token"])
def test_nobody_types_a_password(name: str) -> None:
    with pytest.raises(InputError, match="a password is needed") as caught:
        Run()(name, "carol@example.com")
    assert "--password-stdin" in caught.value.hint


def test_a_new_password_is_typed_twice() -> None:
    run = Run()
    run.program.typed = ["hers and long", "hers and long"]
    assert run("user_add", "carol@example.com") == 0
    assert run.program.prompts == ["New password of carol@example.com: ", "And again: "]
    kept = run.program.hosting.store.kept["carol@example.com"]
    assert bcrypt.checkpw(b"hers and long", kept.password_hash.encode())


@pytest.mark.parametrize("again", [["another one"], []])
def test_typed_in_two_ways(again: list[str]) -> None:
    run = Run()
    run.program.typed = ["hers and long", *again]
    with pytest.raises(KeyAccessError, match="not the same") as caught:
        run("user_add", "carol@example.com")
    assert caught.value.code == Code.PASSPHRASE
    assert "carol@example.com" not in run.program.hosting.store.kept


def test_a_token_for_a_password_that_is_typed_once() -> None:
    run = Run()
    run.program.typed = ["hers and long"]
    assert run("token", ALICE) == 0
    assert run.out == f"token for {ALICE} with hers and long"
    assert run.program.prompts == [f"Password of {ALICE}: "]


def test_list() -> None:
    run = Run()
    assert run("user_list") == 0
    assert run.out == f"{ALICE}\n{ROBOT} (program)\n"


def test_list_for_programs() -> None:
    run = Run()
    run("user_list", "-o", "json")
    assert json.loads(run.out) == {
        "version": 1,
        "users": [{"name": ALICE, "program": False}, {"name": ROBOT, "program": True}],
    }
    assert "$2b$" not in run.out


def test_remove() -> None:
    run = Run()
    assert run("user_remove", ALICE, "--data", "/srv") == 0
    assert run.out == f"removed {ALICE}\n"
    assert ALICE not in run.program.hosting.store.kept
    with pytest.raises(NotFoundError):
        run("user_remove", ALICE)


def test_token_has_no_end_of_line() -> None:
    run = Run()
    words = ("--issuer", "https://x/identity", "--ca", "ca.crt")
    assert run("token", ALICE, "--password-stdin", *words) == 0
    assert run.out == f"token for {ALICE} with a password that was sent"
    assert run.program.hosting.asked == [("https://x/identity", "ca.crt", "")]
    assert run.err == ""


def test_token_on_a_terminal_leaves_it_at_a_new_line() -> None:
    run = Run(terminal=True)
    run("token", ALICE, "--password-stdin", "--data", "/srv")
    assert run.err == "\n"
    assert run.program.hosting.asked == [("", "", "/srv")]


@pytest.mark.parametrize(
    "words", [("--issuer", "https://x", "--data", "/srv"), ("--ca", "ca.crt", "--data", "/srv")]
)
def test_words_that_do_not_go_together(words: tuple[str, ...]) -> None:
    with pytest.raises(InputError):
        Run()("token", ALICE, "--password-stdin", *words)
