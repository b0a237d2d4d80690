"""When each tag got its digest."""

from countermark.cli.docker_words import natural_key, table
from countermark.core.reference import ImageReference
from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.output import Output


def show(images: list[str], program: "Program", out: "Output") -> int:
    """Print the history of each image's tags."""
    from countermark.schemes.dct.history import walk  # noqa: PLC0415 - one command

    for image in images:
        reference = ImageReference.parse(image)
        server = program.dct.servers.server_for(reference.repository)
        collection = program.dct.loader.load(reference.repository.name, server, program.now())
        events = [e for e in walk(collection, server) if reference.tag in (None, e.tag)]
        rows = [
            (
                harmless(event.tag),
                f"{event.at:%Y-%m-%d %H:%M} UTC" if event.at else "-",
                event.role if event.signed else f"{event.role} (by keys no longer its own)",
                str(event.digest) if event.digest else "removed",
            )
            for event in sorted(events, key=lambda e: (natural_key(e.tag), e.role, e.version))
        ]
        out.result(f"History of {harmless(image)} (times are the server's word)")
        for line in table(("TAG", "WHEN", "ROLE", "DIGEST"), rows):
            out.result(line)
    return 0
