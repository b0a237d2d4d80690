"""Signing keys in docker's words: generate, load, list."""

from countermark.cli.docker_words import DockerError, exactly, table
from countermark.cli.trust_signers import check_signer_name
from countermark.core.errors import Code, CountermarkError, KeyAccessError
from countermark.core.ports import PassphraseRequest
from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.proofs.key_files import KeyFile
    from countermark.proofs.keys import PrivateKey

_NOT_PRIVATE = (
    "provided file {path} is not a supported private key - "
    "to add a signer's public key use docker trust signer add"
)
_OPEN_ATTEMPTS = 16


def generate_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust key generate``."""
    parser.usage = "%(prog)s NAME"
    parser.epilog = """examples:
  countermark trust key generate alice                    alice.pub here, the private key in the trust folder"""
    parser.add_argument("names", nargs="*", metavar="NAME", help="the signer's name")
    parser.add_argument(
        "--dir",
        metavar="DIR",
        default="",
        help="directory to generate key in, defaults to current directory",
    )


def generate(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Make a key pair: the private one into the trust folder, the public one into a file."""
    exactly(args.names, 1, args.prog, "NAME")
    name = args.names[0]
    check_signer_name(name, "key")
    if args.dir and not program.files.is_folder(args.dir):
        raise DockerError(f'public key path does not exist: "{args.dir}"')
    folder = args.dir or program.absolute(".")
    path = f"{folder.rstrip('/')}/{name}.pub"
    if program.files.exists(path):
        raise DockerError(f'public key file already exists: "{path}"')
    out.result(f"Generating key for {name}...")
    out.flush()
    try:
        private = program.dct.ring.make(name)
    except CountermarkError as error:
        raise DockerError(f"failed to generate key for {name}: {error}") from error
    from countermark.proofs.key_files import encode_public_pem  # noqa: PLC0415 - not for list

    program.files.write_private(path, encode_public_pem(private.public, name))
    out.result(
        f"Successfully generated and loaded private key. Corresponding public key available: {path}"
    )
    return 0


def load_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust key load``."""
    parser.usage = "%(prog)s [OPTIONS] KEYFILE"
    parser.epilog = """examples:
  countermark trust key load alice.key --name alice"""
    parser.add_argument("files", nargs="*", metavar="KEYFILE", help="a private key file, PEM")
    parser.add_argument("--name", default="signer", help="name for the loaded key")


def load(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Take a private key file into the trust folder, under a passphrase."""
    exactly(args.files, 1, args.prog, "[OPTIONS] KEYFILE")
    path = args.files[0]
    check_signer_name(args.name, "key")
    out.result(f'Loading key from "{path}"...')
    out.flush()
    if not program.files.exists(path):
        raise DockerError(
            f"refusing to load key from {path}: stat {path}: no such file or directory"
        )
    if not program.files.is_private(path):
        raise DockerError(
            f"refusing to load key from {path}: private key file {path} must not be readable or writable by others"
        )
    try:
        for file, private in _opened(path, args.name, program):
            program.dct.ring.keep(private, file.role, file.gun)
    except CountermarkError as error:
        raise DockerError(f"error importing key from {path}: {error}") from error
    out.result(f"Successfully imported key from {path}")
    return 0


def _opened(path: str, name: str, program: "Program") -> "list[tuple[KeyFile, PrivateKey]]":
    """Open every key of a file before any is stored, so that a broken one stores none.

    Docker reports success for an encrypted key and stores nothing (docker/cli#1095); here it is stored.
    """
    from countermark.proofs import key_files  # noqa: PLC0415 - not for list

    content = program.files.read_bytes(path) or b""
    try:
        files = key_files.imports(content, role=name)
    except KeyAccessError as error:
        if error.code == Code.TOO_LARGE:
            raise
        raise KeyAccessError(_NOT_PRIVATE.format(path=path), code=error.code) from error
    opened = [(file, _open(file, path, program)) for file in files]
    if any(private.public.type == "ed25519" for _, private in opened):
        # docker can use none: signer add refuses its public half, and so do docker's clients
        raise KeyAccessError(_NOT_PRIVATE.format(path=path), code=Code.NOT_SUPPORTED)
    return opened


def _open(file: "KeyFile", path: str, program: "Program") -> "PrivateKey":
    if not file.encrypted:
        return file.open(None)
    for attempt in range(_OPEN_ATTEMPTS):
        request = PassphraseRequest(key_id="", role="encrypted", attempt=attempt)
        try:
            passphrase = program.terminal.passphrase(request)
        except KeyAccessError as error:
            text = f"cannot load key from provided file {path}: could not decrypt key"
            raise KeyAccessError(text, code=Code.PASSPHRASE) from error
        try:
            return file.open(passphrase)
        except KeyAccessError as error:
            if error.code != Code.PASSPHRASE:
                raise
    raise KeyAccessError(f"cannot load key from provided file {path}: could not decrypt key")


def list_keys_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust key list``."""
    parser.epilog = """examples:
  countermark trust key list"""
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="how to show it"
    )


def list_keys(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """List the private keys of the trust folder, without opening them."""
    keys = sorted(
        program.dct.keys.list(), key=lambda key: (key.role != "root", key.role, key.gun, key.id)
    )
    if args.output == "json":
        rows = [{"id": key.id, "role": key.role, "repository": key.gun} for key in keys]
        out.document({"version": 1, "folder": program.dct.folder, "keys": rows})
        return 0
    if not keys:
        out.note(f"no private keys in {program.dct.folder}")
        return 0
    cells = [(harmless(k.role) or "-", harmless(k.gun) or "any", k.id) for k in keys]
    for line in table(("ROLE", "REPOSITORY", "KEY ID"), cells):
        out.result(line)
    return 0
