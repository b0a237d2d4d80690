"""Policy text to those who sign with cosign, and to the attestations demanded of them."""

from countermark.core import patterns
from countermark.core.errors import ConfigError, EvidenceError
from countermark.core.light import datetime
from countermark.core.signer import CosignSigner, Identity, TrustedSigner
from countermark.formats.strict_yaml import Item
from countermark.policy.model import Vouched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from countermark.policy.model import Requirement
    from countermark.policy.parse_parties import Parties

PUBLIC = "public"  # the public Sigstore's trusted root
_WHO = ("key", "ca", "issuer", "issuerRegexp", "subject", "subjectRegexp", "extensions")
_WHAT = (
    "annotations",
    "claims",
    "trust",
    "logs",
    "witnesses",
    "witnessesNeeded",
    "timestamped",
    "acceptUnlogged",
    "acceptUncertified",
)
_CLAIMS = ("ignore", "repository", "exact")
_MOST_LOGS = 8
_MOST_WITNESSES = 32
_HINT = "write cosign: {key: FILE}, {issuer: …, subject: …} or {ca: FILE}"
# Fulcio's extensions by the last number of their OID (specs: cosign, 2e); 1 and 8 are the issuer.
EXTENSIONS = {
    "githubWorkflowTrigger": 2,
    "githubWorkflowSha": 3,
    "githubWorkflowName": 4,
    "githubWorkflowRepository": 5,
    "githubWorkflowRef": 6,
    "buildSignerURI": 9,
    "buildSignerDigest": 10,
    "runnerEnvironment": 11,
    "sourceRepositoryURI": 12,
    "sourceRepositoryDigest": 13,
    "sourceRepositoryRef": 14,
    "sourceRepositoryIdentifier": 15,
    "sourceRepositoryOwnerURI": 16,
    "sourceRepositoryOwnerIdentifier": 17,
    "buildConfigURI": 18,
    "buildConfigDigest": 19,
    "buildTrigger": 20,
    "runInvocationURI": 21,
    "sourceRepositoryVisibility": 22,
    "deploymentEnvironment": 23,
    "tokenSubject": 24,
}


def cosign_signer(
    item: Item, name: str, parties: "Parties", not_after: datetime | None
) -> CosignSigner:
    """Read ``cosign: {...}``: a key, an identity or an authority, and what is demanded besides."""
    members = item.object((*_WHO, *_WHAT))
    kinds = [kind for kind in ("key", "issuer", "ca") if _has(members, kind)]
    if len(kinds) != 1:
        item.refuse("a signer has exactly one of key, issuer with subject, and ca", _HINT)
    (kind,) = kinds
    allowed = {"key": ("key",), "ca": ("ca", "subject")}.get(kind, _WHO)
    for word in _WHO:
        if word in members and word not in allowed:
            members[word].refuse(f"{word} does not go with {kind}", _HINT)
    witnesses = _witnesses(members["witnesses"]) if "witnesses" in members else ()
    if witnesses and "acceptUnlogged" in members:
        members["acceptUnlogged"].refuse(
            "where no log needs to have it there is nothing to witness"
        )
    return CosignSigner(
        name=name,
        key=_key(members["key"], parties) if kind == "key" else "",
        identity=_identity(item, members) if kind == "issuer" else None,
        ca=_authorities(members["ca"], parties) if kind == "ca" else (),
        ca_subject=members["subject"].text() if kind == "ca" and "subject" in members else "",
        trusted_root=trusted_root(members["trust"], parties)
        if "trust" in members
        else parties.trust,
        annotations=_pairs(members["annotations"]) if "annotations" in members else (),
        claims=members["claims"].word(_CLAIMS) if "claims" in members else "ignore",
        accept_unlogged=_text(members, "acceptUnlogged"),
        accept_uncertified=_text(members, "acceptUncertified"),
        timestamped=members["timestamped"].boolean() if "timestamped" in members else False,
        threshold=members["logs"].integer(1, _MOST_LOGS) if "logs" in members else 1,
        witnesses=witnesses,
        witnesses_needed=_witnesses_needed(members, len(witnesses)),
        not_after=not_after,
    )


def _has(members: dict[str, Item], kind: str) -> bool:
    return kind in members or (kind == "issuer" and "issuerRegexp" in members)


def _text(members: dict[str, Item], name: str) -> str:
    return members[name].text() if name in members else ""


# Who ------------------------------------------------------------------------------------------------


def _key(item: Item, parties: "Parties") -> str:
    """Take a public key, PEM. Where a private key is kept matters to who signs, and not here."""
    if "://" in item.text().partition("\n")[0]:
        item.refuse(
            f"{item.text()[:80]} is a place where private keys are kept",
            "export the public key to a PEM file, and name that",
        )
    text = parties.pem(item, "a key of cosign is a PEM file or PEM text")
    from countermark.proofs import pem, spki  # noqa: PLC0415 - with the heavy half

    try:
        blocks = pem.parse(text.encode())
        if len(blocks) != 1 or blocks[0].type != "PUBLIC KEY":
            item.refuse("a key of cosign is one public key, in PEM form", "certificates go to ca:")
        spki.parse(blocks[0].content)
    except EvidenceError as error:
        item.refuse(f"not a public key that can be used: {error}")
    return text


def _authorities(item: Item, parties: "Parties") -> tuple[str, ...]:
    from countermark.proofs import x509  # noqa: PLC0415 - with the heavy half

    parts = item.items() if isinstance(item.content, list) else [item]
    texts = [parties.certificates(part) for part in parts]
    for part, text in zip(parts, texts, strict=True):
        try:
            x509.parse_pem(text.encode())
        except EvidenceError as error:
            part.refuse(f"not a certificate that can be used: {error}")
    return tuple(texts)


def _identity(item: Item, members: dict[str, Item]) -> Identity:
    subject, subject_pattern = _name(members, "subject")
    issuer, issuer_pattern = _name(members, "issuer")
    if not subject and not subject_pattern:
        item.refuse("an issuer alone is everybody whom it knows", "add subject: or subjectRegexp:")
    return Identity(
        subject=subject,
        subject_pattern=subject_pattern,
        issuer=issuer,
        issuer_pattern=issuer_pattern,
        extensions=_extensions(members["extensions"]) if "extensions" in members else (),
    )


def _name(members: dict[str, Item], word: str) -> tuple[str, str]:
    """Read a name, which may have ``*`` and ``**`` in it, or a pattern in RE2: the text, and the pattern."""
    exact, pattern = members.get(word), members.get(f"{word}Regexp")
    if exact is not None and pattern is not None:
        pattern.refuse(f"{word} and {word}Regexp do not go together")
    if pattern is not None:
        _check_pattern(pattern)
        return "", pattern.text()
    if exact is None:
        return "", ""
    text = exact.text()
    return ("", patterns.from_glob(text)) if "*" in text else (text, "")


def _check_pattern(item: Item) -> None:
    try:
        patterns.check(item.text())
    except ConfigError as error:
        item.refuse(str(error))


def _extensions(item: Item) -> tuple[tuple[int, str], ...]:
    found: dict[int, str] = {}
    for name, inner in item.members().items():
        number = EXTENSIONS.get(name, int(name) if name.isascii() and name.isdigit() else 0)
        if number not in EXTENSIONS.values():
            inner.refuse(f"no extension of Fulcio: {name[:80]!r}", ", ".join(EXTENSIONS))
        if number in found:
            inner.refuse(f"extension {number} stands here twice")
        found[number] = inner.text()
    return tuple(sorted(found.items()))


# What besides -----------------------------------------------------------------------------------------


def _pairs(item: Item) -> tuple[tuple[str, str], ...]:
    return tuple((name, inner.text()) for name, inner in item.members().items())


def trusted_root(item: Item, parties: "Parties") -> str:
    """Take a trusted_root.json by its file name, or ``public``."""
    if item.text() == PUBLIC:
        return PUBLIC
    text = parties.file_text(item, "trust is a trusted_root.json, or public")
    from countermark.formats import trusted_root as sigstore  # noqa: PLC0415 - with the heavy half

    try:
        sigstore.parse(text.encode())
    except EvidenceError as error:
        item.refuse(f"{item.text()[:200]} is no trusted root: {error}")
    return text


def _witnesses(item: Item) -> tuple[str, ...]:
    """Take verifier keys of witnesses, each once."""
    from countermark.proofs.cosignatures import WitnessKey  # noqa: PLC0415 - with the heavy half

    found: dict[bytes, str] = {}
    for part in item.items():
        try:
            key = WitnessKey.parse(part.text())
        except EvidenceError as error:
            part.refuse(str(error), "write its verifier key, as it publishes it: NAME+HASH+KEY")
        if key.key in found:
            part.refuse("this witness stands here twice")
        found[key.key] = part.text()
    if len(found) > _MOST_WITNESSES:
        item.refuse(f"{len(found)} witnesses, at most {_MOST_WITNESSES} are taken")
    return tuple(found.values())


def _witnesses_needed(members: dict[str, Item], most: int) -> int:
    """Read of how many there has to be a cosignature: all, unless it is said."""
    if "witnessesNeeded" not in members:
        return most
    if not most:
        members["witnessesNeeded"].refuse("there are no witnesses to choose from", "add witnesses:")
    return members["witnessesNeeded"].integer(1, most)


# Attestations -----------------------------------------------------------------------------------------


def attested(
    item: Item,
    by: TrustedSigner,
    until: datetime | None,
    check: "Callable[[str], None] | None" = None,
) -> Vouched:
    """Read ``{attested: TYPE, by: …, where: …}``: the same signer, of whom an attestation is demanded.

    It has a name of its own, since what was found is told apart by names.
    """
    members = item.members()
    if not isinstance(by, CosignSigner):
        members["by"].refuse(f"{by.name} does not sign with cosign, and so attests nothing")
    predicate = _predicate(members["attested"])
    condition = _condition(members["where"], check) if "where" in members else ""
    where = f" where {condition}" if condition else ""
    signer = by.replace(
        name=f"{by.name} (attested {predicate}{where})", predicate=predicate, condition=condition
    )
    return Vouched(signer=signer, predicate=predicate, until=until)


def who_could_be_two(parts: "Sequence[Requirement]") -> str:
    """Name a signer of whom two parts demand different things, "" where there is none.

    Each kind of statement counts by itself, so where only some of the parts are needed one person could be several.
    """
    seen: set[TrustedSigner] = set()
    for part in parts:
        if isinstance(part, Vouched) and isinstance(part.signer, CosignSigner):
            party = part.signer.replace(name="", predicate="", condition="")
            if party in seen:
                return part.signer.name.partition(" (attested ")[0]
            seen.add(party)
    return ""


def _predicate(item: Item) -> str:
    """Take a predicate type: a URI, or one of the words that cosign's ``--type`` has."""
    from countermark.formats.payloads import PREDICATE_TYPES  # noqa: PLC0415 - with the heavy half

    text = PREDICATE_TYPES.get(item.text(), item.text())
    if "://" not in text or not text.isprintable() or " " in text:
        words = ", ".join(PREDICATE_TYPES)
        item.refuse(f"{text[:80]!r} is no predicate type", f"write a URI, or one of: {words}")
    return text


def _condition(item: Item, check: "Callable[[str], None] | None") -> str:
    text = item.text()
    if check is not None:
        try:
            check(text)
        except ConfigError as error:
            item.refuse(str(error), error.hint)
    return text
