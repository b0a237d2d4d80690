"""The real programs that ours must get on with, each a private instance in a folder of its own."""

import datetime
import ipaddress
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from interop.processes import Server, Words, find, free_port, listens, run, until

BASE_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath) + ":/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "OTEL_TRACES_EXPORTER": "none",
}
NAMES = ("localhost", "127.0.0.1")
OURS = (sys.executable, "-m", "countermark")

# The tables of notary 0.7.0's server and signer, as its PostgreSQL migrations leave them; it makes none itself.
SERVER_TABLES = """
CREATE TABLE tuf_files (id serial PRIMARY KEY, created_at timestamp, updated_at timestamp, deleted_at timestamp,
  gun varchar(255) NOT NULL, role varchar(255) NOT NULL, version integer NOT NULL, data bytea NOT NULL,
  sha256 char(64), UNIQUE (gun, role, version));
CREATE INDEX tuf_files_sha256_idx ON tuf_files (sha256);
CREATE TABLE change_category (category varchar(20) PRIMARY KEY);
INSERT INTO change_category VALUES ('update'), ('deletion');
CREATE TABLE changefeed (id serial PRIMARY KEY, created_at timestamp DEFAULT CURRENT_TIMESTAMP,
  gun varchar(255) NOT NULL, version integer NOT NULL, sha256 char(64),
  category varchar(20) NOT NULL DEFAULT 'update' REFERENCES change_category);
CREATE INDEX idx_changefeed_gun ON changefeed (gun);
"""
SIGNER_TABLES = """
CREATE TABLE private_keys (id serial PRIMARY KEY, created_at timestamp, updated_at timestamp, deleted_at timestamp,
  key_id varchar(255) NOT NULL UNIQUE, encryption_alg varchar(255) NOT NULL, keywrap_alg varchar(255) NOT NULL,
  algorithm varchar(50) NOT NULL, passphrase_alias varchar(50) NOT NULL, public bytea NOT NULL,
  private bytea NOT NULL, gun varchar(255) NOT NULL, role varchar(255) NOT NULL, last_used timestamp,
  UNIQUE (key_id, algorithm));
"""


class Identity(NamedTuple):
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        """Make its key and certificate; ``ca`` is the certificate's file."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "interop test CA")])
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca = folder / "ca.crt"
        self.ca.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
        )

    def issue(self, name: str) -> Identity:
        """A certificate for localhost that serves and connects; notary's signer wants it of both sides."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        certificate = (
            self._builder(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key()
            )
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        files = Identity(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return files


def answers(url: str, ca: Path | None = None) -> bool:
    """Whether a URL answers 200."""
    context = ssl.create_default_context(cafile=str(ca)) if ca and ca.exists() else None
    if url.startswith("https:") and context is None:
        return False
    try:
        with urllib.request.urlopen(url, context=context, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


class PostgreSQL:
    """A database cluster with the tables that notary wants."""

    def __init__(self) -> None:
        """Make and start it, under /tmp, where its own user can reach it."""
        initdb = find("initdb")
        self._folder = Path(tempfile.mkdtemp(prefix="countermark-pg-"))
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user)
        data = self._folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale"],
            check=True, capture_output=True, user=self._user, cwd="/", env=BASE_ENVIRONMENT,
        )  # fmt: skip
        self.port = free_port()
        words: Words = [
            initdb.parent / "postgres",
            "-D",
            data,
            "-p",
            str(self.port),
            "-c",
            "listen_addresses=127.0.0.1",
        ]
        # Its default is to sync each commit, and so it stays: what is compared must be as durable.
        self.server = Server(
            "postgres", [*words, "-c", "unix_socket_directories="], self._folder / "log", BASE_ENVIRONMENT,
            user=self._user, stop_signal=signal.SIGINT,
        )  # fmt: skip
        self._psql = initdb.parent / "psql"
        probe: Words = [
            initdb.parent / "pg_isready",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "postgres",
        ]
        self.server.ready(lambda: run(probe, BASE_ENVIRONMENT).exit == 0)
        for name, tables in (("server", SERVER_TABLES), ("signer", SIGNER_TABLES)):
            self._query("postgres", "postgres", f"CREATE ROLE {name} LOGIN")
            self._query("postgres", "postgres", f"CREATE DATABASE notary{name} OWNER {name}")
            self._query(name, f"notary{name}", tables)

    def _query(self, user: str, database: str, sql: str) -> None:
        words: Words = [
            self._psql,
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            user,
            "-d",
            database,
            "-qAt",
        ]
        run([*words, "-v", "ON_ERROR_STOP=1"], BASE_ENVIRONMENT, stdin=sql).ok()

    def url(self, name: str) -> str:
        """Where notary finds its database."""
        return f"postgres://{name}@127.0.0.1:{self.port}/notary{name}?sslmode=disable"

    def stop(self) -> None:
        """Stop it and remove its files."""
        self.server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


class NotaryServer:
    """notary-server and its notary-signer, over TLS, in memory or on PostgreSQL."""

    def __init__(
        self, folder: Path, authority: Authority, database: PostgreSQL | None = None
    ) -> None:
        """Start both."""
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = authority.ca
        identity = authority.issue(f"notary-{folder.name}")
        port, signer_port = free_port(), free_port()
        self.address = f"localhost:{port}"
        self.url = f"https://{self.address}"
        stores: list[dict[str, str]] = [{"backend": "memory"}, {"backend": "memory"}]
        if database:
            stores = [
                {"backend": "postgres", "db_url": database.url(name)}
                for name in ("server", "signer")
            ]
            stores[1]["default_alias"] = "timestamp_1"
        files = {"tls_cert_file": str(identity.certificate), "tls_key_file": str(identity.key)}
        signer_config = folder / "signer.json"
        signer_config.write_text(
            json.dumps(
                {
                    "server": {
                        "grpc_addr": f"127.0.0.1:{signer_port}",
                        "client_ca_file": str(self.ca),
                        **files,
                    },
                    "storage": stores[1],
                }
            )
        )
        server_config = folder / "server.json"
        server_config.write_text(
            json.dumps(
                {
                    "server": {"http_addr": f"127.0.0.1:{port}", **files},
                    "trust_service": {
                        "type": "remote", "hostname": "localhost", "port": str(signer_port), "key_algorithm": "ecdsa",
                        "tls_ca_file": str(self.ca), "tls_client_cert": str(identity.certificate),
                        "tls_client_key": str(identity.key),
                    },
                    "storage": stores[0],
                }
            )
        )  # fmt: skip
        secret = {"NOTARY_SIGNER_TIMESTAMP_1": "the signer's own passphrase"}
        self._signer = Server(
            "notary-signer",
            [find("notary-signer"), "-config", signer_config],
            folder / "signer.log",
            BASE_ENVIRONMENT | secret,
        ).ready(lambda: listens(signer_port))
        self.server = Server(
            "notary-server",
            [find("notary-server"), "-config", server_config],
            folder / "server.log",
            BASE_ENVIRONMENT,
        ).ready(lambda: answers(f"{self.url}/_notary_server/health", self.ca))

    def stop(self) -> None:
        """Stop both."""
        self.server.stop()
        self._signer.stop()


class Registry:
    """docker-registry on a folder, over plain http, or over TLS when an authority is given."""

    def __init__(self, folder: Path, authority: Authority | None = None) -> None:
        """Start it; ``address`` is what names of images begin with."""
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.address = f"localhost:{port}"
        tls = ""
        if authority:
            identity = authority.issue(f"registry-{folder.name}")
            tls = f", tls: {{certificate: {identity.certificate}, key: {identity.key}}}"
        config = folder / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: warn}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'{tls}}}\n"
        )
        self.url = f"{'https' if authority else 'http'}://{self.address}"
        self.server = Server(
            "docker-registry",
            [find("docker-registry"), "serve", config],
            folder / "log",
            BASE_ENVIRONMENT,
        ).ready(lambda: answers(f"{self.url}/v2/", authority.ca if authority else None))

    def stop(self) -> None:
        """Stop it."""
        self.server.stop()


class Daemon:
    """dockerd with its containerd, private; it needs root."""

    def __init__(self) -> None:
        """Start it, with overlay2, or vfs where the file system has no overlays."""
        for program in ("dockerd", "containerd", "runc"):
            find(program)
        failures = []
        for driver in ("overlay2", "vfs"):
            self._folder = Path(tempfile.mkdtemp(prefix="countermark-dk-"))
            self.host = f"unix://{self._folder}/docker.sock"
            try:
                self.server = self._start(driver)
            except RuntimeError as error:
                failures.append(str(error))
                self._clean()
            else:
                return
        raise RuntimeError("\n".join(failures))

    def _start(self, driver: str) -> Server:
        folder = self._folder
        words: Words = [
            find("dockerd"), "--data-root", folder / "data", "--exec-root", folder / "exec", "-p", folder / "pid",
            "-H", self.host, "--iptables=false", "--ip6tables=false", "--bridge=none", f"--storage-driver={driver}",
            "--config-file", folder / "daemon.json",
        ]  # fmt: skip
        (folder / "daemon.json").write_text("{}")
        probe: Words = [
            find("docker"),
            "-H",
            self.host,
            "version",
            "--format",
            "{{.Server.Version}}",
        ]
        environment = BASE_ENVIRONMENT | {"DOCKER_CONFIG": str(folder)}
        return Server("dockerd", words, folder / "log", environment).ready(
            lambda: run(probe, environment).exit == 0
        )

    def stop(self) -> None:
        """Stop it and remove its files."""
        self.server.stop()
        self._clean()

    def _clean(self) -> None:
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((m for m in mounts if m.startswith(f"{self._folder}/")), reverse=True):
            subprocess.run(["umount", mount], check=False, capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)


class OurServer:
    """``countermark serve``: a registry and a trust server on one port, whose CA it made itself."""

    def __init__(self, folder: Path, *words: str, program: Sequence[str] = OURS) -> None:
        """Start it; ``folder/data`` is what it keeps."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._words, self._port = folder, [*program, "serve", *words], free_port()
        self.address = f"localhost:{self._port}"
        self.url = f"https://{self.address}"
        self.data = folder / "data"
        self.ca = self.data / "tls" / "ca.crt"
        self.start()

    def start(self) -> None:
        """Start it, or start it again on the same port and data."""
        listen: Words = ["--data", self.data, "--listen", f"127.0.0.1:{self._port}"]
        environment = {"HOME": str(self._folder), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        self.server = Server(
            "countermark serve",
            [*self._words, *listen],
            self._folder / "log",
            BASE_ENVIRONMENT | environment,
        ).ready(lambda: answers(f"{self.url}/readyz", self.ca))

    def kill(self) -> None:
        """End all of its processes at once, as a machine that loses power would."""
        self.server.kill()

    def stop(self) -> None:
        """Stop it; it must end by itself, with status 0."""
        status = self.server.stop()
        assert status == 0, f"serve ended with {status}:\n{self.server.tail()}"


__all__ = [
    "Authority",
    "Daemon",
    "NotaryServer",
    "OurServer",
    "PostgreSQL",
    "Registry",
    "answers",
    "until",
]
