"""The error families and their stable codes."""

from countermark.core import errors
from countermark.core.errors import Code, ConfigError, CountermarkError, EvidenceError


def families() -> list[type[CountermarkError]]:
    return [
        c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, CountermarkError)
    ]


def test_every_family_has_its_exit_and_http_status() -> None:
    table = {c.__name__: (c.code.value, c.exit_status, c.http_status) for c in families()}
    assert table == {
        "CountermarkError": ("bug", 70, 500),
        "InputError": ("bad-input", 2, 400),
        "ConfigError": ("bad-config", 2, 500),
        "EvidenceError": ("malformed", 1, 403),
        "MalformedError": ("malformed", 1, 403),
        "SignatureError": ("bad-signature", 1, 403),
        "ChainError": ("bad-chain", 1, 403),
        "ExpiredError": ("expired", 1, 403),
        "RollbackError": ("rollback", 1, 403),
        "ThresholdError": ("below-threshold", 1, 403),
        "NotLoggedError": ("not-logged", 1, 403),
        "KeyAccessError": ("no-key", 4, 500),
        "RefusedError": ("refused", 4, 401),
        "UnavailableError": ("unavailable", 3, 503),
        "NotFoundError": ("not-found", 3, 404),
        "StorageError": ("unavailable", 4, 500),
    }


def test_a_raise_may_say_more_exactly_which_way_it_is_wrong() -> None:
    error = EvidenceError("no", code=Code.MIXED, path="signed.meta", hint="look there")
    assert (str(error), error.code, error.path, error.hint) == (
        "no",
        Code.MIXED,
        "signed.meta",
        "look there",
    )


def test_config_errors_begin_with_their_place() -> None:
    assert (
        str(ConfigError("no such rule", file="p.yaml", line=3, path="rules[0]"))
        == "p.yaml:3: rules[0]: no such rule"
    )
    assert str(ConfigError("plain")) == "plain"


def test_server_words_kept_are_bounded() -> None:
    assert len(errors.RefusedError("no", status=400, body=b"x" * 5000).body) == 1024
