"""A private Sigstore whose log is witnessed, and lies in a bucket: by configuration, and never by mistake."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from moto import mock_aws

from countermark.assembly.log_stores import DATABASE_VARIABLE, LogSettings
from countermark.core.errors import Code, ConfigError, CountermarkError, UnavailableError
from countermark.formats import bundle as bundles
from countermark.formats import trusted_root
from countermark.formats.tlog import Checkpoint, Note
from countermark.proofs import cosignatures, signing_keys
from countermark.proofs.cosignatures import WitnessKey
from hosted_sigstore import HostedSigstore
from servers import Asked, Server, handling
from servers import answer as written

pytestmark = pytest.mark.slow

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "eu-west-1",
}
BUCKET = "s3://our-tiles/team"
Make = Callable[..., HostedSigstore]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[HostedSigstore] = []

    def run(**logs: Any) -> HostedSigstore:
        made.append(HostedSigstore(tmp_path, logs=LogSettings(**logs)))
        return made[-1]

    yield run
    for box in made:
        box.end()


# Buckets ------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket() -> Iterator[Callable[[], set[str]]]:
    """Says which objects are in the bucket."""
    with mock_aws():
        client = boto3.client(
            "s3", aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-west-1"
        )
        client.create_bucket(
            Bucket="our-tiles", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield lambda: {
            each["Key"] for each in client.list_objects_v2(Bucket="our-tiles").get("Contents", ())
        }


def test_both_logs_in_a_bucket(make: Make, bucket: Callable[[], set[str]]) -> None:
    box = make(environment=ENVIRONMENT, bucket=BUCKET)
    box.start()
    box.sign("one")
    box.stop()
    box.start()
    box.sign("two")
    box.verify("one")
    tops = {key.split("/")[1].rpartition("-")[0] for key in bucket()}
    assert tops == {"tiles", "certificate-tiles"}
    assert not list(box.own.glob("*tiles*"))
    flags = f"serve: {{logBucket: '{BUCKET}'}}"
    config = box.folder / ".config" / "countermark" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(flags)
    said = box.ok("log", "verify", box.data, **ENVIRONMENT)
    assert "2 entries; entries, tiles, checkpoint and index are right" in said
    said = (box.own / "logs.json").read_text()
    assert "AKID" not in said
    assert "secret" not in said


def test_a_log_that_is_here_moves_to_a_bucket_by_rotation(
    make: Make, bucket: Callable[[], set[str]]
) -> None:
    box = make()
    box.start()
    box.sign("here")
    box.stop()
    box.more["logs"] = LogSettings(environment=ENVIRONMENT, bucket=BUCKET)
    with pytest.raises(ConfigError, match="not where the configuration has logs"):
        box.start()
    box.stop()
    assert bucket() == set()
    for kind in ("log", "ctlog"):
        box.ok(
            "sigstore", "rotate", kind, "--data", box.data, "--log-bucket", BUCKET, **ENVIRONMENT
        )
    box.start()
    box.sign("there")
    box.verify("here")
    box.verify("there")
    assert len(bucket()) >= 4
    box.stop()
    box.more["logs"] = LogSettings()
    with pytest.raises(ConfigError):
        box.start()


@pytest.mark.parametrize(
    ("logs", "code"),
    [
        ({"bucket": "our-tiles"}, Code.BAD_INPUT),
        ({"bucket": "s3://"}, Code.BAD_INPUT),
        ({"bucket": "s3://our-tiles/../x?"}, Code.BAD_INPUT),
        ({"bucket_url": "https://minio.test"}, Code.BAD_INPUT),
        ({"bucket": BUCKET, "bucket_url": "http://minio.test"}, Code.INSECURE),
        ({"database_file": "/nowhere/at-all"}, Code.BAD_CONFIG),
        ({"environment": {DATABASE_VARIABLE: "mysql://u:geheim@h/x"}}, Code.BAD_INPUT),
        ({"environment": {DATABASE_VARIABLE: "geheim"}}, Code.BAD_INPUT),
        ({"witnesses": ("w1",)}, Code.BAD_INPUT),
        ({"witnesses": ("w1+00000000+AQ== https://w1.test",)}, Code.BAD_INPUT),
        ({"needed": 1}, Code.BAD_INPUT),
    ],
    ids=lambda value: "" if isinstance(value, Code) else "-".join(value),
)
def test_settings_that_will_not_do(logs: dict[str, Any], code: Code, make: Make) -> None:
    box = make(**logs)
    with pytest.raises(CountermarkError) as caught:
        box.start()
    assert caught.value.code == code
    assert "geheim" not in f"{caught.value} {caught.value.hint}"


def test_a_database_s_password_is_not_told(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://us:geheim@127.0.0.1:1/logs\n")
    box = make(database_file=str(file))
    with pytest.raises(CountermarkError) as caught:
        box.start()
    assert caught.value.code == Code.UNAVAILABLE
    assert "geheim" not in f"{caught.value} {caught.value.hint}"
    for path in box.own.glob("*.json"):
        assert "geheim" not in path.read_text()
        assert "us:" not in path.read_text()


# Witnesses ----------------------------------------------------------------------------------------------


class WitnessServer:
    """A witness that believes whoever asks; ``is_away`` makes it fail."""

    def __init__(self, name: str) -> None:
        self._key = signing_keys.generate("ed25519")
        self.key = WitnessKey(name=name, key=self._key.public.raw)
        self.sizes: dict[str, int] = {}
        self.is_away = False
        self.server = Server(handling(self._answer))

    @property
    def setting(self) -> str:
        return f"{self.key.encode()} {self.server.url}"

    def _answer(self, asked: Asked) -> bytes:
        if self.is_away:
            return written(500)
        assert asked.target == "/add-checkpoint"
        head, _, text = asked.body.decode().partition("\n\n")
        note = Note.parse(text)
        new = Checkpoint.parse(note.text)
        seen = self.sizes.get(new.origin, 0)
        if head.partition("\n")[0] != f"old {seen}":
            return written(409, f"{seen}\n".encode())
        self.sizes[new.origin] = new.size
        line = cosignatures.cosign(note, self.key.name, self._key, 1_800_000_000)
        return written(200, line.encode().encode())


@pytest.fixture
def witnesses() -> Iterator[list[WitnessServer]]:
    made = [WitnessServer(f"w{number}.example.test") for number in (1, 2)]
    yield made
    for each in made:
        each.server.stop()


def note_of(bundle: Path) -> Note:
    (entry,) = bundles.parse(bundle.read_bytes()).entries
    assert entry.proof is not None
    return Note.parse(entry.proof.checkpoint)


def test_witnesses_cosign_before_anything_is_answered(
    make: Make, witnesses: list[WitnessServer]
) -> None:
    box = make(witnesses=tuple(each.setting for each in witnesses))
    box.start()
    note = note_of(box.sign("both"))
    for each in witnesses:
        assert each.key.cosigned_at(note) == 1_800_000_000
    box.verify("both")
    keys = [word for each in witnesses for word in ("--witness", each.key.encode())]
    box.ok("log", "verify", box.data, *keys)
    witnesses[1].is_away = True
    with pytest.raises(AssertionError):
        box.sign("one is away")
    box.stop()
    box.more["logs"] = box.more["logs"].replace(needed=1)
    box.start()
    names = {line.name for line in note_of(box.sign("one will do")).signatures}
    assert names == {"127.0.0.1", "w1.example.test"}
    status, said = box.run("log", "verify", box.data, *keys)
    assert status == 1
    assert "cosigned by 1 witnesses of 2" in said
    box.ok("log", "verify", box.data, *keys, "--witnesses", "1")


def test_a_witnessed_log_is_rotated_to_a_host_of_its_own(
    make: Make, witnesses: list[WitnessServer]
) -> None:
    box = make(witnesses=(witnesses[0].setting,))
    box.start()
    box.sign("one")
    box.stop()
    words = ("sigstore", "rotate", "log", "--data", box.data, "--witness", witnesses[0].setting)
    status, said = box.run(*words)
    assert status == 2
    assert "--url" in said
    assert len(box.export().logs) == 1
    witnesses[0].is_away = True
    said = box.ok(*words, "--url", "https://log2.example.test")
    assert "the server's next start has to finish it" in said
    root = trusted_root.parse((box.own / "trusted_root.json").read_bytes())
    assert [log.origin for log in root.logs] == ["127.0.0.1", "log2.example.test"]
    with pytest.raises(UnavailableError):
        box.start()
    box.stop()
    witnesses[0].is_away = False
    box.start()
    assert box.export() == root
    assert witnesses[0].sizes == {"127.0.0.1": 1, "log2.example.test": 0}
    shown = {}
    for host in witnesses[0].sizes:
        note = Note.parse(box.ask("/api/v2/checkpoint", headers={"Host": host}).body.decode())
        assert witnesses[0].key.cosigned_at(note)
        shown[host] = "Log frozen" in note.text
    assert shown == {"127.0.0.1": True, "log2.example.test": False}


def test_whose_log_has_no_witness_is_not_told_of_one(make: Make) -> None:
    box = make()
    box.start()
    assert len(note_of(box.sign("alone")).signatures) == 1
    content = json.loads((box.folder / "alone.json").read_bytes())
    assert content["verificationMaterial"]["tlogEntries"]


def test_what_goes_with_a_sigstore_only(make: Make) -> None:
    box = make()
    for words in (("--log-bucket", BUCKET), ("--witness", "x y"), ("--witnesses", "0")):
        status, said = box.run("serve", *words)
        assert status == 2
        assert f"{words[0]} is for a Sigstore" in said
