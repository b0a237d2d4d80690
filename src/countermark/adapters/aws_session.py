"""Clients of AWS's services, and of what speaks their protocols, through boto3 (extra ``aws``).

Credentials come from wherever AWS puts them; plain http is for loopback only, whatever a variable says.
"""

from countermark.adapters.http_url import Url, is_loopback
from countermark.core import limits
from countermark.core.errors import Code, InputError, KeyAccessError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class AwsSession:
    """Makes clients as an environment says."""

    def __init__(self, environment: "Mapping[str, str]") -> None:
        self._environment = environment

    def client(
        self, service: str, what: str, *, url: str | None = None, region: str | None = None
    ) -> "Any":
        """Make a client of a service, at a URL where AWS's own is not meant.

        Raises:
            InputError: ``insecure``, plain http to another host than this one.
            KeyAccessError: ``not-supported``, boto3 is not installed; credentials that are none.
        """
        try:
            import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 - 33 MB, an extra
            from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415
            from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError:
            raise KeyAccessError(
                f"{what} need boto3", code=Code.NOT_SUPPORTED, hint="install countermark[aws]"
            ) from None
        environment = self._environment
        pair = [
            bool(environment.get(f"AWS_{name}")) for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
        ]
        if any(pair) and not all(pair):  # boto3 would ask, and be refused
            raise KeyAccessError(
                "aws: one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is missing"
            )
        endpoint = self._endpoint(service, url)
        try:
            session = boto3.session.Session(
                aws_access_key_id=environment.get("AWS_ACCESS_KEY_ID"),
                aws_secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
                aws_session_token=environment.get("AWS_SESSION_TOKEN"),
                region_name=region
                or environment.get("AWS_REGION")
                or environment.get("AWS_DEFAULT_REGION"),
                profile_name=environment.get("AWS_PROFILE"),
            )
            config = Config(
                connect_timeout=limits.CONNECT_SECONDS,
                read_timeout=limits.READ_SECONDS,
                retries={"total_max_attempts": 1 + limits.RETRIES, "mode": "standard"},
                # a bucket's name is no part of the host of a server that is not Amazon's
                s3={"addressing_style": "path"} if endpoint else None,
            )
            return session.client(service, endpoint_url=endpoint, config=config)
        except (BotoCoreError, ValueError) as error:
            raise KeyAccessError(f"aws: {type(error).__name__}") from None

    def _endpoint(self, service: str, url: str | None) -> str | None:
        names = (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL")
        text = url or next((self._environment[n] for n in names if self._environment.get(n)), "")
        if not text:
            return None
        found = Url.parse(text)
        if found.scheme != "https" and not is_loopback(found.host):
            raise InputError(
                f"plain http to {found.authority}: only loopback addresses may be asked without TLS",
                code=Code.INSECURE,
            )
        return text
