"""Every command of the program, in the order in which help shows them."""

from countermark.core.value import Value


class Command(Value):
    """A command's words, and where its function is: ``NAME_arguments(parser)`` and ``NAME(args, program, out)``.

    ``docker_words`` marks commands that speak docker's words: its texts, its exit statuses. A ``raw`` command takes
    its words as they are, ``NAME(words, program, out)``: they are another program's.
    """

    words: tuple[str, ...]
    module: str
    function: str
    help: str
    docker_words: bool = False
    hidden: bool = False
    raw: bool = False


def _command(words: str, module: str, function: str, text: str, **marks: bool) -> Command:
    return Command(words=tuple(words.split()), module=module, function=function, help=text, **marks)


COMMANDS: tuple[Command, ...] = (
    _command(
        "verify", "verify", "verify", "say who vouches for images, and whether that is enough"
    ),
    _command("sign", "sign", "sign", "sign images with a key or an identity, as cosign does"),
    _command("attest", "sign", "attest", "state something about images, signed"),
    _command("tree", "beside", "tree", "show what lies beside an image: signatures, attestations"),
    _command("copy", "beside", "copy", "take an image elsewhere, with all that lies beside it"),
    _command("convert", "convert", "convert", "put attestations there in the other form too"),
    _command("repair", "beside", "repair", "put back signatures that others' writing has lost"),
    _command("pull", "images", "pull", "fetch an image, if it is vouched for"),
    _command("push", "images", "push", "send an image to a registry, and sign it with --sign"),
    _command(
        "trust inspect",
        "trust_inspect",
        "inspect",
        "show signed tags, signers and keys",
        docker_words=True,
    ),
    _command(
        "trust sign",
        "trust_sign",
        "sign",
        "sign a tag and publish the signature",
        docker_words=True,
    ),
    _command("trust revoke", "trust_sign", "revoke", "remove signatures", docker_words=True),
    _command(
        "trust key generate", "trust_keys", "generate", "make a signing key pair", docker_words=True
    ),
    _command(
        "trust key load",
        "trust_keys",
        "load",
        "load a private key file for signing",
        docker_words=True,
    ),
    _command(
        "trust key list", "trust_keys", "list_keys", "list the private keys of the trust folder"
    ),
    _command(
        "trust signer add",
        "trust_signers",
        "signer_add",
        "add a signer to repositories",
        docker_words=True,
    ),
    _command(
        "trust signer remove",
        "trust_signers",
        "signer_remove",
        "remove a signer",
        docker_words=True,
    ),
    _command(
        "trust rotate",
        "trust_pins",
        "rotate",
        "replace a repository's root, targets or server keys",
    ),
    _command(
        "trust pin", "trust_pins", "pin", "believe a repository's root from now on, and no other"
    ),
    _command(
        "trust forget", "trust_pins", "forget", "forget what is cached and pinned for a repository"
    ),
    _command(
        "migrate dct-to-cosign",
        "migrate",
        "dct_to_cosign",
        "sign with cosign what content trust vouches for",
    ),
    _command("policy check", "policy", "check", "check a policy file"),
    _command(
        "policy order", "policy", "order", "show which rule of a policy decides about an image"
    ),
    _command(
        "config show", "policy", "config_show", "show the configuration and where it comes from"
    ),
    _command("serve", "serve", "serve", "run a registry and a trust server, and a Sigstore"),
    _command(
        "sigstore user add", "sigstore_users", "user_add", "make an account of our own issuer"
    ),
    _command("sigstore user list", "sigstore_users", "user_list", "list the accounts"),
    _command("sigstore user remove", "sigstore_users", "user_remove", "take an account away"),
    _command(
        "sigstore use",
        "sigstore_use",
        "use",
        "sign and verify with a Sigstore of our own from now on",
    ),
    _command("sigstore token", "sigstore_users", "token", "get an identity token for an account"),
    _command(
        "sigstore export",
        "sigstore_export",
        "export",
        "write what hosts without network need to trust and to sign",
    ),
    _command("sigstore rotate", "sigstore_rotate", "rotate", "give one of its services a new key"),
    _command("log verify", "log", "verify", "check the whole of a transparency log"),
    _command("log search", "log", "search", "look for a key, an identity or a digest in a log"),
    _command("log monitor", "log", "monitor", "say what a log has got since it was last asked"),
    _command(
        "clean", "clean", "clean", "remove what nothing names any more from a server's folder"
    ),
    _command("backup", "backup", "backup", "copy a server's folder into a file while it runs"),
    _command("restore", "backup", "restore", "put such a copy into an empty folder"),
    _command("shim install", "shim", "install", "make docker obey content trust, or cosign be us"),
    _command("shim remove", "shim", "remove", "take the shims away again"),
    _command("shim status", "shim", "status", "say which shims are installed"),
    _command("cosign", "cosign.main", "cosign", "cosign's commands, in cosign's words", raw=True),
    _command("completion", "completion", "completion", "print a shell completion script"),
    _command("docker-shim", "docker", "drop_in", "the drop-in docker", hidden=True, raw=True),
    _command("docker-plugin", "docker", "plugin", "the docker CLI plugins", hidden=True, raw=True),
)

GROUPS = {
    ("trust",): "manage trust in images, in docker's words",
    ("trust", "key"): "manage signing keys",
    ("trust", "signer"): "manage the signers of a repository",
    ("migrate",): "carry trust over from one scheme to another",
    ("policy",): "check policies",
    ("config",): "look at the configuration",
    ("shim",): "the old commands go on working",
    ("sigstore",): "a private Sigstore: accounts, tokens, what its clients need",
    ("sigstore", "user"): "manage the accounts of its issuer",
    ("log",): "look into transparency logs",
}


def find(argv: list[str]) -> tuple[Command | None, list[str]]:
    """Find the command that the words begin with, and the words that remain."""
    for count in (3, 2, 1):
        head = tuple(argv[:count])
        for command in COMMANDS:
            if command.words == head:
                return command, argv[count:]
    return None, argv
