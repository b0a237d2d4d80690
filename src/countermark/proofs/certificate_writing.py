"""Certificates written: names, times, extensions, and the body around them (RFC 5280, 4.1)."""

from datetime import datetime
from functools import cache

from countermark.core.value import Value
from countermark.proofs import der

VERSION_3 = der.tlv(der.context(0), der.integer(2))
COMMON_NAME, ORGANIZATION = "2.5.4.3", "2.5.4.10"
_CRITICAL = der.tlv(der.BOOLEAN, b"\xff")
_UTF8_STRING = 0x0C


def name(*attributes: tuple[str, str]) -> bytes:
    """Write a distinguished name of attributes: (object identifier, text)."""
    return der.sequence(
        *(
            der.tlv(der.SET, der.sequence(der.oid(kind), der.tlv(_UTF8_STRING, text.encode())))
            for kind, text in attributes
        )
    )


def time(moment: datetime) -> bytes:
    """Write a time: UTCTime until 2049, GeneralizedTime after (4.1.2.5)."""
    if moment.year < 2050:
        return der.tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return der.tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    """Write an extension around its value."""
    return der.sequence(_head(kind, critical=critical), der.tlv(der.OCTET_STRING, value))


@cache
def _head(kind: str, *, critical: bool) -> bytes:
    """Write what stands before the value; there are some thirty kinds."""
    return der.oid(kind) + (_CRITICAL if critical else b"")


class Body(Value):
    """What is signed (TBSCertificate): names, key and algorithm in DER, the extensions one after the other."""

    serial: int
    algorithm: bytes
    issuer: bytes
    start: datetime
    end: datetime
    subject: bytes
    key: bytes
    extensions: bytes

    def encode(self) -> bytes:
        """Write it."""
        return extended(self.head(), self.extensions)

    def head(self) -> bytes:
        """Write what stands before the extensions."""
        return b"".join(
            (
                VERSION_3,
                der.integer(self.serial),
                self.algorithm,
                self.issuer,
                der.sequence(time(self.start), time(self.end)),
                self.subject,
                self.key,
            )
        )


def extended(head: bytes, extensions: bytes) -> bytes:
    """Write a body of what stands before the extensions, and these, one after the other."""
    return der.sequence(head, der.tlv(der.context(3), der.sequence(extensions)))
