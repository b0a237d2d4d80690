"""The flags of cosign 3.1.3 for keys, trusted roots, signing configs and bundles, and for what is left."""

from countermark.cli.cosign.flags.common import (
    CONFIG,
    KEY,
)
from countermark.cli.cosign.words import Flag

_OUT = Flag(name="out", help="write to this file, instead of stdout")
_PREFIX = "prefix of the two files that are written"
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
        deprecated=f"{CONFIG} a rekor url; see `cosign signing-config --help`",
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
