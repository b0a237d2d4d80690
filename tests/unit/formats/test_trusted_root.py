"""Trusted roots and signing configs: what is read, what is refused, who is chosen."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import fake_sigstore as fake
from countermark.core import limits
from countermark.core.errors import InputError, MalformedError
from countermark.formats import signing_config, trusted_root
from countermark.formats.signing_config import Selector, Service, SigningConfig, TrustConfig, choose
from countermark.formats.trusted_root import Authority, Instance, TrustedRoot
from fake_sigstore import Document
from world import NOW

ROOT: Document = json.loads(fake.Sigstore().trusted_root())
DAY = timedelta(days=1)

Change = Callable[[Document], object]


def changed(change: Change, document: Document = ROOT) -> bytes:
    made = copy.deepcopy(document)
    change(made)
    return fake.compact(made)


# Trusted roots ----------------------------------------------------------------------------------------------


def test_a_trusted_root_is_read_and_written() -> None:
    found = trusted_root.parse(fake.compact(ROOT))
    assert [len(each) for each in (found.logs, found.authorities, found.ct_logs, found.timestamp_authorities)] == [
        2, 1, 1, 1,
    ]  # fmt: skip
    assert trusted_root.parse(found.encode()) == found
    assert found.logs[0].start == fake.START
    assert found.authorities[0].name == "https://fulcio.example.test"
    assert TrustedRoot().members() == {"mediaType": trusted_root.MEDIA_TYPE}


@pytest.mark.parametrize("version", ["trustedroot.v0.1+json", "trustedroot.v0.2+json"])
def test_newer_media_types_and_members_are_read(version: str) -> None:
    def newer(root: Document) -> None:
        root["mediaType"] = f"application/vnd.dev.sigstore.{version}"
        root["tlogs"][0].update(operator="x", checkpointKeyId={"keyId": "AA=="})

    assert len(trusted_root.parse(changed(newer)).logs) == 2


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda r: r.update(mediaType="x"), "mediaType"),
        (lambda r: r.update(more=1), "more"),
        (lambda r: r["tlogs"][0].pop("logId"), "tlogs[0].logId"),
        (lambda r: r["tlogs"][0]["logId"].pop("keyId"), "tlogs[0].logId.keyId"),
        (lambda r: r["tlogs"][0].pop("publicKey"), "tlogs[0].publicKey"),
        (lambda r: r["tlogs"][0]["publicKey"].pop("rawBytes"), "tlogs[0].publicKey.rawBytes"),
        (lambda r: r["tlogs"][0]["publicKey"].pop("validFor"), "tlogs[0].publicKey.validFor"),
        (lambda r: r["tlogs"][0]["publicKey"]["validFor"].pop("start"), "tlogs[0].publicKey.validFor"),
        (lambda r: r["tlogs"][0]["publicKey"]["validFor"].update(start="x"), "tlogs[0].publicKey.validFor.start"),
        (lambda r: r["ctlogs"][0].update(more=1), "ctlogs[0].more"),
        (lambda r: r["certificateAuthorities"][0].pop("certChain"), "certificateAuthorities[0].certChain"),
        (lambda r: r["certificateAuthorities"][0]["certChain"].update(certificates=[]),
         "certificateAuthorities[0].certChain.certificates"),
        (lambda r: r["certificateAuthorities"][0]["certChain"]["certificates"].append({"rawBytes": ""}),
         "certificateAuthorities[0].certChain.certificates"),
        (lambda r: r["timestampAuthorities"][0]["subject"].update(country="x"),
         "timestampAuthorities[0].subject.country"),
        (lambda r: r.update(tlogs=r["tlogs"] * limits.TRUSTED_ROOT_ENTRIES), "tlogs"),
    ],
)  # fmt: skip
def test_trusted_roots_that_are_refused(change: Change, path: str) -> None:
    with pytest.raises(MalformedError) as caught:
        trusted_root.parse(changed(change))
    assert caught.value.path == path


def test_what_may_be_missing() -> None:
    def less(root: Document) -> None:
        authority = root["certificateAuthorities"][0]
        for name in ("subject", "uri", "validFor"):
            del authority[name]
        del root["tlogs"][0]["hashAlgorithm"]
        del root["tlogs"][0]["baseUrl"]

    found = trusted_root.parse(changed(less))
    (authority,) = found.authorities
    assert (authority.name, authority.start, authority.end) == ("", None, None)
    assert (found.logs[0].hash_algorithm, found.logs[0].origin) == ("SHA2_256", "")
    assert trusted_root.parse(found.encode()) == found


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://log.test", "log.test"),
        ("https://log.test:3000/path?query", "log.test"),
        ("http://user:secret@log.test/x", "log.test"),
        ("https://[::1]:8080/x", "::1"),
        ("log.test/x", ""),
        ("", ""),
    ],
)
def test_origins(url: str, origin: str) -> None:
    log = Instance(base_url=url, key=b"", key_details="", log_id=b"", start=None)
    assert log.origin == origin


@pytest.mark.parametrize(
    ("start", "end", "at", "expected"),
    [
        (None, None, NOW, True),
        (NOW, NOW, NOW, True),
        (NOW + DAY, None, NOW, False),
        (None, NOW - DAY, NOW, False),
        (NOW - DAY, NOW + DAY, NOW, True),
    ],
)
def test_times_of_service_have_both_their_ends(
    start: datetime | None, end: datetime | None, at: datetime, expected: bool
) -> None:
    log = Instance(base_url="", key=b"", key_details="", log_id=b"", start=start, end=end)
    authority = Authority(
        organization="o", common_name="", uri="", certificates=(), start=start, end=end
    )
    assert log.is_in_service(at) == authority.is_in_service(at) == expected
    assert authority.name == "o"


# Signing configs --------------------------------------------------------------------------------------------


SERVICE = {"url": "https://x.test", "majorApiVersion": 1, "operator": "us"}
CONFIG: Document = {
    "mediaType": signing_config.MEDIA_TYPE,
    "caUrls": [SERVICE],
    "oidcUrls": [SERVICE | {"validFor": {"start": "2026-01-01T00:00:00Z"}}],
    "rekorTlogUrls": [SERVICE | {"majorApiVersion": 2}],
    "rekorTlogConfig": {"selector": "ANY"},
    "tsaUrls": [SERVICE | {"validFor": {"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}}],
    "tsaConfig": {"selector": "EXACT", "count": 1},
}  # fmt: skip


def test_a_signing_config_is_read_and_written() -> None:
    found = signing_config.parse(fake.compact(CONFIG))
    assert json.loads(found.encode()) == CONFIG
    assert list(json.loads(found.encode())) == list(CONFIG)
    assert signing_config.parse(found.encode()) == found
    assert (found.log_selector.kind, found.timestamp_selector.count) == ("ANY", 1)
    empty = signing_config.parse(fake.compact({"mediaType": signing_config.MEDIA_TYPE}))
    assert empty == SigningConfig()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (
            lambda c: c.update(mediaType="application/vnd.dev.sigstore.signingconfig.v0.1+json"),
            "mediaType",
        ),
        (lambda c: c.update(more=1), "more"),
        (lambda c: c["caUrls"][0].pop("url"), "caUrls[0].url"),
        (lambda c: c["caUrls"][0].update(more=1), "caUrls[0].more"),
        (lambda c: c["caUrls"][0].update(majorApiVersion=-1), "caUrls[0].majorApiVersion"),
        (lambda c: c.update(caUrls=[SERVICE] * (limits.TRUSTED_ROOT_ENTRIES + 1)), "caUrls"),
        (lambda c: c["tsaUrls"][0]["validFor"].update(end="x"), "tsaUrls[0].validFor.end"),
        (lambda c: c["tsaConfig"].update(selector="SOME"), "tsaConfig.selector"),
        (lambda c: c["tsaConfig"].pop("count"), "tsaConfig.count"),
        (lambda c: c["tsaConfig"].update(count="-1"), "tsaConfig.count"),
    ],
)
def test_signing_configs_that_are_refused(change: Change, path: str) -> None:
    with pytest.raises(MalformedError) as caught:
        signing_config.parse(changed(change, CONFIG))
    assert caught.value.path == path


def test_an_undefined_selector_says_nothing() -> None:
    content = changed(
        lambda c: c["tsaConfig"].update(selector="SERVICE_SELECTOR_UNDEFINED"), CONFIG
    )
    assert signing_config.parse(content).timestamp_selector.kind == ""


def test_both_in_one_file() -> None:
    both = TrustConfig(
        trusted_root=trusted_root.parse(fake.compact(ROOT)),
        signing_config=signing_config.parse(fake.compact(CONFIG)),
    )
    assert signing_config.parse_trust_config(both.encode()) == both
    made = json.loads(both.encode())
    changes: list[Document] = [
        {"mediaType": "x"},
        {"more": 1},
        {"trustedRoot": None},
        {"signingConfig": []},
    ]
    for change in changes:
        with pytest.raises(MalformedError):
            signing_config.parse_trust_config(fake.compact(made | change))


def service(url: str, version: int = 1, operator: str = "us", **times: Any) -> Service:
    return Service(url=url, api_version=version, operator=operator, **times)


A, B = service("a", start=NOW - 2 * DAY), service("b", start=NOW - DAY)
THEIRS, SECOND = service("c", operator="them"), service("d", version=2)
OVER, LATER = service("e", end=NOW - DAY), service("f", start=NOW + DAY)


@pytest.mark.parametrize(
    ("services", "selector", "versions", "expected"),
    [
        ([A], Selector(), (1,), "a"),
        ([A, THEIRS], Selector(kind="ANY"), (1,), "a"),
        ([A, B], Selector(kind="ALL"), (1,), "b"),  # of one operator the newest
        ([B, A, THEIRS], Selector(kind="ALL"), (1,), "bc"),
        ([A, SECOND], Selector(kind="ALL"), (1, 2), "d"),  # the highest version that there is
        ([A, SECOND], Selector(kind="ALL"), (1,), "a"),
        ([OVER, A, LATER], Selector(kind="ALL"), (1,), "a"),
        ([A, THEIRS, service("g", operator="others")], Selector(kind="EXACT", count=2), (1,), "ac"),
    ],
)
def test_who_is_chosen(
    services: list[Service], selector: Selector, versions: tuple[int, ...], expected: str
) -> None:
    found = choose(services, selector, versions, NOW)
    assert "".join(each.url for each in found) == expected


@pytest.mark.parametrize(
    ("services", "selector", "text"),
    [
        ([], Selector(), "no matching services found for API versions [1] and current time 2026-11-25T12:00:00Z"),
        ([OVER], Selector(), "no matching services found"),
        ([SECOND], Selector(), "no matching services found"),
        ([A, B], Selector(kind="EXACT", count=2), "service selector count 2 must be less than or equal to"),
    ],
)  # fmt: skip
def test_nobody_is_chosen(services: list[Service], selector: Selector, text: str) -> None:
    with pytest.raises(InputError) as caught:
        choose(services, selector, (1,), NOW)
    assert str(caught.value).startswith(text)


def test_times_are_written_as_protobuf_does() -> None:
    half = datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert service("a", start=half).members()["validFor"] == {"start": "2026-01-01T00:00:00.500Z"}
    assert "majorApiVersion" not in service("a", version=0).members()
