"""Starts the program, with the bytecode of its modules read from one file instead of a hundred.

Finding and opening each module's own file costs a cold ``verify`` 4 ms, a tenth of it. What is kept is what Python
keeps: bytecode, beside Python's own in ``__pycache__``, good for a source of the same time and size (as PEP 552 has
it), written only where Python would write its own. Whoever can write there can change the program anyway.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, ModuleType
    from typing import Any

    # name -> whether it is a package, source file, its time (seconds) and size, where its code begins and ends
    Index = dict[str, tuple[bool, str, int, int, int, int]]

_PACKAGE = "countermark"
# loaded before anything can be found here
_BEFORE = frozenset((_PACKAGE, f"{_PACKAGE}.__main__", f"{_PACKAGE}.cli", __name__))
_HEAD_BYTES = 16  # length of the file, length of the index: 8 bytes each, little-endian


def entry() -> None:
    """Run as the program: the installed command and ``python -m countermark`` come here."""
    kept = KeptModules(_place())
    sys.meta_path.insert(0, kept)
    from countermark.cli.main import entry as run  # noqa: PLC0415 - now it can be found in the file

    status = 1
    try:
        status = run()
    finally:
        if not sys.dont_write_bytecode:
            kept.keep(sys.modules)
    leave(status)


def leave(status: int) -> None:
    """End the process.

    Python would first take apart all that was loaded, which is a sixth of a cold ``verify``. Where nothing waits for
    that (no thread, nothing that asked to be called, no database) the system takes it all at once.
    """
    import _thread  # noqa: PLC0415 - built in
    import atexit  # noqa: PLC0415 - built in

    waiting = _thread._count() or getattr(atexit, "_ncallbacks", lambda: 1)()  # noqa: SLF001
    if waiting or "_sqlite3" in sys.modules:
        sys.exit(status)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as under pythonw, or where it was closed before the start
            stream.flush()
    import posix  # noqa: PLC0415 - built in

    posix._exit(status)  # noqa: SLF001 - its name


def _place() -> str:
    tag = sys.implementation.cache_tag
    return f"{__file__.rpartition('/cli/')[0]}/__pycache__/start.{tag}.bin"


class KeptModules:
    """The file, as a finder and loader of modules (PEP 451); a file that is none is as good as no file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._index: Index = {}
        self._handle = -1
        self._start = 0
        self._used: set[str] = set()
        try:
            self._open()
        except (OSError, ValueError, EOFError, TypeError):
            self._index = {}

    def _open(self) -> None:
        import marshal  # noqa: PLC0415 - built in
        import posix  # noqa: PLC0415 - built in

        self._handle = posix.open(self._path, posix.O_RDONLY | posix.O_CLOEXEC)
        head = posix.read(self._handle, _HEAD_BYTES)
        whole, length = int.from_bytes(head[:8], "little"), int.from_bytes(head[8:], "little")
        self._start = _HEAD_BYTES + length
        if posix.fstat(self._handle).st_size != whole or self._start > whole:
            return  # cut off, or something else
        magic, index = marshal.loads(posix.read(self._handle, length))  # noqa: S302 - as Python's own
        if magic == _magic():
            self._index = index

    # finding and loading ---------------------------------------------------------------------------------

    def find_spec(self, name: str, path: object = None, target: object = None) -> "Any":
        """Find a module whose bytecode is kept and whose source is still the same."""
        found = self._index.get(name)
        if found is None:
            return None
        is_package, source, time, size, _, _ = found
        if _stamp(source) != (time, size):
            return None
        from _frozen_importlib import ModuleSpec  # noqa: PLC0415 - built in

        spec: Any = ModuleSpec(name, self, origin=source, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations.append(source.rpartition("/")[0])
        self._used.add(name)
        return spec

    def create_module(self, spec: object) -> None:
        """Leave it to Python to make the module."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run a module's code."""
        import marshal  # noqa: PLC0415 - built in

        code: CodeType = marshal.loads(self._content(module.__name__))  # noqa: S302 - as Python's own
        exec(code, module.__dict__)  # noqa: S102 - as every import does

    def _content(self, name: str) -> bytes:
        import posix  # noqa: PLC0415 - built in

        _, _, _, _, start, end = self._index[name]
        return posix.pread(self._handle, end - start, self._start + start)

    # keeping -----------------------------------------------------------------------------------------------

    def keep(self, modules: "dict[str, ModuleType]") -> None:
        """Add what was loaded and is not in the file; whatever prevents that, the program works without."""
        missed = {
            name: module
            for name, module in modules.items()
            if name.startswith(f"{_PACKAGE}.") and name not in self._used | _BEFORE
        }
        if not missed:
            return
        try:
            self._write([*self._still_good(missed), *_compiled(missed)])
        except (OSError, ImportError, ValueError):
            return

    def _still_good(self, missed: "dict[str, ModuleType]") -> "Iterator[_Entry]":
        for name, (is_package, source, time, size, _, _) in self._index.items():
            if name not in missed and _stamp(source) == (time, size):
                yield name, is_package, source, (time, size), self._content(name)

    def _write(self, entries: "list[_Entry]") -> None:
        import marshal  # noqa: PLC0415 - built in
        import os  # noqa: PLC0415 - loaded already

        index: Index = {}
        position = 0
        for name, is_package, source, (time, size), content in entries:
            end = position + len(content)
            index[name] = (is_package, source, time, size, position, end)
            position = end
        head = marshal.dumps((_magic(), index))
        whole = _HEAD_BYTES + len(head) + position
        temporary = f"{self._path}.{os.getpid()}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            with open(handle, "wb") as file:  # noqa: PTH123 - pathlib costs a cold start 10 ms
                file.write(whole.to_bytes(8, "little") + len(head).to_bytes(8, "little") + head)
                file.writelines(content for *_, content in entries)
            os.replace(temporary, self._path)  # noqa: PTH105 - as above
        except OSError:
            os.unlink(temporary)  # noqa: PTH108 - as above
            raise


if TYPE_CHECKING:
    _Entry = tuple[str, bool, str, tuple[int, int], bytes]


def _compiled(modules: "dict[str, ModuleType]") -> "Iterator[_Entry]":
    """Take modules' code from Python's own loaders, which read it from their own files."""
    import marshal  # noqa: PLC0415 - built in

    for name, module in modules.items():
        source = getattr(module, "__file__", None) or ""
        stamp = _stamp(source)
        loader = module.__spec__.loader if module.__spec__ else None
        if stamp is not None and loader is not None and hasattr(loader, "get_code"):
            code = marshal.dumps(loader.get_code(name))
            yield name, hasattr(module, "__path__"), source, stamp, code


def _magic() -> bytes:
    """What this Python's bytecode begins with (PEP 3147)."""
    from _frozen_importlib_external import MAGIC_NUMBER  # noqa: PLC0415 - built in

    found: bytes = MAGIC_NUMBER
    return found


def _stamp(source: str) -> tuple[int, int] | None:
    """A file's time in seconds and its size, None where there is no such file."""
    import posix  # noqa: PLC0415 - built in

    try:
        found = posix.stat(source)
    except OSError:
        return None
    return int(found.st_mtime), found.st_size
