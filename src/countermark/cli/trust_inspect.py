"""``trust inspect`` in docker's words: who signed what, when, with which keys."""

from countermark.cli.docker_words import (
    DockerError,
    at_least,
    go_json,
    natural_key,
    notary_text,
    show_error,
    table,
)
from countermark.core.errors import Code, CountermarkError, InputError
from countermark.core.reference import ImageReference
from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.schemes.dct.repository import Collection, SignedTag

_USAGE = "IMAGE[:TAG] [IMAGE[:TAG]...]"  # docker's, after the command's words
_OWNER = "Repo Admin"


def inspect_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust inspect``."""
    parser.usage = f"%(prog)s {_USAGE}"
    parser.epilog = """examples:
  countermark trust inspect registry.example.com/pay               everything that is signed, as JSON
  countermark trust inspect --pretty registry.example.com/pay:v3   for people
  countermark trust inspect --history registry.example.com/pay     when each tag got its digest"""
    parser.add_argument("images", nargs="*", metavar="IMAGE[:TAG]", help="repositories or tags")
    parser.add_argument(
        "--pretty", action="store_true", help="print the information in a human friendly format"
    )
    parser.add_argument("--history", action="store_true", help="show when each tag got its digest")


def inspect(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Show what is signed, by whom, when, with which keys."""
    at_least(args.images, 1, args.prog, _USAGE)
    if args.history:
        from countermark.cli import trust_history  # noqa: PLC0415 - rare

        return trust_history.show(args.images, program, out)
    if args.pretty:
        return _inspect_pretty(args.images, program, out)
    found, failures = [], []
    for image in args.images:
        try:
            reference = ImageReference.parse(image)
            found.append(_record(image, reference, _collection(reference, image, program)))
        except CountermarkError as error:
            failures.append(_inspect_error(error, image, program))
    out.result(go_json(found))
    if not failures:
        return 0
    *others, last = failures
    for failure in others:  # docker names each that it could not show
        show_error(failure, out)
    raise last


def _inspect_pretty(images: list[str], program: "Program", out: "Output") -> int:
    for position, image in enumerate(images):
        if position:
            out.written("\n\n")
        try:
            reference = ImageReference.parse(image)
            collection = _collection(reference, image, program)
            lines = _pretty(image, collection, _rows(collection, reference.tag))
        except CountermarkError as error:
            raise _inspect_error(error, image, program) from error
        for line in lines:
            out.result(line)
    return 0


def _inspect_error(error: CountermarkError, image: str, program: "Program") -> DockerError:
    """Docker's line, which does not say why; a hint says it below, but for a repository that has no trust data."""
    if isinstance(error, InputError):
        return DockerError(str(error))
    cause = notary_text(error, image)
    program.debug(cause)
    told = DockerError(f"no signatures or cannot access {image}")
    if error.code != Code.UNSIGNED:
        told.hint = f"{cause}\n{error.hint}".rstrip()
    return told


def _collection(reference: ImageReference, _image: str, program: "Program") -> "Collection":
    server = program.dct.servers.server_for(reference.repository)
    return program.dct.loader.load(reference.repository.name, server, program.now())


def _rows(collection: "Collection", tag: str | None) -> "list[SignedTag]":
    rows = [row for row in collection.rows() if tag is None or row.tag == tag]
    return sorted(rows, key=lambda row: natural_key(row.tag))


def _record(image: str, reference: ImageReference, collection: "Collection") -> dict[str, object]:
    """Docker's record, with additions: when, until when, pinned how."""
    ends = collection.expiries()
    signers = sorted(collection.signers(), key=lambda entry: entry[0], reverse=True)
    return {
        "Name": image,
        "SignedTags": [
            {
                "SignedTag": row.tag,
                "Digest": row.digest.hex,
                "Signers": list(row.signers) or [_OWNER],
                "Role": row.role,
            }
            for row in _rows(collection, reference.tag)
        ],
        "Signers": [
            {
                "Name": name,
                **({"Keys": [{"ID": key} for key in keys]} if keys else {}),
                "LastSigned": _when(collection, f"targets/{name}"),
                "Expires": _time(ends.get(f"targets/{name}")),
            }
            for name, keys in signers
        ],
        "AdministrativeKeys": [
            {"Name": "Root", "Keys": [{"ID": key} for key in collection.root_keys]},
            {"Name": "Repository", "Keys": [{"ID": key} for key in collection.repository_keys]},
        ],
        "Roles": {
            role: {"Expires": _time(end), "LastSigned": _when(collection, role)}
            for role, end in ends.items()
        },
        "Pinned": "pinned" if collection.is_pinned else "first-use",
        "Stale": collection.trusted.stale,
    }


def _when(collection: "Collection", role: str) -> str | None:
    moment = collection.signed_at(role)
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _time(moment: "datetime | None") -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _pretty(image: str, collection: "Collection", rows: "list[SignedTag]") -> list[str]:
    lines = [""]
    if rows:
        lines += [f"Signatures for {image}", ""]
        cells = [(r.tag, r.digest.hex, ", ".join(sorted(r.signers)) or f"({_OWNER})") for r in rows]
        lines += table(
            ("SIGNED TAG", "DIGEST", "SIGNERS"), [tuple(map(harmless, c)) for c in cells]
        )
    else:
        lines += [f"No signatures for {image}", ""]
    signers = sorted(collection.signers(), key=lambda entry: natural_key(entry[0]))
    if signers:
        lines += ["", f"List of signers and their keys for {image}", ""]
        short = [(name, ", ".join(sorted(key[:12] for key in keys))) for name, keys in signers]
        lines += table(("SIGNER", "KEYS"), short)
    lines += ["", f"Administrative keys for {image}", ""]
    lines.append(f"  Repository Key:\t{', '.join(sorted(collection.repository_keys))}")
    lines.append(f"  Root Key:\t{', '.join(sorted(collection.root_keys))}")
    return lines + _additions(collection)


def _additions(collection: "Collection") -> list[str]:
    """What docker does not tell: when each role was signed and ends, and why its root is believed."""
    rows = []
    for role, end in collection.expiries().items():
        signed = collection.signed_at(role)
        rows.append((role, f"{signed:%Y-%m-%d %H:%M} UTC" if signed else "-", f"{end:%Y-%m-%d}"))
    pinned = (
        "pinned"
        if collection.is_pinned
        else "believed on first use (countermark trust pin keeps it)"
    )
    return [
        "",
        "Roles",
        "",
        *table(("ROLE", "LAST SIGNED", "EXPIRES"), rows),
        "",
        f"Root: {pinned}",
    ]
