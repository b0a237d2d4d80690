"""``verify``'s options about witnesses: which signers a policy of options has, and every mistake in them."""

from pathlib import Path

import pytest

import fake_sigstore
from countermark.assembly.program import Program
from countermark.cli import arguments, verify_flags
from countermark.cli.commands import find
from countermark.core.errors import InputError
from countermark.core.signer import CosignSigner

ONE, TWO = (fake_sigstore.Witness(name).verifier_key for name in ("a.test", "b.test"))


def signers(folder: Path, *words: str) -> list[CosignSigner]:
    (folder / "one.pub").write_text(fake_sigstore.pem(fake_sigstore.new_key()))
    command, rest = find(["verify", "--key", str(folder / "one.pub"), *words, "a:b"])
    assert command is not None
    parsed = arguments.load(command, "countermark")[1].parse(rest)
    assert not isinstance(parsed, str)
    assert verify_flags.given(parsed)
    found = verify_flags.policy(parsed, Program({"HOME": str(folder)})).signers
    return [each for each in found if isinstance(each, CosignSigner)]


@pytest.mark.parametrize(
    ("words", "keys", "needed"),
    [
        ((), (), 0),
        (("--witness", ONE), (ONE,), 1),
        (("--witness", ONE, "--witness", TWO), (ONE, TWO), 2),
        (("--witness", ONE, "--witness", TWO, "--witnesses", "1"), (ONE, TWO), 1),
    ],
)
def test_witnesses(
    tmp_path: Path, words: tuple[str, ...], keys: tuple[str, ...], needed: int
) -> None:
    (found,) = signers(tmp_path, *words)
    assert (found.witnesses, found.witnesses_needed) == (keys, needed)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--witness", "a.test+00+AA=="), "--witness: not a witness's key"),
        (("--witness", ONE, "--witness", ONE), "named twice"),
        (("--witnesses", "1"), "--witnesses 1 of 0"),
        (("--witness", ONE, "--witnesses", "2"), "--witnesses 2 of 1"),
        (("--witness", ONE, "--witnesses", "-1"), "--witnesses -1 of 1"),
        (("--witness", ONE, "--accept-unlogged", "why"), "asks for none"),
    ],
)
def test_mistakes(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        signers(tmp_path, *words)
