"""Checkpoints by the key of a trusted log, of either kind and any key; and none that is not its own."""

from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.formats import tlog
from countermark.formats.tlog import Checkpoint, Note, NoteSignature
from countermark.formats.trusted_root import Instance
from countermark.proofs import checkpoints, cosignatures, signatures, signing_keys, spki
from countermark.proofs.cosignatures import WitnessKey
from countermark.proofs.signing_keys import LocalKey

HOST = "log.example.test"
ROOT = bytes(range(32))
TREE = Checkpoint(origin=HOST, size=7, root=ROOT, extensions=("more",))
KEYS = {name: signing_keys.generate(name) for name in ("ed25519", "ecdsa-p256", "rsa-2048")}
EACH_KEY = pytest.mark.parametrize("kind", KEYS)


def instance(key: LocalKey, url: str = f"https://{HOST}:8443/path") -> Instance:
    return Instance(
        base_url=url,
        key=key.public_der,
        key_details=signatures.key_details(key.public),
        log_id=sha256(key.public_der).digest(),
        start=None,
    )


def refused(content: str, log: Instance, code: str = Code.CHECKPOINT) -> str:
    with pytest.raises(EvidenceError) as caught:
        checkpoints.check(content, log)
    assert caught.value.code == code
    return str(caught.value)


@EACH_KEY
def test_signed_and_checked(kind: str) -> None:
    note = checkpoints.sign(TREE, KEYS[kind])
    assert note.signatures[0].name == HOST
    assert checkpoints.check(note.encode(), instance(KEYS[kind])) == TREE


def test_key_ids_are_those_of_c2sp() -> None:
    edwards, curve, rsa = (KEYS[kind].public for kind in KEYS)
    name = HOST.encode() + b"\n"
    assert checkpoints.key_id(HOST, edwards) == sha256(name + b"\1" + edwards.der[-32:]).digest()
    assert checkpoints.key_id(HOST, curve) == sha256(curve.der).digest()
    expected = sha256(name + b"\xffPKIX-RSA-PKCS#1v1.5" + rsa.der).digest()
    assert checkpoints.key_id(HOST, rsa) == expected


def test_a_key_id_that_go_made() -> None:
    """The example of golang.org/x/mod/sumdb/note: verifier key, message and signature."""
    key = spki.of_ed25519(b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:])
    assert checkpoints.key_id("PeterNeumann", key)[:4].hex() == "c74f20a3"
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    note = Note.parse(f"{text}\n— PeterNeumann {signature}\n")
    assert signatures.verify(key, note.text.encode(), note.signatures[0].value)


@EACH_KEY
def test_of_another_log(kind: str) -> None:
    content = checkpoints.sign(TREE, KEYS[kind]).encode()
    other = signing_keys.generate(kind)
    assert "not signed by the log" in refused(content, instance(other))
    assert "got origin" in refused(content, instance(KEYS[kind], "https://other.example.test"))
    assert "does not say where" in refused(content, instance(KEYS[kind], ""))


@EACH_KEY
def test_a_line_of_the_log_that_fails_is_an_error_even_beside_one_that_does_not(kind: str) -> None:
    note = checkpoints.sign(TREE, KEYS[kind])
    line = note.signatures[0]
    value = bytes([line.value[0] ^ 1]) + line.value[1:]
    bent = line.replace(value=value)
    for lines in ((bent,), (line, bent), (bent, line)):
        text = refused(note.replace(signatures=lines).encode(), instance(KEYS[kind]))
        assert text == f"invalid signature for key {HOST}+{line.key_id.hex()}"


def test_lines_of_others_are_passed_over_and_one_of_several_suffices() -> None:
    note = checkpoints.sign(TREE, KEYS["ed25519"])
    mine = note.signatures[0]
    rotated = checkpoints.sign(TREE, signing_keys.generate("ed25519")).signatures[0]
    junk = NoteSignature(name=HOST, key_id=b"abcd", value=b"x")
    foreign = mine.replace(name="witness.example.test")
    for lines in ((rotated, junk, foreign, mine), (mine, mine), (mine, foreign)):
        content = note.replace(signatures=lines).encode()
        assert checkpoints.check(content, instance(KEYS["ed25519"])) == TREE
    refused(note.replace(signatures=(rotated, junk, foreign)).encode(), instance(KEYS["ed25519"]))


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ed25519", "rsa-2048"])
def test_of_the_first_kind(kind: str) -> None:
    key = KEYS[kind]
    log = instance(key)
    tree = TREE.replace(origin=f"{HOST} - 1193050959916656506")
    text = tree.encode()
    line = NoteSignature(name=HOST, key_id=log.log_id[:4], value=key.sign(text.encode()))
    note = Note(text=text, signatures=(line,))
    assert checkpoints.check(note.encode(), log) == tree
    assert checkpoints.check(note.encode(), log.replace(base_url="")) == tree
    refused(note.encode(), log.replace(log_id=b"\0" * 32))
    refused(note.replace(signatures=(line.replace(value=b"x"),)).encode(), log)


@pytest.mark.parametrize(
    "origin", [" - 1", "log - ", "log -1", "log- 1", "log - x", "log", "log - \u0661"]
)
def test_names_that_are_not_of_the_first_kind(origin: str) -> None:
    assert not checkpoints.is_first_kind(origin)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\n7\n", "\n8\n"),
        (HOST, "other"),
        ("more", "less"),
        ("AAECAw", "AAECBA"),
        ("\n7\n", "\n07\n"),
    ],
)
def test_every_byte_is_signed(before: str, after: str) -> None:
    content = checkpoints.sign(TREE, KEYS["ed25519"]).encode()
    assert before in content
    with pytest.raises(EvidenceError):
        checkpoints.check(content.replace(before, after, 1), instance(KEYS["ed25519"]))


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "log - 1"])
def test_a_name_under_which_nothing_is_signed(origin: str) -> None:
    with pytest.raises(MalformedError):
        checkpoints.sign(TREE.replace(origin=origin), KEYS["ed25519"])


# Witnesses --------------------------------------------------------------------------------------------------

WITNESS_KEYS = [signing_keys.generate("ed25519") for _ in range(3)]
WITNESSES = [
    WitnessKey(name=f"w{n}.example.test", key=key.public.raw) for n, key in enumerate(WITNESS_KEYS)
]


def cosigned(*numbers: int) -> Note:
    note = checkpoints.sign(TREE, KEYS["ed25519"])
    lines = [
        cosignatures.cosign(note, WITNESSES[n].name, WITNESS_KEYS[n], 1_700_000_000 + n)
        for n in numbers
    ]
    return note.replace(signatures=(*note.signatures, *lines))


def check(note: Note, threshold: int, witnesses: list[WitnessKey] | None = None) -> Checkpoint:
    return checkpoints.check(
        note.encode(),
        instance(KEYS["ed25519"]),
        witnesses=WITNESSES if witnesses is None else witnesses,
        threshold=threshold,
    )


@pytest.mark.parametrize(
    ("numbers", "threshold"), [((), 0), ((0,), 1), ((0, 2), 2), ((2, 1, 0), 3)]
)
def test_enough_witnesses(numbers: tuple[int, ...], threshold: int) -> None:
    assert check(cosigned(*numbers), threshold) == TREE
    assert set(cosignatures.check(cosigned(*numbers), WITNESSES, threshold)) == {
        WITNESSES[n].name for n in numbers
    }


@pytest.mark.parametrize(("numbers", "threshold"), [((), 1), ((0,), 2), ((0, 0), 2), ((1, 2), 3)])
def test_too_few_witnesses(numbers: tuple[int, ...], threshold: int) -> None:
    with pytest.raises(EvidenceError, match="cosigned by") as caught:
        check(cosigned(*numbers), threshold)
    assert caught.value.code == Code.CHECKPOINT


def test_one_key_under_two_names_counts_once() -> None:
    other = WITNESSES[0].replace(name="other.example.test")
    note = cosigned(0)
    line = cosignatures.cosign(note, other.name, WITNESS_KEYS[0], 1_700_000_000)
    note = note.replace(signatures=(*note.signatures, line))
    with pytest.raises(EvidenceError):
        check(note, 2, [WITNESSES[0], other])


def test_a_witness_of_whom_nobody_has_heard_does_not_count() -> None:
    with pytest.raises(EvidenceError):
        check(cosigned(0), 1, [WITNESSES[1]])
    with pytest.raises(EvidenceError):
        check(cosigned(0), 1, [])


@pytest.mark.parametrize("bend", ["time", "signature", "short", "no time", "long"])
def test_a_cosignature_that_is_wrong(bend: str) -> None:
    note = cosigned(0)
    line = note.signatures[1]
    value = {
        "time": b"\1" + line.value[1:],
        "signature": line.value[:-1] + bytes([line.value[-1] ^ 1]),
        "short": line.value[:8],
        "no time": bytes(8) + line.value[8:],
        "long": line.value + b"x",
    }[bend]
    bent = note.replace(signatures=(note.signatures[0], line.replace(value=value)))
    with pytest.raises(EvidenceError, match="invalid cosignature") as caught:
        check(bent, 0)
    assert caught.value.code == Code.CHECKPOINT


def test_a_cosignature_of_another_checkpoint() -> None:
    line = cosigned(0).signatures[1]
    note = checkpoints.sign(TREE.replace(size=8), KEYS["ed25519"])
    with pytest.raises(EvidenceError, match="invalid cosignature"):
        check(note.replace(signatures=(*note.signatures, line)), 1)


def test_the_newest_time_counts() -> None:
    note = cosigned(0)
    line = cosignatures.cosign(note, WITNESSES[0].name, WITNESS_KEYS[0], 1_800_000_000)
    both = note.replace(signatures=(line, *note.signatures))
    assert WITNESSES[0].cosigned_at(both) == 1_800_000_000
    assert WITNESSES[1].cosigned_at(both) == 0


def test_verifier_keys() -> None:
    for witness in WITNESSES:
        assert WitnessKey.parse(witness.encode()) == witness
        assert WitnessKey.parse(witness.encode() + "\n") == witness
    raw = b64encode(b"\4" + WITNESSES[0].key).decode()
    expected = sha256(b"w0.example.test\n\4" + WITNESSES[0].key).hexdigest()[:8]
    assert WITNESSES[0].encode() == f"w0.example.test+{expected}+{raw}"


KEY = WITNESSES[0].encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "w0",
        "w0+00000000",
        KEY.replace("w0", "w1"),
        KEY.replace("w0", "w 0"),
        KEY[:-4],
        KEY.replace("+", "", 1),
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # a log's
        KEY + "+",
    ],
    ids=range(9),  # each process makes keys of its own
)
def test_what_is_no_verifier_key(text: str) -> None:
    with pytest.raises(MalformedError):
        WitnessKey.parse(text)


def test_only_ed25519_cosigns() -> None:
    with pytest.raises(MalformedError) as caught:
        cosignatures.cosign(cosigned(), "w", KEYS["ecdsa-p256"], 1)
    assert caught.value.code == Code.NOT_SUPPORTED


def test_what_is_signed_is_as_the_specification_has_it() -> None:
    note = cosigned(0)
    value = note.signatures[1].value
    signed = f"cosignature/v1\ntime 1700000000\n{note.text}".encode()
    public = ed25519.Ed25519PublicKey.from_public_bytes(WITNESSES[0].key)
    public.verify(value[8:], signed)
    assert value[:8] == (1_700_000_000).to_bytes(8)
    assert tlog.is_name(note.signatures[1].name)
