"""``sigstore export``: the files of a private Sigstore, for hosts without a network."""

import argparse
import io
from collections.abc import Mapping
from typing import NamedTuple

import pytest

from countermark.cli import sigstore_export
from countermark.cli.output import Output
from countermark.core.errors import Code, StorageError


class Hosting:
    def __init__(self) -> None:
        self.written: list[tuple[str, dict[str, bytes]]] = []
        self.missing = False

    def exported(self, data: str) -> Mapping[str, bytes]:
        if self.missing:
            raise StorageError("no trust root was published yet", code=Code.NOT_FOUND)
        return {"trusted_root.json": data.encode(), "root.json": b"{}"}

    def write_files(self, folder: str, files: Mapping[str, bytes]) -> None:
        self.written.append((folder, dict(files)))


class Program(NamedTuple):
    hosting: Hosting


def run(hosting: Hosting, *words: str) -> tuple[int, str, str]:
    parser = argparse.ArgumentParser(exit_on_error=False)
    sigstore_export.export_arguments(parser)
    out, err = io.StringIO(), io.StringIO()
    status = sigstore_export.export(parser.parse_args(words), Program(hosting), Output(out, err))
    return status, out.getvalue(), err.getvalue()


def test_export() -> None:
    hosting = Hosting()
    status, out, err = run(hosting, "--data", "/srv/trust", "--to", "files")
    assert status == 0
    assert hosting.written == [("files", {"trusted_root.json": b"/srv/trust", "root.json": b"{}"})]
    assert out == "wrote files/trusted_root.json\nwrote files/root.json\n"
    assert "export them again" in err


def test_the_usual_folder_and_harmless_words() -> None:
    hosting = Hosting()
    _, out, _ = run(hosting, "--to", "a\x1b[31m")
    assert hosting.written[0][1]["trusted_root.json"] == b""
    assert "\x1b" not in out


def test_nothing_to_export() -> None:
    hosting = Hosting()
    hosting.missing = True
    with pytest.raises(StorageError):
        run(hosting, "--to", "files")
    assert hosting.written == []
