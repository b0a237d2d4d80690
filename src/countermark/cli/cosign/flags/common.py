"""What the flags of several commands of cosign's share."""

from countermark.cli.cosign.words import Flag

CONFIG = "please use a signing config to specify"
OUTPUT = "please use --bundle to provide the output bundle location, which will include the"
_PIV = "PIV tokens are reached through PKCS#11: give --key pkcs11:…"
_KEYCHAIN = "logins come from docker's and podman's files and their credential helpers"
ATTACHMENT = "attachments are referrers: sign their own digest"
_TLS = "certificates are always verified: give the registry's CA with --registry-cacert"
_PLAIN = "plain HTTP is taken from loopback alone"
_SERVER_NAME = "the certificate has to be for the registry's own name"
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

NEW_BUNDLE_FORMAT = Flag(
    name="new-bundle-format",
    kind="bool",
    default="true",
    deprecated="this will be the only supported format in future versions",
)

TYPE = Flag(
    name="type",
    default="custom",
    help="slsaprovenance, slsaprovenance02, slsaprovenance1, link, spdx, spdxjson, cyclonedx, vuln, openvex, "
    "custom or the predicate's URI",
)

ANNOTATIONS = Flag(name="annotations", kind="pairs", letter="a", help="key=value pairs; may repeat")
SIGNED_TIMESTAMP = Flag(name="rfc3161-timestamp", deprecated=f"{OUTPUT} signed timestamp")
DIR = Flag(name="dir", help="the folder")
