"""Sockets from the C modules: the same as from the packages around them, which stand in where they are missing."""

import socket
import ssl
import threading
from typing import Any

import pytest

from countermark.adapters import thin_sockets


def test_this_python_has_them() -> None:
    assert thin_sockets.IS_THIN


def test_the_packages_stand_in() -> None:
    assert thin_sockets._modules(thin=False) == (socket, ssl, False)


def settings(context: Any) -> tuple[Any, ...]:
    return (
        int(context.verify_mode),
        context.check_hostname,
        int(context.minimum_version),
        int(context.verify_flags) & int(ssl.VERIFY_X509_PARTIAL_CHAIN),
        int(context._host_flags),
    )


def test_both_contexts_verify_the_same() -> None:
    thin = thin_sockets.new_context()
    standard = thin_sockets._standard_context(ssl)
    assert settings(thin) == settings(standard)
    assert settings(thin)[:3] == (int(ssl.CERT_REQUIRED), True, int(ssl.TLSVersion.TLSv1_2))


def test_names_resolve_the_same() -> None:
    ours = {entry[4] for entry in thin_sockets.addresses("127.0.0.1", 80)}
    assert ours == {
        entry[4] for entry in socket.getaddrinfo("127.0.0.1", 80, 0, socket.SOCK_STREAM)
    }
    with pytest.raises(thin_sockets.gaierror):
        thin_sockets.addresses("nothing.invalid", 80)


def test_a_plain_connection_and_a_failed_handshake() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer() -> None:
            with listener.accept()[0] as peer:
                peer.recv(5)
                peer.sendall(b"plain, no TLS record\n")

        thread = threading.Thread(target=answer)
        thread.start()
        mine = thin_sockets.new_socket(socket.AF_INET)
        mine.settimeout(5)
        mine.connect(listener.getsockname())
        try:
            with pytest.raises(thin_sockets.SSLError, match=r"(?i)version|record|packet"):
                thin_sockets.secured(mine, thin_sockets.new_context(), "localhost")
        finally:
            mine.close()
            thread.join()


def test_default_roots_are_openssls() -> None:
    paths = ssl.get_default_verify_paths()
    assert thin_sockets.default_roots() == (paths.openssl_cafile, paths.openssl_capath)
