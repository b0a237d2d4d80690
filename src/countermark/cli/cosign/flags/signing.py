"""The flags of cosign 3.1.3 for signing and attesting; those it has deprecated are not in the help."""

from countermark.cli.cosign.flags.common import (
    ANNOTATIONS,
    ATTACHMENT,
    CONFIG,
    KEY,
    NEW_BUNDLE_FORMAT,
    OUTPUT,
    REFERRERS_MODE,
    REGISTRY,
    SIGNED_TIMESTAMP,
    TYPE,
)
from countermark.cli.cosign.words import Flag

_WRITE_BUNDLE = "write a bundle, which has everything: --bundle FILE"
_NO_CHOICE = "signing has no such choice here"
_ALWAYS_CHECKED = "what is signed is always verified before it is published"
_PLAIN_TLS = "the timestamp authority is reached as any server is: SSL_CERT_FILE, docker's certs.d"
_REPLACES_NOTHING = "attestations are added; cosign clean removes them"
SIGNING_CERTIFICATE = (
    Flag(name="certificate", help="file of the certificate (PEM) that belongs to the key"),
    Flag(name="certificate-chain", help="file of the certificates (PEM) that it leads to"),
)

OIDC = (
    Flag(name="identity-token", help="identity token, or file that has one"),
    Flag(
        name="fulcio-auth-flow",
        help="how to get a token: normal, device, token, client_credentials",
    ),
    Flag(name="oidc-client-id", default="sigstore", help="our name at the OpenID issuer"),
    Flag(name="oidc-client-secret-file", help="file of its secret"),
    Flag(
        name="oidc-disable-ambient-providers",
        kind="bool",
        help="do not look for a CI system's token",
    ),
    Flag(
        name="oidc-provider",
        help="take the token from: spiffe, google, github-actions, filesystem, buildkite-agent, envvar",
    ),
    Flag(name="oidc-redirect-url", help="where the browser is sent back to"),
    Flag(
        name="oidc-issuer",
        default="https://oauth2.sigstore.dev/auth",
        deprecated=f"{CONFIG} an OIDC issuer; see `cosign signing-config create --help`",
    ),
    Flag(
        name="fulcio-url",
        default="https://fulcio.sigstore.dev",
        deprecated=f"{CONFIG} a fulcio url; see `cosign signing-config --help`",
    ),
    Flag(
        name="insecure-skip-verify",
        kind="bool",
        deprecated="SCT verification is no longer performed during signing/attestation.",
        refused=_ALWAYS_CHECKED,
    ),
    Flag(
        name="issue-certificate",
        kind="bool",
        deprecated="support for this flag will be removed in the future",
        refused=_NO_CHOICE,
    ),
)

SERVICES = (
    Flag(
        name="use-signing-config",
        kind="bool",
        default="true",
        help="find services in a signing config",
    ),
    Flag(name="signing-config", help="file of the signing config, instead of the TUF repository's"),
    Flag(name="trusted-root", help="file of the trusted root that the result is verified against"),
    Flag(
        name="timestamp-client-cacert",
        help="file of CA certificates (PEM) for the timestamp authority",
        refused=_PLAIN_TLS,
    ),
    Flag(
        name="timestamp-client-cert",
        help="file of our certificate (PEM) for it",
        refused=_PLAIN_TLS,
    ),
    Flag(name="timestamp-client-key", help="file of its private key (PEM)", refused=_PLAIN_TLS),
    Flag(
        name="timestamp-server-name",
        help="name that the timestamp authority's certificate must have",
        refused=_PLAIN_TLS,
    ),
    Flag(
        name="rekor-url",
        default="https://rekor.sigstore.dev",
        deprecated=f"{CONFIG} a rekor url; see `cosign signing-config --help`",
    ),
    Flag(
        name="timestamp-server-url",
        deprecated=f"{CONFIG} a timestamp server url; see `cosign signing-config --help`",
    ),
    Flag(
        name="tlog-upload",
        kind="bool",
        default="true",
        deprecated="prefer using a --signing-config file with no transparency log services",
    ),
    Flag(name="yes", kind="bool", letter="y", help="ask nothing"),
)

_CREATED = Flag(
    name="record-creation-timestamp",
    kind="bool",
    deprecated="not used with the new bundle format",
    refused=_NO_CHOICE,
)

_ENTRY_TYPE = Flag(
    name="rekor-entry-type",
    default="dsse",
    choices=("dsse", "intoto"),
    deprecated="support for this flag will be removed in the future. it is strongly discouraged to rely on "
    "Rekor for attestation storage, and in future releases of Rekor, this functionality will be removed.",
    refused=_NO_CHOICE,
)

_PREDICATE = (
    Flag(name="predicate", help="file of the predicate, - for stdin"),
    Flag(name="statement", help="file of a whole in-toto statement, - for stdin"),
)

_BUNDLE_OUT = Flag(name="bundle", help="write the bundle to this file")
_OUTPUT_SIGNATURE = Flag(
    name="output-signature", deprecated=f"{OUTPUT} signature", refused=_WRITE_BUNDLE
)

_OUTPUT_CERTIFICATE = Flag(
    name="output-certificate", deprecated=f"{OUTPUT} certificate", refused=_WRITE_BUNDLE
)

_OUTPUT_BLOB = (_OUTPUT_SIGNATURE.replace(refused=""), _OUTPUT_CERTIFICATE.replace(refused=""))
_SIGN = (*KEY, *SIGNING_CERTIFICATE, *OIDC, *SERVICES, NEW_BUNDLE_FORMAT)
SIGN = (
    *_SIGN,
    *REGISTRY,
    REFERRERS_MODE,
    ANNOTATIONS,
    _BUNDLE_OUT,
    Flag(name="recursive", kind="bool", letter="r", help="sign what an index names too"),
    Flag(name="upload", kind="bool", default="true", help="put the signature into the registry"),
    Flag(
        name="attachment",
        refused=ATTACHMENT,
        deprecated="please use OCI referrers for attachments; see `cosign attach sbom "
        "--registry-referrers-mode=oci-1-1 --help`",
    ),
    Flag(
        name="payload",
        deprecated="payload will always be generated automatically in future versions",
        refused=_NO_CHOICE,
    ),
    _OUTPUT_SIGNATURE,
    Flag(name="output-payload", deprecated=f"{OUTPUT} payload", refused=_WRITE_BUNDLE),
    _OUTPUT_CERTIFICATE,
    Flag(
        name="sign-container-identity",
        deprecated="not possible when OCI referrers become the default behavior",
        refused=_NO_CHOICE,
    ),
    _CREATED,
)

ATTEST = (
    *_SIGN,
    *REGISTRY,
    *_PREDICATE,
    TYPE,
    _BUNDLE_OUT,
    Flag(name="no-upload", kind="bool", help="do not put the attestation into the registry"),
    Flag(
        name="replace",
        kind="bool",
        deprecated="not needed when OCI referrers become the default behavior",
        refused=_REPLACES_NOTHING,
    ),
    _ENTRY_TYPE,
    _CREATED,
)

SIGN_BLOB = (
    *_SIGN,
    _BUNDLE_OUT,
    Flag(
        name="signing-algorithm",
        default="ecdsa-sha2-256-nistp256",
        help="of the ephemeral key: ecdsa-sha2-256-nistp256, ecdsa-sha2-384-nistp384, ecdsa-sha2-512-nistp521, "
        "rsa-sign-pkcs1-2048-sha256, rsa-sign-pkcs1-3072-sha256, rsa-sign-pkcs1-4096-sha256",
    ),
    Flag(
        name="b64",
        kind="bool",
        default="true",
        deprecated="please use --bundle, which already base64 encodes content as appropriate",
    ),
    Flag(name="output", deprecated=f"{OUTPUT} signature"),
    *_OUTPUT_BLOB,
    SIGNED_TIMESTAMP,
)

ATTEST_BLOB = (
    *_SIGN,
    *_PREDICATE,
    TYPE,
    _BUNDLE_OUT,
    Flag(name="hash", help="the blob's sha256 in hex, instead of the blob"),
    *_OUTPUT_BLOB,
    Flag(name="output-attestation", deprecated=f"{OUTPUT} attestation"),
    Flag(name="rfc3161-timestamp-bundle", deprecated=f"{OUTPUT} signed timestamp"),
    _ENTRY_TYPE,
)
