"""The accounts of our issuer, in one private file (port ``UserStore``).

Lines of ``name:bcrypt``, as htpasswd makes them, with ``:program`` behind for an account that signs in on no page.
Whoever can write the file signs in as anybody; whoever can read it may guess passwords at bcrypt's pace.
"""

from collections.abc import Sequence

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import ConfigError
from countermark.core.ports_sigstore import Account

_PROGRAM = "program"
_HEAD = "# accounts of the identity provider; change them with: countermark sigstore user\n"


class AccountFile:
    """Accounts in a file, read as it is now and replaced as a whole.

    Args:
        path: of the file; it is made with the first account.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def accounts(self) -> Sequence[Account]:
        """See the port."""
        content = storage.read(self._path, limits.POLICY_BYTES)
        return _parse(content or b"", self._path)

    def put(self, account: Account, *, replace: bool = False) -> bool:
        """See the port."""
        with storage.Lock(f"{self._path}.lock"):
            found = {known.name: known for known in self.accounts()}
            # names that differ in case only are one person to a reader
            same = [name for name in found if name.lower() == account.name.lower()]
            if same and (same != [account.name] or not replace):
                return False
            found[account.name] = account
            self._write(found)
        return True

    def remove(self, name: str) -> bool:
        """See the port."""
        with storage.Lock(f"{self._path}.lock"):
            found = {known.name: known for known in self.accounts()}
            if name not in found:
                return False
            del found[name]
            self._write(found)
        return True

    def _write(self, accounts: dict[str, Account]) -> None:
        lines = [_line(accounts[name]) for name in sorted(accounts)]
        storage.write(self._path, (_HEAD + "".join(lines)).encode())


def _line(account: Account) -> str:
    if set(account.name + account.password_hash) & {":", "\n", "\r"} or account.name[:1] == "#":
        raise ConfigError(f"{account.name[:80]!r} cannot be the name of an account")
    return f"{account.name}:{account.password_hash}{':program' if account.is_program else ''}\n"


def _parse(content: bytes, file: str) -> tuple[Account, ...]:
    found: dict[str, Account] = {}
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise ConfigError("not UTF-8", file=file) from None
    for number, text in enumerate(lines, 1):
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        name, *rest = line.split(":")
        if not name or len(rest) not in (1, 2) or rest[1:] not in ([], [_PROGRAM]):
            raise ConfigError(
                "not a line of name:bcrypt or name:bcrypt:program", file=file, line=number
            )
        if name in found:
            raise ConfigError(f"account {name[:80]!r} comes twice", file=file, line=number)
        found[name] = Account(name=name, password_hash=rest[0], is_program=len(rest) == 2)
    return tuple(found[name] for name in sorted(found))
