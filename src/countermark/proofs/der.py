"""DER, as far as keys and certificates need it: read strictly, write.

Reading keeps to DER (X.690, 10 and 11): definite lengths in the fewest bytes, integers in the fewest bytes, nothing
left over. Importing the certificate reader of ``cryptography`` would cost a cold start 80 ms.
"""

from countermark.core.errors import MalformedError

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OID = 0x06
SEQUENCE = 0x30
SET = 0x31

_LENGTH_BYTES = 4  # our inputs are bounded far below what four bytes can say


def context(number: int) -> int:
    """The tag of a constructed, context-specific element, as ``[0]``."""
    return 0xA0 | number


class DerReader:
    """Takes elements out of DER, one after the other."""

    __slots__ = ("_data", "_end", "_pos")

    def __init__(self, data: bytes) -> None:
        self._data, self._pos, self._end = data, 0, len(data)

    def next_tag(self) -> int:
        """The tag of the next element, -1 at the end."""
        return self._data[self._pos] if self._pos < self._end else -1

    def element(self) -> tuple[int, bytes, bytes]:
        """Take the next element: its tag, its contents, and all of its bytes.

        Raises:
            MalformedError: it is cut off or not DER.
        """
        start, data = self._pos, self._data
        if self._end - start < 2 or data[start] & 0x1F == 0x1F:
            raise MalformedError("DER ends too early or has a long tag")
        length, body = data[start + 1], start + 2
        if length & 0x80:
            count = length & 0x7F
            size = data[body : body + count]
            if not 0 < count <= _LENGTH_BYTES or len(size) != count or size[0] == 0:
                raise MalformedError("DER length is not in its shortest form")
            length, body = int.from_bytes(size), body + count
            if length < 0x80:
                raise MalformedError("DER length is not in its shortest form")
        if length > self._end - body:
            raise MalformedError("DER ends too early")
        self._pos = body + length
        return data[start], data[body : self._pos], data[start : self._pos]

    def take(self, tag: int) -> bytes:
        """Take the contents of the next element, which must have this tag."""
        found, contents, _ = self.element()
        if found != tag:
            raise MalformedError(f"DER has tag {found:#04x} where {tag:#04x} belongs")
        return contents

    def skip(self, tag: int) -> None:
        """Pass over the next element if it has this tag."""
        if self.next_tag() == tag:
            self.element()

    def sequence(self, tag: int = SEQUENCE) -> "DerReader":
        """Enter the next element."""
        return DerReader(self.take(tag))

    def integer(self) -> int:
        """Take an integer."""
        raw = self.take(INTEGER)
        if not raw or (len(raw) > 1 and raw[0] in (0, 0xFF) and (raw[0] & 0x80) == (raw[1] & 0x80)):
            raise MalformedError("DER integer is not in its shortest form")
        return int.from_bytes(raw, signed=True)

    def bits(self) -> bytes:
        """Take a bit string of whole bytes."""
        raw = self.take(BIT_STRING)
        if not raw or raw[0] != 0:
            raise MalformedError("DER bit string is not of whole bytes")
        return raw[1:]

    def end(self) -> None:
        """Refuse anything left over."""
        if self._pos != self._end:
            raise MalformedError("DER has something left over")


def tlv(tag: int, *parts: bytes) -> bytes:
    """Write an element with these contents."""
    contents = b"".join(parts)
    size = len(contents)
    if size < 0x80:
        return bytes((tag, size)) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + contents


def sequence(*parts: bytes) -> bytes:
    """Write a sequence."""
    return tlv(SEQUENCE, *parts)


def integer(value: int) -> bytes:
    """Write an integer that is not negative."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def bits(contents: bytes) -> bytes:
    """Write a bit string of whole bytes."""
    return tlv(BIT_STRING, b"\0", contents)


def oid(dotted: str) -> bytes:
    """Write an object identifier, as ``1.2.840.10045.2.1``."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    out = bytearray()
    for number in (first * 40 + second, *rest):
        group = [number & 0x7F]
        while number := number >> 7:
            group.append(0x80 | number & 0x7F)
        out += bytes(reversed(group))
    return tlv(OID, bytes(out))
