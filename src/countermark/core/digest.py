"""Content digests: parse, compute, compare."""

from countermark.core.errors import InputError
from countermark.core.light import sha256, sha512
from countermark.core.value import Value

_HEX = frozenset("0123456789abcdef")
_SIZES = {"sha256": 64, "sha512": 128}


class Digest(Value):
    """An algorithm and its lower-case hexadecimal value, as OCI writes them: ``sha256:ab…``.

    Only sha256 and sha512 exist (OCI image-spec 1.1, descriptor.md, registered algorithms that
    registries and notaries use); anything else is refused when parsed.
    """

    algorithm: str
    hex: str

    def _check(self) -> None:
        size = _SIZES.get(self.algorithm)
        if size is None:
            raise InputError(f"unknown digest algorithm: {self.algorithm!r}")
        if len(self.hex) != size or not _HEX.issuperset(self.hex):
            raise InputError(f"a {self.algorithm} digest has {size} lower-case hex digits")

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Read ``algorithm:hex``.

        Raises:
            InputError: another form, an unknown algorithm, a wrong length or upper case.
        """
        algorithm, colon, value = text.partition(":")
        if not colon:
            raise InputError(f"not a digest (algorithm:hex): {text[:80]!r}")
        return cls(algorithm=algorithm, hex=value)

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> "Digest":
        """Compute the digest of some bytes."""
        function = sha256 if algorithm == "sha256" else sha512
        return cls(algorithm=algorithm, hex=function(content).hexdigest())

    @classmethod
    def from_raw(cls, raw: bytes, algorithm: str = "sha256") -> "Digest":
        """Take the raw bytes of a hash.

        Raises:
            InputError: the wrong number of bytes for the algorithm.
        """
        return cls(algorithm=algorithm, hex=raw.hex())

    @property
    def raw(self) -> bytes:
        """The hash as bytes."""
        return bytes.fromhex(self.hex)

    def matches(self, content: bytes) -> bool:
        """Say whether some bytes have this digest."""
        return Digest.of(content, self.algorithm) == self

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
