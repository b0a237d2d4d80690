"""What we remember of a repository beside docker's files: pins, versions, and what was judged already."""

from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.core.light import UTC, datetime, sha256
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.formats.strict_json import Reader
from countermark.formats.tuf import format_time, parse_time
from countermark.proofs.trusted_set import TrustedSet
from countermark.schemes.dct.pinning import root_key_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "countermark"  # of the file, as core/ports.TrustCache has it
_BYTES = 8 * 1024 * 1024  # a thousand delegations with the longest names


class Memory(Value):
    """One repository's memory. Who can write it can lift pins and forget versions, as with docker's own cache.

    Attributes:
        pins: root key IDs that somebody pinned with ``trust pin``; they move along with a rotation that they signed.
        versions: the highest version seen of each role, whether or not its file still loads.
        present: delegations that the last snapshot listed and somebody delegated to: they may not just vanish.
        judged: sha256 (hex) of the files whose signatures were verified, all under ``judged["root"]``.
        lapsed: sha256 (hex) of files of delegations that were verified once and do not count any more.
        modified: when the server says that each judged file was last changed.
        root_until: until then the certificates of the judged root all count.
    """

    pins: tuple[str, ...] = ()
    versions: "Mapping[str, int]" = {}  # noqa: RUF012 - frozen, and never written to
    present: tuple[str, ...] = ()
    judged: "Mapping[str, str]" = {}  # noqa: RUF012 - as above
    lapsed: "Mapping[str, str]" = {}  # noqa: RUF012 - as above
    modified: "Mapping[str, datetime]" = {}  # noqa: RUF012 - as above
    root_until: datetime | None = None

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
            return cls._read(reader)
        except MalformedError as error:
            raise EvidenceError(
                f"countermark.json in the trust folder is damaged: {error}",
                code=Code.MALFORMED,
                hint="countermark trust forget REPOSITORY removes it, and with it pins and remembered versions",
            ) from None

    @classmethod
    def _read(cls, reader: Reader) -> "Memory":
        versions, judged = reader.object("versions"), reader.object("judged")
        modified = reader.object("modified")
        lapsed = reader.object("lapsed") if reader.has("lapsed") else Reader({})
        return cls(
            pins=reader.texts("pins"),
            versions={name: versions.integer(name) for name in versions.names()},
            present=reader.texts("present"),
            judged={name: judged.text(name) for name in judged.names()},
            lapsed={name: lapsed.text(name) for name in lapsed.names()},
            modified={n: parse_time(modified.text(n), f"modified.{n}") for n in modified.names()},
            root_until=(
                parse_time(reader.text("rootUntil"), "rootUntil")
                if reader.has("rootUntil")
                else None
            ),
        )

    def encode(self) -> bytes:
        """Write the file."""
        return strict_json.canonical(
            {
                "version": 1,
                "pins": list(self.pins),
                "versions": dict(self.versions),
                "present": list(self.present),
                "judged": dict(self.judged),
                "lapsed": dict(self.lapsed),
                "modified": {role: format_time(at) for role, at in self.modified.items()},
                "rootUntil": format_time(self.root_until) if self.root_until else None,
            }
        )

    def learnt(self, trusted: TrustedSet) -> "Memory":
        """What there is to remember once a repository was loaded."""
        judged = trusted.judged()
        modified = {
            role: at.astimezone(UTC).replace(microsecond=0)
            for role, at in trusted.modified.items()
            if role in judged
        }
        # what was said of another file, which docker may have replaced meanwhile, says nothing of this one
        same = {r: t for r, t in self.modified.items() if self.judged.get(r) == judged.get(r)}
        return self.replace(
            pins=root_key_ids(trusted.root) if self.pins else (),
            versions=trusted.versions(),
            present=trusted.present(),
            judged=judged,
            lapsed=self._lapsed(trusted),
            modified={role: t for role, t in (same | modified).items() if role in judged},
            root_until=trusted.root_until,
        )

    def _lapsed(self, trusted: TrustedSet) -> dict[str, str]:
        found = {}
        for role, (file, _) in trusted.invalid.items():
            text = sha256(file.content).hexdigest() if file else self.judged.get(role, "")
            if text and text in (self.judged.get(role), self.lapsed.get(role)):
                found[role] = text
        return found

    def is_newer_than(self, other: "Memory") -> bool:
        """Say whether this one has seen a newer version of any role."""
        return any(v > other.versions.get(role, 0) for role, v in self.versions.items())

    def highest(self, other: "Memory") -> dict[str, int]:
        """The higher version of each role that either has seen."""
        roles = self.versions.keys() | other.versions.keys()
        return {r: max(self.versions.get(r, 0), other.versions.get(r, 0)) for r in roles}
