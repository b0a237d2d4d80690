"""Other programs: bounded, and found only if they are not ourselves."""

import os
import sys
from pathlib import Path

import pytest

from countermark.adapters import process
from countermark.core.errors import Code, CountermarkError, InputError, NotFoundError

PYTHON = sys.executable


def python(text: str) -> list[str]:
    return [PYTHON, "-IS", "-c", text]


def test_run_gives_input_and_takes_both_outputs() -> None:
    text = "import sys; d = sys.stdin.read(); print(d[::-1]); print('oops', file=sys.stderr); sys.exit(3)"
    done = process.run(python(text), given=b"abc")
    assert (done.status, done.output, done.errors) == (3, b"cba\n", b"oops\n")


def test_much_in_and_out_at_once() -> None:
    given = os.urandom(1024) * 600
    text = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    assert process.run(python(text), given=given).output == given


def test_a_program_that_does_not_read_may_do_so() -> None:
    assert process.run(["/bin/true"], given=b"x" * 1_000_000).status == 0


def test_a_signal_is_a_status() -> None:
    assert process.run(python("import os; os.kill(os.getpid(), 15)")).status == 143


def test_the_environment_is_what_is_given() -> None:
    done = process.run(
        python("import os; print(os.environ.get('A'), 'HOME' in os.environ)"),
        environment={"A": "1"},
    )
    assert done.output == b"1 False\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["/no/such/program"], Code.NOT_FOUND),
        (["/etc/passwd"], Code.BAD_INPUT),
        (["a\0b"], Code.BAD_INPUT),
        (python("print('x' * 2000000)"), Code.TOO_LARGE),
        (python("import time; time.sleep(60)"), Code.UNAVAILABLE),
        (python("import os, time; os.close(1); os.close(2); time.sleep(60)"), Code.UNAVAILABLE),
    ],
)
def test_bounds(command: list[str], code: Code) -> None:
    with pytest.raises(CountermarkError) as caught:
        process.run(command, seconds=1.0)
    assert caught.value.code == code


def run_script(text: str, *arguments: str, given: bytes = b"") -> process.Finished:
    """Run a script of ours in a Python of its own, since it changes or replaces its process."""
    prelude = "from countermark.adapters import process\nimport os, sys\n"
    return process.run(
        [PYTHON, "-c", prelude + text, *arguments], given=given, environment=dict(os.environ)
    )


def test_call_uses_our_own_streams() -> None:
    text = "sys.exit(process.call(['/bin/sh', '-c', 'cat; echo to >&2; exit 5']))"
    done = run_script(text, given=b"from us\n")
    assert (done.status, done.output, done.errors) == (5, b"from us\n", b"to\n")


def test_call_can_give_input_and_hide_a_line() -> None:
    text = (
        "sys.exit(process.call(['/bin/sh', '-c', 'cat; printf \"two\\nthree\"'], given=b'one\\ntwo\\n',"
        " hidden_line=b'two'))"
    )
    assert run_script(text).output == b"one\nthree"


def test_call_waits_and_tells_the_status(capfd: pytest.CaptureFixture[str]) -> None:
    command = ["/bin/sh", "-c", "cat; echo to >&2; exit 5"]
    assert process.call(command, given=b"one\ntwo\nthree") == 5
    assert capfd.readouterr() == ("one\ntwo\nthree", "to\n")
    assert process.call(command, given=b"one\r\ntwo\nthree", hidden_line=b"one") == 5
    assert capfd.readouterr() == ("two\nthree", "to\n")
    assert process.call(["/bin/sh", "-c", "kill -9 $$"], given=b"", environment={}) == 137
    with pytest.raises(NotFoundError):
        process.call(["/no/such/program"], given=b"")


def test_become_replaces_us() -> None:
    text = "process.become('/bin/sh', ['sh', '-c', 'echo $0 $A; exit 9', ], {'A': 'x'}); print('not reached')"
    done = run_script(text)
    assert (done.status, done.output) == (9, b"sh x\n")


def test_become_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        process.become(str(tmp_path / "none"), ["none"], {})
    with pytest.raises(InputError):
        process.become(str(tmp_path), ["folder"], {})


# Finding the real program ----------------------------------------------------------------------------


def program(path: Path, content: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


def test_the_first_that_is_not_us(tmp_path: Path) -> None:
    ours = program(tmp_path / "ours" / "docker")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "docker").symlink_to(ours)
    program(tmp_path / "shim" / "docker", "#!/bin/sh\n# the mark\n")
    program(tmp_path / "plain" / "docker", mode=0o644)
    (tmp_path / "folder" / "docker").mkdir(parents=True)
    real = program(tmp_path / "real" / "docker")
    program(tmp_path / "later" / "docker")
    folders = ("ours", "linked", "shim", "plain", "folder", "missing", "real", "later")
    path = os.pathsep.join(str(tmp_path / folder) for folder in folders)
    assert process.find("docker", path, ourselves=[str(ours)], mark=b"the mark") == str(real)


def test_the_working_folder_is_not_searched(tmp_path: Path) -> None:
    program(tmp_path / "docker")
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert process.find("docker", os.pathsep.join(["", ".", "x"])) is None
    finally:
        os.chdir(before)


def test_nothing_found(tmp_path: Path) -> None:
    assert process.find("docker", str(tmp_path)) is None
    assert process.find("docker", "") is None
