"""What we remember of a repository beside docker's files: pins, versions, and what was judged already."""

from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.formats.strict_json import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "countermark"  # of the file, as core/ports.TrustCache has it
_BYTES = 1024 * 1024


class Memory(Value):
    """One repository's memory. Who can write it can lift pins and forget versions, as with docker's own cache.

    Attributes:
        pins: root key IDs that somebody pinned with ``trust pin``; they move along with a rotation that they signed.
        versions: the highest version seen of each role, whether or not its file still loads.
        present: delegations that the last snapshot listed and somebody delegated to: they may not just vanish.
        judged: sha256 (hex) of the files whose signatures were verified, all under ``judged["root"]``.
        modified: when the server says that each role's file was last changed (RFC 3339), by the file's sha256.
    """

    pins: tuple[str, ...] = ()
    versions: "Mapping[str, int]" = {}  # noqa: RUF012 - frozen, and never written to
    present: tuple[str, ...] = ()
    judged: "Mapping[str, str]" = {}  # noqa: RUF012 - as above
    modified: "Mapping[str, str]" = {}  # noqa: RUF012 - as above

    @classmethod
    def parse(cls, content: bytes | None) -> "Memory":
        """Read the file, an empty memory where there is none.

        Raises:
            EvidenceError: it is damaged; what it protected against must not be forgotten silently.
        """
        if content is None:
            return cls()
        try:
            reader = Reader(strict_json.parse(content, max_bytes=_BYTES))
            if reader.integer("version") != 1:
                raise MalformedError("another version")
            versions, judged = reader.object("versions"), reader.object("judged")
            modified = reader.object("modified")
            return cls(
                pins=reader.texts("pins"),
                versions={name: versions.integer(name) for name in versions.names()},
                present=reader.texts("present"),
                judged={name: judged.text(name) for name in judged.names()},
                modified={name: modified.text(name) for name in modified.names()},
            )
        except MalformedError as error:
            raise EvidenceError(
                f"countermark.json in the trust folder is damaged: {error}",
                code=Code.MALFORMED,
                hint="countermark trust forget REPOSITORY removes it, and with it pins and remembered versions",
            ) from None

    def encode(self) -> bytes:
        """Write the file."""
        return strict_json.canonical(
            {
                "version": 1,
                "pins": list(self.pins),
                "versions": dict(self.versions),
                "present": list(self.present),
                "judged": dict(self.judged),
                "modified": dict(self.modified),
            }
        )
