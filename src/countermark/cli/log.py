"""Transparency logs: verify the whole of one, look for signatures in it, watch it for an identity."""

from countermark.core import limits
from countermark.core.errors import EvidenceError, InputError
from countermark.core.text import harmless
from countermark.formats import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from typing import Protocol

    from countermark.cli.output import Output
    from countermark.core.ports_sigstore import LogIndex, TileReader
    from countermark.formats.trusted_root import TrustedRoot
    from countermark.services.log_audit import Found, LogAudit, LogTrust, Seen

    class OpenedLog(Protocol):
        """A log that was opened."""

        @property
        def reader(self) -> TileReader: ...
        @property
        def index(self) -> LogIndex | None: ...
        @property
        def trusted(self) -> TrustedRoot | None: ...

    class Logs(Protocol):
        """Opens logs, and reads what is trusted."""

        def opened(self, place: str) -> OpenedLog: ...

        def trusted_root(self, path: str) -> TrustedRoot: ...

    class Files(Protocol):
        """Small files."""

        def read_bytes(self, path: str) -> bytes | None: ...

        def write_private(self, path: str, content: bytes) -> None: ...

    class Program(Protocol):
        """What these commands ask of the program."""

        @property
        def logs(self) -> Logs: ...

        @property
        def files(self) -> Files: ...


_HEX = frozenset("0123456789abcdef")
_DIGEST_CHARS = (64, 96, 128)
_FAILED = 1


def _place_arguments(parser: "argparse.ArgumentParser") -> None:
    parser.add_argument("place", metavar="LOG", help="its URL, or the folder of a server of ours")
    parser.add_argument(
        "--trusted-root",
        metavar="FILE",
        default="",
        help="trusted_root.json that names the log (default: the one in the folder)",
    )
    parser.add_argument(
        "--witness",
        metavar="KEY",
        action="append",
        default=[],
        help="a witness's verifier key, NAME+HASH+KEY; may be given several times",
    )
    parser.add_argument(
        "--witnesses",
        metavar="N",
        type=int,
        default=None,
        help="how many of them must have cosigned the checkpoint (default: all)",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")


def _opened(args: "argparse.Namespace", program: "Program") -> "tuple[OpenedLog, LogAudit]":
    from countermark.services.log_audit import LogAudit  # noqa: PLC0415 - one command

    found = program.logs.opened(args.place)
    return found, LogAudit(found.reader, _trust(args, program, found))


def _trust(args: "argparse.Namespace", program: "Program", found: "OpenedLog") -> "LogTrust":
    from countermark.cli.witness_flags import witnesses  # noqa: PLC0415 - one command
    from countermark.services.log_audit import LogTrust  # noqa: PLC0415 - the same

    trusted = program.logs.trusted_root(args.trusted_root) if args.trusted_root else found.trusted
    if trusted is None:
        raise InputError(
            "nothing says by which key the log is known", hint="give its --trusted-root FILE"
        )
    known, threshold = witnesses(args.witness, args.witnesses)
    return LogTrust(instances=trusted.logs, witnesses=known, threshold=threshold)


# verify -------------------------------------------------------------------------------------------------


def verify_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``log verify``."""
    parser.epilog = """examples:
  countermark log verify /srv/trust                                         a server's folder, with its index
  countermark log verify https://log.example.com --trusted-root root.json   any log with tiles

exit status: 0 everything is right, 1 something is not."""
    _place_arguments(parser)


def verify(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Read a whole log again: entries, tiles, checkpoint, and our own index of it."""
    opened, audit = _opened(args, program)
    now = audit.newest()
    problems = audit.verify(now, opened.index, lambda _: None)
    origin, size = now.checkpoint.origin, now.checkpoint.size
    if args.output == "json":
        document = _head(now) | {"problems": problems}
        out.document(document)
        return _FAILED if problems else 0
    for problem in problems:
        out.error(problem)
    if problems:
        return _FAILED
    what = "entries, tiles, checkpoint" + (" and index" if opened.index is not None else "")
    out.result(f"{harmless(origin)}: {size} entries; {what} are right")
    return 0


def _head(now: "Seen") -> "dict[str, object]":
    tree = now.checkpoint
    return {"version": 1, "log": tree.origin, "size": tree.size, "root": tree.root.hex()}


# search -------------------------------------------------------------------------------------------------


def _wanted_arguments(parser: "argparse.ArgumentParser", *, digest: bool) -> None:
    if digest:
        parser.add_argument(
            "--digest",
            metavar="HEX",
            default="",
            help="what was signed, as sha256:... (of an attestation its pre-authentication encoding)",
        )
    parser.add_argument(
        "--identity", metavar="NAME", default="", help="whom the certificate names, exactly"
    )
    parser.add_argument("--issuer", metavar="URL", default="", help="and who vouched for the name")
    parser.add_argument(
        "--key", metavar="HEX", default="", help="sha256 of the public key (DER) that verifies it"
    )


class _Wanted:
    """What is looked for: all that is given must fit."""

    def __init__(self, digest: str, identity: str, issuer: str, key: str) -> None:
        self._digest = _hex(digest.partition(":")[2] or digest, "digest", _DIGEST_CHARS)
        self._key = _hex(key, "key", (64,))
        self._identity, self._issuer = identity, issuer
        if not (digest or identity or key):
            raise InputError(
                "nothing is looked for", hint="give --identity, --key or (to search) --digest"
            )

    @property
    def terms(self) -> "list[bytes]":
        """By which an index finds it: the rarest of what is given."""
        from countermark.services import log_terms  # noqa: PLC0415 - one command

        if self._digest:
            return [log_terms.term(log_terms.DIGEST, self._digest)]
        if self._key:
            return [log_terms.term(log_terms.KEY, self._key)]
        return [log_terms.term(log_terms.IDENTITY, self._identity)]

    def match(self, found: "Found") -> "dict[str, object] | None":
        """What an entry says, if it is one that is looked for."""
        from countermark.services import log_terms  # noqa: PLC0415 - one command

        record = found.record()
        if record is None:
            return None
        signer = log_terms.signer_of(record)
        identity, issuer = (signer.name, signer.issuer) if signer else ("", "")
        key = log_terms.key_of(record)
        fits = (
            self._digest in ("", record.digest.hex())
            and self._key in ("", key)
            and self._identity in ("", identity)
            and self._issuer in ("", issuer)
        )
        if not fits:
            return None
        digest = f"{record.algorithm}:{record.digest.hex()}"
        said = {"index": found.place, "digest": digest, "key": key}
        return said | ({"identity": identity, "issuer": issuer} if identity else {})


def _hex(text: str, what: str, lengths: "tuple[int, ...]") -> str:
    lower = text.lower()
    if text and (len(lower) not in lengths or not _HEX.issuperset(lower)):
        raise InputError(f"not a {what}: {text[:140]!r}", hint="write it in hexadecimal digits")
    return lower


def _wanted(args: "argparse.Namespace") -> _Wanted:
    return _Wanted(getattr(args, "digest", ""), args.identity, args.issuer, args.key)


def search_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``log search``."""
    parser.epilog = """examples:
  countermark log search /srv/trust --identity alice@example.com
  countermark log search https://log.example.com --trusted-root root.json --digest sha256:4d2f...

a server's folder is searched by its index; at a URL every entry is read.
exit status: 0 something was found, 1 nothing."""
    _place_arguments(parser)
    _wanted_arguments(parser, digest=True)


def search(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Look for entries by what was signed, or by whom; each one shown is proven to be in the log."""
    wanted = _wanted(args)
    opened, audit = _opened(args, program)
    now = audit.newest()
    if opened.index is None:
        entries = audit.since(None, now)
    else:
        entries = audit.at(opened.index.search(wanted.terms, limits.LOG_FOUND), now)
    matches = _matches(entries, wanted)
    _show(args, out, now, matches)
    return 0 if matches else _FAILED


def _matches(entries: "Iterable[Found]", wanted: _Wanted) -> "list[dict[str, object]]":
    """All that fit; none is told before the last step has proven them."""
    return [said for found in entries if (said := wanted.match(found)) is not None]


def _show(
    args: "argparse.Namespace", out: "Output", now: "Seen", matches: "list[dict[str, object]]"
) -> None:
    if args.output == "json":
        out.document(_head(now) | {"entries": matches})
        return
    for said in matches:
        who = said.get("identity") or f"key {said['key']}"
        issuer = f" ({said['issuer']})" if said.get("issuer") else ""
        out.result(f"{said['index']}  {said['digest']}  {harmless(f'{who}{issuer}')}")


# monitor ------------------------------------------------------------------------------------------------


def monitor_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``log monitor``."""
    parser.epilog = """examples:
  countermark log monitor https://log.example.com --trusted-root root.json \\
      --identity release@example.com --state ~/log-state.json

the first time it remembers where the log is; after that it tells what came since, and that the log only grew.
exit status: 0 the log only grew, 1 it did not."""
    _place_arguments(parser)
    _wanted_arguments(parser, digest=False)
    parser.add_argument(
        "--state",
        metavar="FILE",
        required=True,
        help="what is remembered; made where it is missing",
    )
    parser.add_argument(
        "--from-start", action="store_true", help="the first time: tell of all that is there"
    )


def monitor(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Tell of entries that came since the last time, of an identity or a key, and that the log only grew."""
    wanted = _wanted(args)
    _, audit = _opened(args, program)
    before = _remembered(args.state, program, audit)
    now = audit.newest()
    if before is None and not args.from_start:
        matches: list[dict[str, object]] = []
        out.note(f"watching {now.checkpoint.origin} from entry {now.checkpoint.size} on")
    else:
        matches = _matches(audit.since(before, now), wanted)
    _show(args, out, now, matches)
    out.flush()  # what is remembered was told
    content = strict_json.pretty({"version": 1, "checkpoint": now.note})
    program.files.write_private(args.state, f"{content}\n".encode())
    return 0


def _remembered(path: str, program: "Program", audit: "LogAudit") -> "Seen | None":
    content = program.files.read_bytes(path)
    if content is None:
        return None
    try:
        note = strict_json.Reader(strict_json.parse(content)).text("checkpoint")
        return audit.remembered(note)
    except EvidenceError as error:
        raise InputError(
            f"{path}: not what was remembered of this log: {error}",
            hint="give another --state file to begin anew",
        ) from None
