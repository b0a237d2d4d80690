"""What our issuer is called, which programs may ask it, and how long what it gives is good for."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from countermark.core.errors import ConfigError
from countermark.core.value import Value

# the code is shown on a page, to be typed into a terminal
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
_LOOPBACK = re.compile(
    r"http://(localhost|127\.0\.0\.1|\[::1\])(?::([1-9][0-9]{0,4}))?((?:/[A-Za-z0-9._~-]*)*)"
)
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


class Client(Value):
    """A program that may ask for tokens in somebody's name; what it does not hold is a secret.

    Attributes:
        id: its name; tokens are for it (``aud``).
        redirects: where codes may go, compared as texts. One of a loopback address has no port and fits with any
            (RFC 8252, 7.3).
    """

    id: str
    redirects: tuple[str, ...]

    def _check(self) -> None:
        for redirect in self.redirects:
            found = _LOOPBACK.fullmatch(redirect)
            if found is not None and found[2]:
                raise ConfigError(f"a redirect to this machine is named without port: {redirect}")

    def allows(self, redirect: str) -> bool:
        """Say whether codes may go there."""
        found = _LOOPBACK.fullmatch(redirect)
        if found is None:
            return redirect in self.redirects
        host, port, path = found[1], int(found[2] or 0), found[3]
        return 0 < port <= 65535 and f"http://{host}{path}" in self.redirects


def _loopback(*paths: str) -> tuple[str, ...]:
    return tuple(
        f"http://{host}{path}" for host in ("localhost", "127.0.0.1", "[::1]") for path in paths
    )


# cosign, gitsign and sigstore-python listen at /auth/callback, others at the root
SIGSTORE = Client(id="sigstore", redirects=(OUT_OF_BAND, *_loopback("/auth/callback", "/", "")))


class Settings(Value):
    """How our issuer behaves.

    Attributes:
        issuer: its URL, as ``iss`` has it and as clients are told; its path is where it is served.
        clients: programs that may ask.
        token_seconds: how long a token is good for; a certificate is asked for at once.
        code_seconds: the same for a code that a browser carries on.
        shown_code_seconds: the same for a code that somebody types.
        device_seconds: how long a device waits for somebody.
        poll_seconds: how often it may ask.
        sign_in_seconds: how long a sign-in page can be sent back.
        session_seconds: how long a browser need not give the password again.
        rotation_seconds: how long a key signs.
        overlap_seconds: how long a key is published before it signs, and after.
    """

    issuer: str
    clients: tuple[Client, ...] = (SIGSTORE,)
    token_seconds: int = 600
    code_seconds: int = 60
    shown_code_seconds: int = 300
    device_seconds: int = 600
    poll_seconds: int = 5
    sign_in_seconds: int = 1_800
    session_seconds: int = 3_600
    rotation_seconds: int = 90 * 86_400
    overlap_seconds: int = 86_400

    def _check(self) -> None:
        parts = urlsplit(self.issuer)
        loopback = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
        if parts.scheme != "https" and not loopback:
            raise ConfigError(f"an issuer has an https URL, not {self.issuer[:200]!r}")
        if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise ConfigError(f"not an issuer's URL: {self.issuer[:200]!r}")
        if self.issuer.endswith("/") or not re.fullmatch(r"[A-Za-z0-9/._~-]*", parts.path):
            raise ConfigError("an issuer's URL has a plain path and no slash at its end")

    @property
    def origin(self) -> str:
        """Scheme, host and port, as browsers send them in Origin."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def path(self) -> str:
        """The path that all of ours begin with, without a slash at its end."""
        return urlsplit(self.issuer).path

    @property
    def is_secure(self) -> bool:
        """Whether it is served over TLS, as browsers see it."""
        return self.issuer.startswith("https://")

    @property
    def by_id(self) -> Mapping[str, Client]:
        """Clients by name."""
        return {client.id: client for client in self.clients}
