"""Sigstore's trusted root: which logs, certificate and timestamp authorities are believed, and from when to when.

Specs: cosign, 2i. Written is the one media type that sigstore-go and sigstore-python take.
"""

from countermark.core import limits
from countermark.core.light import datetime
from countermark.core.value import Value
from countermark.formats import protojson, strict_json
from countermark.formats.go_text import to_base64
from countermark.formats.protojson import Message

MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
SHA256 = "SHA2_256"
_READ = (
    MEDIA_TYPE,
    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
)
FIELDS = ("mediaType", "tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities")
_LOG = ("baseUrl", "hashAlgorithm", "publicKey", "logId", "checkpointKeyId", "operator")
_AUTHORITY = ("subject", "uri", "certChain", "validFor", "operator")


class Instance(Value):
    """A log that is believed.

    Attributes:
        base_url: where it is.
        key: its public key, SubjectPublicKeyInfo in DER.
        key_details: which algorithm, as protobuf-specs names it.
        log_id: how entries name it.
        start, end: when it was in service, both included; end None: it still is.
        hash_algorithm: of its tree, ``SHA2_256``.
    """

    base_url: str
    key: bytes
    key_details: str
    log_id: bytes
    start: datetime | None
    end: datetime | None = None
    hash_algorithm: str = SHA256

    @property
    def origin(self) -> str:
        """The host in its URL: what its checkpoints begin with (C2SP tlog-checkpoint as sigstore-go reads it)."""
        return host_of(self.base_url)

    def is_in_service(self, at: datetime) -> bool:
        """Say whether it was in service at a time."""
        return is_within(at, self.start, self.end)


class Authority(Value):
    """A certificate or timestamp authority that is believed.

    Attributes:
        organization, common_name: how it is called.
        uri: where it is.
        certificates: DER; of a certificate authority the issuers up to the root, of a timestamp authority from its
            own leaf.
        start, end: when it was in service, both included; end None: it still is.
    """

    organization: str
    common_name: str
    uri: str
    certificates: tuple[bytes, ...]
    start: datetime | None
    end: datetime | None = None

    @property
    def name(self) -> str:
        """How people call it."""
        return self.uri or self.common_name or self.organization

    def is_in_service(self, at: datetime) -> bool:
        """Say whether it was in service at a time."""
        return is_within(at, self.start, self.end)


class TrustedRoot(Value):
    """Everything that is believed."""

    logs: tuple[Instance, ...] = ()
    authorities: tuple[Authority, ...] = ()
    ct_logs: tuple[Instance, ...] = ()
    timestamp_authorities: tuple[Authority, ...] = ()

    def encode(self) -> bytes:
        """Write trusted_root.json, indented as cosign's, with a newline at its end."""
        return (strict_json.pretty(self.members()) + "\n").encode("utf-8")

    def members(self) -> "dict[str, object]":
        """The same as an object."""
        lists = {
            "tlogs": [_encode_log(each) for each in self.logs],
            "certificateAuthorities": [_encode_authority(each) for each in self.authorities],
            "ctlogs": [_encode_log(each) for each in self.ct_logs],
            "timestampAuthorities": [
                _encode_authority(each) for each in self.timestamp_authorities
            ],
        }
        return {"mediaType": MEDIA_TYPE} | {name: found for name, found in lists.items() if found}


def host_of(url: str) -> str:
    """The host in a URL, without user and port; brackets off an IPv6 address (Go's ``URL.Hostname``)."""
    place = url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0]


def is_within(at: datetime, start: datetime | None, end: datetime | None) -> bool:
    """Say whether a time is between two others, both included (so sigstore-go; sigstore-python not the end)."""
    return (start is None or start <= at) and (end is None or at <= end)


# Reading ----------------------------------------------------------------------------------------------------


def parse(content: bytes) -> TrustedRoot:
    """Read trusted_root.json.

    Raises:
        MalformedError: it is none.
    """
    return of(Message(strict_json.parse(content, max_bytes=limits.TRUSTED_ROOT_BYTES), FIELDS))


def of(document: Message) -> TrustedRoot:
    """Take a trusted root that is part of another message (fields: ``FIELDS``).

    Raises:
        MalformedError: it is none.
    """
    media_type = document.text("mediaType")
    if media_type not in _READ:
        document.refuse("mediaType", f"unsupported TrustedRoot media type: {media_type[:100]}")
    for name in FIELDS[1:]:
        count = len(document.messages(name, *(_LOG if name.endswith("logs") else _AUTHORITY)))
        if count > limits.TRUSTED_ROOT_ENTRIES:
            document.refuse(name, f"more than {limits.TRUSTED_ROOT_ENTRIES}")
    return TrustedRoot(
        logs=tuple(_log(each) for each in document.messages("tlogs", *_LOG)),
        authorities=tuple(
            _authority(each) for each in document.messages("certificateAuthorities", *_AUTHORITY)
        ),
        ct_logs=tuple(_log(each) for each in document.messages("ctlogs", *_LOG)),
        timestamp_authorities=tuple(
            _authority(each) for each in document.messages("timestampAuthorities", *_AUTHORITY)
        ),
    )


def _log(message: Message) -> Instance:
    key = message.message("publicKey", "rawBytes", "keyDetails", "validFor")
    key.need("rawBytes", "keyDetails")
    start, end = _window(key)
    if start is None:
        key.refuse("validFor", "tlog missing public key validity period")
    message.need("logId")
    log_id = message.message("logId", "keyId")
    log_id.need("keyId")
    hash_algorithm = message.text("hashAlgorithm") or SHA256
    if (
        hash_algorithm != SHA256
    ):  # sigstore-go: ParseTransparencyLogs; and our proofs are over no other
        message.refuse("hashAlgorithm", f"unsupported tlog hash algorithm: {hash_algorithm[:40]}")
    return Instance(
        base_url=message.text("baseUrl"),
        key=key.raw("rawBytes"),
        key_details=key.text("keyDetails"),
        log_id=log_id.raw("keyId"),
        start=start,
        end=end,
        hash_algorithm=hash_algorithm,
    )


def _authority(message: Message) -> Authority:
    subject = (
        message.message("subject", "organization", "commonName") if message.has("subject") else None
    )
    chain = message.message("certChain", "certificates")
    found = chain.messages("certificates", "rawBytes")
    certificates = tuple(each.raw("rawBytes") for each in found)
    if not certificates or not all(certificates):
        chain.refuse("certificates", "a certificate is missing")
    start, end = _window(message)
    return Authority(
        organization=subject.text("organization") if subject else "",
        common_name=subject.text("commonName") if subject else "",
        uri=message.text("uri"),
        certificates=certificates,
        start=start,
        end=end,
    )


def _window(message: Message) -> tuple[datetime | None, datetime | None]:
    if not message.has("validFor"):
        return None, None
    window = message.message("validFor", "start", "end")
    return window.time("start"), window.time("end")


# Writing ----------------------------------------------------------------------------------------------------


def _encode_window(start: datetime | None, end: datetime | None) -> "dict[str, object]":
    times = {"start": start, "end": end}
    found = {name: protojson.time(time) for name, time in times.items() if time is not None}
    return {"validFor": found} if found else {}


def _encode_log(log: Instance) -> "dict[str, object]":
    key = {"rawBytes": to_base64(log.key), "keyDetails": log.key_details}
    url = {"baseUrl": log.base_url} if log.base_url else {}
    return {
        **url,
        "hashAlgorithm": log.hash_algorithm,
        "publicKey": key | _encode_window(log.start, log.end),
        "logId": {"keyId": to_base64(log.log_id)},
    }


def _encode_authority(authority: Authority) -> "dict[str, object]":
    names = {"organization": authority.organization, "commonName": authority.common_name}
    chain = [{"rawBytes": to_base64(each)} for each in authority.certificates]
    return {
        "subject": {name: text for name, text in names.items() if text},
        **({"uri": authority.uri} if authority.uri else {}),
        "certChain": {"certificates": chain},
    } | _encode_window(authority.start, authority.end)
