"""A log's tiles in a bucket that speaks Amazon's S3, through boto3 (extra ``aws``).

What S3 has answered for it keeps, so that every write is durable. Whoever can read here reads a public log; whoever
can write breaks it so that everybody sees it. Tested with moto, not against Amazon.
"""

from countermark.adapters.aws_session import AwsSession
from countermark.core.errors import (
    Code,
    CountermarkError,
    MalformedError,
    StorageError,
    UnavailableError,
)
from countermark.formats import tiles
from countermark.formats.tiles import TilePlace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_ABSENT = ("NoSuchKey", "404")
_FULL = ("QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity")
_TEXT, _BYTES = "text/plain; charset=utf-8", "application/octet-stream"
_FOREVER = "public, max-age=31536000, immutable"


class TileBucket:
    """The files of one log (port ``TileStore``). Threads may share it.

    Args:
        environment: where credentials are looked for, and AWS_ENDPOINT_URL_S3 where the bucket is not Amazon's.
        bucket: its name.
        prefix: what the names of the log's files begin with.
        url: where the bucket is, before what the environment says.

    Raises:
        InputError, KeyAccessError: as ``AwsSession`` says.
    """

    def __init__(
        self, environment: "Mapping[str, str]", bucket: str, prefix: str = "", url: str = ""
    ) -> None:
        self._client = AwsSession(environment).client("s3", "buckets", url=url or None)
        self._bucket, self._prefix = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """See the port."""
        try:
            found = self._called(self._client.get_object, Key=self._key(path))
        except _AbsentError:
            return None
        try:
            content: bytes = found["Body"].read(max_bytes + 1)
        except Exception as error:  # noqa: BLE001 - botocore lets urllib3's out
            raise UnavailableError(f"s3: {path}: {type(error).__name__}") from None
        finally:
            found["Body"].close()
        if len(content) > max_bytes:
            raise MalformedError(f"{path} is longer than {max_bytes} bytes", code=Code.TOO_LARGE)
        return content

    def write(self, path: str, content: bytes, *, durable: bool = True) -> None:
        """See the port."""
        is_checkpoint = path == tiles.CHECKPOINT
        self._called(
            self._client.put_object,
            Key=self._key(path),
            Body=content,
            ContentType=_TEXT if is_checkpoint else _BYTES,
            CacheControl="no-cache" if is_checkpoint else _FOREVER,
        )

    def remove_partial(self, path: str) -> None:
        """See the port."""
        listed = self._called(self._client.list_objects_v2, Prefix=f"{self._key(path)}.p/")
        keys = [{"Key": each["Key"]} for each in listed.get("Contents", ())]
        if keys:
            self._called(self._client.delete_objects, Delete={"Objects": keys, "Quiet": True})

    def _key(self, path: str) -> str:
        if path != tiles.CHECKPOINT:
            TilePlace.parse(path)
        return self._prefix + path

    def _called(self, method: "Any", **arguments: object) -> "dict[str, Any]":
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # noqa: PLC0415

        try:
            answer: dict[str, Any] = method(Bucket=self._bucket, **arguments)
        except ClientError as error:
            raise _refused(error) from None
        except BotoCoreError as error:
            raise UnavailableError(f"s3: {type(error).__name__}") from None
        return answer


class _AbsentError(Exception):
    """There is no such object."""


def _refused(error: "Any") -> "CountermarkError | _AbsentError":
    """Turn an answer that is an error into ours; only its code is told, since the rest may repeat secrets."""
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    name = str(error.response.get("Error", {}).get("Code", ""))
    if name in _ABSENT:
        return _AbsentError()
    code = "".join(c for c in name if c.isascii() and c.isalnum())[:80]
    message = f"s3: {error.operation_name}: {code}"
    if code in _FULL or status == 507:
        return StorageError(message, code=Code.NO_SPACE)
    if status in (401, 403, 404):
        return StorageError(message, code=Code.REFUSED)
    return UnavailableError(message, status=status)
