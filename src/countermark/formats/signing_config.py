"""Sigstore's signing config: which services a signer uses, and how it chooses among them (specs: cosign, 2j)."""

from countermark.core import limits
from countermark.core.errors import InputError
from countermark.core.light import Sequence, datetime
from countermark.core.value import Value
from countermark.formats import go_text, protojson, strict_json, trusted_root
from countermark.formats.protojson import Message
from countermark.formats.trusted_root import TrustedRoot, is_within

MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
TRUST_CONFIG_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_SERVICE = ("url", "majorApiVersion", "validFor", "operator")
_LISTS = ("caUrls", "oidcUrls", "rekorTlogUrls", "tsaUrls")
FIELDS = ("mediaType", *_LISTS, "rekorTlogConfig", "tsaConfig")
_KINDS = ("ANY", "ALL", "EXACT")


class Service(Value):
    """A service: where it is, which API it has, who runs it, when it may be used (both ends included)."""

    url: str
    api_version: int
    operator: str = ""
    start: datetime | None = None
    end: datetime | None = None

    def members(self) -> "dict[str, object]":
        """The service as an object."""
        times = {"start": self.start, "end": self.end}
        window = {name: protojson.time(time) for name, time in times.items() if time is not None}
        return {
            "url": self.url,
            **({"majorApiVersion": self.api_version} if self.api_version else {}),
            **({"validFor": window} if window else {}),
            **({"operator": self.operator} if self.operator else {}),
        }


class Selector(Value):
    """How many of the services of a kind are used: ``ANY`` one, ``ALL``, ``EXACT`` so many; "" says nothing."""

    kind: str = ""
    count: int = 0

    def members(self) -> "dict[str, object]":
        """The selector as an object."""
        found: dict[str, object] = {"selector": self.kind} if self.kind else {}
        return found | ({"count": self.count} if self.count else {})


class SigningConfig(Value):
    """All services, in the order in which the file has them."""

    authorities: tuple[Service, ...] = ()
    issuers: tuple[Service, ...] = ()
    logs: tuple[Service, ...] = ()
    timestamp_authorities: tuple[Service, ...] = ()
    log_selector: Selector = Selector()
    timestamp_selector: Selector = Selector()

    def members(self) -> "dict[str, object]":
        """The configuration as an object."""
        found: dict[str, object] = {"mediaType": MEDIA_TYPE}
        for name, services in zip(_LISTS, self._lists(), strict=True):
            if services:
                found[name] = [each.members() for each in services]
            if name == "rekorTlogUrls":
                found["rekorTlogConfig"] = self.log_selector.members()
        return found | {"tsaConfig": self.timestamp_selector.members()}

    def encode(self) -> bytes:
        """Write signing_config.json, indented, with a newline at its end."""
        return (strict_json.pretty(self.members()) + "\n").encode("utf-8")

    def _lists(self) -> tuple[tuple[Service, ...], ...]:
        return self.authorities, self.issuers, self.logs, self.timestamp_authorities


class TrustConfig(Value):
    """What sigstore-python's ``--trust-config`` reads: a trusted root and a signing config in one file."""

    trusted_root: TrustedRoot
    signing_config: SigningConfig

    def encode(self) -> bytes:
        """Write it, indented, with a newline at its end."""
        members = {
            "mediaType": TRUST_CONFIG_TYPE,
            "trustedRoot": self.trusted_root.members(),
            "signingConfig": self.signing_config.members(),
        }
        return (strict_json.pretty(members) + "\n").encode("utf-8")


# Reading ----------------------------------------------------------------------------------------------------


def parse(content: bytes) -> SigningConfig:
    """Read signing_config.json.

    Raises:
        MalformedError: it is none.
    """
    return _of(Message(strict_json.parse(content, max_bytes=limits.TRUSTED_ROOT_BYTES), FIELDS))


def parse_trust_config(content: bytes) -> TrustConfig:
    """Read a trusted root and a signing config in one file.

    Raises:
        MalformedError: it is none.
    """
    value = strict_json.parse(content, max_bytes=2 * limits.TRUSTED_ROOT_BYTES)
    document = Message(value, ("mediaType", "trustedRoot", "signingConfig"))
    if document.text("mediaType") != TRUST_CONFIG_TYPE:
        document.refuse("mediaType", f"unsupported media type {document.text('mediaType')[:100]!r}")
    return TrustConfig(
        trusted_root=trusted_root.of(document.message("trustedRoot", *trusted_root.FIELDS)),
        signing_config=_of(document.message("signingConfig", *FIELDS)),
    )


def _of(document: Message) -> SigningConfig:
    media_type = document.text("mediaType")
    if media_type != MEDIA_TYPE:
        document.refuse("mediaType", f"unsupported SigningConfig media type: {media_type[:100]}")
    found = [_services(document, name) for name in _LISTS]
    return SigningConfig(
        authorities=found[0],
        issuers=found[1],
        logs=found[2],
        timestamp_authorities=found[3],
        log_selector=_selector(document, "rekorTlogConfig"),
        timestamp_selector=_selector(document, "tsaConfig"),
    )


def _services(document: Message, name: str) -> tuple[Service, ...]:
    found = document.messages(name, *_SERVICE)
    if len(found) > limits.TRUSTED_ROOT_ENTRIES:
        document.refuse(name, f"more than {limits.TRUSTED_ROOT_ENTRIES}")
    services = []
    for each in found:
        each.need("url")
        window = each.message("validFor", "start", "end") if each.has("validFor") else None
        services.append(
            Service(
                url=each.text("url"),
                api_version=each.count("majorApiVersion"),
                operator=each.text("operator"),
                start=window.time("start") if window else None,
                end=window.time("end") if window else None,
            )
        )
    return tuple(services)


def _selector(document: Message, name: str) -> Selector:
    if not document.has(name):
        return Selector()
    found = document.message(name, "selector", "count")
    kind, count = found.text("selector"), found.count("count")
    if kind == "SERVICE_SELECTOR_UNDEFINED":
        kind = ""
    if kind not in ("", *_KINDS):
        found.refuse("selector", f"not one of {', '.join(_KINDS)}: {kind[:40]!r}")
    if kind == "EXACT" and count == 0:
        found.refuse("count", "EXACT needs a count")
    return Selector(kind=kind, count=count)


# Choosing ---------------------------------------------------------------------------------------------------


def choose(
    services: Sequence[Service], selector: Selector, versions: Sequence[int], now: datetime
) -> tuple[Service, ...]:
    """Choose services: those in use now, of the highest version that we speak, the newest of each operator.

    Raises:
        InputError: none is left, or fewer than ``EXACT`` demands (sigstore-go's texts).
    """
    usable = [s for s in services if s.api_version in versions and is_within(now, s.start, s.end)]
    if not usable:
        known = " ".join(str(version) for version in versions)
        raise InputError(
            f"no matching services found for API versions [{known}] and current time {go_text.format_time(now)}"
        )
    best = max(service.api_version for service in usable)
    newest: dict[str, Service] = {}
    for service in usable:
        before = newest.get(service.operator)
        if service.api_version == best and (before is None or _is_newer(service, before)):
            newest[service.operator] = service
    found = tuple(newest.values())
    if selector.kind == "ALL":
        return found
    if selector.kind != "EXACT":
        return found[:1]
    if selector.count > len(found):
        raise InputError(
            f"service selector count {selector.count} must be less than or equal to the slice length {len(found)}"
        )
    return found[: selector.count]


def _is_newer(one: Service, other: Service) -> bool:
    return one.start is not None and (other.start is None or one.start > other.start)
