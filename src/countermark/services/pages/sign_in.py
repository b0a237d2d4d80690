"""The pages of our issuer: sign in, let a device in, take a code along, and what went wrong."""

from collections.abc import Mapping, Sequence

from countermark.core.ports_hosting import Response
from countermark.core.value import Value
from countermark.services.pages.html import Html, answer, element, joined

WRONG = "The name or the password is wrong."
NOT_NOW = "Nobody can sign in at the moment. Try again a little later."
TOO_MANY = "Too many wrong attempts. Wait a minute, then try again."


class SignInForm(Value):
    """What a sign-in page shows.

    Attributes:
        action: where the form goes.
        sealed: what the form brings back: the request that it is about, which the browser cannot change.
        asker: the program that asks.
        place: where it is, in words; "" where that is not known.
        known: who is signed in already, "" for nobody.
        name: to begin with.
        problem: what was wrong the last time.
        leads_to: the origin that the browser goes to afterwards, "" for none.
        device: what is known of a device that waits, by title; empty where a browser asks for itself.
        user_code: the code that the device shows.
    """

    action: str
    sealed: str
    asker: str
    place: str = ""
    known: str = ""
    name: str = ""
    problem: str = ""
    leads_to: str = ""
    device: Mapping[str, str] = {}
    user_code: str = ""


def sign_in(
    form: SignInForm, *, status: int = 200, headers: Sequence[tuple[str, str]] = ()
) -> Response:
    """Ask who somebody is, and whether they want this."""
    title = "Let a device in" if form.user_code else "Sign in"
    parts = [_problem(form.problem), *(_about_device(form) if form.user_code else _about(form))]
    if form.known:
        parts += [_continue(form), element("details", _other(), _password(form, focus=False))]
    else:
        parts.append(_password(form, focus=True))
    return answer(title, parts, status=status, may_lead_to=form.leads_to, headers=headers)


def _about(form: SignInForm) -> list[Html]:
    asks = joined(
        "The program ",
        element("strong", form.asker),
        f" {form.place}".rstrip(),
        " asks who you are. It gets a token that says so, good for a few minutes; "
        "it never sees your password.",
    )
    return [element("p", asks)]


def _about_device(form: SignInForm) -> list[Html]:
    known = [
        joined(element("dt", name), element("dd", value)) for name, value in form.device.items()
    ]
    return [
        element("p", "A program waits, and shows this code. Compare:"),
        element("output", form.user_code, class_="code large"),
        element("dl", *known),
        element(
            "p",
            "Go on only if you started it yourself and see the same code there. "
            "If somebody sent you this link, they would sign in your name.",
        ),
    ]


def _other() -> Html:
    return element("summary", "Sign in as somebody else")


def _hidden(form: SignInForm) -> Html:
    return element("input", type="hidden", name="request", value=form.sealed)


def _buttons(form: SignInForm, word: str) -> Html:
    refuse = "Refuse" if form.user_code else "Cancel"
    return joined(
        element("button", word, name="decision", value="allow"),
        # no name and password are needed for a no
        element(
            "button", refuse, name="decision", value="deny", class_="second", formnovalidate=True
        ),
    )


def _continue(form: SignInForm) -> Html:
    word = f"Let it in as {form.known}" if form.user_code else f"Continue as {form.known}"
    inside = joined(
        _hidden(form),
        element("input", type="hidden", name="known", value="yes"),
        _buttons(form, word),
        element("button", "Sign out", name="decision", value="sign-out", class_="second"),
    )
    return element("form", inside, method="post", action=form.action)


def _password(form: SignInForm, *, focus: bool) -> Html:
    inside = joined(
        _hidden(form),
        element("label", "Name or e-mail address", for_="name"),
        element(
            "input",
            id="name",
            name="name",
            value=form.name,
            autocomplete="username",
            autocapitalize="none",
            spellcheck="false",
            required=True,
            autofocus=focus and not form.name,
        ),
        element("label", "Password", for_="password"),
        element(
            "input",
            id="password",
            name="password",
            type="password",
            autocomplete="current-password",
            required=True,
            autofocus=focus and bool(form.name),
        ),
        _buttons(form, "Sign in and let it in" if form.user_code else "Sign in"),
    )
    return element("form", inside, method="post", action=form.action)


def _problem(content: str) -> Html:
    return element("p", content, class_="problem", role="alert") if content else Html("")


def ask_user_code(
    action: str, *, typed: str = "", problem: str = "", status: int = 200
) -> Response:
    """Ask for the code that a device shows."""
    inside = joined(
        element("label", "Code", for_="user_code"),
        element(
            "input",
            id="user_code",
            name="user_code",
            value=typed,
            autocomplete="off",
            autocapitalize="characters",
            spellcheck="false",
            placeholder="BCDF-GHJK",
            required=True,
            autofocus=True,
        ),
        element("button", "Continue"),
    )
    parts = [
        _problem(problem),
        element("p", "Type the code that the program shows you."),
        element("form", inside, method="get", action=action),
    ]
    return answer("Let a device in", parts, status=status)


def show_code(code: str, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """Show a code that somebody takes to a terminal."""
    return answer(
        "Your code",
        [
            element(
                "p", "Copy it to where you were asked for it. It is good once, for a few minutes."
            ),
            element("output", code, class_="code"),
            element(
                "p",
                "Give it to nobody: whoever asks you for it would sign in your name.",
                class_="faint",
            ),
        ],
        headers=headers,
    )


def done(title: str, content: str, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """Say that all is done here."""
    return answer(title, [element("p", content)], headers=headers)


def problem(content: str, *, status: int = 400) -> Response:
    """Say what went wrong, to somebody who cannot be sent back to the program that asked."""
    return answer(
        "This cannot go on",
        [
            _problem(content),
            element(
                "p", "Go back to the program that sent you here, and start again.", class_="faint"
            ),
        ],
        status=status,
    )
