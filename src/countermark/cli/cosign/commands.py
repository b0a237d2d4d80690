"""Every command of cosign that we speak: its words, its flags, where its function is."""

from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.cli.cosign.words import Flag


class Command(Value):
    """A command: ``function(words, program, out)`` in ``module`` of this package.

    ``own`` names its flags, ``MODULE.NAME`` in ``flags``, "" for none. ``arguments`` are the fewest and most words
    besides flags (-1: any number). ``deprecated`` is said first.
    """

    words: tuple[str, ...]
    module: str
    function: str
    own: str
    help: str
    usage: str
    arguments: tuple[int, int] = (1, 1)
    deprecated: str = ""

    @property
    def flags(self) -> "tuple[Flag, ...]":
        """Its flags, with those that all have; loaded when they are needed."""
        from countermark.cli.cosign.flags import common  # noqa: PLC0415 - of one command only
        from countermark.cli.main import import_named  # noqa: PLC0415 - loaded already

        if not self.own:
            return common.GLOBAL
        module, _, name = self.own.partition(".")
        found = import_named(f"countermark.cli.cosign.flags.{module}")
        return (*getattr(found, name), *common.GLOBAL)


def _command(  # noqa: PLR0913, PLR0917 - one row of a table
    words: str,
    place: str,
    own: str,
    help_text: str,
    usage: str = "IMAGE",
    arguments: tuple[int, int] = (1, 1),
    deprecated: str = "",
) -> Command:
    module, _, function = place.partition(".")
    return Command(
        words=tuple(words.split()),
        module=module,
        function=function,
        own=own,
        help=help_text,
        usage=usage,
        arguments=arguments,
        deprecated=deprecated,
    )


_ANY, _SOME, _NONE = (0, -1), (1, -1), (0, 0)

_REMOVED = (
    "{} will be removed in v4.0.0 (see https://github.com/sigstore/cosign/issues/4696). "
    "Instead, please use"
)

COMMANDS = (
    _command(
        "attest",
        "sign.attest",
        "signing.ATTEST",
        "attest something about images",
        "IMAGE...",
        _SOME,
    ),
    _command("sign", "sign.sign", "signing.SIGN", "sign images", "IMAGE...", _SOME),
    _command(
        "verify",
        "verify.verify",
        "verifying.VERIFY",
        "verify signatures of images",
        "IMAGE...",
        _SOME,
    ),
    _command(
        "verify-attestation",
        "verify.verify_attestation",
        "verifying.VERIFY_ATTESTATION",
        "verify attestations about images",
        "IMAGE...",
        _SOME,
    ),
    _command(
        "manifest verify",
        "files_with_images.manifest",
        "verifying.MANIFEST_VERIFY",
        "verify the images in manifests of Kubernetes",
        "FILE",
    ),
    _command(
        "dockerfile verify",
        "files_with_images.dockerfile",
        "verifying.DOCKERFILE_VERIFY",
        "verify the images in a Dockerfile",
        "FILE",
    ),
    _command("sign-blob", "blobs.sign", "signing.SIGN_BLOB", "sign files", "FILE...", _SOME),
    _command(
        "attest-blob",
        "blobs.attest",
        "signing.ATTEST_BLOB",
        "attest something about a file",
        "[FILE]",
        _ANY,
    ),
    _command(
        "verify-blob",
        "verify_blobs.verify",
        "verifying.VERIFY_BLOB",
        "verify a file's signature",
        "FILE",
    ),
    _command(
        "verify-blob-attestation",
        "verify_blobs.verify_attestation",
        "verifying.VERIFY_BLOB_ATTESTATION",
        "verify an attestation about a file",
        "[FILE]",
        (0, 1),
    ),
    _command(
        "generate-key-pair",
        "keys.generate",
        "files.GENERATE_KEY_PAIR",
        "make a key pair",
        "[k8s://NAMESPACE/NAME]",
        _ANY,
    ),
    _command(
        "import-key-pair",
        "keys.import_pair",
        "files.IMPORT_KEY_PAIR",
        "import a private key",
        "",
        _ANY,
    ),
    _command(
        "public-key", "keys.public", "files.PUBLIC_KEY", "print a key's public half", "", _ANY
    ),
    _command(
        "initialize",
        "initialize.initialize",
        "files.INITIALIZE",
        "fetch the trusted root of a Sigstore",
        "",
        _NONE,
    ),
    _command(
        "trusted-root create",
        "trust.trusted_root",
        "files.TRUSTED_ROOT_CREATE",
        "make a trusted root",
        "",
        _NONE,
    ),
    _command(
        "signing-config create",
        "signing_configs.create",
        "files.SIGNING_CONFIG_CREATE",
        "make a signing config",
        "",
        _NONE,
    ),
    _command(
        "bundle create",
        "bundles.create",
        "files.BUNDLE_CREATE",
        "make a bundle of a signature's parts",
        "",
        _NONE,
    ),
    _command(
        "bundle upgrade",
        "bundle_upgrades.upgrade",
        "files.BUNDLE_UPGRADE",
        "make an old bundle a new one",
        "FILE",
    ),
    _command("bundle inspect", "bundles.inspect", "", "show what is in a bundle", "FILE"),
    _command("tree", "images.tree", "beside.TREE", "show what lies beside an image"),
    _command(
        "triangulate",
        "images.triangulate",
        "beside.TRIANGULATE",
        "print where something of an image's lies",
        deprecated=_REMOVED.format("triangulate")
        + " `oras discover` or `cosign tree` to show referring artifacts",
    ),
    _command(
        "copy",
        "images.copy",
        "beside.COPY",
        "copy an image with what lies beside it",
        "SOURCE DESTINATION",
        (2, 2),
        deprecated="there are several options you can use instead:\n"
        '  - "oras copy -r" will copy images and referring artifacts\n'
        '  - "cosign save" to write to disk, followed by "cosign load" for a new registry\n'
        '  - "cosign download" followed by "cosign attach" to just copy the bundle',
    ),
    _command(
        "clean", "images.clean", "beside.CLEAN", "remove signatures and attestations from an image"
    ),
    _command("save", "images.save", "beside.SAVE", "save an image, and what lies beside it"),
    _command("load", "images.load", "beside.LOAD", "bring a saved image to a registry"),
    _command(
        "download signature",
        "downloads.signature",
        "beside.DOWNLOAD_SIGNATURE",
        "print an image's signatures",
    ),
    _command(
        "download attestation",
        "downloads.attestation",
        "beside.DOWNLOAD_ATTESTATION",
        "print the attestations about an image",
    ),
    _command(
        "download sbom",
        "downloads.sbom",
        "beside.DOWNLOAD_SBOM",
        "print an image's attached SBOM",
    ),
    _command(
        "attach signature",
        "attaching.signature",
        "beside.ATTACH_SIGNATURE",
        "put a signature that is given beside an image",
    ),
    _command(
        "attach attestation",
        "attaching.attestation",
        "beside.ATTACH_ATTESTATION",
        "put attestations that are given beside an image",
    ),
    _command("attach sbom", "attaching.sbom", "beside.ATTACH_SBOM", "put an SBOM beside an image"),
    _command("login", "about.login", "files.LOGIN", "log in to a registry", "REGISTRY"),
    _command("env", "about.env", "files.ENV", "print the variables that count", "", _NONE),
    _command("version", "about.version", "files.VERSION", "print the version", "", _ANY),
)


def find(words: "list[str]") -> "tuple[Command | None, list[str]]":
    """Find the command that the words begin with, and the words that remain."""
    for count in (2, 1):
        head = tuple(words[:count])
        for command in COMMANDS:
            if command.words == head:
                return command, words[count:]
    return None, words
