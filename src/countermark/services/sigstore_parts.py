"""What a private Sigstore tells its clients: from its public parts to the files that they read.

Sigstore-go, sigstore-python and sigstore-js read trusted_root.json and signing_config.v0.2.json; cosign 2 looks for
single files and what ``custom.sigstore`` says of them (specs: cosign, 2i to 2k).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from countermark.core.value import Value
from countermark.formats import signing_config as config_format
from countermark.formats import trusted_root
from countermark.formats.signing_config import Selector, Service, SigningConfig, TrustConfig
from countermark.formats.strict_json import Json
from countermark.formats.trusted_root import Authority, Instance, TrustedRoot, is_within
from countermark.formats.tuf_metadata import TargetFile
from countermark.proofs.certificates import encode_pem
from countermark.proofs.pem import Block

TRUSTED_ROOT, SIGNING_CONFIG = "trusted_root.json", "signing_config.v0.2.json"
_ANY = Selector(kind="ANY")
_CA_API, _ISSUER_API, _LOG_API, _TIMESTAMP_API = 1, 1, 2, 1  # majorApiVersion (specs: cosign, 2j)


class Parts(Value):
    """The public parts of a Sigstore.

    Attributes:
        operator: who runs it.
        trusted: all that has ever signed for it, with the times; each kind's newest comes last.
        authority_url: where certificates are issued (a base), "" where they are not.
        issuer_url: the OpenID issuer that signers ask for tokens.
        log_url: the log that takes entries now (a base).
        timestamp_url: where timestamps are made, all of the address.
    """

    operator: str
    trusted: TrustedRoot
    authority_url: str = ""
    issuer_url: str = ""
    log_url: str = ""
    timestamp_url: str = ""


def signing_config(parts: Parts) -> SigningConfig:
    """Say which services a signer uses."""
    trusted = parts.trusted
    logs = _services(parts.log_url, _LOG_API, parts, trusted.logs)
    stamps = _services(parts.timestamp_url, _TIMESTAMP_API, parts, trusted.timestamp_authorities)
    return SigningConfig(
        authorities=_services(parts.authority_url, _CA_API, parts, trusted.authorities),
        issuers=_services(parts.issuer_url, _ISSUER_API, parts, trusted.authorities),
        logs=logs,
        timestamp_authorities=stamps,
        log_selector=_ANY,  # also where there is none: sigstore-python reads no file without
        timestamp_selector=_ANY,
    )


def _services(
    url: str, version: int, parts: Parts, behind: Sequence[Authority | Instance]
) -> tuple[Service, ...]:
    """The one service of a kind, in use since the first of what stands behind it: no clock is wrong by so much."""
    if not url:
        return ()
    start = behind[0].start if behind else None
    return (Service(url=url, api_version=version, operator=parts.operator, start=start),)


def targets(parts: Parts, now: datetime) -> Mapping[str, TargetFile]:
    """The files that the TUF repository hands out."""
    return {
        TRUSTED_ROOT: TargetFile(content=parts.trusted.encode()),
        SIGNING_CONFIG: TargetFile(content=signing_config(parts).encode()),
    } | _single_files(parts.trusted, now)


def exported(handed_out: Mapping[str, bytes], root: bytes) -> Mapping[str, bytes]:
    """The files for hosts without a network, from those of the TUF repository and its newest root.

    Raises:
        MalformedError, KeyError: the repository has others than ours.
    """
    both = TrustConfig(
        trusted_root=trusted_root.parse(handed_out[TRUSTED_ROOT]),
        signing_config=config_format.parse(handed_out[SIGNING_CONFIG]),
    )
    return {
        "trusted_root.json": handed_out[TRUSTED_ROOT],
        "signing_config.json": handed_out[SIGNING_CONFIG],
        "trust_config.json": both.encode(),
        "root.json": root,
    }


# cosign 2 ---------------------------------------------------------------------------------------------------


def _single_files(trusted: TrustedRoot, now: datetime) -> dict[str, TargetFile]:
    found: dict[str, TargetFile] = {}
    for number, authority in enumerate(trusted.authorities, 1):
        *between, root = authority.certificates
        custom = _custom("Fulcio", authority.uri, authority, now)
        found[f"fulcio_v{number}.crt.pem"] = _certificate(root, custom)
        for place, certificate in enumerate(between):
            more = f"_{place}" if place else ""
            found[f"fulcio_intermediate_v{number}{more}.crt.pem"] = _certificate(
                certificate, custom
            )
    found |= _keys("ctfe", "CTFE", trusted.ct_logs, now)
    found |= _keys("rekor", "Rekor", trusted.logs, now)
    for authority in trusted.timestamp_authorities[-1:]:  # it knows one
        leaf, *between, root = authority.certificates
        custom = _custom("TSA", authority.uri, authority, now)
        found["tsa_leaf.crt.pem"] = _certificate(leaf, custom)
        for place, certificate in enumerate(between):
            found[f"tsa_intermediate_{place}.crt.pem"] = _certificate(certificate, custom)
        found["tsa_root.crt.pem"] = _certificate(root, custom)
    return found


def _keys(name: str, usage: str, logs: Sequence[Instance], now: datetime) -> dict[str, TargetFile]:
    return {
        f"{name}{f'_{number}' if number > 1 else ''}.pub": TargetFile(
            content=Block(type="PUBLIC KEY", content=log.key).encode(),
            custom=_custom(usage, log.base_url, log, now),
        )
        for number, log in enumerate(logs, 1)
    }


def _certificate(content: bytes, custom: Mapping[str, Json]) -> TargetFile:
    return TargetFile(content=encode_pem(content), custom=custom)


def _custom(usage: str, uri: str, part: Authority | Instance, now: datetime) -> Mapping[str, Json]:
    status = "Active" if is_within(now, None, part.end) else "Expired"
    return {"sigstore": {"usage": usage, "status": status, "uri": uri}}
