"""What a client sends to a Notary server: parts with role names, and whether they are metadata at all."""

from collections.abc import Iterable, Iterator

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from countermark.core import limits
from countermark.core.errors import Code, InputError, MalformedError
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.formats.tuf import Signed, parse_role, parse_time, valid_role

TYPE_CHECKING = False
if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

VALIDATION = "ErrValidation"
HIERARCHY = "ErrBadHierarchy"
BAD_ROOT = "ErrBadRoot"
BAD_TARGETS = "ErrBadTargets"
BAD_SNAPSHOT = "ErrBadSnapshot"


class InvalidUpdateError(InputError):
    """An update that is refused; ``kind`` is notary's name for why."""

    code = Code.MALFORMED

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class StaleUpdateError(InputError):
    """An update of which the server has a newer version, or another of the same number."""

    code = Code.VERSION_CONFLICT


class BadPartError(InputError):
    """A part of an upload that cannot be taken; ``kind`` is notary's code, ``role`` what it was for."""

    code = Code.MALFORMED

    def __init__(self, kind: str, message: str, role: str = "") -> None:
        super().__init__(message)
        self.kind, self.role = kind, role


class Upload(Value):
    """One role's file as it was sent; ``file`` is None where it does not parse, and ``problem`` says why."""

    role: str
    content: bytes
    file: Signed | None
    problem: str = ""


def read_upload(role: str, content: bytes) -> Upload:
    """Read one part.

    Raises:
        BadPartError: ``MALFORMED_JSON``: not even ``{signed: {_type, expires, version}, signatures}``.
    """
    try:
        return Upload(role=role, content=content, file=parse_role(role, content))
    except MalformedError as error:
        _check_head(content)
        return Upload(role=role, content=content, file=None, problem=str(error))


def _check_head(content: bytes) -> None:
    try:
        envelope = strict_json.Reader(strict_json.parse(content, max_bytes=limits.METADATA_BYTES))
        signed = envelope.object("signed")
        signed.text("_type")
        signed.integer("version")
        parse_time(signed.text("expires"))
        if envelope.has("signatures"):
            envelope.objects("signatures")
    except MalformedError as error:
        raise BadPartError("MALFORMED_JSON", str(error)) from None


def read_parts(content_type: str, chunks: Iterable[bytes]) -> list[Upload]:
    """Read a ``multipart/form-data`` body whose parts are named by their file names: roles, perhaps with ``.json``.

    Raises:
        BadPartError: ``MALFORMED_UPLOAD``, ``NO_FILENAME``, ``INVALID_ROLE`` or ``MALFORMED_JSON``.
        InputError: ``too-large``: more bytes than one publish may have.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise BadPartError("MALFORMED_UPLOAD", "not multipart/form-data")
    uploads: list[Upload] = []
    for name, content in _parts(boundary, chunks):
        role = name.removesuffix(".json")
        if not role:
            raise BadPartError("NO_FILENAME", "a part without a file name")
        if not valid_role(role):
            raise BadPartError("INVALID_ROLE", "not a role", role)
        uploads.append(read_upload(role, content))
    return uploads


def _parts(boundary: bytes, chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Give the parts with their file names as they stand: a delegation's has slashes."""
    collector = _Collector()
    try:
        parser = MultipartParser(boundary, collector.callbacks())
        for chunk in chunks:
            collector.count(len(chunk))
            parser.write(chunk)
        parser.finalize()
    except MultipartParseError as error:
        raise BadPartError("MALFORMED_UPLOAD", str(error)) from None
    if not collector.ended:
        raise BadPartError("MALFORMED_UPLOAD", "the body ends before its last boundary")
    return iter(collector.parts)


class _Collector:
    """Takes what the parser finds, within the limits."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, bytes]] = []
        self.ended = False
        self._size = 0
        self._header_name, self._header_value = b"", b""
        self._file_name = ""
        self._content = bytearray()

    def count(self, size: int) -> None:
        """Refuse more bytes than one publish may have."""
        self._size += size
        if self._size > limits.UPLOAD_BYTES:
            raise InputError(
                f"an upload of more than {limits.UPLOAD_BYTES} bytes", code=Code.TOO_LARGE
            )

    def callbacks(self) -> "MultipartCallbacks":
        """Return what the parser is to call."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._name,
            "on_header_value": self._value,
            "on_header_end": self._header,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) >= limits.UPLOAD_PARTS:
            raise BadPartError("MALFORMED_UPLOAD", f"more than {limits.UPLOAD_PARTS} parts")
        self._file_name, self._content = "", bytearray()

    def _name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            kind, options = parse_options_header(self._header_value.decode("latin-1"))
            if kind == b"form-data":
                self._file_name = options.get(b"filename", b"").decode("latin-1")
        self._header_name, self._header_value = b"", b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def _end_part(self) -> None:
        self.parts.append((self._file_name, bytes(self._content)))

    def _end(self) -> None:
        self.ended = True
