"""Keys on tokens: URIs, and what a token may answer; a real one: tests/interop/test_token_keys.py."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from pkcs11 import Attribute, KeyType, ObjectClass, TokenFlag
from pkcs11.exceptions import DeviceRemoved, MechanismInvalid, PinLocked, UserAlreadyLoggedIn

from countermark.adapters import pkcs11_uri
from countermark.adapters.pkcs11_keys import Pkcs11Keys
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    KeyAccessError,
    UnavailableError,
)
from countermark.proofs import der, signing_keys
from countermark.proofs.signing_keys import LocalKey

MODULE = "module-path=/m.so"


# URIs ----------------------------------------------------------------------------------------------------------


def parse(text: str, **environment: str) -> pkcs11_uri.Pkcs11Uri:
    return pkcs11_uri.parse(text, environment)


def test_a_whole_uri(tmp_path: Path) -> None:
    found = parse(
        "pkcs11:token=My%20token;manufacturer=M;model=X;serial=1;slot-id=7;object=key;id=%01%Ff;type=private"
        "?module-path=%2Fm.so&pin-value=12%2634"
    )
    assert found.module == "/m.so"
    assert found.token == (
        ("token", "My token"),
        ("manufacturer", "M"),
        ("model", "X"),
        ("serial", "1"),
    )
    assert (found.slot, found.label, found.id, found.pin) == (7, "key", b"\x01\xff", "12&34")
    assert "34" not in repr(found)
    (tmp_path / "pin").write_text("5678\n")
    for prefix in ("", "file:"):
        uri = f"pkcs11:token=t;object=o?{MODULE}&pin-source={prefix}{tmp_path}/pin"
        assert parse(uri, COSIGN_PKCS11_PIN="x").pin == "5678"


def test_what_the_environment_adds() -> None:
    found = parse(
        "pkcs11:slot-id=0;object=o", COSIGN_PKCS11_MODULE_PATH="/e.so", COSIGN_PKCS11_PIN="1234"
    )
    assert (found.module, found.pin, found.slot, found.token) == ("/e.so", "1234", 0, ())
    other = parse(f"pkcs11:slot-id=0;object=o?{MODULE}", COSIGN_PKCS11_MODULE_PATH="/e.so")
    assert (other.module, other.pin) == ("/m.so", "")
    assert parse(f"pkcs11:token=a+b;object=o?{MODULE}").token == (("token", "a+b"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"token=t;object=o?{MODULE}", "not a PKCS11 uri"),
        (f"pkcs11:object=o?{MODULE}", "one of token and slot-id must be set"),
        (f"pkcs11:token=t?{MODULE}", "one of object and id must be set"),
        (f"pkcs11:token=t;id=?{MODULE}", "one of object and id must be set"),
        (
            "pkcs11:token=t;object=o",
            "module-path or COSIGN_PKCS11_MODULE_PATH must be set to the absolute path",
        ),
        (
            "pkcs11:token=t;object=o?module-path=m.so",
            "modulePath does not point to an absolute path",
        ),
        (f"pkcs11:slot-id=x;object=o?{MODULE}", "slot-id 'x' is not a valid number"),
        (f"pkcs11:slot-id=-1;object=o?{MODULE}", "slot-id '-1' is not a valid number"),
        (f"pkcs11:slot-id={'9' * 30};object=o?{MODULE}", "is not a valid number"),
        (f"pkcs11:token=t;object=o;type=cert?{MODULE}", "type is neither"),
        (f"pkcs11:token=t;token=u;object=o?{MODULE}", "given twice"),
        (f"pkcs11:token=t;object=o;colour=red?{MODULE}", "is unknown"),
        (f"pkcs11:token=t;object=o?{MODULE}&x=y", "is unknown"),
        (f"pkcs11:token;object=o?{MODULE}", "is unknown"),
        (f"pkcs11:token=t;object=%4?{MODULE}", "a percent sign that escapes nothing"),
        (f"pkcs11:token=t;object=%4x?{MODULE}", "a percent sign that escapes nothing"),
        (f"pkcs11:token=t;object=%  ?{MODULE}", "a percent sign that escapes nothing"),
        (f"pkcs11:token=t;object=%?{MODULE}", "a percent sign that escapes nothing"),
        (f"pkcs11:token=t;object=o?{MODULE}&pin-source=pin", "pin-source is not the absolute path"),
    ],
)
def test_uris_that_are_none(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert words in str(caught.value)


def test_a_pin_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyAccessError) as caught:
        parse(f"pkcs11:token=t;object=o?{MODULE}&pin-source={tmp_path}/absent")
    assert caught.value.code == Code.NOT_FOUND


# Tokens ----------------------------------------------------------------------------------------------------------


class FakeObject(dict[Any, Any]):
    """An object on a token: its attributes."""

    key_type: Any = None
    sign: Callable[..., bytes]


class FakeSession:
    """A session: which objects are there, and what a search fails with."""

    def __init__(
        self, objects: dict[Any, list[FakeObject]], error: Exception | None = None
    ) -> None:
        self.objects, self.error = objects, error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get_objects(self, wanted: dict[Any, Any]) -> Iterator[FakeObject]:
        if self.error is not None:
            raise self.error
        yield from self.objects.get(wanted[Attribute.CLASS], [])


class FakeToken:
    """A token in a slot."""

    flags = TokenFlag.LOGIN_REQUIRED

    def __init__(self, label: str, session: FakeSession, serial: bytes = b"1 ") -> None:
        self.label, self.session, self.serial = label, session, serial
        self.pins: list[object] = []
        self.busy = False

    def open(self, user_pin: str | None = None) -> FakeSession:
        self.pins.append(user_pin)
        if self.busy and user_pin:
            raise UserAlreadyLoggedIn
        return self.session


class FakeModule:
    """A module with slots."""

    def __init__(self, *tokens: FakeToken) -> None:
        self.tokens = tokens

    def __call__(self, path: str) -> "FakeModule":
        return self

    def get_slots(self, *, token_present: bool) -> list[Any]:
        assert token_present
        return [FakeSlot(number, token) for number, token in enumerate(self.tokens)]


class FakeSlot:
    """A slot that a token is in."""

    def __init__(self, slot_id: int, token: FakeToken) -> None:
        self.slot_id, self._token = slot_id, token

    def get_token(self) -> FakeToken:
        return self._token


@pytest.fixture
def module_file(tmp_path: Path) -> str:
    path = tmp_path / "m.so"
    path.write_bytes(b"")
    return str(path)


def public_object(key: LocalKey) -> FakeObject:
    found = FakeObject(
        {
            Attribute.EC_POINT: der.tlv(der.OCTET_STRING, key.public.raw),
            Attribute.EC_PARAMS: der.oid("1.2.840.10045.3.1.7"),
        }
    )
    found.key_type = KeyType.EC
    return found


KEY = signing_keys.generate()
PUBLIC = {ObjectClass.PUBLIC_KEY: [public_object(KEY)]}


def keys(*tokens: FakeToken, load: Callable[[str], Any] | None = None) -> Pkcs11Keys:
    return Pkcs11Keys({}, lambda _: "asked", load or FakeModule(*tokens))


def uri(path: str, token: str = "token=t", rest: str = "") -> str:
    return f"pkcs11:{token};object=o?module-path={path}{rest}"


@pytest.mark.parametrize(
    ("text", "which"), [("token=a", 0), ("token=b", 1), ("slot-id=1", 1), ("serial=1;token=a", 0)]
)
def test_which_token(module_file: str, text: str, which: int) -> None:
    tokens = FakeToken("a", FakeSession(PUBLIC)), FakeToken("b  ", FakeSession(PUBLIC))
    assert keys(*tokens).public_key(uri(module_file, text)) == KEY.public
    assert [len(token.pins) for token in tokens] == [1 - which, which]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("serial=1", "more than one slot"),
        ("token=c", "could not find a slot"),
        ("slot-id=5", "could not find a slot"),
    ],
)
def test_not_exactly_one_token(module_file: str, text: str, words: str) -> None:
    tokens = FakeToken("a", FakeSession(PUBLIC)), FakeToken("b", FakeSession(PUBLIC))
    with pytest.raises(KeyAccessError, match=words) as caught:
        keys(*tokens).public_key(uri(module_file, text))
    assert caught.value.code == Code.NOT_FOUND


def test_the_pin_is_asked_for_where_the_token_wants_one(module_file: str) -> None:
    token = FakeToken("t", FakeSession(PUBLIC))
    keys(token).signing_key(uri(module_file))
    keys(token).signing_key(uri(module_file, rest="&pin-value=1"))
    keys(token).public_key(uri(module_file))
    token.flags = TokenFlag(0)
    keys(token).signing_key(uri(module_file))
    assert token.pins == ["asked", "1", None, None]


def test_somebody_else_is_logged_in(module_file: str) -> None:
    token = FakeToken("t", FakeSession(PUBLIC))
    token.busy = True
    assert keys(token).signing_key(uri(module_file)).public == KEY.public
    assert token.pins == ["asked", None]


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (PinLocked(), KeyAccessError, Code.PASSPHRASE),
        (MechanismInvalid(), KeyAccessError, Code.REFUSED),
        (DeviceRemoved(), UnavailableError, Code.UNAVAILABLE),
    ],
)
def test_tokens_that_fail(
    module_file: str, error: Exception, kind: type[CountermarkError], code: Code
) -> None:
    token = FakeToken("t", FakeSession(PUBLIC, error))
    with pytest.raises(kind) as caught:
        keys(token).public_key(uri(module_file))
    assert caught.value.code == code


def test_modules_that_do_not_load(tmp_path: Path, module_file: str) -> None:
    with pytest.raises(KeyAccessError, match="access modulePath") as caught:
        keys().public_key(uri(f"{tmp_path}/absent.so"))
    assert caught.value.code == Code.NOT_FOUND
    with pytest.raises(UnavailableError, match="PKCS11 module"):
        Pkcs11Keys({}, str).public_key(uri(module_file))  # no library at all


def other(key_type: Any, **attributes: bytes) -> FakeObject:
    names = {
        "point": Attribute.EC_POINT,
        "curve": Attribute.EC_PARAMS,
        "modulus": Attribute.MODULUS,
        "exponent": Attribute.PUBLIC_EXPONENT,
    }
    found = FakeObject({names[name]: value for name, value in attributes.items()})
    found.key_type = key_type
    return found


P256 = der.oid("1.2.840.10045.3.1.7")


@pytest.mark.parametrize(
    ("objects", "code"),
    [
        ({}, Code.NOT_FOUND),
        ({ObjectClass.PUBLIC_KEY: PUBLIC[ObjectClass.PUBLIC_KEY] * 2}, Code.NOT_FOUND),
        ({ObjectClass.PUBLIC_KEY: [other(KeyType.DSA)]}, Code.NOT_SUPPORTED),
        ({ObjectClass.PUBLIC_KEY: [other(KeyType.EC, point=b"x", curve=P256)]}, Code.MALFORMED),
        (
            {ObjectClass.PUBLIC_KEY: [other(KeyType.EC, point=b"\x04\x01\x04", curve=P256)]},
            Code.MALFORMED,
        ),
        (
            {
                ObjectClass.PUBLIC_KEY: [
                    other(KeyType.EC, point=b"\x04\x01\x04", curve=der.oid("1.2.3"))
                ]
            },
            Code.MALFORMED,
        ),
        ({ObjectClass.PUBLIC_KEY: [other(KeyType.EC_EDWARDS, point=b"\x04\x01x")]}, Code.MALFORMED),
        (
            {ObjectClass.PUBLIC_KEY: [other(KeyType.RSA, modulus=b"\x80" * 128, exponent=b"\x03")]},
            Code.MALFORMED,
        ),
        (
            {ObjectClass.PUBLIC_KEY: [other(KeyType.RSA, modulus=b"\x81" * 128, exponent=b"\x03")]},
            Code.NOT_SUPPORTED,
        ),
        ({ObjectClass.CERTIFICATE: [FakeObject({Attribute.VALUE: b"x"})]}, Code.MALFORMED),
    ],
)
def test_objects_that_are_no_key(
    module_file: str, objects: dict[Any, list[FakeObject]], code: Code
) -> None:
    with pytest.raises(KeyAccessError) as caught:
        keys(FakeToken("t", FakeSession(objects))).public_key(uri(module_file))
    assert caught.value.code == code


def test_a_private_key_that_is_not_there(module_file: str) -> None:
    found = keys(FakeToken("t", FakeSession(PUBLIC))).signing_key(uri(module_file))
    with pytest.raises(KeyAccessError, match="no key pair found for id= label=o") as caught:
        found.sign(b"m")
    assert caught.value.code == Code.NOT_FOUND


def test_a_private_key_that_is_another(module_file: str) -> None:
    private = FakeObject()
    private.sign = lambda content, mechanism: bytes(64)
    objects = PUBLIC | {ObjectClass.PRIVATE_KEY: [private]}
    found = keys(FakeToken("t", FakeSession(objects))).signing_key(uri(module_file))
    with pytest.raises(KeyAccessError) as caught:
        found.sign_digest(bytes(32))
    assert caught.value.code == Code.BAD_SIGNATURE
    assert repr(found) == f"RemoteKey('token key o', public={KEY.public.fingerprint!r})"
