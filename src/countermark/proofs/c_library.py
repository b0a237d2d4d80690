"""Functions of a C library, called as ``ctypes`` calls them, by the C module behind it.

Importing ``ctypes`` costs a cold start some 4 ms, most of it for kinds of data that nothing here has. The types below
are defined as it defines them; a Python whose C module is another one gets the package itself.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import (
        CDLL,
        addressof,
        byref,
        c_char,
        c_char_p,
        c_int,
        c_long,
        c_size_t,
        c_ulong,
        c_void_p,
    )
else:
    try:
        from _ctypes import (
            FUNCFLAG_CDECL,
            RTLD_LOCAL,
            CFuncPtr,
            _SimpleCData,
            addressof,
            byref,
            dlopen,
            sizeof,
        )

        def _simple(code: str) -> type:
            return type(f"c_{code}", (_SimpleCData,), {"_type_": code})

        c_char, c_char_p, c_void_p = map(_simple, "czP")
        c_int, c_long, c_ulong = map(_simple, "ilL")
        if sizeof(c_ulong) != sizeof(c_void_p):
            raise ImportError("a size is no unsigned long here")
        c_size_t = c_ulong

        class CDLL:
            """A loaded library; its functions are its attributes."""

            def __init__(self, name: str | None) -> None:
                """Load it; None is the program itself."""
                self._handle = dlopen(name, RTLD_LOCAL)

            def __getattr__(self, name: str) -> object:
                if name.startswith("__"):
                    raise AttributeError(name)
                function = _Function((name, self))
                setattr(self, name, function)
                return function

        class _Function(CFuncPtr):
            _flags_ = FUNCFLAG_CDECL
            _restype_ = c_int

    except (ImportError, AttributeError, TypeError):
        from ctypes import (
            CDLL,
            addressof,
            byref,
            c_char,
            c_char_p,
            c_int,
            c_long,
            c_size_t,
            c_ulong,
            c_void_p,
        )


def buffer_of(content: bytes) -> "tuple[object, int]":
    """Copy bytes to where C may read them: what keeps them there, and their address."""
    copied = (c_char * len(content)).from_buffer_copy(content)
    return copied, addressof(copied)


__all__ = [
    "CDLL", "buffer_of", "byref", "c_char", "c_char_p", "c_int", "c_long", "c_size_t", "c_ulong", "c_void_p",
]  # fmt: skip
