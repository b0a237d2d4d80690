"""Cosignatures: witnesses' word that a checkpoint is consistent with all that they have seen before.

C2SP tlog-cosignature, ``cosignature/v1`` (Ed25519). A witness is known by a verifier key in the form of C2SP
signed-note: name, key identifier, and type and key in base64, with a plus sign between them.
"""

from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.core.light import Sequence, sha256
from countermark.core.value import Value
from countermark.formats import tlog
from countermark.formats.go_text import from_base64, to_base64
from countermark.formats.tlog import Note, NoteSignature
from countermark.proofs import signatures, spki

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.core.ports_sigstore import SigningKey

_TYPE = b"\x04"
_TIME_BYTES, _SIGNATURE_BYTES, _KEY_BYTES = 8, 64, 32


class WitnessKey(Value):
    """A witness: its name, and its Ed25519 key, raw."""

    name: str
    key: bytes

    @classmethod
    def parse(cls, text: str) -> "WitnessKey":
        """Read a verifier key: ``NAME+HASH+BASE64``.

        Raises:
            MalformedError: it is none, or of another type than cosignatures'.
        """
        name, _, rest = text.strip().partition("+")
        key_id, plus, key = rest.partition("+")
        raw = from_base64(key, "a witness's key")
        if not tlog.is_name(name) or not plus or raw[:1] != _TYPE or len(raw) != 1 + _KEY_BYTES:
            raise MalformedError(f"not a witness's key: {text[:100]!r}")
        found = cls(name=name, key=raw[1:])
        if found.key_id.hex() != key_id:
            raise MalformedError(f"a witness's key that is not what its identifier says: {name!r}")
        return found

    @property
    def key_id(self) -> bytes:
        """What its lines in notes begin with."""
        return sha256(self.name.encode("utf-8") + b"\n" + _TYPE + self.key).digest()[:4]

    def encode(self) -> str:
        """Write the verifier key."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(_TYPE + self.key)}"

    def cosigned_at(self, note: Note) -> int:
        """When this witness cosigned a note, in seconds since 1970; 0 where it did not.

        Raises:
            EvidenceError: ``checkpoint``, a line in its name that is wrong.
        """
        newest = 0
        for line in note.signatures:
            if line.name != self.name or line.key_id != self.key_id:
                continue
            time = int.from_bytes(line.value[:_TIME_BYTES])
            signed = signed_content(time, note.text)
            whole = len(line.value) == _TIME_BYTES + _SIGNATURE_BYTES and time > 0
            key = spki.of_ed25519(self.key)
            if not whole or not signatures.verify(key, signed, line.value[_TIME_BYTES:]):
                raise EvidenceError(f"invalid cosignature of {self.name}", code=Code.CHECKPOINT)
            newest = max(newest, time)
        return newest


def signed_content(time: int, text: str) -> bytes:
    """What a witness signs of a checkpoint's text."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def check(note: Note, witnesses: Sequence[WitnessKey], threshold: int) -> tuple[str, ...]:
    """Demand that so many different witnesses have cosigned; return the names of those that have.

    Raises:
        EvidenceError: ``checkpoint``.
    """
    names = tuple(
        each.name
        for each in {each.key: each for each in witnesses}.values()
        if each.cosigned_at(note)
    )
    if len(names) < threshold:
        raise EvidenceError(
            f"the checkpoint is cosigned by {len(names)} witnesses of {threshold} that are demanded",
            code=Code.CHECKPOINT,
        )
    return names


def cosign(note: Note, name: str, key: "SigningKey", time: int) -> NoteSignature:
    """Cosign a note; whether it may be, the caller has found out.

    Raises:
        KeyAccessError, UnavailableError: the key's keeper does not sign. MalformedError: it is no Ed25519 key.
    """
    public = spki.parse(key.public_der)
    if public.kind != "ed25519":
        raise MalformedError("a witness's key is Ed25519", code=Code.NOT_SUPPORTED)
    value = time.to_bytes(_TIME_BYTES) + key.sign(signed_content(time, note.text))
    return NoteSignature(
        name=name, key_id=WitnessKey(name=name, key=public.raw).key_id, value=value
    )
