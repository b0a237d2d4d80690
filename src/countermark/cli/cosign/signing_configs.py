"""``cosign signing-config create``: which services sign, of the words on the command line."""

from countermark.cli.cosign import pairs
from countermark.cli.cosign.trust import within, write
from countermark.cli.cosign.words import CosignError
from countermark.core.errors import CountermarkError
from countermark.core.light import partial
from countermark.formats import signing_config
from countermark.formats.signing_config import Selector, Service, SigningConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output

# each kind's flag, where it stands in a signing config, and its name in --no-default-…
_KINDS = {
    "fulcio": ("authorities", "fulcio"),
    "rekor": ("logs", "rekor"),
    "oidc-provider": ("issuers", "oidc"),
    "tsa": ("timestamp_authorities", "tsa"),
}
_SELECTORS = {"rekor": "log_selector", "tsa": "timestamp_selector"}


def create(words: "Words", program: "Program", out: "Output") -> int:
    """Make a signing config."""
    _check(words)
    made = _kept(_base(words, program), words)
    for flag, field in _SELECTORS.items():
        text = words.text(f"{flag}-config")
        if text:
            selector = within(f"parsing {flag}-config", partial(_selector, text))
            made = made.replace(**{field: selector})
    for flag, (field, _) in _KINDS.items():
        for spec in words.list(flag):
            service = within(f"parsing {flag} spec", partial(_service, spec))
            made = made.replace(**{field: (*getattr(made, field), service)})
    write(made.members(), words, program, out)
    return 0


def _kept(base: SigningConfig, words: "Words") -> SigningConfig:
    """What remains of the config to begin with: no services that are not wanted.

    Services on the command line stand instead of a base's, and beside the public instance's.
    """
    for flag, (field, name) in _KINDS.items():
        is_replaced = words.text("base-config") and words.list(flag)
        if words.on(f"no-default-{name}") or is_replaced:
            base = base.replace(**{field: ()})
            if flag in _SELECTORS:
                base = base.replace(**{_SELECTORS[flag]: Selector()})
    return base


def _check(words: "Words") -> None:
    defaults = [
        name for name in ("with-default-services", "with-default-rekor-v2") if words.on(name)
    ]
    if words.text("base-config") and defaults:
        group = f"[base-config {defaults[0]}]"
        raise CosignError(
            f"if any flags in the group {group} are set none of the others can be; "
            f"{group} were all set"
        )
    for flag in ("rekor", "tsa"):
        if words.list(flag) and not words.text(f"{flag}-config"):
            raise CosignError(f"--{flag}-config must be provided when --{flag} is specified")


def _base(words: "Words", program: "Program") -> SigningConfig:
    path = words.text("base-config")
    if path:
        return within(
            f"loading base config from {path}",
            lambda: signing_config.parse(program.cosign.given(path)),
        )
    if words.on("with-default-rekor-v2"):
        raise CosignError(
            "the public instance's signing config for Rekor v2 is not fetched by countermark",
            hint="give signing_config_rekor_v2.v0.2.json of its TUF repository with --base-config",
        )
    if not words.on("with-default-services"):
        return SigningConfig()
    try:
        return program.cosign.sigstore().signing_config()
    except CountermarkError as error:
        text = f"getting default trusted root: {error}"
        raise CosignError(text, hint=error.hint) from error


def _service(spec: str) -> Service:
    missing = "missing required key '{}' in service spec"
    needed = {
        name: missing.format(name) for name in ("url", "api-version", "start-time", "operator")
    }
    found = pairs.parse(spec, needed, ("end-time",))
    version = pairs.number(found["api-version"], "parsing api-version")
    start = within("parsing start-time", lambda: pairs.time(found["start-time"]))
    end = found.get("end-time", "")
    return Service(
        url=found["url"],
        api_version=version,
        operator=found["operator"],
        start=start,
        end=within("parsing end-time", lambda: pairs.time(end)) if end else None,
    )


def _selector(text: str) -> Selector:
    """Read ``ANY``, ``ALL`` or ``EXACT:n``.

    Raises:
        CosignError: it is none of them; or EXACT:0, which cosign writes and nobody can use.
    """
    kind, colon, count = text.partition(":")
    kind = kind.upper()
    if kind in ("ANY", "ALL"):
        if colon:
            raise CosignError(f"mode {kind} does not accept a count")
        return Selector(kind=kind)
    if kind != "EXACT":
        raise CosignError(f"invalid service config mode: {kind[:80]}")
    if not colon:
        raise CosignError("mode EXACT requires a count, e.g. EXACT:2")
    number = pairs.number(count, "invalid count for EXACT mode")
    if number == 0:
        raise CosignError("invalid count for EXACT mode: 0 services sign nothing")
    return Selector(kind=kind, count=number)
