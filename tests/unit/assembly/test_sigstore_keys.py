"""Keys of a Sigstore's services that lie elsewhere: they sign, stay there, and are rotated by naming another one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from countermark.assembly.sigstore_keys import WORDS, OutsideKeys
from countermark.assembly.sigstore_trust import AUTHORITY, LOG
from countermark.core.errors import ConfigError, UnavailableError
from countermark.core.ports_sigstore import SigningKey
from countermark.proofs import cosign_keys, signing_keys
from hosted_sigstore import HostedSigstore

pytestmark = pytest.mark.slow


class Keeper:
    """Keeps keys by reference, and counts what it is asked for."""

    def __init__(self) -> None:
        self.keys = {f"kept:{number}": signing_keys.generate() for number in range(8)}
        self.opened: list[str] = []

    def open(self, reference: str) -> SigningKey:
        self.opened.append(reference)
        if reference not in self.keys:
            raise UnavailableError(f"{reference} is out of reach")
        return self.keys[reference]

    def named(self, *texts: str) -> OutsideKeys:
        return OutsideKeys(texts, self.open)


@pytest.fixture
def make(tmp_path: Path) -> "Callable[..., HostedSigstore]":
    def box(outside: OutsideKeys) -> HostedSigstore:
        return HostedSigstore(tmp_path, outside=outside.of)

    return box


ALL = tuple(f"{word}=kept:{number}" for number, word in enumerate(WORDS))


def test_all_services_sign_with_keys_that_lie_elsewhere(
    make: "Callable[..., HostedSigstore]",
) -> None:
    keeper = Keeper()
    box = make(keeper.named(*ALL))
    try:
        box.start()
        box.sign("file")
        box.verify("file")
        assert not {*WORDS.values()} & {path.stem for path in (box.own / "keys").iterdir()}
        root = box.export()
        publics = {key.public_der for key in keeper.keys.values()}
        assert {root.logs[0].key, root.ct_logs[0].key} < publics
        assert sorted(keeper.opened) == sorted({text.partition("=")[2] for text in ALL})
        box.stop()
        box.start()
        box.sign("more")
        box.verify("file")
    finally:
        box.end()


def test_a_key_that_is_named_no_more(make: "Callable[..., HostedSigstore]") -> None:
    keeper = Keeper()
    box = make(keeper.named(*ALL))
    try:
        box.start()
        box.stop()
        box.more["outside"] = keeper.named(*ALL[1:]).of
        with pytest.raises(ConfigError, match="none of the keys for authority") as caught:
            box.start()
        assert "--service-key" in caught.value.hint
        box.stop()
        box.more["outside"] = keeper.named("ca=kept:gone", *ALL[1:]).of
        with pytest.raises(UnavailableError, match="out of reach"):
            box.start()
    finally:
        box.end()


def test_rotation_takes_the_one_that_is_new(
    make: "Callable[..., HostedSigstore]", tmp_path: Path
) -> None:
    """From a key of the folder to one elsewhere, to another, and back."""
    files = {}
    for name in ("one", "two"):
        files[name] = tmp_path / f"{name}.key"
        files[name].write_bytes(cosign_keys.encode(signing_keys.generate(), b"p"))
    box = make(OutsideKeys((), Keeper().open))
    rotate = ("sigstore", "rotate", "ca", "--data", box.data)

    def named(*names: str) -> list[str]:
        return [word for name in names for word in ("--service-key", f"ca={files[name]}")]

    def outside(*names: str) -> OutsideKeys:
        return OutsideKeys(
            [f"ca={files[name]}" for name in names],
            lambda reference: cosign_keys.open(Path(reference).read_bytes(), b"p"),
        )

    try:
        box.start()
        box.sign("before")
        box.stop()
        box.ok(*rotate, *named("one"), COSIGN_PASSWORD="p")
        status, said = box.run(*rotate, *named("one"), COSIGN_PASSWORD="p")
        assert status == 2
        assert "in use already" in said
        status, said = box.run(*rotate, *named("two"), COSIGN_PASSWORD="wrong")
        assert status == 4
        box.more["outside"] = outside("one").of
        box.start()
        box.sign("one")
        box.stop()
        box.ok(*rotate, *named("one", "two"), COSIGN_PASSWORD="p")
        box.more["outside"] = outside("two").of
        box.start()
        box.sign("two")
        box.stop()
        box.ok(*rotate)
        box.more["outside"] = outside().of
        box.start()
        for name in ("before", "one", "two"):
            box.verify(name)
    finally:
        box.end()


@pytest.mark.parametrize("text", ["", "ca", "ca=", "=x", "root=pkcs11:x", "pkcs11:token=a"])
def test_what_names_no_key(text: str) -> None:
    with pytest.raises(ConfigError, match="names no service's key") as caught:
        Keeper().named(text)
    assert "ca, log, ctlog, tsa" in caught.value.hint


def test_keys_are_opened_once_and_late() -> None:
    keeper = Keeper()
    outside = keeper.named("ca=kept:1", "ca=kept:2", "log=kept:1")
    assert keeper.opened == []
    assert len(outside.of(AUTHORITY)) == 2
    assert outside.of(LOG) == [keeper.keys["kept:1"]]
    assert keeper.opened == ["kept:1", "kept:2"]
