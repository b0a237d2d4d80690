"""``tree`` shows what lies beside an image, ``copy`` takes it along elsewhere, ``repair`` puts back what was lost."""

from countermark.assembly.cosign_registry import RegistryAccess
from countermark.core.errors import InputError
from countermark.core.reference import ImageReference
from countermark.core.text import harmless
from countermark.formats import oci
from countermark.formats.payloads import SIGN_PREDICATE
from countermark.mirror.look import ONLY, Choice
from countermark.schemes.cosign import attach, beside

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.core.reference import Subject
    from countermark.mirror.mirror import Taken
    from countermark.schemes.cosign.beside import Attached

TREE_EXAMPLES = """examples:
  countermark tree registry.example.com/pay:v3
  countermark tree -o json registry.example.com/pay:v3

It shows what is there; who vouches for it, and whether that is enough, says: countermark verify"""

COPY_EXAMPLES = """examples:
  countermark copy registry.example.com/pay:v3 mirror.example.com/pay:v3
  countermark copy registry.example.com/pay:v3 oci:pay                   into a folder, as cosign save does
  countermark copy oci:pay mirror.example.com/pay:v3                     and out of it, as cosign load does
  countermark copy --only sig registry.example.com/pay:v3 mirror.example.com/pay:v3

Signatures, attestations, SBOMs, whatever refers to the image or to one of an index's images, go along; the tag is
moved last. Trust data of content trust belongs to a name and stays: sign anew with countermark trust sign."""

REPAIR_EXAMPLES = """examples:
  countermark repair registry.example.com/pay:v3

Where signers race on a registry without the referrers API, or with the older form, other programs lose each other's
signatures. Ours have a tag of their own besides, from which this puts them back. What another program wrote and
another has lost, is lost."""

_FOLDER = "oci:"
_WORDS = {
    "sig": "signatures, older form",
    "att": "attestations, older form",
    "sbom": "SBOM, unsigned",
}


def _image_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of a command about one image."""
    parser.add_argument("image", metavar="IMAGE", help="the image: name, tag, digest or both")
    _output_argument(parser)


def _output_argument(parser: "argparse.ArgumentParser") -> None:
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="how to show it"
    )


def tree_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``tree``."""
    parser.epilog = TREE_EXAMPLES
    _image_arguments(parser)


def tree(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Show what lies beside an image, and beside the images that an index names."""
    reference = ImageReference.parse(args.image).with_default_tag()
    access = RegistryAccess()
    manifests = program.cosign.manifests(access, reference)
    place = program.cosign.signatures_place(reference.repository)
    registry = program.cosign.registry(access)
    found = [
        (each, sorted(beside.listed(registry, place, each.digest), key=_rank)) for each in manifests
    ]
    if args.output == "json":
        out.document(_document(reference, found))
        return 0
    out.result(harmless(reference.familiar))
    for each, attached in found:
        out.result(f"  {each.digest}{'' if attached else '  nothing lies beside it'}")
        for number, one in enumerate(attached, 1):
            arm = "└──" if number == len(attached) else "├──"
            out.result(f"  {arm} {_line(one)}")
    return 0


def _rank(each: "Attached") -> tuple[bool, bool, str]:
    """Where it stands: as registries list by digest, signatures would stand anywhere among attestations."""
    is_other = each.kind == beside.REFERRER
    return is_other, each.predicate_type not in ("", SIGN_PREDICATE), each.says


def _line(each: "Attached") -> str:
    if each.kind != beside.REFERRER:
        return f"{_WORDS[each.kind]}: {len(each.layers)} in {each.name}"
    if not each.is_bundle:
        return f"{harmless(each.says)}: {each.digest}"
    if each.predicate_type in ("", SIGN_PREDICATE):
        return f"signature: {each.digest}"
    return f"attestation {harmless(each.predicate_type)}: {each.digest}"


def _document(
    reference: ImageReference,
    found: "list[tuple[Subject, list[Attached]]]",
) -> "dict[str, Any]":
    return {
        "version": 1,
        "image": reference.familiar,
        "digest": str(found[0][0].digest),
        "manifests": [
            {
                "digest": str(manifest.digest),
                "beside": [
                    {
                        "kind": each.kind,
                        "name": each.name,
                        "digest": str(each.digest),
                        "bundle": each.is_bundle,
                        "artifactType": each.artifact_type,
                        "predicateType": each.predicate_type,
                        "layers": [str(layer.digest) for layer in each.layers],
                    }
                    for each in attached
                ],
            }
            for manifest, attached in found
        ],
    }


# Taking images elsewhere ------------------------------------------------------------------------------------


def copy_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``copy``."""
    parser.epilog = COPY_EXAMPLES
    add = parser.add_argument
    add("source", metavar="SOURCE", help="an image, or oci:DIR for a folder that one was copied to")
    add("destination", metavar="DEST", help="the image's name elsewhere, or oci:DIR for a folder")
    add(
        "--only",
        choices=ONLY,
        action="append",
        default=[],
        help="only these go along; no tag is moved",
    )
    add("--platform", metavar="OS/ARCH", default="", help="of an index the image for one platform")
    add("-f", "--force", action="store_true", help="move a tag that means another image there")
    _output_argument(parser)


def copy(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Take an image elsewhere, and say what went along."""
    taken = _taken(args, program, out)
    if args.output == "json":
        out.document({"version": 1, "digest": str(taken.digest), "names": list(taken.names)})
        return 0
    image, *others = taken.names
    out.result(f"copied  {harmless(image)}")
    for name in others:
        out.result(f"  with {harmless(name)}")
    return 0


def _taken(args: "argparse.Namespace", program: "Program", out: "Output") -> "Taken":
    source, destination = args.source, args.destination
    access = RegistryAccess()
    mirror = program.cosign.mirror(access, out)
    choice = Choice(
        only=tuple(dict.fromkeys(args.only)),
        platform=oci.Platform.parse(args.platform) if args.platform else None,
        overwrite=args.force,
    )
    if source.startswith(_FOLDER) or destination.startswith(_FOLDER):
        _check_folders(args)
    if source.startswith(_FOLDER):
        folder = program.cosign.saved_folder(source.removeprefix(_FOLDER))
        return mirror.load(folder, ImageReference.parse(destination).with_default_tag())
    subject = program.cosign.subject(access, ImageReference.parse(source).with_default_tag())
    if destination.startswith(_FOLDER):
        return mirror.save(subject, program.cosign.saving_folder(destination.removeprefix(_FOLDER)))
    return mirror.copy(subject, ImageReference.parse(destination).with_default_tag(), choice)


def _check_folders(args: "argparse.Namespace") -> None:
    """Refuse what copying to and from folders has no use for.

    Raises:
        InputError: it is asked for.
    """
    if args.source.startswith(_FOLDER) and args.destination.startswith(_FOLDER):
        raise InputError("one of both has to be an image in a registry")
    if args.only or args.platform or args.force:
        raise InputError(
            "--only, --platform and --force are for copies from registry to registry",
            hint="a folder takes the image whole",
        )


# Putting back -----------------------------------------------------------------------------------------------


def repair_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``repair``."""
    parser.epilog = REPAIR_EXAMPLES
    _image_arguments(parser)


def repair(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """List again what has a tag of its own and is listed no more, for an image and what its index names."""
    reference = ImageReference.parse(args.image).with_default_tag()
    access = RegistryAccess()
    manifests = program.cosign.manifests(access, reference)
    place = program.cosign.signatures_place(reference.repository)
    registry = program.cosign.registry(access)
    counts = {
        "bundles": sum(registry.repair_referrers(place, each.digest) for each in manifests),
        "signatures": sum(
            attach.repair_legacy(registry, place, m.digest, "sig") for m in manifests
        ),
        "attestations": sum(
            attach.repair_legacy(registry, place, m.digest, "att") for m in manifests
        ),
    }
    if args.output == "json":
        out.document({"version": 1, "image": reference.familiar, "repaired": counts})
        return 0
    found = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    out.result(f"{harmless(reference.familiar)}: {found or 'nothing'} put back")
    return 0
