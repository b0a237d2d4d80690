"""What a signature states about an image: an in-toto statement, or a simple-signing payload."""

from countermark.core.errors import Code, EvidenceError, InputError, MalformedError
from countermark.core.reference import ImageReference, Subject
from countermark.core.value import Value
from countermark.formats import payloads
from countermark.schemes.cosign.material import Material

# both are written: by ``sign`` the first, by ``attest`` the second (specs: cosign, 2b)
_STATEMENTS = (payloads.STATEMENT_1, payloads.STATEMENT_01)
# cosign's, and the one of the specification that it follows
_SIMPLE_TYPES = (payloads.SIMPLE_TYPE, "atomic container signature")


class Stated(Value):
    """What is stated about the image.

    Attributes:
        predicate_type: the kind of statement; for a simple-signing payload that of cosign's signatures.
        annotations: what is said besides: (name, value).
        image_name: how the image is called, "" where only its digest is.
        content: the statement's bytes.
    """

    predicate_type: str
    annotations: tuple[tuple[str, str], ...]
    image_name: str
    content: bytes


def read(material: Material, subject: Subject) -> Stated:
    """Read the statement and find the image in it.

    Raises:
        EvidenceError: ``malformed``, it is no such statement; ``wrong-subject``, it is about other images.
    """
    if material.envelope is None:
        return _simple(material.payload, subject)
    return _attested(in_toto(material), subject)


def _simple(payload: bytes, subject: Subject) -> Stated:
    found = payloads.parse(payload)
    if found.type not in _SIMPLE_TYPES:
        raise MalformedError(f"a payload of type {found.type[:80]!r}")
    if found.digest != subject.digest:
        raise _wrong([str(found.digest)], subject)
    return Stated(
        predicate_type=payloads.SIGN_PREDICATE,
        annotations=tuple((k, v) for k, v in found.optional.items() if isinstance(v, str)),
        image_name=found.repository,
        content=payload,
    )


def in_toto(material: Material) -> payloads.InTotoStatement:
    """Read the statement in an envelope.

    Raises:
        MalformedError: there is none.
    """
    if material.envelope is not None and material.envelope.payload_type != payloads.IN_TOTO:
        raise MalformedError(f"the envelope holds {material.envelope.payload_type[:80]!r}")
    found = payloads.InTotoStatement.parse(material.payload)
    if found.type not in _STATEMENTS:
        raise MalformedError(f"a statement of type {found.type[:80]!r}")
    return found


def _attested(found: payloads.InTotoStatement, subject: Subject) -> Stated:
    wanted = subject.digest
    for each in found.subjects:
        if each.digests.get(wanted.algorithm) == wanted.hex:
            return Stated(
                predicate_type=found.predicate_type,
                annotations=tuple(each.annotations.items()),
                image_name=each.name,
                content=found.content,
            )
    named = [f"{a}:{h}" for each in found.subjects for a, h in each.digests.items()]
    raise _wrong(named, subject)


def _wrong(named: list[str], subject: Subject) -> EvidenceError:
    more = f" and {len(named) - 1} others" if len(named) > 1 else ""
    found = f"{named[0][:100]}{more}" if named else "no digest"
    return EvidenceError(f"is about {found}, expected is {subject.digest}", code=Code.WRONG_SUBJECT)


def check_name(stated: Stated, subject: Subject, rule: str) -> None:
    """Compare how a statement calls the image: with its ``repository``, with its tag too (``exact``), or not at all.

    cosign's own bundles name no image when they sign, so that only ``ignore`` takes them.

    Raises:
        EvidenceError: ``wrong-subject``.
    """
    if rule == "ignore":
        return
    expected = subject.repository.name
    if rule == "exact":
        expected += f":{subject.tag}" if subject.tag else ""
    try:
        named = ImageReference.parse(stated.image_name)
    except InputError:
        raise EvidenceError(
            f"names the image {stated.image_name[:200]!r}, expected is {expected}",
            code=Code.WRONG_SUBJECT,
        ) from None
    tag = f":{named.tag}" if named.tag and rule == "exact" else ""
    if named.repository.name + tag != expected:
        raise EvidenceError(
            f"names the image {stated.image_name[:200]!r}, expected is {expected}",
            code=Code.WRONG_SUBJECT,
        )
