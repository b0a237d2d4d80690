"""``manifest verify`` and ``dockerfile verify``, in cosign's words: each image that a file names is verified."""

import re

from countermark.cli.cosign.verify import verify
from countermark.cli.cosign.words import CosignError, Failing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output

_ENDINGS = (".yaml", ".yml")
_UNSET = re.compile(
    rb"^[ \t]*ARG[ \t]+([A-Za-z_][A-Za-z0-9_]*)[ \t\r]*$", re.IGNORECASE | re.MULTILINE
)
_FROM = re.compile(rb"[ \t]*FROM[ \t]", re.IGNORECASE)


def manifest(words: "Words", program: "Program", out: "Output") -> int:
    """Verify the images of a file of Kubernetes manifests."""
    from countermark.enforce import manifests  # noqa: PLC0415 - this command

    file = words.arguments[0]
    if not file.strip().lower().endswith(_ENDINGS):
        text = f"only [{' '.join(_ENDINGS)}] manifests are supported at this time"
        raise CosignError(f"check if extension is valid: {text}")
    with Failing("could not read manifest: "):
        content = program.cosign.given(file)
    with Failing("unable to extract the container image references in the manifest "):
        images = manifests.images(content, file)
    if not images:
        raise CosignError("no images found in manifest")
    return _verified(images, words, program, out)


def dockerfile(words: "Words", program: "Program", out: "Output") -> int:
    """Verify the images that a Dockerfile builds on and copies from, or the last one that it builds on."""
    from countermark.enforce import dockerfile as dockerfiles  # noqa: PLC0415 - this command

    with Failing("could not open Dockerfile: "):
        content = program.cosign.given(words.arguments[0])
    with Failing("failed extracting images from Dockerfile: "):
        found = dockerfiles.parse(content, _arguments(content, program))
    uses = found.uses
    if words.on("base-image-only"):
        lines = content.split(b"\n")
        uses = tuple(use for use in uses if _FROM.match(lines[use.line - 1]))[-1:]
    images = tuple(dict.fromkeys(use.name for use in uses))
    if not images:
        raise CosignError("no images found in Dockerfile")
    return _verified(images, words, program, out)


def _arguments(content: bytes, program: "Program") -> "dict[str, str]":
    """What the environment gives for arguments that the file leaves open, as cosign takes it."""
    names = {name.decode() for name in _UNSET.findall(content)}
    return {name: text for name, text in program.environment.items() if name in names}


def _verified(images: "Sequence[str]", words: "Words", program: "Program", out: "Output") -> int:
    out.foreign_error(f"Extracted image(s): {', '.join(images)}")
    return verify(words.replace(arguments=tuple(images)), program, out)
