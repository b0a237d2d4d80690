"""Calls of C functions: as ``ctypes`` itself makes them, with it and without."""

import ctypes
import subprocess
import sys

import pytest

from countermark.proofs import c_library

NAMES = ("c_char", "c_char_p", "c_int", "c_long", "c_size_t", "c_ulong", "c_void_p")
WITHOUT = """
import sys, _ctypes
real, left = _ctypes.sizeof, [1, 2]  # the first two answers say that a size is no unsigned long
_ctypes.sizeof = lambda kind: left.pop() if left else real(kind)
from countermark.proofs import c_library, libcrypto
assert c_library.CDLL is sys.modules["ctypes"].CDLL
assert libcrypto.load() is not None
assert c_library.buffer_of(b"x")[1] > 0
"""


@pytest.mark.parametrize("name", NAMES)
def test_types_are_those_of_ctypes(name: str) -> None:
    assert ctypes.sizeof(getattr(c_library, name)) == ctypes.sizeof(getattr(ctypes, name))


def test_a_function_is_called() -> None:
    library = c_library.CDLL(None)
    length = library.strlen
    length.argtypes, length.restype = (c_library.c_char_p,), c_library.c_size_t
    assert length(b"seven b") == 7
    assert library.strlen is length
    with pytest.raises(ctypes.ArgumentError):
        length("no bytes")
    length.argtypes = (c_library.c_void_p,)
    kept, address = c_library.buffer_of(b"four\0")
    assert length(address) == 4
    del kept


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no_such_function"):
        _ = c_library.CDLL(None).no_such_function
    with pytest.raises(OSError, match="nowhere"):
        c_library.CDLL("/nowhere/at-all.so")


def test_another_python_takes_ctypes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
