"""Pages: what is in them is text, and people can read them."""

import re
from html.parser import HTMLParser

import pytest

from countermark.core.ports_hosting import Response
from countermark.services.pages import sign_in as pages
from countermark.services.pages.html import STYLE, Html, element, joined, text
from countermark.services.pages.sign_in import SignInForm

EVIL = "\"'><script>alert(1)</script>&\u202e\x1b\ud800"
FORM = SignInForm(
    action=EVIL, sealed=EVIL, asker=EVIL, place=EVIL, known=EVIL, name=EVIL, problem=EVIL,
    device={EVIL: EVIL}, user_code=EVIL,
)  # fmt: skip
# nothing that runs, loads, or leads away
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "p", "strong", "form", "input", "label",
    "button", "output", "dl", "dt", "dd", "details", "summary",
}  # fmt: skip
PAGES = {
    "device": pages.sign_in(FORM),
    "sign in": pages.sign_in(FORM.replace(user_code="")),
    "nobody known": pages.sign_in(FORM.replace(user_code="", known="")),
    "user code": pages.ask_user_code(EVIL, typed=EVIL, problem=EVIL),
    "code": pages.show_code(EVIL),
    "done": pages.done(EVIL, EVIL),
    "problem": pages.problem(EVIL),
}


class Read(HTMLParser):
    """Collects elements; complains about what does not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(answer: Response) -> str:
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


@pytest.mark.parametrize("name", PAGES)
def test_a_strangers_text_is_text(name: str) -> None:
    page = page_of(PAGES[name])
    assert "<script" not in page
    assert not {"\u202e", "\x1b", "\ud800"} & set(page)
    read = Read(page)
    assert {tag for tag, _ in read.elements} <= ELEMENTS
    for _, attributes in read.elements:
        assert not any(word.startswith("on") for word in attributes)
        assert not {"style", "src", "href"} & set(attributes)


@pytest.mark.parametrize("name", PAGES)
def test_people_can_use_it(name: str) -> None:
    """A language, a title, one heading, a label for each field, an alert for what went wrong."""
    page = page_of(PAGES[name])
    read = Read(page)
    assert read.all("html") == [{"lang": "en"}]
    assert len(read.all("title")) == len(read.all("h1")) == len(read.all("main")) == 1
    labels = {label["for"] for label in read.all("label")}
    fields = [field for field in read.all("input") if field.get("type") != "hidden"]
    assert {field["id"] for field in fields} == labels
    assert len(labels) == len(fields)
    assert sum("autofocus" in field for field in fields) <= 1
    for paragraph in read.all("p"):
        assert (paragraph.get("class") == "problem") == (paragraph.get("role") == "alert")


def test_password_managers_find_their_fields() -> None:
    fields = {f.get("name"): f for f in Read(page_of(PAGES["nobody known"])).all("input")}
    assert fields["name"]["autocomplete"] == "username"
    assert fields["password"]["autocomplete"] == "current-password"
    assert fields["password"]["type"] == "password"
    assert "value" not in fields["password"]


def test_a_no_needs_no_password() -> None:
    buttons = {b["value"]: b for b in Read(page_of(PAGES["nobody known"])).all("button")}
    assert "formnovalidate" in buttons["deny"]
    assert "formnovalidate" not in buttons["allow"]
    # the first button is what Enter presses
    assert list(buttons) == ["allow", "deny"]


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    digits = colour if len(colour) == 6 else "".join(c * 2 for c in colour)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_everything_can_be_read_in_light_and_dark(dark: bool) -> None:
    themes = re.findall(r":root\{(.*?)\}", STYLE, re.DOTALL)
    assert len(themes) == 2
    colours = dict(re.findall(r"--([a-z-]+):#([0-9a-f]+)", themes[dark]))
    for ink, ground in (
        ("ink", "card"),
        ("ink", "ground"),
        ("faint", "card"),
        ("on-act", "act"),
        ("bad", "bad-ground"),
        ("ink", "mark"),
    ):
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)  # WCAG 2.2, 1.4.3
    for edge, ground in (("faint", "card"), ("act", "card")):
        assert contrast(colours[edge], colours[ground]) >= 3, (edge, ground)  # 1.4.11


def test_elements() -> None:
    assert (
        element("p", "a<b", class_="x", hidden=True, lang=False) == '<p class="x" hidden>a&lt;b</p>'
    )
    assert element("input", value='"') == '<input value="&quot;">'
    assert joined("<", Html("<b>")) == "&lt;<b>"
    assert text("a\n\u200b") == "a\\x0a\\u200b"
    assert isinstance(text("a"), Html)
