"""The flags of cosign 3.1.3 for verifying; those it has deprecated are not in the help."""

from countermark.cli.cosign.flags.common import (
    ANNOTATIONS,
    ATTACHMENT,
    EXPERIMENTAL_OCI11,
    KEY,
    NEW_BUNDLE_FORMAT,
    REGISTRY,
    SIGNED_TIMESTAMP,
    TYPE,
)
from countermark.cli.cosign.words import Flag

_IN_ROOT = "put it into a trusted root: cosign trusted-root create, then --trusted-root FILE"
_IN_BUNDLE = "what is verified is what lies with the image"
_ASKS_NO_LOG = "verifying asks no log: what proves the entry lies with the signature"
_OWN_HASH = "the hash is the one that belongs to the key"
_IN_CERTIFICATE = "it counts where Fulcio puts it: in the certificate"

IDENTITY = (
    Flag(name="certificate-identity", help="identity that the certificate must be for"),
    Flag(
        name="certificate-identity-regexp",
        help="the same as an RE2 pattern, which must match all of it",
    ),
    Flag(name="certificate-oidc-issuer", help="issuer that vouched for the identity"),
    Flag(
        name="certificate-oidc-issuer-regexp",
        help="the same as an RE2 pattern, which must match all of it",
    ),
    Flag(name="certificate-github-workflow-trigger", help="event that started the GitHub workflow"),
    Flag(name="certificate-github-workflow-sha", help="commit that it ran at"),
    Flag(name="certificate-github-workflow-name", help="its name"),
    Flag(name="certificate-github-workflow-repository", help="its repository"),
    Flag(name="certificate-github-workflow-ref", help="its Git reference"),
)

TRUST = (
    Flag(name="trusted-root", help="file of the trusted root, instead of the TUF repository's"),
    Flag(name="insecure-ignore-tlog", kind="bool", help="accept what no transparency log has"),
    Flag(name="insecure-ignore-sct", kind="bool", help="accept certificates that no CT log has"),
    Flag(name="use-signed-timestamps", kind="bool", help="demand signed timestamps"),
    Flag(
        name="allow-certificate-chain", kind="bool", help="accept chains of certificates in bundles"
    ),
    Flag(name="max-workers", kind="number", default="10", help="so many signatures at once"),
    EXPERIMENTAL_OCI11,
    NEW_BUNDLE_FORMAT,
    Flag(
        name="private-infrastructure",
        kind="bool",
        deprecated="please use --insecure-ignore-tlog instead",
    ),
    Flag(
        name="offline",
        kind="bool",
        deprecated="To verify in an airgapped environment, provide a --bundle with the signature and "
        "verification material, and a --trusted-root file with the service keys and certificates",
    ),
    Flag(
        name="timestamp-certificate-chain",
        deprecated="please use --trusted-root to provide the timestamp authority certificate chain",
        refused=_IN_ROOT,
    ),
    Flag(
        name="ca-roots",
        deprecated="please use --trusted-root to provide CA certificates",
        refused=_IN_ROOT,
    ),
    Flag(
        name="ca-intermediates",
        deprecated="please use --trusted-root to provide CA certificates",
        refused=_IN_ROOT,
    ),
    Flag(
        name="certificate",
        deprecated="please use --bundle with --trusted-root to provide the public certificate",
        refused=_IN_BUNDLE,
    ),
    Flag(
        name="certificate-chain",
        deprecated="please use --trusted-root to provide the certificate chain",
        refused=_IN_ROOT,
    ),
    Flag(
        name="sct",
        deprecated="a Signed Certificate Timestamp is now provided via a Sigstore bundle",
        refused=_IN_BUNDLE,
    ),
    Flag(
        name="rekor-url",
        default="https://rekor.sigstore.dev",
        deprecated="please use --bundle, which includes the Rekor inclusion proof",
        refused=_ASKS_NO_LOG,
    ),
    Flag(
        name="signature-digest-algorithm",
        default="sha256",
        deprecated="please use --bundle, which already includes the digest algorithm",
        refused=_OWN_HASH,
    ),
)

_CHECK_CLAIMS = Flag(
    name="check-claims", kind="bool", default="true", help="check what the signature is about"
)

_VERIFY = (*KEY, *IDENTITY, *TRUST)
_VERIFY_IMAGE = (
    *_VERIFY,
    *REGISTRY,
    _CHECK_CLAIMS,
    Flag(name="output", default="json", letter="o", help="json or text"),
    Flag(name="local-image", kind="bool", help="the image is a folder that cosign save made"),
)

_SIGNATURE_IMAGE = Flag(
    name="signature",
    deprecated="signatures are automatically fetched from the OCI registry during image verification",
    refused=_IN_BUNDLE,
)

VERIFY = (
    *_VERIFY_IMAGE,
    ANNOTATIONS,
    _SIGNATURE_IMAGE,
    Flag(
        name="payload",
        deprecated="payload will always be verified from the bundle in future versions",
        refused=_IN_BUNDLE,
    ),
    Flag(
        name="attachment",
        refused=ATTACHMENT,
        deprecated="please use OCI referrers for attachments and verify with `--experimental-oci11`",
    ),
)

VERIFY_ATTESTATION = (
    *_VERIFY_IMAGE,
    TYPE,
    Flag(
        name="policy",
        kind="texts",
        help="CUE or Rego files that the attestation must fulfil; may repeat",
    ),
)

_OLD_BLOB = (
    "certificate",
    "certificate-chain",
    "ca-roots",
    "ca-intermediates",
    "timestamp-certificate-chain",
    "signature-digest-algorithm",
)

_WHY_NOT_BLOB = dict.fromkeys(_OLD_BLOB, "") | {"sct": _IN_CERTIFICATE}
_SIGNATURE_BLOB = Flag(name="signature", deprecated="please use --bundle to provide a signature")
VERIFY_BLOB = (
    *(each.replace(refused=_WHY_NOT_BLOB.get(each.name, each.refused)) for each in _VERIFY),
    Flag(name="bundle", help="file of the bundle"),
    _SIGNATURE_BLOB,
    SIGNED_TIMESTAMP,
)

VERIFY_BLOB_ATTESTATION = (
    *VERIFY_BLOB,
    TYPE,
    _CHECK_CLAIMS,
    Flag(name="digest", help="the blob's digest in hex, instead of the blob"),
    Flag(name="digestAlg", help="algorithm of that digest: sha256, sha384 or sha512"),
)

MANIFEST_VERIFY = VERIFY
DOCKERFILE_VERIFY = (
    *VERIFY,
    Flag(name="base-image-only", kind="bool", help="only the last stage's base image"),
)
