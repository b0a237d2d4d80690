"""What a connection can fail with, in one table: each failure as UnavailableError, in the words that docker prints.

docker's words are Go's (net, crypto/tls, net/http), since people and programs know and compare them:
``dial tcp 127.0.0.1:4499: connect: connection refused``. No message has a query, a header or a credential in it.
"""

import errno
import os

from countermark.adapters import thin_sockets
from countermark.core.errors import Code, UnavailableError


class ResetError(UnavailableError):
    """The peer closed or reset the connection before its answer began, so that another try may do."""


class NotTlsError(UnavailableError):
    """What answered does not speak TLS."""


def malformed(message: str) -> UnavailableError:
    """An answer that is not HTTP/1.1 as we read it."""
    return UnavailableError(f"malformed HTTP response: {message}", code=Code.MALFORMED)


_CONNECT = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network is unreachable",
    errno.ECONNRESET: "connection reset by peer",
    errno.EADDRNOTAVAIL: "cannot assign requested address",
}
_RESETS = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ESHUTDOWN, errno.ENOTCONN)

# OpenSSL's X509_V_ERR_... numbers, in crypto/x509's words
_CERTIFICATES = {
    9: "certificate has expired or is not yet valid",
    10: "certificate has expired or is not yet valid",
    18: "certificate signed by unknown authority",  # self-signed
    19: "certificate signed by unknown authority",  # self-signed somewhere in the chain
    20: "certificate signed by unknown authority",
    21: "certificate signed by unknown authority",
    24: "certificate is not authorized to sign other certificates",
    26: "certificate specifies an incompatible key usage",
    62: "certificate is not valid for",
    64: "certificate is not valid for",
    79: "certificate is not authorized to sign other certificates",
}
_NAMES = (62, 64)

# OpenSSL's reasons when the first bytes that come are no TLS record
_NOT_TLS = frozenset(
    (
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "UNKNOWN_PROTOCOL",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "BAD_RECORD_TYPE",
    )
)


def resolving(error: OSError, host: str) -> UnavailableError:
    """A name was not resolved."""
    known = isinstance(error, thin_sockets.gaierror) and error.errno in thin_sockets.NO_SUCH_HOST
    return UnavailableError(
        f"dial tcp: lookup {host}: {'no such host' if known else 'server misbehaving'}"
    )


def dialling(error: OSError, address: str) -> UnavailableError:
    """A connection was not made."""
    if isinstance(error, TimeoutError):
        return UnavailableError(f"dial tcp {address}: i/o timeout")
    return UnavailableError(f"dial tcp {address}: connect: {_reason(error)}")


def talking(error: OSError, address: str, doing: str, *, begun: bool = False) -> UnavailableError:
    """A connection failed in use; ``doing`` is ``read`` or ``write``, ``begun`` that an answer has begun."""
    if isinstance(error, TimeoutError):
        if doing == "read" and not begun:
            return UnavailableError("net/http: timeout awaiting response headers")
        return UnavailableError(f"{doing} tcp {address}: i/o timeout")
    if _is_ragged_end(error):
        return UnavailableError("unexpected EOF") if begun else ResetError("EOF")
    message = f"{doing} tcp {address}: {doing}: {_reason(error)}"
    if error.errno in _RESETS and not begun:
        return ResetError(message)
    if _library(error):
        return UnavailableError(f"tls: {_tls_reason(error)}")
    return UnavailableError(message)


def shaking_hands(error: OSError, host: str, address: str) -> UnavailableError:
    """A TLS connection was not agreed on."""
    if isinstance(error, TimeoutError):
        return UnavailableError("net/http: TLS handshake timeout")
    code = getattr(error, "verify_code", 0)
    place = f"{host}:{address.rpartition(':')[2]}"
    if code:
        return UnavailableError(
            f"tls: failed to verify certificate: x509: {_certificate(error, code, host)}",
            hint=f"put the CA that issued its certificate into ~/.docker/tls/{place}/ca.crt"
            if code not in _NAMES
            else f"ask for a certificate that names {host}",
        )
    if _is_ragged_end(error):
        return NotTlsError("EOF")
    if _library(error):
        if getattr(error, "reason", "") in _NOT_TLS:
            return NotTlsError("tls: first record does not look like a TLS handshake")
        return UnavailableError(f"remote error: tls: {_tls_reason(error)}")
    kind = NotTlsError if error.errno in _RESETS else UnavailableError
    return kind(f"read tcp {address}: read: {_reason(error)}")


def _certificate(error: OSError, code: int, host: str) -> str:
    known = _CERTIFICATES.get(code)
    if known is None:
        return str(getattr(error, "verify_message", "certificate is not valid"))
    return f"{known} {host}" if code in _NAMES else known


def _library(error: OSError) -> bool:
    """Say whether OpenSSL raised it: its errors have a library and a reason."""
    return hasattr(error, "library")


def _tls_reason(error: OSError) -> str:
    reason = str(getattr(error, "reason", None) or "protocol error")
    return (
        reason.lower().replace("_", " ").removeprefix("tlsv1 alert ").removeprefix("sslv3 alert ")
    )


def _is_ragged_end(error: OSError) -> bool:
    """Say whether the peer closed TLS without saying so, which an attacker on the way can fake."""
    return _library(error) and error.errno == 8  # SSL_ERROR_EOF


def _reason(error: OSError) -> str:
    known = _CONNECT.get(error.errno or 0)
    return known or (os.strerror(error.errno).lower() if error.errno else "failed")
