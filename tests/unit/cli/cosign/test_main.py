"""The edge of cosign's commands: help, errors in cosign's form, deadlines, results into a file."""

import json
import os
from pathlib import Path

import pytest

from countermark.cli.cosign.commands import COMMANDS
from countermark.cli.cosign.main import MISSING, Deadline, help_of, overview
from countermark.cli.cosign.words import CosignError
from playing import Play, both


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("nosuch",), 'unknown command "nosuch" for "cosign"\nRun \'cosign --help\' for usage.'),
        (
            ("bundle", "nosuch", "more"),
            'unknown command "nosuch" for "cosign bundle"\nRun \'cosign bundle --help\' for usage.',
        ),
        (("piv-tool", "reset"), 'countermark does not have "cosign piv-tool"'),
        (("--verbose", "completion", "bash"), 'countermark does not have "cosign completion"'),
        (("public-key", "--nosuch"), "unknown flag: --nosuch"),
        (("login",), "accepts 1 arg(s), received 0"),
        (("env", "more"), 'unknown command "more" for "cosign env"'),
        (("generate-key-pair", "foo"), "could not parse scheme, use <scheme>://<ref> format"),
        (
            ("public-key",),
            "exactly one of: key reference (--key), or hardware token (--sk) must be provided",
        ),
        (("import-key-pair",), "read .: is a directory"),
        (("import-key-pair", "--key", "none"), "open none: no such file or directory"),
        (("public-key", "--key", "none"), "open none: no such file or directory"),
        (("public-key", "--key", "env://NOT"), "loading URL: env var $NOT not found"),
    ],
)
def test_errors_stand_twice_as_cosign_has_them(
    play: Play, words: tuple[str, ...], text: str
) -> None:
    status, out, err = play(*words)
    assert (status, out) == (1, "")
    assert err.startswith(both(text))


def test_what_is_missing_of_cosign_is_not_here() -> None:
    assert not {command.words[0] for command in COMMANDS} & MISSING


def test_help(play: Play) -> None:
    for words in ([], ["--help"], ["help"]):
        status, out, err = play(*words)
        assert (status, err) == (0, "")
        assert out == overview([])
    for words in (["public-key", "--help"], ["help", "public-key"], ["public-key", "-h"]):
        status, out, err = play(*words)
        assert (status, err) == (0, "")
        assert "--outfile VALUE" in out
        assert "--sk" not in out


def test_every_command_has_help() -> None:
    for command in COMMANDS:
        assert help_of(command).startswith(f"cosign {' '.join(command.words)}: ")
        assert "has been deprecated" not in help_of(command)


def test_keys_are_made_and_read(play: Play, tmp_path: Path) -> None:
    prefix = str(tmp_path / "pair")
    status, out, err = play("generate-key-pair", "--output-key-prefix", prefix, COSIGN_PASSWORD="p")
    assert (status, out) == (0, "")
    assert err == f"Private key written to {prefix}.key\nPublic key written to {prefix}.pub\n"
    assert Path(f"{prefix}.key").stat().st_mode & 0o777 == 0o600
    assert Path(f"{prefix}.pub").stat().st_mode & 0o777 == 0o644
    public = Path(f"{prefix}.pub").read_text()
    assert play("public-key", "--key", f"{prefix}.key", typed=b"p") == (0, public, "")
    status, out, err = play(
        "public-key", "--key", f"{prefix}.key", "--outfile", f"{prefix}.again", COSIGN_PASSWORD="p"
    )
    assert (status, out) == (0, "")
    assert Path(f"{prefix}.again").read_text() == public
    assert play("public-key", "--key", f"{prefix}.key", COSIGN_PASSWORD="x")[2] == both(
        "decrypt: encrypted: decryption failed"
    )
    assert play("public-key", "--key", f"{prefix}.pub", COSIGN_PASSWORD="x")[2].startswith(
        both("unsupported pem type: PUBLIC KEY")
    )


def test_keys_are_not_written_over_unasked(play: Play, tmp_path: Path) -> None:
    prefix = str(tmp_path / "pair")
    words = ("generate-key-pair", "--output-key-prefix", prefix)
    assert play(*words, COSIGN_PASSWORD="p")[0] == 0
    before = Path(f"{prefix}.key").read_bytes()
    status, _, err = play(*words, COSIGN_PASSWORD="p", typed=b"n\n")
    assert status == 1
    assert err == f"WARNING: File {prefix}.key already exists. Overwrite?\n" + both(
        "user declined the prompt"
    )
    assert Path(f"{prefix}.key").read_bytes() == before
    assert play(*words, COSIGN_PASSWORD="p", typed=b"y\ny\n")[0] == 0
    assert Path(f"{prefix}.key").read_bytes() != before


def test_nobody_to_ask_for_a_password(play: Play, tmp_path: Path) -> None:
    status, _, err = play("generate-key-pair", "--output-key-prefix", str(tmp_path / "k"))
    assert status == 1
    assert err.startswith(both("inappropriate ioctl for device"))
    assert not (tmp_path / "k.key").exists()


def test_results_into_a_file(play: Play, tmp_path: Path) -> None:
    path = tmp_path / "out"
    assert play("--output-file", str(path), "version", "--json") == (0, "", "")
    assert json.loads(path.read_text())["gitVersion"] == "v3.1.3"
    status, _, err = play("version", "--output-file", str(tmp_path / "none" / "out"))
    assert status == 1
    assert err.startswith(both(f"open {tmp_path}/none/out: no such file or directory"))


def test_secrets_are_hidden(play: Play) -> None:
    assert "COSIGN_PASSWORD=******\n" in play("env", COSIGN_PASSWORD="secret")[1]
    assert "# COSIGN_PASSWORD is" in play("env")[1]
    shown = play(
        "env", "--show-sensitive-values", "--show-descriptions=false", COSIGN_PASSWORD="s"
    )[1]
    assert "COSIGN_PASSWORD=s\n" in shown
    assert "#" not in shown


def test_a_login_is_kept(play: Play, tmp_path: Path) -> None:
    file = tmp_path / "docker" / "config.json"
    file.parent.mkdir()
    file.write_text('{"credHelpers": {"helped.test": "no/such"}, "detachKeys": "x"}')
    status, out, err = play("login", "registry.test:5000", "-u", "a", "-p", "b")
    assert (status, out) == (0, "")
    assert err.endswith(f"logged in via {file}\n")
    assert "stored unencrypted" in err
    assert play("login", "docker.io", "-u", "a", "-p", "c")[0] == 0
    kept = json.loads(file.read_text())
    assert kept["detachKeys"] == "x"
    assert kept["auths"] == {
        "registry.test:5000": {"auth": "YTpi"},
        "https://index.docker.io/v1/": {"auth": "YTpj"},
    }
    assert file.stat().st_mode & 0o777 == 0o600
    assert play("login", "helped.test", "-u", "a", "-p", "b")[0] == 1
    assert play("login", "x.test")[2] == both("username and password required")
    assert play("login", "x.test", "-u", "a:b", "-p", "c")[0] == 1


def wait_for_ever(seconds: float) -> None:
    reader, writer = os.pipe()
    try:
        with Deadline(seconds):
            os.read(reader, 1)
    finally:
        os.close(reader)
        os.close(writer)


def test_a_command_has_a_deadline(play: Play) -> None:
    status, _, err = play("-t", "0", "version")
    assert status == 1
    assert err.startswith(both("context deadline exceeded"))
    with pytest.raises(CosignError, match="context deadline exceeded"):
        wait_for_ever(0.01)
