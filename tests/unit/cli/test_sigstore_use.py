"""``sigstore use``: what it says, and what it hands on."""

import argparse
import io
from typing import NamedTuple

from countermark.assembly.sigstore_files import InUse
from countermark.cli import sigstore_use
from countermark.cli.output import Output


class Hosting:
    def __init__(self, ca_file: str) -> None:
        self.asked: list[tuple[str, bool]] = []
        self._ca_file = ca_file

    def use(self, data: str, *, replace: bool) -> InUse:
        self.asked.append((data, replace))
        return InUse(
            url="https://trust.test", issuer="https://trust.test/identity", ca_file=self._ca_file,
            root_folder="/home/a\x1bb/.sigstore/root",
        )  # fmt: skip


class Program(NamedTuple):
    hosting: Hosting


def run(hosting: Hosting, *words: str) -> str:
    parser = argparse.ArgumentParser(exit_on_error=False)
    sigstore_use.use_arguments(parser)
    out, err = io.StringIO(), io.StringIO()
    assert sigstore_use.use(parser.parse_args(words), Program(hosting), Output(out, err)) == 0
    assert err.getvalue() == ""
    return out.getvalue()


def test_what_it_says() -> None:
    hosting = Hosting("/home/me/.docker/tls/trust.test/ca.crt")
    assert run(hosting) == (
        "sign and verify with https://trust.test from now on\n"
        "  its issuer is https://trust.test/identity\n"
        "  its CA is believed, in /home/me/.docker/tls/trust.test/ca.crt\n"
        "  its trust root is kept in /home/a\\x1bb/.sigstore/root\n"
    )
    assert hosting.asked == [("", False)]


def test_without_a_ca_of_its_own() -> None:
    hosting = Hosting("")
    assert "CA" not in run(hosting, "--data", "/srv", "--replace")
    assert hosting.asked == [("/srv", True)]
