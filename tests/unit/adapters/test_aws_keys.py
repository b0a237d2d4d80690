"""Keys in AWS KMS: boto3 against moto, and against a server of ours that speaks the JSON protocol.

moto signs digests as if they were messages; what our own server is for. That such signatures are refused shows that
every one is checked.
"""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator

import pytest
from moto import mock_aws

from countermark.adapters.aws_keys import AwsKeys
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    KeyAccessError,
    UnavailableError,
)
from countermark.proofs import signatures, signing_keys
from servers import Asked, Server, answer, closed_port, handling

pytestmark = pytest.mark.slow

UUID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:eu-west-1:111122223333:key/{UUID}"
SECRET, TOKEN = "wJalrXUtnFEMI", "session-token"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": TOKEN,
    "AWS_REGION": "eu-west-1",
}


class Kms:
    """A key, in the JSON protocol."""

    def __init__(self, algorithm: str = "ecdsa-p256") -> None:
        self.key = signing_keys.generate(algorithm)
        self.answers: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def handle(self, asked: Asked) -> bytes:
        name = asked.header("x-amz-target").removeprefix("TrentService.")
        body = json.loads(asked.body)
        self.asked.append((name, body))
        assert "Credential=AKIDEXAMPLE/" in asked.header("authorization")
        assert "/eu-west-1/kms/aws4_request" in asked.header("authorization")
        assert asked.header("x-amz-security-token") == TOKEN
        if name in self.answers:
            return self.answers[name]
        if name == "GetPublicKey":
            return said({"KeyId": ARN, "PublicKey": text(self.key.public.der)})
        assert name == "Sign"
        assert body["MessageType"] == "DIGEST"
        return said(
            {"KeyId": ARN, "Signature": text(self.key.sign_digest(b64decode(body["Message"])))}
        )


def text(content: bytes) -> str:
    return b64encode(content).decode()


def said(value: object, status: int = 200) -> bytes:
    headers = [("Content-Type", "application/x-amz-json-1.1")]
    return answer(status, json.dumps(value).encode(), headers)


@pytest.fixture
def kms() -> Kms:
    return Kms()


@pytest.fixture
def server(kms: Kms) -> Iterator[Server]:
    with Server(handling(kms.handle)) as running:
        yield running


def keys(server: Server, **more: str) -> AwsKeys:
    return AwsKeys(CREDENTIALS | {"AWS_ENDPOINT_URL_KMS": server.url} | more)


ALGORITHMS = {
    "ecdsa-p256": "ECDSA_SHA_256",
    "ecdsa-p384": "ECDSA_SHA_384",
    "ecdsa-p521": "ECDSA_SHA_512",
    "rsa-2048": "RSASSA_PKCS1_V1_5_SHA_256",
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_aws_signs(algorithm: str) -> None:
    kms = Kms(algorithm)
    with Server(handling(kms.handle)) as server:
        found = keys(server).signing_key("awskms:///alias/release")
        assert found.public == kms.key.public == keys(server).public_key("awskms:///alias/release")
        assert signatures.verify(found.public, b"message", found.sign(b"message"))
        digest = hashlib.new(signatures.hash_for(found.public), b"message").digest()
        assert signatures.verify_digest(found.public, digest, found.sign_digest(digest))
    assert kms.asked[0] == ("GetPublicKey", {"KeyId": "alias/release"})
    assert kms.asked[2][1]["KeyId"] == ARN, "an alias may point to another key by now"
    assert kms.asked[2][1]["SigningAlgorithm"] == ALGORITHMS[algorithm]


def test_another_key_signs(kms: Kms, server: Server) -> None:
    found = keys(server).signing_key(f"awskms:///{UUID}")
    kms.key = signing_keys.generate()
    with pytest.raises(KeyAccessError) as caught:
        found.sign(b"m")
    assert caught.value.code == Code.BAD_SIGNATURE


def test_kinds_that_are_not_supported() -> None:
    kms = Kms("ed25519")
    with Server(handling(kms.handle)) as server, pytest.raises(KeyAccessError) as caught:
        keys(server).public_key(f"awskms:///{UUID}")
    assert caught.value.code == Code.NOT_SUPPORTED


def refused(name: str, status: int = 400) -> bytes:
    told = f"The canonical string is x-amz-security-token:{TOKEN}"
    return said({"__type": name, "message": told}, status)


@pytest.mark.parametrize(
    ("call", "content", "kind", "code"),
    [
        ("GetPublicKey", refused("NotFoundException"), KeyAccessError, Code.NOT_FOUND),
        ("GetPublicKey", refused("AccessDeniedException"), KeyAccessError, Code.REFUSED),
        ("GetPublicKey", refused("InvalidSignatureException"), KeyAccessError, Code.REFUSED),
        ("GetPublicKey", refused("UnsupportedOperationException"), KeyAccessError, Code.REFUSED),
        ("GetPublicKey", said({"KeyId": ARN, "PublicKey": "AAAA"}), KeyAccessError, Code.MALFORMED),
        ("Sign", refused("DisabledException"), KeyAccessError, Code.REFUSED),
        ("Sign", refused("KeyUnavailableException"), UnavailableError, Code.UNAVAILABLE),
        ("Sign", said({"KeyId": ARN, "Signature": "AAAA"}), KeyAccessError, Code.BAD_SIGNATURE),
    ],
)
def test_answers_that_are_not_keys(
    kms: Kms, server: Server, call: str, content: bytes, kind: type[CountermarkError], code: Code
) -> None:
    kms.answers[call] = content
    with pytest.raises(kind) as caught:
        keys(server).signing_key(f"awskms:///{ARN}").sign(b"m")
    assert caught.value.code == code
    assert TOKEN not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "answered", [said({"KeyId": ARN}), said({"PublicKey": "AAAA"}), answer(200, b"junk")]
)
def test_answers_without_what_was_asked_for(kms: Kms, server: Server, answered: bytes) -> None:
    kms.answers["GetPublicKey"] = answered
    with pytest.raises(UnavailableError) as caught:
        keys(server).public_key(f"awskms:///{ARN}")
    assert caught.value.code == Code.MALFORMED


def test_nobody_answers() -> None:
    nobody = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed_port()}"}
    with pytest.raises(UnavailableError):
        AwsKeys(CREDENTIALS | nobody).public_key(f"awskms:///{ARN}")


def test_endpoints_without_tls() -> None:
    with pytest.raises(InputError) as caught:
        AwsKeys(CREDENTIALS | {"AWS_ENDPOINT_URL": "http://kms.example.com"}).public_key(
            f"awskms:///{ARN}"
        )
    assert caught.value.code == Code.INSECURE


def test_an_endpoint_in_the_reference_is_asked_over_tls() -> None:
    with pytest.raises(UnavailableError):
        AwsKeys(CREDENTIALS).public_key(f"awskms://127.0.0.1:{closed_port()}/{ARN}")


@pytest.mark.parametrize(
    "reference",
    [
        "awskms://",
        "awskms:///",
        f"awskms://{UUID}",
        "awskms:///1234",
        "awskms:///alias/",
        "awskms:///alias/a b",
        f"awskms:///arn:aws:s3:eu-west-1:111122223333:key/{UUID}",
        f"awskms:///arn:evil:kms:eu-west-1:111122223333:key/{UUID}",
        f"awskms:///arn:aws:kms::111122223333:key/{UUID}",
        f"awskms:///arn:aws:kms:e/x:111122223333:key/{UUID}",
        f"awskms:///arn:aws:kms:eu-west-1:1111:key/{UUID}",
        "awskms:///arn:aws:kms:eu-west-1:111122223333:key/1",
        f"awskms:///arn:aws:kms:eu-west-1:111122223333:{UUID}",
        f"awskms://a@b/{UUID}",
    ],
)
def test_references_that_are_none(server: Server, reference: str) -> None:
    with pytest.raises(InputError):
        keys(server).public_key(reference)
    assert not server.asked


@pytest.mark.parametrize(
    "name",
    [
        UUID,
        f"mrk-{UUID.replace('-', '')}",
        "alias/a/b-c_d",
        ARN,
        "arn:aws-us-gov:kms:eu-west-1:111122223333:alias/a",
        f"arn:aws-cn:kms:eu-west-1:111122223333:key/mrk-{UUID.replace('-', '')}",
    ],
)
def test_names_that_keys_have(kms: Kms, server: Server, name: str) -> None:
    assert keys(server).public_key(f"awskms:///{name}") == kms.key.public
    assert kms.asked[0][1]["KeyId"] == name


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"AWS_PROFILE": "absent"} | CREDENTIALS, "ProfileNotFound"),
        (
            {name: value for name, value in CREDENTIALS.items() if name != "AWS_REGION"},
            "NoRegionError",
        ),
        ({"AWS_ACCESS_KEY_ID": "A", "AWS_REGION": "eu-west-1"}, "is missing"),
        ({"AWS_SECRET_ACCESS_KEY": "s3cr3t", "AWS_REGION": "eu-west-1"}, "is missing"),
    ],
)
def test_what_is_missing(environment: dict[str, str], words: str) -> None:
    with pytest.raises(KeyAccessError, match=words):
        AwsKeys(environment).public_key(f"awskms:///{UUID}")


@mock_aws
@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_2048"])
def test_moto(spec: str) -> None:
    import boto3  # type: ignore[import-untyped]

    client = boto3.client("kms", region_name="eu-west-1")
    made = client.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    client.create_alias(AliasName="alias/release", TargetKeyId=made["KeyId"])
    found = AwsKeys(CREDENTIALS).signing_key("awskms:///alias/release")
    raw = client.get_public_key(KeyId=made["KeyId"])["PublicKey"]
    assert found.public_der == raw
    assert AwsKeys(CREDENTIALS).public_key(f"awskms:///{made['Arn']}").der == raw
    with pytest.raises(KeyAccessError) as caught:
        found.sign(b"message")  # it hashes the digest once more
    assert caught.value.code == Code.BAD_SIGNATURE
    with pytest.raises(KeyAccessError) as caught:
        AwsKeys(CREDENTIALS).public_key("awskms:///alias/absent")
    assert caught.value.code == Code.NOT_FOUND


@mock_aws
def test_a_new_key() -> None:
    keys = AwsKeys(CREDENTIALS)
    made = keys.create("awskms:///alias/new")
    assert made.curve == "P-256"
    assert keys.create("awskms:///alias/new") == keys.public_key("awskms:///alias/new") == made
    with pytest.raises(InputError, match="must use alias key format"):
        keys.create(f"awskms:///{UUID}")


def test_no_new_key_where_it_cannot_be_looked_for(kms: Kms, server: Server) -> None:
    kms.answers["GetPublicKey"] = refused("AccessDeniedException")
    with pytest.raises(KeyAccessError) as caught:
        keys(server).create("awskms:///alias/new")
    assert caught.value.code == Code.REFUSED
    assert [name for name, _ in kms.asked] == ["GetPublicKey"]
