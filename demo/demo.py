"""Who vouches for an image, from key to refusal, with nothing installed but this program.

Starts ``countermark serve --sigstore`` (a registry, a trust server and a Sigstore in one process) in a folder that
is thrown away, and plays two stories against it: Docker Content Trust, and signing without keys. Each line shows who
runs which command, exactly, and what came of it. Ends with a table of what was expected and what happened; exit
status 0 only if they agree.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import content_trust
import keyless
from images import image
from story import Story, serving

__all__ = ["image", "main"]


def main() -> int:
    """Set the scene, play, clean up."""
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="countermark-demo-")).resolve()
    story = Story(folder)
    for name, text in (("good", "pay 3.1.0"), ("evil", "steal"), ("plain", "x")):
        image(folder / name, text)
    with serving(story):
        content_trust.play(story)
        keyless.play(story)
    status = story.table()
    print(f"{time.monotonic() - started:.0f} s")
    if status == 0:
        shutil.rmtree(folder)
    else:
        print(f"kept for inspection: {folder}")
    return status


if __name__ == "__main__":
    sys.exit(main())
