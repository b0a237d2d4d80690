"""A password that another program sends through standard input."""

import os

from countermark.core.errors import Code, InputError, KeyAccessError

_MAX_BYTES = 4_096


def read_password(source: int) -> str:
    """Read a password up to the end of the input; the end of its line does not count, as docker has it.

    Raises:
        InputError: there is none, or more than a line. KeyAccessError: it is not UTF-8, or cannot be read.
    """
    content = b""
    try:
        while len(content) <= _MAX_BYTES and (piece := os.read(source, _MAX_BYTES)):
            content += piece
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise KeyAccessError("the password is not UTF-8", code=Code.PASSPHRASE) from None
    except OSError as error:
        raise KeyAccessError(f"no password: {os.strerror(error.errno or 0).lower()}") from None
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise InputError("no password came through standard input", hint="echo it into the command")
    if len(content) > _MAX_BYTES or "\n" in password or "\r" in password:
        raise InputError("a password is one line")
    return password
