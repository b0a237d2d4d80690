"""Trusted roots and signing configs made of words, and Sigstores that are begun with."""

import json
from hashlib import sha256, sha512
from pathlib import Path

import pytest

import fake_blobs as blobs
import fake_sigstore as fake
from countermark.adapters.tuf_files import TufFolder
from countermark.assembly.program import clock
from countermark.cli.cosign import pairs
from countermark.cli.cosign.initialize import check_sum
from countermark.cli.cosign.words import CosignError
from countermark.formats import signing_config, trusted_root
from countermark.formats.signing_config import Service, SigningConfig
from countermark.formats.tuf_metadata import TargetFile
from countermark.services.trust_root import TrustRoot
from hosted_services import serving
from identity import MemoryServiceKeys
from playing import Play, both
from servers import Server

SIGSTORE = fake.Sigstore()
KEYS = {kind: fake.new_key(kind) for kind in ("P-256", "P-384", "P-521", "rsa", "ed25519")}
AT = "start-time=2026-01-01T00:00:00Z"


@pytest.fixture
def files(folder: Path) -> Path:
    chain, stamps = SIGSTORE.authority.chain, SIGSTORE.stamps.chain
    for name, certificates in (("ca.pem", chain), ("root.pem", chain[-1:]), ("tsa.pem", stamps)):
        (folder / name).write_text("".join(map(fake.pem_of, certificates)))
    (folder / "leaf.pem").write_text(fake.pem_of(stamps[0]))
    for kind, key in KEYS.items():
        (folder / f"{kind}.pub").write_text(fake.pem(key))
    (folder / "empty").write_bytes(b"")
    return folder


def made(played: tuple[int, str, str]) -> dict[str, object]:
    status, out, err = played
    assert (status, err) == (0, "")
    assert out.endswith("}\n")
    document = json.loads(out)
    assert out[:-1] == json.dumps(document, separators=(",", ":"))
    assert isinstance(document, dict)
    return document


# Trusted roots ----------------------------------------------------------------------------------------------


def test_a_whole_trusted_root_is_read_back(play: Play, files: Path) -> None:
    status, out, err = play(
        *("trusted-root", "create", "--out", "made.json"),
        *("--fulcio", "url=https://fulcio.test,certificate-chain=ca.pem"),
        *("--rekor", f"url=https://rekor.test,public-key=P-256.pub,{AT}"),
        *("--rekor", f"url=https://log.test,public-key=ed25519.pub,{AT},origin=log.test"),
        *("--ctfe", f"url=https://ct.test,public-key=rsa.pub,{AT},end-time=2027-01-01T00:00:00Z"),
        *("--tsa", "url=https://tsa.test,certificate-chain=tsa.pem"),
    )
    assert (status, out, err) == (0, "", "")
    content = (files / "made.json").read_bytes()
    assert not content.endswith(b"\n")
    assert (files / "made.json").stat().st_mode & 0o777 == 0o600
    found = trusted_root.parse(content)
    first, second = found.logs
    assert first.log_id == sha256(fake.spki(KEYS["P-256"])).digest()
    assert second.log_id == _log("log.test").id
    assert second.origin == "log.test"
    (authority,) = found.authorities
    assert authority.certificates == SIGSTORE.authority.chain
    assert (authority.common_name, authority.organization) == ("example root", "")
    assert authority.start == fake.START
    (stamps,) = found.timestamp_authorities
    assert stamps.certificates == SIGSTORE.stamps.chain
    assert found.ct_logs[0].end is not None


def _log(host: str) -> fake.Log:
    log = fake.Log(host)
    log.key = KEYS["ed25519"]
    return log


def test_no_flags_make_an_empty_one(play: Play) -> None:
    assert play("trusted-root", "create") == (
        0,
        '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}\n',
        "",
    )


def test_logs_and_authorities_stand_in_the_order_of_their_times(play: Play, files: Path) -> None:
    late = "url=https://b.test,certificate-chain=root.pem,start-time=2026-02-01T00:00:00.5Z"
    early = "url=https://a.test,certificate-chain=ca.pem,start-time=2026-01-01T00:00:00+01:00"
    found = made(play("trusted-root", "create", "--fulcio", late, "--fulcio", early))
    listed = found["certificateAuthorities"]
    assert isinstance(listed, list)
    assert [each["uri"] for each in listed] == ["https://a.test", "https://b.test"]
    assert [each["validFor"]["start"] for each in listed] == [
        "2025-12-31T23:00:00Z",
        "2026-02-01T00:00:00.500Z",
    ]


def test_of_one_key_the_last_log_counts(play: Play, files: Path) -> None:
    words = [f"url=https://{name}.test,public-key=P-256.pub,{AT}" for name in "ab"]
    found = made(play("trusted-root", "create", "--rekor", words[0], "--rekor", words[1]))
    assert [each["baseUrl"] for each in found["tlogs"]] == ["https://b.test"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "notices", "text"),
    [
        (("--certificate-chain", "ca.pem", "--fulcio-uri", "https://f.test"),
         ("certificate-chain fulcio", "fulcio-uri fulcio"), '"uri":"https://f.test"'),
        (("--certificate-chain", "ca.pem"), ("certificate-chain fulcio",), '"commonName":"example root"'),
        (("--rekor-key", "ed25519.pub,log.test"), ("rekor-key rekor",), '"start":"1970-01-01T00:00:00Z"'),
        (("--rekor-key", "P-256.pub", "--rekor-end-time", "2026-01-01T00:00:00Z"),
         ("rekor-key rekor", "rekor-end-time rekor"), '"end":"2026-01-01T00:00:00Z"'),
        (("--ctfe-key", "P-384.pub", "--ctfe-url", "https://ct.test"),
         ("ctfe-key ctfe", "ctfe-url ctfe"), '"keyDetails":"PKIX_ECDSA_P384_SHA_384"'),
        (("--timestamp-certificate-chain", "tsa.pem", "--timestamp-uri", "https://t.test"),
         ("timestamp-certificate-chain tsa", "timestamp-uri tsa"), '"uri":"https://t.test"'),
    ],
)  # fmt: skip
def test_flags_of_before(
    play: Play, files: Path, words: tuple[str, ...], notices: tuple[str, ...], text: str
) -> None:
    status, out, err = play("trusted-root", "create", *words)
    assert status == 0
    assert text in out
    told = "".join(
        f"Flag --{old} has been deprecated, use --{new} instead\n"
        for old, new in (notice.split() for notice in notices)
    )
    assert err == told


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--fulcio", "x"), "parsing fulcio spec: invalid key-value pair: x"),
        (("--fulcio", "certificate-chain=ca.pem"),
         "parsing fulcio spec: missing or empty required key 'url' in fulcio spec"),
        (("--fulcio", "url=,certificate-chain=ca.pem"),
         "parsing fulcio spec: missing or empty required key 'url' in fulcio spec"),
        (("--fulcio", "url=x,certificate-chain=none"),
         "parsing fulcio spec: parsing Fulcio certificate-chain: open none: no such file or directory"),
        (("--fulcio", "url=x,certificate-chain=empty"),
         "parsing fulcio spec: parsing Fulcio certificate-chain: no certificates in file empty"),
        (("--fulcio", "url=x,certificate-chain=rsa.pub"),
         "parsing fulcio spec: parsing Fulcio certificate-chain: not a PEM text of certificates"),
        (("--fulcio", "url=x,certificate-chain=ca.pem,start=2026"), "parsing fulcio spec: unknown key 'start'"),
        (("--rekor", "url=x,public-key=P-256.pub"),
         "parsing rekor spec: missing or empty required key 'start-time' in tlog spec"),
        (("--rekor", f"url=x,public-key=none,{AT}"),
         "parsing rekor spec: parsing public-key: open none: no such file or directory"),
        (("--rekor", f"url=x,public-key=empty,{AT}"),
         "parsing rekor spec: parsing public-key: PEM decoding failed"),
        (("--ctfe", f"url=x,public-key=P-256.pub,{AT},orgin=x"), "parsing ctfe spec: unknown key 'orgin'"),
        (("--ctfe", "url=x,public-key=P-256.pub,start-time=x"),
         'parsing ctfe spec: parsing start-time: parsing time "x" as "2006-01-02T15:04:05Z07:00": '
         'cannot parse "x" as "2006"'),
        (("--tsa", "url=x,certificate-chain=ca.pem"),
         "parsing tsa spec: first certificate in chain must be a leaf certificate"),
        (("--tsa", "url=x,certificate-chain=leaf.pem"),
         "parsing tsa spec: certificate chain must have at least two certificates"),
        (("--tsa", f"url=x,certificate-chain=tsa.pem,{AT},end-time=y"),
         'parsing tsa spec: parsing end-time: parsing time "y" as "2006-01-02T15:04:05Z07:00": '
         'cannot parse "y" as "2006"'),
        (("--with-default-services",), "getting default trusted root: nothing says which root of "
                                       "http://127.0.0.1:1 is to be believed"),
        (("extra",), 'unknown command "extra" for "cosign trusted-root create"'),
    ],
)  # fmt: skip
def test_trusted_roots_that_are_refused(
    play: Play, files: Path, words: tuple[str, ...], text: str
) -> None:
    status, out, err = play("trusted-root", "create", *words)
    assert (status, out) == (1, "")
    assert err.startswith(both(text))


@pytest.mark.parametrize("flag", ["fulcio", "rekor", "ctfe", "tsa"])
def test_flags_of_now_and_before_do_not_mix(play: Play, flag: str) -> None:
    old = {
        "fulcio": "certificate-chain",
        "rekor": "rekor-url",
        "ctfe": "ctfe-key",
        "tsa": "timestamp-uri",
    }[flag]
    status, _, err = play("trusted-root", "create", f"--{flag}", "x", f"--{old}", "y")
    assert status == 1
    assert err.endswith(both(f"cannot use --{flag} and old {flag} flags at the same time"))


# Signing configs --------------------------------------------------------------------------------------------


SERVICE = f"url=https://x.test,api-version=1,{AT},operator=us"


def test_a_whole_signing_config_is_read_back(play: Play, folder: Path) -> None:
    status, _, err = play(
        *("signing-config", "create", "--out", "made.json"),
        *(
            "--fulcio",
            SERVICE,
            "--oidc-provider",
            SERVICE,
            "--tsa",
            SERVICE,
            "--tsa-config",
            "EXACT:2",
        ),
        *("--rekor", f"{SERVICE},end-time=2027-01-01T00:00:00Z", "--rekor-config", "all"),
    )
    assert (status, err) == (0, "")
    content = (folder / "made.json").read_bytes()
    found = signing_config.parse(content)
    assert found.log_selector.kind == "ALL"
    assert (found.timestamp_selector.kind, found.timestamp_selector.count) == ("EXACT", 2)
    assert found.logs[0].end is not None
    assert [
        len(each) for each in (found.authorities, found.issuers, found.timestamp_authorities)
    ] == [1] * 3
    again = made(play("signing-config", "create", "--base-config", "made.json"))
    assert again == json.loads(content)
    less = made(
        play(
            *("signing-config", "create", "--base-config", "made.json", "--no-default-rekor"),
            *("--no-default-oidc", "--no-default-fulcio"),
        )
    )
    assert list(less) == ["mediaType", "rekorTlogConfig", "tsaUrls", "tsaConfig"]
    assert less["rekorTlogConfig"] == {}
    other = SERVICE.replace("x.test", "y.test")
    words = ("--base-config", "made.json", "--tsa", other, "--tsa-config", "ANY")
    changed = made(play("signing-config", "create", *words))
    assert [each["url"] for each in changed["tsaUrls"]] == ["https://y.test"]  # type: ignore[attr-defined]


def test_no_flags_make_one_without_services(play: Play, folder: Path) -> None:
    empty = made(play("signing-config", "create"))
    assert list(empty) == ["mediaType", "rekorTlogConfig", "tsaConfig"]
    (folder / "bare.json").write_text(json.dumps({"mediaType": empty["mediaType"]}))
    # where cosign 3.1.3 ends with a nil pointer
    assert made(play("signing-config", "create", "--base-config", "bare.json")) == empty


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--rekor", SERVICE), "--rekor-config must be provided when --rekor is specified"),
        (("--tsa", SERVICE), "--tsa-config must be provided when --tsa is specified"),
        (("--rekor-config", "SOME"), "parsing rekor-config: invalid service config mode: SOME"),
        (("--rekor-config", "ALL:2"), "parsing rekor-config: mode ALL does not accept a count"),
        (("--tsa-config", "EXACT"), "parsing tsa-config: mode EXACT requires a count, e.g. EXACT:2"),
        (("--tsa-config", "EXACT:x"), 'parsing tsa-config: invalid count for EXACT mode: '
                                      'strconv.ParseUint: parsing "x": invalid syntax'),
        (("--tsa-config", "EXACT:4294967296"), 'parsing tsa-config: invalid count for EXACT mode: '
                                               'strconv.ParseUint: parsing "4294967296": value out of range'),
        (("--tsa-config", "EXACT:0"),
         "parsing tsa-config: invalid count for EXACT mode: 0 services sign nothing"),
        (("--fulcio", "url=x"), "parsing fulcio spec: missing required key 'api-version' in service spec"),
        (("--fulcio", f"{SERVICE},x=y"), "parsing fulcio spec: unknown key 'x'"),
        (("--oidc-provider", SERVICE.replace("=1", "=-1")),
         'parsing oidc-provider spec: parsing api-version: strconv.ParseUint: parsing "-1": invalid syntax'),
        (("--base-config", "none"), "loading base config from none: open none: no such file or directory"),
        (("--base-config", "x", "--with-default-services"),
         "if any flags in the group [base-config with-default-services] are set none of the others can be; "
         "[base-config with-default-services] were all set"),
        (("--with-default-services",), "getting default trusted root: nothing says which root of "
                                       "http://127.0.0.1:1 is to be believed"),
        (("--with-default-rekor-v2",),
         "the public instance's signing config for Rekor v2 is not fetched by countermark"),
    ],
)  # fmt: skip
def test_signing_configs_that_are_refused(
    play: Play, folder: Path, words: tuple[str, ...], text: str
) -> None:
    status, out, err = play("signing-config", "create", *words)
    assert (status, out) == (1, "")
    assert err.startswith(both(text))


# Words of Go ------------------------------------------------------------------------------------------------

LAYOUT = '" as "2006-01-02T15:04:05Z07:00": cannot parse "'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", f'parsing time "{LAYOUT}" as "2006"'),
        ("yesterday", f'parsing time "yesterday{LAYOUT}yesterday" as "2006"'),
        ("2026-12-01", f'parsing time "2026-12-01{LAYOUT}" as "T"'),
        (
            "2026-1-01T00:00:00Z",
            f'parsing time "2026-1-01T00:00:00Z{LAYOUT}1-01T00:00:00Z" as "01"',
        ),
        ("2026-12-01T00:00:00", f'parsing time "2026-12-01T00:00:00{LAYOUT}" as "Z07:00"'),
        (
            "2026-12-01T00:00:00.5+1",
            f'parsing time "2026-12-01T00:00:00.5+1{LAYOUT}+1" as "Z07:00"',
        ),
        ("2026-13-01T00:00:00Z", 'parsing time "2026-13-01T00:00:00Z": month out of range'),
        ("2026-02-30T00:00:00Z", 'parsing time "2026-02-30T00:00:00Z": day out of range'),
        ("2026-02-03T24:00:00Z", 'parsing time "2026-02-03T24:00:00Z": hour out of range'),
        ("2026-12-01T00:00:00Zx", 'parsing time "2026-12-01T00:00:00Zx": extra text: "x"'),
    ],
)
def test_times_that_are_none(text: str, complaint: str) -> None:
    with pytest.raises(CosignError) as caught:
        pairs.time(text)
    assert str(caught.value) == complaint


# Initialize -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("checksum", "text"),
    [
        ("", ""),
        (sha256(b"x").hexdigest(), ""),
        (sha256(b"x").hexdigest().upper(), ""),
        (f"sha256:{sha256(b'x').hexdigest()}", ""),
        (f"sha512:{sha512(b'x').hexdigest()}", ""),
        ("sha1:00", "unsupported checksum algorithm: sha1"),
        ("a:b:c", "wrong checksum input format, must have at most 1 colon: a:b:c"),
        ("00", f"incorrect checksum for file root: expected 00 but got {sha256(b'x').hexdigest()}"),
    ],
)
def test_checksums(checksum: str, text: str) -> None:
    if not text:
        check_sum(b"x", "root", checksum)
        return
    with pytest.raises(CosignError) as caught:
        check_sum(b"x", "root", checksum)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--root", "none"), "open none: no such file or directory"),
        (("--root", "root.json", "--root-checksum", "00"), "incorrect checksum for file root.json: "),
        (("--root-checksum", "00"), "--root-checksum is of the file that --root names"),
        (("--staging",), "--staging is not taken by countermark: "),
        (("--mirror", "http://127.0.0.1:1"), "nothing says which root of http://127.0.0.1:1 is to be believed"),
    ],
)  # fmt: skip
def test_sigstores_that_are_not_begun_with(
    play: Play, folder: Path, words: tuple[str, ...], text: str
) -> None:
    (folder / "root.json").write_bytes(b"{}")
    status, _, err = play("initialize", *words)
    assert status == 1
    assert err.startswith(f"Error: {text}")
    assert not (folder / ".sigstore").exists()


def test_a_sigstore_is_begun_with(play: Play, folder: Path) -> None:
    """Its trusted root verifies from then on, and is what ``--with-default-services`` means, with no more flags."""
    repository = TrustRoot(TufFolder(str(folder / "tuf")), MemoryServiceKeys(), clock)
    config = SigningConfig(authorities=(Service(url="https://ca.test", api_version=1),))
    files = {
        "trusted_root.json": SIGSTORE.trusted_root(),
        "signing_config.v0.2.json": config.encode(),
    }
    repository.publish({name: TargetFile(content=content) for name, content in files.items()})
    leaf = SIGSTORE.authority.issue()
    bundle = blobs.bundle(leaf, log=SIGSTORE.log, stamps=SIGSTORE.stamps)
    (folder / "bundle.json").write_bytes(fake.compact(bundle))
    (folder / "blob").write_bytes(blobs.BLOB)
    unnamed = {"TUF_MIRROR": ""}
    with Server(serving(repository)) as server:
        mirror = f"{server.url}/tuf"
        status, out, err = play(
            "initialize", "--mirror", mirror, "--root", f"{mirror}/root.json", **unnamed
        )
        assert (status, out) == (0, "")
        assert err.startswith(
            "WARNING: Fetching initial root from URL without providing its checksum"
        )
    kept = json.loads((folder / ".sigstore" / "root" / "remote.json").read_bytes())
    assert kept == {"mirror": mirror}
    words = ("--certificate-identity", fake.ALICE, "--certificate-oidc-issuer", fake.ISSUER)
    verified = play("verify-blob", *words, "--bundle", "bundle.json", "blob", **unnamed)
    assert verified == (0, "", "Verified OK\n")
    status, out, _ = play(
        "trusted-root", "create", "--with-default-services", "--no-default-ctfe", **unnamed
    )
    assert status == 0
    found, published = trusted_root.parse(out.encode()), trusted_root.parse(SIGSTORE.trusted_root())
    assert (found.authorities, found.ct_logs) == (published.authorities, ())
    assert set(found.logs) == set(published.logs)
    status, out, _ = play("signing-config", "create", "--with-default-services", **unnamed)
    assert signing_config.parse(out.encode()) == config
    inspected = play("bundle", "inspect", "bundle.json", **unnamed)[1]
    for line in ("Authority URL: https://fulcio.example.test", "Log URL: https://log.example.test",
                 "Log URL: https://ct.example.test"):  # fmt: skip
        assert f"- {line}\n" in inspected
