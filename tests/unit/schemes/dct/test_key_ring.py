"""Keys of a trust folder: found, opened once, made."""

import pytest

from countermark.core.errors import Code, KeyAccessError
from countermark.proofs.key_files import KeyFile
from countermark.schemes.dct.key_ring import KeyRing
from world import FixedPassphrases, MemoryKeys, key


def ring(keys: MemoryKeys, *tries: str, new: str = "") -> tuple[KeyRing, FixedPassphrases]:
    passphrases = FixedPassphrases(*tries, new=new)
    return KeyRing(keys, passphrases), passphrases


def test_a_plain_key_takes_no_passphrase() -> None:
    keys = MemoryKeys()
    keys.put(key("alice"), "alice")
    found, passphrases = ring(keys)
    opened = found(key("alice").id)
    assert opened is not None
    assert opened.id == key("alice").id
    assert passphrases.requests == []


def test_a_key_that_is_not_there() -> None:
    found, _ = ring(MemoryKeys())
    assert found(key("alice").id) is None
    assert not found.holds(key("alice").id)


def test_a_passphrase_is_asked_for_until_it_is_right_and_then_no_more() -> None:
    keys = MemoryKeys()
    keys.put(key("alice"), "alice", passphrase="secret")
    found, passphrases = ring(keys, "wrong", "wronger", "secret")
    assert found.holds(key("alice").id)
    assert passphrases.requests == []
    assert found(key("alice").id) is found(key("alice").id)
    assert [r.attempt for r in passphrases.requests] == [0, 1, 2]
    assert {(r.key_id, r.role, r.new) for r in passphrases.requests} == {
        (key("alice").id, "alice", False)
    }


def test_whoever_has_no_more_passphrases_ends_it() -> None:
    keys = MemoryKeys()
    keys.put(key("alice"), "alice", passphrase="secret")
    found, passphrases = ring(keys, "wrong")
    with pytest.raises(KeyAccessError, match="password invalid, operation has failed") as caught:
        found(key("alice").id)
    assert caught.value.code == Code.PASSPHRASE
    assert len(passphrases.requests) == 2


def test_a_source_that_never_gives_up() -> None:
    keys = MemoryKeys()
    keys.put(key("alice"), "alice", passphrase="secret")
    found, passphrases = ring(keys, *["wrong"] * 50)
    with pytest.raises(KeyAccessError, match="password invalid, operation has failed"):
        found(key("alice").id)
    assert len(passphrases.requests) < 20


def test_a_file_with_another_key_than_its_name_says() -> None:
    """Who writes in the folder must not get something signed by a key of his."""
    keys = MemoryKeys()
    keys.put(key("mallory"), "alice")
    keys.files[key("alice").id] = keys.files.pop(key("mallory").id)
    with pytest.raises(KeyAccessError) as caught:
        ring(keys)[0](key("alice").id)
    assert caught.value.code == Code.KEY_ID


def test_a_file_that_is_no_key() -> None:
    keys = MemoryKeys()
    keys.files[key("alice").id] = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    with pytest.raises(KeyAccessError) as caught:
        ring(keys)[0](key("alice").id)
    assert caught.value.code == Code.MALFORMED


def test_new_keys_are_kept_under_a_passphrase() -> None:
    keys = MemoryKeys()
    found, passphrases = ring(keys, new="a new secret")
    made = found.make("targets", "registry.example.test/team/pay")
    stored = KeyFile.parse(keys.files[made.id])
    assert (stored.role, stored.gun) == ("targets", "registry.example.test/team/pay")
    assert stored.encrypted
    assert stored.open("a new secret").id == made.id
    assert [(r.key_id, r.role, r.new) for r in passphrases.requests] == [(made.id, "targets", True)]
    assert found(made.id) is made, "it is open already"
    assert found.holds(made.id)


def test_the_first_root_key_or_a_new_one() -> None:
    keys = MemoryKeys()
    found, _ = ring(keys)
    made = found.root()
    assert found.root() is made
    others = sorted((key("root one"), key("root two")), key=lambda k: k.id)
    keys = MemoryKeys()
    for private in others:
        keys.put(private, "root")
    assert ring(keys)[0].root().id == others[0].id
    stored = ring(keys)[0].of_role("root")
    assert stored is not None
    assert stored.id == others[0].id
    assert ring(keys)[0].of_role("alice") is None


def test_a_broken_file_is_not_a_wrong_passphrase() -> None:
    keys = MemoryKeys()
    keys.put(key("alice"), "alice", passphrase="secret")
    text = keys.files[key("alice").id].decode()
    lines = text.splitlines()
    middle = lines.index("") + 1
    keys.files[key("alice").id] = "\n".join((*lines[:middle], "AAAA", lines[-1], "")).encode()
    found, passphrases = ring(keys, "secret", "secret")
    with pytest.raises(KeyAccessError) as caught:
        found(key("alice").id)
    assert caught.value.code == Code.MALFORMED
    assert len(passphrases.requests) == 1
