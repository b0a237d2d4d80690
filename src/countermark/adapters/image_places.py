"""Where images are beside registries, by name: files, folders, the docker daemon."""

import os

from countermark.adapters import image_files, storage
from countermark.adapters.docker_engine import DockerEngine
from countermark.core.errors import InputError
from countermark.core.reference import ImageReference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from countermark.core.ports import ImageSource, ImageTarget

_DAEMON = "docker-daemon:"


class ImagePlaces:
    """Opens images in files, and in a docker daemon, which is reached only when one is asked for."""

    def __init__(self, engine: "Callable[[], DockerEngine]", temporary_folder: str) -> None:
        self._engine, self._temporary = engine, temporary_folder

    def open_source(self, text: str) -> "ImageSource":
        """Open ``oci:DIR[:NAME]``, ``docker-archive:FILE[:REF]`` or ``docker-daemon:IMAGE`` for reading.

        Raises:
            InputError: none of these. NotFoundError: nothing there. EvidenceError: it is no image.
            StorageError: it cannot be read, or there is no room for what the daemon saves.
        """
        if text.startswith(_DAEMON):
            return self._saved(text.removeprefix(_DAEMON))
        return image_files.open_source(text, self._temporary)

    def _saved(self, name: str) -> "ImageSource":
        """Have the daemon save an image into a temporary archive, which goes when the source is closed."""
        from countermark.adapters.docker_archive import ArchiveSource  # noqa: PLC0415 - only then

        if not name:
            raise InputError(f"{_DAEMON}: there is no name of an image")
        path = os.path.join(self._temporary, f"countermark-{os.urandom(8).hex()}.tar")
        with storage.Replacement(path, durable=False) as file:
            for piece in self._engine().save(name):
                file.write(piece)
        try:
            return ArchiveSource(path, "@0", self._temporary, is_temporary=True)
        except BaseException:
            storage.remove(path, durable=False)
            raise

    def open_target(self, text: str, reference: ImageReference) -> "ImageTarget":
        """Open a folder or file for writing; ``reference`` names the image there where the text gives no name.

        Raises:
            InputError: neither, or a place that cannot be written to. StorageError: as the disk has it.
        """
        return image_files.open_target(text, reference)

    def daemon(self) -> DockerEngine:
        """Return the docker daemon's store.

        Raises:
            UnavailableError: there is none, or it does not answer. RefusedError: it is not for us.
        """
        engine = self._engine()
        engine.ping()
        return engine
