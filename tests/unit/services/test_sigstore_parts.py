"""From a Sigstore's public parts to its clients' files, as the clients read them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sigstore.models import ClientTrustConfig, SigningConfig, TrustedRoot

from countermark.core.errors import MalformedError
from countermark.formats import signing_config, trusted_root
from countermark.proofs import x509
from countermark.services import sigstore_parts
from countermark.services.sigstore_parts import Parts
from fake_sigstore import Sigstore

NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
FAKE = Sigstore()
TRUSTED = trusted_root.parse(FAKE.trusted_root())
PARTS = Parts(
    operator="example",
    trusted=TRUSTED,
    authority_url="https://box.example.test",
    issuer_url="https://box.example.test/identity",
    log_url="https://log.example.test",
    timestamp_url="https://box.example.test/api/v1/timestamp",
)
KEYS = Parts(operator="example", trusted=trusted_root.TrustedRoot())


def test_sigstore_python_reads_them(tmp_path: Path) -> None:
    files = sigstore_parts.targets(PARTS, NOW)
    for name, file in files.items():
        (tmp_path / name).write_bytes(file.content)
    root = TrustedRoot.from_file(str(tmp_path / "trusted_root.json"))
    assert len(list(root.get_timestamp_authorities())) == 1
    config: Any = SigningConfig.from_file(str(tmp_path / "signing_config.v0.2.json"))
    assert config.get_fulcio().url == PARTS.authority_url
    assert config.get_oidc_url() == PARTS.issuer_url
    assert [each.url for each in config.get_tlogs()] == [f"{PARTS.log_url}/api/v2"]
    assert len(config.get_tsas()) == 1


def test_exported_files() -> None:
    contents = {name: f.content for name, f in sigstore_parts.targets(PARTS, NOW).items()}
    found = sigstore_parts.exported(contents, b"the root")
    assert sorted(found) == [
        "root.json",
        "signing_config.json",
        "trust_config.json",
        "trusted_root.json",
    ]
    assert found["root.json"] == b"the root"
    assert trusted_root.parse(found["trusted_root.json"]) == TRUSTED
    both = signing_config.parse_trust_config(found["trust_config.json"])
    assert both.signing_config == signing_config.parse(found["signing_config.json"])
    ClientTrustConfig.from_json(found["trust_config.json"].decode())


@pytest.mark.parametrize("name", ["trusted_root.json", "signing_config.v0.2.json"])
def test_nothing_that_is_none_is_exported(name: str) -> None:
    contents = {name: f.content for name, f in sigstore_parts.targets(PARTS, NOW).items()}
    with pytest.raises(MalformedError):
        sigstore_parts.exported(contents | {name: b"{}"}, b"")


def test_signing_config() -> None:
    config = sigstore_parts.signing_config(PARTS)
    services = (*config.authorities, *config.issuers, *config.logs, *config.timestamp_authorities)
    assert [each.api_version for each in services] == [1, 1, 2, 1]
    assert {each.operator for each in services} == {"example"}
    assert {each.start for each in services} == {TRUSTED.authorities[0].start}
    assert (config.log_selector.kind, config.timestamp_selector.kind) == ("ANY", "ANY")


def test_a_rotated_key_does_not_stop_signers_whose_clock_is_slow() -> None:
    rotated = TRUSTED.timestamp_authorities[0].replace(start=NOW + timedelta(days=1))
    trusted = TRUSTED.replace(timestamp_authorities=(*TRUSTED.timestamp_authorities, rotated))
    config = sigstore_parts.signing_config(PARTS.replace(trusted=trusted))
    assert config.timestamp_authorities[0].start == TRUSTED.timestamp_authorities[0].start


def test_without_services() -> None:
    config = sigstore_parts.signing_config(KEYS)
    selector = signing_config.Selector(kind="ANY")
    assert config == signing_config.SigningConfig(
        log_selector=selector, timestamp_selector=selector
    )
    assert sorted(sigstore_parts.targets(KEYS, NOW)) == [
        "signing_config.v0.2.json",
        "trusted_root.json",
    ]
    alone = Parts(operator="x", trusted=trusted_root.TrustedRoot(), log_url="https://x")
    assert sigstore_parts.signing_config(alone).logs[0].start is None


def test_files_for_cosign_2() -> None:
    files = sigstore_parts.targets(PARTS, NOW)
    said = {name: file.custom["sigstore"] for name, file in files.items() if file.custom}
    usages: dict[str, Any] = {name: each["usage"] for name, each in said.items()}  # type: ignore[index,call-overload]
    assert usages == {
        "fulcio_v1.crt.pem": "Fulcio",
        "fulcio_intermediate_v1.crt.pem": "Fulcio",
        "ctfe.pub": "CTFE",
        "rekor.pub": "Rekor",
        "rekor_2.pub": "Rekor",
        "tsa_leaf.crt.pem": "TSA",
        "tsa_intermediate_0.crt.pem": "TSA",
        "tsa_root.crt.pem": "TSA",
    }
    assert said["ctfe.pub"] == {
        "usage": "CTFE",
        "status": "Active",
        "uri": "https://ct.example.test",
    }
    root = x509.parse_pem(files["fulcio_v1.crt.pem"].content)[0]
    between = x509.parse_pem(files["fulcio_intermediate_v1.crt.pem"].content)[0]
    assert root.subject == root.issuer == between.issuer
    assert files["rekor.pub"].content.startswith(b"-----BEGIN PUBLIC KEY-----\n")


def test_several_intermediates_and_what_has_ended() -> None:
    authority = TRUSTED.authorities[0]
    long = authority.replace(
        certificates=(authority.certificates[0], *authority.certificates), end=NOW
    )
    trusted = TRUSTED.replace(authorities=(authority, long))
    parts = PARTS.replace(trusted=trusted)
    times = {NOW: "Active", NOW + timedelta(seconds=1): "Expired"}
    found = {now: sigstore_parts.targets(parts, now) for now in times}
    for now, status in times.items():
        custom: Any = found[now]["fulcio_v2.crt.pem"].custom["sigstore"]
        assert custom["status"] == status
    names = {"fulcio_intermediate_v2.crt.pem", "fulcio_intermediate_v2_1.crt.pem"}
    assert names < set(found[NOW])
