"""YAML read strictly: what comes out, what is refused, and where."""

import pytest

from countermark.core import limits
from countermark.core.errors import Code, ConfigError
from countermark.formats.strict_yaml import Item, parse


def plain(item: Item) -> object:
    if isinstance(item.content, list):
        return [plain(inner) for inner in item.content]
    if isinstance(item.content, dict):
        return {name: plain(inner) for name, inner in item.content.items()}
    return item.content


READ = [
    ("a: b", {"a": "b"}),
    ("a:\n- 1\n- [2, -3]\n- {b: true, c: false}", {"a": [1, [2, -3], {"b": True, "c": False}]}),
    ("[~, null, ]", [None, None]),
    ("a:", {"a": None}),
    # only YAML 1.2's core words are not texts
    ("[yes, no, on, off, True, NULL, 1.5, 1e3, 0x1f, 012, +1, 1:30, .inf]",
     ["yes", "no", "on", "off", "True", "NULL", "1.5", "1e3", "0x1f", "012", "+1", "1:30", ".inf"]),
    ("[2027-03-31, 2027-03-31T12:00:00Z]", ["2027-03-31", "2027-03-31T12:00:00Z"]),
    ("['1', \"true\", 'null', '']", ["1", "true", "null", ""]),
    ("[0, -, 1234567890123456]", [0, "-", "1234567890123456"]),
    ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
    ("# only\n---\na: 1 # a comment\n", {"a": 1}),
    ("on: x", {"on": "x"}),
    ('"\\u00e9"', "é"),
    ("\ufeffa: 1", {"a": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), READ)
def test_what_is_read(text: str, value: object) -> None:
    assert plain(parse(text.encode(), "f")) == value


REFUSED = [
    ("", 0, "the file is empty"),
    ("# nothing\n", 0, "the file is empty"),
    ("a: 1\nb: 2\na: 3", 3, "key 'a' stands here again, first at line 1"),
    ("a: &x 1\nb: *x", 1, "anchors and aliases are not taken"),
    ("a: *x", 1, "anchors and aliases are not taken"),
    ("a: 1\n<<: {b: 2}", 2, "merge keys are not taken"),
    ("a: !!python/name:os.system x", 1, "tags are not taken"),
    ("a: !x 1", 1, "tags are not taken"),
    ("a: !!str 1", 1, "tags are not taken"),
    ("a: 1\n---\nb: 2", 2, "a second document begins here"),
    ("a: 1\n1: 2", 2, "a key is a text, not 1"),
    ("true: 2", 1, "a key is a text, not true"),
    ("[a]: 2", 1, "a key is a text, not a list"),
    ("a: 1\n b: 2", 2, "not YAML: mapping values are not allowed"),
    ("a: [1", 2, "not YAML: did not find expected ',' or ']'"),
    ("images: **", 1, "not YAML"),
    ("a: \t@b", 1, "not YAML"),
    ("a: \x07", 0, "not YAML: control characters are not allowed"),
    ('a: "\\ud800"', 1, "not YAML"),
    ("a: " + "[" * 40 + "]" * 40, 1, "nested deeper than 32 levels"),
]


@pytest.mark.parametrize(("text", "line", "message"), REFUSED)
def test_what_is_refused_and_where(text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text.encode("utf-8", "surrogatepass"), "policy.yaml")
    assert message in str(caught.value)
    assert caught.value.line == line
    assert caught.value.file == "policy.yaml"
    assert caught.value.code == Code.BAD_CONFIG


@pytest.mark.parametrize("text", [b"images: **", b"images: *.acme.test/**", b"images: *a/b"])
def test_a_pattern_without_quotes_is_explained(text: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f")
    assert caught.value.hint == 'a text that begins with * & ! % @ or ` needs quotes: "**"'


def test_bytes_that_are_not_utf8_are_placed() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(b"a: 1\nb: \xff", "f")
    assert str(caught.value) == "f:2: not UTF-8"


def test_long_files_are_refused_unread() -> None:
    with pytest.raises(ConfigError, match="at most 1048576 are allowed"):
        parse(b"#" * (limits.POLICY_BYTES + 1), "f")


def test_many_aliases_cost_nothing() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [*{old}, *{old}]\n"
        for old, new in zip("abcdefghij", "bcdefghijk", strict=True)
    )
    with pytest.raises(ConfigError, match="anchors and aliases"):
        parse(bomb.encode(), "f")


DOCUMENT = parse(
    b"text: a\nnumber: 3\nflag: true\nlist: [1]\nobject:\n  inner: x\nnothing:\nempty: ''\nnone: []\n",
    "f",
).members()

WRONG = [
    ("number", lambda item: item.text(), "f:2: number: a text is expected, not 3"),
    ("flag", lambda item: item.text(), "f:3: flag: a text is expected, not true"),
    ("list", lambda item: item.text(), "f:4: list: a text is expected, not a list"),
    ("object", lambda item: item.text(), "f:5: object: a text is expected, not keys and values"),
    ("nothing", lambda item: item.text(), "f:7: nothing: a text is expected, not nothing"),
    ("empty", lambda item: item.text(), "f:8: empty: a text is expected, not nothing"),
    ("text", lambda item: item.integer(0, 9), "f:1: text: a number is expected, not 'a'"),
    ("flag", lambda item: item.integer(0, 9), "f:3: flag: a number is expected, not true"),
    ("number", lambda item: item.integer(4, 9), "f:2: number: a number from 4 to 9 is expected, not 3"),
    ("number", lambda item: item.integer(0, 2), "f:2: number: a number from 0 to 2 is expected, not 3"),
    ("text", lambda item: item.boolean(), "f:1: text: true or false is expected, not 'a'"),
    ("text", lambda item: item.items(), "f:1: text: a list is expected, not 'a'"),
    ("none", lambda item: item.items(), "f:9: none: an empty list; at least one thing is expected"),
    ("text", lambda item: item.members(), "f:1: text: keys and values are expected, not 'a'"),
    ("text", lambda item: item.word(["b", "c"]), "f:1: text: 'a' is none of: b, c"),
    ("object", lambda item: item.object(["innen"]), "f:6: object.inner: unknown key 'inner'"),
    ("object", lambda item: item.object([], ["inner"]), "f:6: object.inner: this version cannot do 'inner' yet"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "take", "message"), WRONG)
def test_values_of_the_wrong_kind_say_their_place(name: str, take: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        take(DOCUMENT[name])  # type: ignore[operator]
    assert str(caught.value).startswith(message)


HINTS = [
    ("object", lambda item: item.object(["innen"]), "did you mean 'innen'?"),
    ("object", lambda item: item.object(["a", "b"]), "there are: a, b"),
    ("text", lambda item: item.word(["aa", "b"]), "did you mean 'aa'?"),
    ("number", lambda item: item.text(), "put it in quotes if it is a text"),
    ("list", lambda item: item.text(), ""),
]


@pytest.mark.parametrize(("name", "take", "hint"), HINTS)
def test_hints(name: str, take: object, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        take(DOCUMENT[name])  # type: ignore[operator]
    assert caught.value.hint == hint


def test_values_of_the_right_kind() -> None:
    assert DOCUMENT["text"].text() == "a"
    assert DOCUMENT["text"].word(["a"]) == "a"
    assert DOCUMENT["number"].integer(3, 3) == 3
    assert DOCUMENT["flag"].boolean() is True
    assert [item.content for item in DOCUMENT["list"].items()] == [1]
    assert [item.path for item in DOCUMENT["list"].items()] == ["list[0]"]
    assert list(DOCUMENT["object"].object(["inner"], ["later"])) == ["inner"]
