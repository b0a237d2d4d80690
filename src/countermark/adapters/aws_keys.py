"""Keys that AWS KMS keeps, through boto3 (extra ``aws``), which finds credentials wherever AWS puts them.

The key signs digests over the hash that Sigstore has for its kind. Source: sigstore ``pkg/signature/kms/aws`` (specs:
cosign, 2d). Tested with moto, and against a server of our own that speaks this protocol, not against AWS.

Differences: AWS_TLS_INSECURE_SKIP_VERIFY is not obeyed. Of an error only its code is told, since AWS repeats the
request, session token included, when it does not believe the request's signature.
"""

from countermark.adapters import key_services
from countermark.adapters.aws_session import AwsSession
from countermark.adapters.http_url import Url
from countermark.adapters.key_services import RemoteKey
from countermark.core.errors import Code, InputError, KeyAccessError, UnavailableError
from countermark.proofs import signatures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from countermark.core.errors import CountermarkError
    from countermark.proofs.spki import PublicKey

SCHEME = "awskms://"
_FORMAT = "kms specification should be in the format awskms://[ENDPOINT]/[ID/ALIAS/ARN] (endpoint optional)"
_PARTITIONS = ("aws", "aws-us-gov", "aws-cn")
_HEX = frozenset("0123456789abcdefABCDEF")
_ALIAS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-")
_REGION = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_ALGORITHMS = {"ecdsa": "ECDSA_SHA_{}", "rsa": "RSASSA_PKCS1_V1_5_SHA_{}"}
_ABSENT = ("NotFoundException", "ResourceNotFoundException")
_LATER = (
    "ThrottlingException",
    "KMSInternalException",
    "DependencyTimeoutException",
    "KeyUnavailableException",
)


class AwsKeys:
    """Finds keys of AWS KMS. Threads may share it."""

    def __init__(self, environment: "Mapping[str, str]") -> None:
        self._session = AwsSession(environment)

    def public_key(self, reference: str) -> "PublicKey":
        """Fetch a public key.

        Raises:
            InputError: not such a reference, or (``insecure``) plain http to another host than this one.
            KeyAccessError: ``refused``, ``not-found``; ``not-supported``, boto3 is not installed.
            UnavailableError: out of reach.
        """
        return self._found(reference)[2]

    def signing_key(self, reference: str) -> RemoteKey:
        """Find a key that signs.

        Raises:
            As ``public_key``.
        """
        client, arn, public = self._found(reference)

        def sign_digest(digest: bytes) -> bytes:
            bits = signatures.hash_for(public).removeprefix("sha")
            made = _called(
                client.sign,
                KeyId=arn,
                Message=digest,
                MessageType="DIGEST",
                SigningAlgorithm=_ALGORITHMS[public.kind].format(bits),
            )
            return bytes(_member(made, "Signature"))

        return RemoteKey(public, f"aws key {arn}", sign_digest)

    def create(self, reference: str) -> "PublicKey":
        """Make a key on P-256 under an alias that nothing has yet; return the public key.

        Raises:
            As ``public_key``; InputError: the reference is no alias.
        """
        try:
            return self.public_key(reference)
        except KeyAccessError as error:
            if error.code != Code.NOT_FOUND:
                raise
        endpoint, key_id = _parsed(reference)
        alias = key_id.rpartition(":")[2]
        if not _is_alias(alias):
            raise InputError("must use alias key format")
        client = self._client(endpoint, key_id)
        asked = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
        made = _member(_called(client.create_key, **asked), "KeyMetadata")
        _called(client.create_alias, AliasName=alias, TargetKeyId=_member(made, "KeyId"))
        return self.public_key(reference)

    def _found(self, reference: str) -> "tuple[Any, str, PublicKey]":
        """A client, the very key's ARN (an alias may move meanwhile), and its public key."""
        endpoint, key_id = _parsed(reference)
        client = self._client(endpoint, key_id)
        found = _called(client.get_public_key, KeyId=key_id)
        arn = str(_member(found, "KeyId"))
        content = bytes(_member(found, "PublicKey"))
        public = key_services.public_der(content, f"aws key {arn}")
        if public.kind not in _ALGORITHMS:
            raise KeyAccessError(
                f"aws key {arn}: {public.kind} keys are not supported", code=Code.NOT_SUPPORTED
            )
        return client, arn, public

    def _client(self, endpoint: str, key_id: str) -> "Any":
        url = f"https://{endpoint}" if endpoint else None
        region = key_id.split(":")[3] if key_id.startswith("arn:") else None
        return self._session.client("kms", "keys of AWS", url=url, region=region)


def _called(method: "Any", **arguments: object) -> "dict[str, Any]":
    from botocore.exceptions import (  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded with boto3
        BotoCoreError,
        ClientError,
    )

    try:
        answer: dict[str, Any] = method(**arguments)
    except ClientError as error:
        raise _refused(error) from None
    except BotoCoreError as error:
        kind = type(error).__name__
        if kind in ("NoCredentialsError", "PartialCredentialsError"):
            raise KeyAccessError(
                f"aws: {kind}", hint="set AWS_ACCESS_KEY_ID and the like, or AWS_PROFILE"
            ) from None
        raise UnavailableError(f"aws: {kind}") from None
    return answer


def _member(answer: "dict[str, Any]", name: str) -> "Any":
    found = answer.get(name)
    if not found:
        raise UnavailableError(f"aws: an answer without {name}", code=Code.MALFORMED)
    return found


def _refused(error: "Any") -> "CountermarkError":
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    name = str(error.response.get("Error", {}).get("Code", ""))
    code = "".join(c for c in name if c.isascii() and c.isalnum())[:80]
    message = f"aws: {error.operation_name}: {code}"
    if code in _LATER or status == 429 or status >= 500:
        return UnavailableError(message, status=status)
    return KeyAccessError(message, code=Code.NOT_FOUND if code in _ABSENT else Code.REFUSED)


# References -----------------------------------------------------------------------------------------------


def _parsed(reference: str) -> tuple[str, str]:
    """The endpoint, "" for AWS's own, and what names the key: UUID, alias, or the ARN of one."""
    endpoint, slash, key_id = reference.removeprefix(SCHEME).partition("/")
    if not reference.startswith(SCHEME) or not slash or not _is_key(key_id):
        raise InputError(_FORMAT)
    if endpoint:
        Url.parse(f"https://{endpoint}")  # refuses what is no host
    return endpoint, key_id


def _is_key(text: str) -> bool:
    if text.startswith("arn:"):
        parts = text.split(":")
        if len(parts) != 6 or parts[1] not in _PARTITIONS or parts[2] != "kms":
            return False
        region, account, name = parts[3:]
        if not region or not _REGION.issuperset(region):
            return False
        if len(account) != 12 or not (account.isascii() and account.isdigit()):
            return False
        return _is_alias(name) or (name.startswith("key/") and _is_uuid(name[4:]))
    return _is_alias(text) or _is_uuid(text)


def _is_alias(text: str) -> bool:
    name = text.removeprefix("alias/")
    return name not in (text, "") and _ALIAS.issuperset(name)


def _is_uuid(text: str) -> bool:
    digits = text.removeprefix("mrk-").replace("-", "")
    return len(digits) == 32 and _HEX.issuperset(digits)
