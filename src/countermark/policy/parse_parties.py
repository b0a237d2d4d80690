"""Policy text to signers and registries, with what it says of other files."""

from datetime import UTC, datetime

from countermark.core.errors import CountermarkError, InputError
from countermark.core.reference import Repository
from countermark.core.signer import DctSigner, TrustedSigner
from countermark.formats.strict_yaml import Item
from countermark.policy import parse_cosign
from countermark.policy.model import RegistryPlace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    ReadFile = Callable[[str], bytes | None]

# Schemes of the language; a signer has exactly one of them.
SCHEMES = ("dct", "cosign")
LATER_SCHEMES = ("notation", "gpg")
SIGNER_KEYS = (*SCHEMES, "notAfter")

_HEX = frozenset("0123456789abcdef")
# notary: data.ValidRole's delegationRegexp
_ROLE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_/")
_FIRST_USE = "first-use"
_TIME_HINT = "write 2027-03-31, or 2027-03-31T12:00:00Z"


class Parties:
    """Reads signers and registries of one file; ``read_file`` takes a path as written there, None: no such file.

    Attributes:
        trust: the file's own trusted root for those who sign with cosign (``trust: {sigstore: …}``), "" for none.
    """

    def __init__(self, read_file: "ReadFile") -> None:
        self._read_file = read_file
        self.trust = ""

    def read_trust(self, item: Item) -> None:
        """Read ``trust: {sigstore: FILE}`` before any signer, for those that name none of their own."""
        members = item.object(("sigstore",))
        if not members:
            item.refuse("nothing is trusted here", "write trust: {sigstore: trusted_root.json}")
        self.trust = parse_cosign.trusted_root(members["sigstore"], self)

    def signer(self, item: Item, name: str, also: tuple[str, ...] = ()) -> TrustedSigner:
        """Read ``{dct: {...}, notAfter: ...}``; ``also`` are keys that the caller reads."""
        members = item.object((*SIGNER_KEYS, *also), LATER_SCHEMES)
        schemes = [scheme for scheme in SCHEMES if scheme in members]
        if len(schemes) != 1:
            item.refuse(
                "a signer needs its scheme, and only one",
                "write dct: {root: …} or cosign: {key: …}",
            )
        (scheme,) = schemes
        end = members.get("notAfter")
        not_after = time(end) if end else None
        if scheme == "cosign":
            return parse_cosign.cosign_signer(members[scheme], name, self, not_after)
        return self._dct(members[scheme], name, not_after)

    def _dct(self, item: Item, name: str, not_after: datetime | None) -> DctSigner:
        members = item.object(("root", "role", "server"), ("claims", "trust"))
        if "root" not in members:
            item.refuse(
                "a signer of content trust needs root",
                "give a PEM file or key ID, or write root: first-use to believe the first root seen",
            )
        roots = self._roots(members["root"])
        return DctSigner(
            name=name,
            roots=tuple(r for r in roots if r != _FIRST_USE),
            first_use=_FIRST_USE in roots,
            role=_role(members["role"]) if "role" in members else "",
            server=url(members["server"]) if "server" in members else "",
            not_after=not_after,
        )

    def _roots(self, item: Item) -> list[str]:
        """Read who may have signed the root: first-use, or one or more of key ID, PEM text, PEM file."""
        if not isinstance(item.content, list):
            return [self._root(item)]
        roots = [self._root(part) for part in item.items()]
        if _FIRST_USE in roots:
            item.refuse("first-use believes any root: it stands alone, not beside others")
        return roots

    def _root(self, item: Item) -> str:
        if isinstance(item.content, int):
            item.refuse("a key ID is a text", "put it in quotes")
        text = item.text()
        if text == _FIRST_USE:
            return text
        if len(text) == 64 and _HEX.issuperset(text.lower()):
            return text.lower()
        return self.pem(
            item, "a root is a PEM file, PEM text, a key ID of 64 hex digits, or first-use"
        )

    def pem(self, item: Item, hint: str = "") -> str:
        """Take PEM text that stands here, or in the file that is named here; ``hint`` says what may stand here."""
        text = item.text()
        where = "this text"
        if "-----BEGIN" not in text:
            where, text = text, self.file_text(item, hint)
        if "PRIVATE KEY-----" in text:
            item.refuse(
                f"{where[:200]} is a private key", "a policy names public keys and certificates"
            )
        if not ("-----BEGIN CERTIFICATE-----" in text or "-----BEGIN PUBLIC KEY-----" in text):
            item.refuse(f"{where[:200]} has no certificate and no public key in PEM form")
        return text

    def file_text(self, item: Item, hint: str) -> str:
        """Take the text of the file that is named here."""
        try:
            content = self._read_file(item.text())
            if content is None:
                item.refuse(f"no such file: {item.text()[:200]}", hint)
            return content.decode("utf-8")
        except UnicodeDecodeError:
            item.refuse(f"{item.text()[:200]} is not text")
        except InputError:
            raise
        except CountermarkError as error:
            item.refuse(f"cannot read {item.text()[:200]}: {error}", error.hint)

    def registry(self, item: Item, scope: str) -> RegistryPlace:
        """Read where a registry, or a part of it, really is."""
        members = item.object(("at", "ca", "login", "realms", "signatures"))
        if not members:
            item.refuse(
                "nothing is said about this registry",
                "write at:, ca:, login:, realms: or signatures:",
            )
        name = scope.replace("index.docker.io", "docker.io", 1) if "/" not in scope else scope
        _check_place(item, scope)
        at = ""
        if "at" in members:
            at = members["at"].text()
            _check_place(members["at"], at)
        return RegistryPlace(
            scope=name,
            at=at,
            ca=self.certificates(members["ca"]) if "ca" in members else "",
            login=members["login"].word(("docker-config", "none")) if "login" in members else "",
            realms=_hosts(members["realms"]) if "realms" in members else (),
            signatures=_repository(members["signatures"]) if "signatures" in members else "",
            line=item.line,
        )

    def certificates(self, item: Item) -> str:
        """Take certificates, PEM."""
        text = self.pem(item, "a CA is a PEM file, or PEM text")
        if "-----BEGIN CERTIFICATE-----" not in text:
            item.refuse("a CA is a certificate, in PEM form")
        return text


def _hosts(item: Item) -> tuple[str, ...]:
    hosts = []
    for part in item.items():
        host = part.text()
        if not host or "/" in host or "*" in host or host != host.lower():
            part.refuse(f"{host[:80]!r} is no host name", "write the token server's host alone")
        hosts.append(host)
    return tuple(hosts)


def _repository(item: Item) -> str:
    registry, slash, path = item.text().partition("/")
    try:
        return Repository(registry=registry, path=path if slash else "").name
    except InputError:
        item.refuse(
            f"{item.text()[:200]!r} is no repository",
            "write HOST[:PORT]/PATH, where all signatures lie",
        )


def _role(item: Item) -> str:
    role = item.text()
    inner = role.removeprefix("targets/")
    if inner in (role, "") or not _ROLE.issuperset(inner) or "" in inner.split("/"):
        item.refuse(f"{role[:80]!r} is no delegation", "write role: targets/NAME, in lower case")
    return role


def url(item: Item) -> str:
    """Take the URL of a server: https, or plain http to a literal loopback address."""
    url = item.text()
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    is_127 = name.startswith("127.") and name.replace(".", "").isdigit()
    loopback = name in ("localhost", "[::1]") or is_127
    if not host or "@" in host or (scheme != "https" and not (scheme == "http" and loopback)):
        item.refuse(f"{url[:200]!r} is no https URL", "plain http is for loopback addresses only")
    try:
        Repository(registry=host, path="a")
    except InputError:
        item.refuse(f"{url[:200]!r} has no valid host")
    return url.rstrip("/")


def _check_place(item: Item, text: str) -> None:
    """Refuse what is no registry, perhaps with the beginning of a path."""
    host, slash, path = text.partition("/")
    try:
        Repository(registry=host, path=path if slash else "a")
    except InputError as error:
        item.refuse(
            f"{text[:200]!r} is no registry: {error}", "write HOST[:PORT] or HOST[:PORT]/PATH"
        )


def time(item: Item) -> datetime:
    """Take a time: a date, which means its first moment in UTC, or date, time and zone (RFC 3339)."""
    text = item.text()
    try:
        found = datetime.fromisoformat(text)
        if len(text) == 10:
            return found.replace(tzinfo=UTC)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        item.refuse(f"{text[:80]!r} is no date", _TIME_HINT)
    item.refuse(f"{text[:80]!r} has no time zone", _TIME_HINT)
