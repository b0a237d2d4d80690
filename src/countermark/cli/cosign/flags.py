"""The flags of cosign 3.1.3, in the groups that its commands share; those it has deprecated are not in the help."""

from countermark.cli.cosign.words import Flag

_CONFIG = "please use a signing config to specify"
_OUTPUT = "please use --bundle to provide the output bundle location, which will include the"
_PIV = "PIV tokens are reached through PKCS#11: give --key pkcs11:…"
_KEYCHAIN = "logins come from docker's and podman's files and their credential helpers"
_ATTACHMENT = "attachments are referrers: sign their own digest"
_IN_ROOT = "put it into a trusted root: cosign trusted-root create, then --trusted-root FILE"
_IN_BUNDLE = "what is verified is what lies with the image"
_ASKS_NO_LOG = "verifying asks no log: what proves the entry lies with the signature"
_WRITE_BUNDLE = "write a bundle, which has everything: --bundle FILE"
_NO_CHOICE = "signing has no such choice here"
_ALWAYS_CHECKED = "what is signed is always verified before it is published"
_PLAIN_TLS = "the timestamp authority is reached as any server is: SSL_CERT_FILE, docker's certs.d"
_REPLACES_NOTHING = "attestations are added; cosign clean removes them"
_OWN_HASH = "the hash is the one that belongs to the key"
_TLS = "certificates are always verified: give the registry's CA with --registry-cacert"
_PLAIN = "plain HTTP is taken from loopback alone"
_SERVER_NAME = "the certificate has to be for the registry's own name"
_IN_CERTIFICATE = "it counts where Fulcio puts it: in the certificate"
_OWN_TAGS = "signatures are found under their own tags"

GLOBAL = (
    Flag(name="output-file", help="write results to a file, instead of stdout"),
    Flag(name="timeout", kind="seconds", default="3m0s", letter="t", help="end after so long"),
    Flag(name="verbose", kind="bool", letter="d", help="say more about errors"),
)

REGISTRY = (
    Flag(
        name="allow-http-registry",
        kind="bool",
        help="allow plain HTTP to a registry that is not loopback",
        refused=_PLAIN,
    ),
    Flag(
        name="allow-insecure-registry",
        kind="bool",
        help="do not verify the registry's certificate",
        refused=_TLS,
    ),
    Flag(
        name="k8s-keychain",
        kind="bool",
        help="take logins from the cloud's keychains",
        refused=_KEYCHAIN,
    ),
    Flag(name="registry-cacert", help="file of CA certificates (PEM) for the registry"),
    Flag(name="registry-client-cert", help="file of our certificate (PEM) for the registry"),
    Flag(name="registry-client-key", help="file of its private key (PEM)"),
    Flag(name="registry-username", help="who we are at the registry"),
    Flag(name="registry-password", help="and the password"),
    Flag(name="registry-token", help="bearer token for the registry"),
    Flag(
        name="registry-server-name",
        help="name that the registry's certificate must have",
        refused=_SERVER_NAME,
    ),
    Flag(
        name="attachment-tag-prefix",
        help="prefix of the tags",
        deprecated="please use OCI referrers",
        refused=_OWN_TAGS,
    ),
)

REFERRERS_MODE = Flag(
    name="registry-referrers-mode",
    default="legacy",
    choices=("legacy", "oci-1-1"),
    help="where signatures of the old format are put",
)
EXPERIMENTAL_OCI11 = Flag(
    name="experimental-oci11",
    kind="bool",
    deprecated="OCI referrers will be the default behavior in future versions",
)

KEY = (
    Flag(
        name="key",
        help="private key file, or where a key is kept: env://, pkcs11:, awskms://, gcpkms://, …",
    ),
    Flag(name="sk", kind="bool", help="use a hardware token", refused=_PIV),
    Flag(name="slot", help="slot of the hardware token", refused=_PIV),
)
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
        deprecated=f"{_CONFIG} an OIDC issuer; see `cosign signing-config create --help`",
    ),
    Flag(
        name="fulcio-url",
        default="https://fulcio.sigstore.dev",
        deprecated=f"{_CONFIG} a fulcio url; see `cosign signing-config --help`",
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
        deprecated=f"{_CONFIG} a rekor url; see `cosign signing-config --help`",
    ),
    Flag(
        name="timestamp-server-url",
        deprecated=f"{_CONFIG} a timestamp server url; see `cosign signing-config --help`",
    ),
    Flag(
        name="tlog-upload",
        kind="bool",
        default="true",
        deprecated="prefer using a --signing-config file with no transparency log services",
    ),
    Flag(name="yes", kind="bool", letter="y", help="ask nothing"),
)
NEW_BUNDLE_FORMAT = Flag(
    name="new-bundle-format",
    kind="bool",
    default="true",
    deprecated="this will be the only supported format in future versions",
)

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

TYPE = Flag(
    name="type",
    default="custom",
    help="slsaprovenance, slsaprovenance02, slsaprovenance1, link, spdx, spdxjson, cyclonedx, vuln, openvex, "
    "custom or the predicate's URI",
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
_ANNOTATIONS = Flag(
    name="annotations", kind="pairs", letter="a", help="key=value pairs; may repeat"
)
_OUTPUT_SIGNATURE = Flag(
    name="output-signature", deprecated=f"{_OUTPUT} signature", refused=_WRITE_BUNDLE
)
_OUTPUT_CERTIFICATE = Flag(
    name="output-certificate", deprecated=f"{_OUTPUT} certificate", refused=_WRITE_BUNDLE
)
_OUTPUT_BLOB = (_OUTPUT_SIGNATURE.replace(refused=""), _OUTPUT_CERTIFICATE.replace(refused=""))
_CHECK_CLAIMS = Flag(
    name="check-claims", kind="bool", default="true", help="check what the signature is about"
)
_SIGNED_TIMESTAMP = Flag(name="rfc3161-timestamp", deprecated=f"{_OUTPUT} signed timestamp")

_SIGN = (*KEY, *SIGNING_CERTIFICATE, *OIDC, *SERVICES, NEW_BUNDLE_FORMAT)

SIGN = (
    *_SIGN,
    *REGISTRY,
    REFERRERS_MODE,
    _ANNOTATIONS,
    _BUNDLE_OUT,
    Flag(name="recursive", kind="bool", letter="r", help="sign what an index names too"),
    Flag(name="upload", kind="bool", default="true", help="put the signature into the registry"),
    Flag(
        name="attachment",
        refused=_ATTACHMENT,
        deprecated="please use OCI referrers for attachments; see `cosign attach sbom "
        "--registry-referrers-mode=oci-1-1 --help`",
    ),
    Flag(
        name="payload",
        deprecated="payload will always be generated automatically in future versions",
        refused=_NO_CHOICE,
    ),
    _OUTPUT_SIGNATURE,
    Flag(name="output-payload", deprecated=f"{_OUTPUT} payload", refused=_WRITE_BUNDLE),
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
    _ANNOTATIONS,
    _SIGNATURE_IMAGE,
    Flag(
        name="payload",
        deprecated="payload will always be verified from the bundle in future versions",
        refused=_IN_BUNDLE,
    ),
    Flag(
        name="attachment",
        refused=_ATTACHMENT,
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
    Flag(name="output", deprecated=f"{_OUTPUT} signature"),
    *_OUTPUT_BLOB,
    _SIGNED_TIMESTAMP,
)
ATTEST_BLOB = (
    *_SIGN,
    *_PREDICATE,
    TYPE,
    _BUNDLE_OUT,
    Flag(name="hash", help="the blob's sha256 in hex, instead of the blob"),
    *_OUTPUT_BLOB,
    Flag(name="output-attestation", deprecated=f"{_OUTPUT} attestation"),
    Flag(name="rfc3161-timestamp-bundle", deprecated=f"{_OUTPUT} signed timestamp"),
    _ENTRY_TYPE,
)
# what lies beside a file's signature of the time before bundles, as it does not beside an image's
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
    _SIGNED_TIMESTAMP,
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

_OUT = Flag(name="out", help="write to this file, instead of stdout")
_PREFIX = "prefix of the two files that are written"
_PLATFORM = Flag(
    name="platform", help="of an index take the image for this platform, as linux/amd64"
)
_FORCE = Flag(name="force", kind="bool", letter="f", help="ask nothing")
_DIR = Flag(name="dir", help="the folder")

GENERATE_KEY_PAIR = (
    Flag(name="kms", help="make the key in a key service instead"),
    Flag(name="output-key-prefix", default="cosign", help=_PREFIX),
)
IMPORT_KEY_PAIR = (
    Flag(name="key", letter="k", help="file of the private key (PEM)"),
    Flag(name="output-key-prefix", default="import-cosign", letter="o", help=_PREFIX),
    Flag(name="yes", kind="bool", letter="y", help="ask nothing"),
)
PUBLIC_KEY = (*KEY, Flag(name="outfile", help="write to this file, instead of stdout"))

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
SAVE = LOAD = (*REGISTRY, _DIR)
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
INITIALIZE = (
    Flag(
        name="mirror", default="https://tuf-repo-cdn.sigstore.dev", help="URL of the TUF repository"
    ),
    Flag(name="root", help="file or URL of the root that is believed first"),
    Flag(name="root-checksum", help="sha256 or sha512:… of it, in hex"),
    Flag(
        name="staging",
        kind="bool",
        help="use Sigstore's staging instance",
        refused="its root does not come with us: give --mirror and --root",
    ),
)
_SERVICE_LISTS = tuple(
    Flag(name=f"no-default-{name}", kind="bool", help=f"leave the public instance's {name} out")
    for name in ("fulcio", "rekor", "tsa")
)
TRUSTED_ROOT_CREATE = (
    Flag(name="fulcio", kind="texts", help="url=…,certificate-chain=…[,start-time=…][,end-time=…]"),
    Flag(
        name="rekor",
        kind="texts",
        help="url=…,public-key=…,start-time=…[,end-time=…][,origin=…]; Rekor v2 needs its origin",
    ),
    Flag(name="ctfe", kind="texts", help="url=…,public-key=…,start-time=…[,end-time=…][,origin=…]"),
    Flag(name="tsa", kind="texts", help="url=…,certificate-chain=…[,start-time=…][,end-time=…]"),
    Flag(name="with-default-services", kind="bool", help="begin with the public instance's"),
    *_SERVICE_LISTS,
    Flag(name="no-default-ctfe", kind="bool", help="leave the public instance's CT logs out"),
    _OUT,
    *(
        Flag(name=name, kind="texts", deprecated=f"use --{instead} instead")
        for instead, names in (
            ("fulcio", ("certificate-chain", "fulcio-uri")),
            ("ctfe", ("ctfe-key", "ctfe-url", "ctfe-start-time", "ctfe-end-time")),
            ("rekor", ("rekor-key", "rekor-url", "rekor-start-time", "rekor-end-time")),
            ("tsa", ("timestamp-certificate-chain", "timestamp-uri")),
        )
        for name in names
    ),
)
_SERVICE = "url=…,api-version=…,start-time=…,operator=…[,end-time=…]"
SIGNING_CONFIG_CREATE = (
    *(
        Flag(name=n, kind="texts", help=_SERVICE)
        for n in ("fulcio", "rekor", "oidc-provider", "tsa")
    ),
    Flag(name="rekor-config", help="ANY, ALL or EXACT:n"),
    Flag(name="tsa-config", help="ANY, ALL or EXACT:n"),
    Flag(name="base-config", help="file of the signing config to begin with"),
    Flag(name="with-default-services", kind="bool", help="begin with the public instance's"),
    Flag(name="with-default-rekor-v2", kind="bool", help="begin with it, and its Rekor v2"),
    *_SERVICE_LISTS,
    Flag(name="no-default-oidc", kind="bool", help="leave the public instance's OpenID issuer out"),
    _OUT,
)
BUNDLE_CREATE = (
    *KEY,
    Flag(name="artifact", help="file of what was signed"),
    Flag(name="attestation", help="file of the DSSE envelope"),
    Flag(name="bundle", help="file of an old bundle"),
    Flag(name="certificate", help="file of the certificate (PEM)"),
    Flag(name="signature", help="file of the signature (base64)"),
    Flag(name="rfc3161-timestamp", help="file of the signed timestamp"),
    Flag(name="ignore-tlog", kind="bool", help="look nothing up in the transparency log"),
    Flag(
        name="rekor-url",
        default="https://rekor.sigstore.dev",
        deprecated=f"{_CONFIG} a rekor url; see `cosign signing-config --help`",
    ),
    _OUT,
)
BUNDLE_UPGRADE = (
    _OUT,
    Flag(
        name="rekor-url", default="https://rekor.sigstore.dev", help="URL of the transparency log"
    ),
)
LOGIN = (
    Flag(name="username", letter="u", help="who you are"),
    Flag(name="password", letter="p", help="the password (others on this machine can see it)"),
    Flag(name="password-stdin", kind="bool", help="read the password from stdin"),
)
ENV = (
    Flag(name="show-descriptions", kind="bool", default="true", help="say what each is for"),
    Flag(name="show-sensitive-values", kind="bool", help="show secrets"),
)
VERSION = (Flag(name="json", kind="bool", help="print JSON"),)
