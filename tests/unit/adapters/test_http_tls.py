"""Whom we believe over TLS."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_tls import HostTls, SystemRoots, TlsContexts, hashed_folder
from countermark.adapters.http_url import Url
from countermark.core.errors import Code, ConfigError, UnavailableError
from servers import Authority, Server, always, answer


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ([], ["002c0b4f.0"], 1),
        (["002c0b4f.0"], ["002c0b4f.0"], 0),
        (["ca-certificates.crt", "x.pem", "0.0"], [], None),
        (None, ["002c0b4f.0"], 1),
        (None, None, None),
    ],
)
def test_folders_that_are_hashed(
    tmp_path: Path, first: list[str] | None, second: list[str] | None, found: int | None
) -> None:
    folders = [tmp_path / "1", tmp_path / "2"]
    for folder, names in zip(folders, (first, second), strict=True):
        if names is None:
            continue
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    expected = "" if found is None else str(folders[found])
    assert hashed_folder([str(folder) for folder in folders]) == expected


@pytest.mark.parametrize("roots", [SystemRoots(), SystemRoots(folders=("/nonexistent",))])
def test_the_systems_roots_do_not_know_a_stranger(tmp_path: Path, roots: SystemRoots) -> None:
    authority = Authority(tmp_path)
    client = HttpClient(roots)
    request = HttpRequest(method="GET", url=Url.parse("https://127.0.0.1:1/"))
    with Server(always(answer(200, b"x")), tls=authority.context()) as server:
        asked = request.replace(url=Url.parse(server.url))
        with pytest.raises(UnavailableError, match="signed by unknown authority"):
            client.request(asked)
        believed = asked.replace(tls=HostTls(ca_files=(str(authority.file),)))
        assert client.request(believed).content == b"x"
    client.close()


def test_a_folder_of_hashed_roots(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    place = tmp_path / "roots"
    place.mkdir()
    # the name is OpenSSL's hash of the subject: what c_rehash would call it
    import subprocess

    words = ["openssl", "x509", "-noout", "-hash", "-in", str(authority.file)]
    hashed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    (place / f"{hashed}.0").write_bytes(authority.file.read_bytes())
    client = HttpClient(SystemRoots(folders=(str(place),)))
    with Server(always(answer(200, b"x")), tls=authority.context()) as server:
        request = HttpRequest(method="GET", url=Url.parse(server.url))
        assert client.request(request).content == b"x"
    client.close()


def test_contexts_are_made_once() -> None:
    contexts = TlsContexts(SystemRoots(folders=("/nonexistent",)))
    plain, labelled = HostTls(), HostTls(label="registry")
    assert contexts.context(plain) is contexts.context(HostTls())
    assert contexts.context(plain) is not contexts.context(labelled)


@pytest.mark.parametrize(
    ("roots", "host"),
    [
        (SystemRoots(file="{}/absent.pem"), HostTls()),
        (SystemRoots(file="{}/wrong.pem"), HostTls()),
        (SystemRoots(folders=("/nonexistent",)), HostTls(ca_texts=("no PEM",))),
        (SystemRoots(folders=("/nonexistent",)), HostTls(ca_texts=("",))),
    ],
)
def test_roots_that_cannot_be_read(tmp_path: Path, roots: SystemRoots, host: HostTls) -> None:
    (tmp_path / "wrong.pem").write_text("no PEM")
    placed = roots.replace(file=roots.file.format(tmp_path))
    with pytest.raises(ConfigError, match="CA certificates") as caught:
        TlsContexts(placed).context(host)
    assert caught.value.code == Code.BAD_CONFIG


def test_an_encrypted_client_key_asks_nobody(tmp_path: Path) -> None:
    cert, key = Authority(tmp_path).issue(client=True)
    opened = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        opened.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    contexts = TlsContexts(SystemRoots(folders=("/nonexistent",)))
    with pytest.raises(ConfigError, match="client certificate"):
        contexts.context(HostTls(client_pairs=((str(cert), str(key)),)))


def test_a_clients_certificate_is_not_for_others() -> None:
    tls = HostTls(ca_files=("a",), client_pairs=(("c", "k"),), label="x")
    assert tls.without_client() == HostTls(ca_files=("a",), label="x")
