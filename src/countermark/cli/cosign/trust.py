"""``cosign trusted-root create``: what is believed, made of files of certificates and keys."""

from countermark.cli.cosign import pairs
from countermark.cli.cosign.words import CosignError
from countermark.core.errors import CountermarkError
from countermark.core.light import UTC, Callable, datetime, partial, sha256
from countermark.formats import strict_json
from countermark.formats.trusted_root import Authority, Instance, TrustedRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.proofs.x509 import Certificate

    Made = TypeVar("Made")
    Kind = TypeVar("Kind", Instance, Authority)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORGANIZATION = b"\x55\x04\x0a"  # 2.5.4.10
# each service's flags, and those that it had before
_BEFORE = {
    "fulcio": ("certificate-chain", "fulcio-uri"),
    "rekor": ("rekor-key", "rekor-url", "rekor-start-time", "rekor-end-time"),
    "ctfe": ("ctfe-key", "ctfe-url", "ctfe-start-time", "ctfe-end-time"),
    "tsa": ("timestamp-certificate-chain", "timestamp-uri"),
}
_TIMES = ("start-time", "end-time")


def trusted_root(words: "Words", program: "Program", out: "Output") -> int:
    """Make a trusted root."""
    for name, before in _BEFORE.items():
        if words.list(name) and any(words.list(each) for each in before):
            raise CosignError(f"cannot use --{name} and old {name} flags at the same time")
    base = _defaults(words, program)
    maker = _Maker(words, program)
    made = TrustedRoot(
        logs=_in_order(_last_of_each(base.logs + maker.logs("rekor"))),
        authorities=_in_order(base.authorities + maker.authorities("fulcio")),
        ct_logs=_in_order(_last_of_each(base.ct_logs + maker.logs("ctfe"))),
        timestamp_authorities=_in_order(base.timestamp_authorities + maker.authorities("tsa")),
    )
    write(made.members(), words, program, out)
    return 0


def write(members: "dict[str, object]", words: "Words", program: "Program", out: "Output") -> None:
    """Write a document where ``--out`` says, or print it: compact, as protobuf's Go library does."""
    content = strict_json.compact(members)
    if words.text("out"):
        program.files.write_private(words.text("out"), content)
    else:
        out.result(content.decode("utf-8"))


def _defaults(words: "Words", program: "Program") -> TrustedRoot:
    """What the Sigstore has that is initialized, the public one unless another is."""
    if not words.on("with-default-services"):
        return TrustedRoot()
    try:
        found = program.cosign.sigstore().trusted_root()
    except CountermarkError as error:
        text = f"getting default trusted root: {error}"
        raise CosignError(text, hint=error.hint) from error
    left = {name: words.on(f"no-default-{name}") for name in _BEFORE}
    return TrustedRoot(
        logs=() if left["rekor"] else found.logs,
        authorities=() if left["fulcio"] else found.authorities,
        ct_logs=() if left["ctfe"] else found.ct_logs,
        timestamp_authorities=() if left["tsa"] else found.timestamp_authorities,
    )


def _last_of_each(logs: "Sequence[Instance]") -> tuple[Instance, ...]:
    """Of several logs of one name the last counts."""
    return tuple({log.log_id: log for log in logs}.values())


def _in_order(found: "Sequence[Kind]") -> "tuple[Kind, ...]":
    return tuple(sorted(found, key=lambda each: each.start or _EPOCH))


class _Maker:
    """Makes a trusted root's parts of flags."""

    def __init__(self, words: "Words", program: "Program") -> None:
        self._words, self._program = words, program

    def logs(self, flag: str) -> tuple[Instance, ...]:
        """Read ``--rekor`` or ``--ctfe``, or the flags that were there before."""
        made = []
        for spec in self._words.list(flag):
            made.append(within(f"parsing {flag} spec", partial(self._log, spec)))
        keys, urls, starts, ends = (self._words.list(each) for each in _BEFORE[flag])
        for number, place in enumerate(keys):
            path, _, origin = place.partition(",")
            made.append(
                self._instance(
                    path,
                    origin,
                    url=_at(urls, number),
                    start=_time(_at(starts, number)) or _EPOCH,
                    end=_time(_at(ends, number)),
                )
            )
        return tuple(made)

    def authorities(self, flag: str) -> tuple[Authority, ...]:
        """Read ``--fulcio`` or ``--tsa``, or the flags that were there before."""
        made = []
        for spec in self._words.list(flag):
            made.append(within(f"parsing {flag} spec", partial(self._authority, spec, flag)))
        chains, urls = (self._words.list(each) for each in _BEFORE[flag])
        for number, path in enumerate(chains):
            certificates = self._certificates(path)
            _check_chain(certificates, flag)
            start = certificates[-1].not_before
            made.append(_authority_of(certificates, _at(urls, number), start, None))
        return tuple(made)

    def _log(self, spec: str) -> Instance:
        missing = "missing or empty required key '{}' in tlog spec"
        needed = {name: missing.format(name) for name in ("url", "public-key", "start-time")}
        found = pairs.parse(spec, needed, ("end-time", "origin"))
        place = found["public-key"]
        within("parsing public-key", lambda: self._key(place))
        start, end = _times(found)
        return self._instance(
            place, found.get("origin", ""), url=found["url"], start=start, end=end
        )

    def _key(self, path: str) -> bytes:
        from countermark.proofs import public_keys  # noqa: PLC0415 - this command only

        return public_keys.parse(self._program.cosign.given(path)).der

    def _instance(
        self, path: str, origin: str, *, url: str, start: datetime | None, end: datetime | None
    ) -> Instance:
        from countermark.proofs import checkpoints, signatures, spki  # noqa: PLC0415 - as above

        key = spki.parse(self._key(path))
        # Rekor 2 and static CT logs are named by their checkpoints' signer, all others by their keys alone
        log_id = checkpoints.key_id(origin, key) if origin else sha256(key.der).digest()
        return Instance(
            base_url=url,
            key=key.der,
            key_details=signatures.key_details(key),
            log_id=log_id,
            start=start,
            end=end,
        )

    def _authority(self, spec: str, flag: str) -> Authority:
        missing = f"missing or empty required key '{{}}' in {flag} spec"
        needed = {name: missing.format(name) for name in ("url", "certificate-chain")}
        found = pairs.parse(spec, needed, _TIMES)
        name = {"fulcio": "Fulcio", "tsa": "TSA"}[flag]
        certificates = within(
            f"parsing {name} certificate-chain",
            lambda: self._certificates(found["certificate-chain"]),
        )
        _check_chain(certificates, flag)
        start, end = _times(found)
        # the root's, and of a timestamp authority the leaf's
        first = certificates[-1 if flag == "fulcio" else 0].not_before
        return _authority_of(certificates, found["url"], start or first, end)

    def _certificates(self, path: str) -> "tuple[Certificate, ...]":
        from countermark.proofs import pem, x509  # noqa: PLC0415 - this command only

        content = self._program.cosign.given(path)
        if not pem.parse(content):
            raise CosignError(f"no certificates in file {path}")
        return x509.parse_pem(content)


def _check_chain(certificates: "Sequence[Certificate]", flag: str) -> None:
    if flag != "tsa":
        return
    if certificates[0].is_ca:
        raise CosignError("first certificate in chain must be a leaf certificate")
    if len(certificates) < 2:
        raise CosignError("certificate chain must have at least two certificates")


def _authority_of(
    certificates: "Sequence[Certificate]", url: str, start: datetime, end: datetime | None
) -> Authority:
    """Take an authority, called as its root calls itself."""
    from countermark.proofs import x509  # noqa: PLC0415 - this command only

    root = certificates[-1]
    names = [text for kind, text in x509.attributes(root.subject) if kind == _ORGANIZATION]
    return Authority(
        organization=names[0] if names else "",
        common_name=root.common_name,
        uri=url,
        certificates=tuple(each.der for each in certificates),
        start=start,
        end=end,
    )


def _times(found: "dict[str, str]") -> tuple[datetime | None, datetime | None]:
    start, end = (within(f"parsing {name}", partial(_time, found.get(name, ""))) for name in _TIMES)
    return start, end


def _time(text: str) -> datetime | None:
    return pairs.time(text) if text else None


def _at(values: "Sequence[str]", number: int) -> str:
    return values[number] if number < len(values) else ""


def within(context: str, make: "Callable[[], Made]") -> "Made":
    """Put a context before what went wrong, as Go's programs do."""
    try:
        return make()
    except CountermarkError as error:
        raise CosignError(f"{context}: {error}", hint=error.hint) from error
