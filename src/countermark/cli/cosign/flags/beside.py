"""The flags of cosign 3.1.3 for what lies beside images."""

from countermark.cli.cosign.flags.common import (
    DIR,
    EXPERIMENTAL_OCI11,
    REFERRERS_MODE,
    REGISTRY,
)
from countermark.cli.cosign.words import Flag

_PLATFORM = Flag(
    name="platform", help="of an index take the image for this platform, as linux/amd64"
)

_FORCE = Flag(name="force", kind="bool", letter="f", help="ask nothing")
TREE = (
    *REGISTRY,
    REFERRERS_MODE,
    Flag(
        name="experimental-oci11",
        kind="bool",
        default="true",
        deprecated=EXPERIMENTAL_OCI11.deprecated,
    ),
)

TRIANGULATE = (
    *REGISTRY,
    Flag(name="type", default="signature", help="signature, attestation, sbom or digest"),
)

COPY = (
    *REGISTRY,
    Flag(name="only", kind="pairs", help="copy only these: sig, att, sbom"),
    Flag(name="sig-only", kind="bool", help="copy only signatures"),
    Flag(name="force", kind="bool", letter="f", help="write over what is there"),
    _PLATFORM,
)

CLEAN = (
    *REGISTRY,
    _FORCE,
    Flag(
        name="type",
        default="all",
        choices=("signature", "attestation", "referrer", "sbom", "all"),
        help="signature, attestation, referrer, sbom or all",
    ),
)

SAVE = LOAD = (*REGISTRY, DIR)
DOWNLOAD_SIGNATURE = REGISTRY
DOWNLOAD_ATTESTATION = (
    *REGISTRY,
    _PLATFORM,
    Flag(name="predicate-type", help="only attestations of this type"),
)

DOWNLOAD_SBOM = (*REGISTRY, _PLATFORM)
ATTACH_SIGNATURE = (
    *REGISTRY,
    Flag(name="signature", help="file of the signature (base64), or the signature itself"),
    Flag(name="payload", help="file of what was signed"),
    Flag(name="certificate", help="file of the certificate (PEM)"),
    Flag(name="certificate-chain", help="file of the certificates (PEM) that it leads to"),
    Flag(name="tsr", help="file of the signed timestamp (RFC 3161)"),
    Flag(name="rekor-response", help="file of what the transparency log answered"),
    Flag(name="bundle", help="file of a bundle"),
)

ATTACH_ATTESTATION = (
    *REGISTRY,
    Flag(
        name="attestation",
        kind="texts",
        help="file of attestations, one JSON each line; may repeat",
    ),
)

ATTACH_SBOM = (
    *REGISTRY,
    REFERRERS_MODE,
    Flag(name="sbom", help="file of the SBOM"),
    Flag(name="type", default="spdx", help="spdx, cyclonedx or syft"),
    Flag(name="input-format", help="json, xml or text"),
)
