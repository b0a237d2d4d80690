"""New accounts of our issuer: what may be a name, what may be a password."""

import bcrypt

from countermark.core.errors import Code, InputError
from countermark.core.ports_sigstore import Account
from countermark.services.identity_provider.people import is_account_name
from countermark.services.identity_tokens.principals import is_email

_COST = 12  # 0.2 s for each guess
_LEAST_CHARS = 8  # NIST SP 800-63B, 3.1.1.2
_MOST_BYTES = 72  # bcrypt sees no more


def new_account(name: str, password: str, *, is_program: bool = False) -> Account:
    """Make an account; whoever makes it says that the address is theirs.

    Raises:
        InputError: no e-mail address, or a password that is too short or too long.
    """
    if not is_email(name) or not is_account_name(name):
        raise InputError(
            f"not an e-mail address: {name[:80]!r}",
            hint="certificates name people by their addresses, programs too: build@ci.example.com",
        )
    raw = password.encode()
    if len(password) < _LEAST_CHARS:
        raise InputError(f"a password has at least {_LEAST_CHARS} characters", code=Code.PASSPHRASE)
    if len(raw) > _MOST_BYTES or b"\0" in raw:
        raise InputError(f"a password has at most {_MOST_BYTES} bytes", code=Code.PASSPHRASE)
    hashed = bcrypt.hashpw(raw, bcrypt.gensalt(_COST)).decode()
    return Account(name=name, password_hash=hashed, is_program=is_program)
