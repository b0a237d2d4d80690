"""Signing in on a page, whatever it is for: the password or who is known already, and what the user decided."""

from datetime import datetime

from countermark.core.errors import UnavailableError
from countermark.core.ports import Clock
from countermark.core.ports_hosting import Request, Response
from countermark.core.value import Value
from countermark.services.identity_provider.browsers import Browsers, Cookie, Session
from countermark.services.identity_provider.forms import Fields
from countermark.services.identity_provider.people import People, Person, TooManyError
from countermark.services.pages import sign_in as pages
from countermark.services.pages.sign_in import SignInForm


class Outcome(Value):
    """What came of a form: a person, or a no, or another page to show.

    Attributes:
        person: who signed in and wants it; None for a no.
        at: when the password was given.
        cookies: for the answer.
        page: to show instead; the form was not decided.
    """

    person: Person | None
    at: datetime
    cookies: tuple[Cookie, ...] = ()
    page: Response | None = None


class SigningIn:
    """Decides what a sign-in form says.

    Args:
        people: who may.
        browsers: who did.
        clock: the time.
    """

    def __init__(self, people: People, browsers: Browsers, clock: Clock) -> None:
        self._people, self._browsers, self._clock = people, browsers, clock

    def known(self, request: Request, *, oldest: int | None = None) -> Session | None:
        """Return who is signed in with a browser and still has an account.

        Args:
            request: the browser's.
            oldest: how many seconds ago the password may have been given; None for as long as a session lasts.
        """
        now = self._clock()
        session = self._browsers.signed_in(request, now)
        if session is None or (oldest is not None and (now - session.at).total_seconds() > oldest):
            return None
        person = self._people.find(session.person)
        return None if person is None or person.is_program else session

    def decide(
        self, request: Request, form: Fields, shown: SignInForm, *, oldest: int | None
    ) -> Outcome:
        """Read a form that was opened; ``shown`` is the page to show again where it does not do."""
        now = self._clock()
        decision = form.get("decision")
        if decision == "deny":
            return Outcome(person=None, at=now)
        if decision == "sign-out":
            self._browsers.forget(request)
            page = pages.sign_in(shown.replace(known=""))
            return Outcome(person=None, at=now, page=page)
        if form.get("known") == "yes":
            return self._known(request, shown, now, oldest=oldest)
        return self._with_password(request, form, shown, now)

    def _known(
        self, request: Request, shown: SignInForm, now: datetime, *, oldest: int | None
    ) -> Outcome:
        session = self.known(request, oldest=oldest)
        if session is None:
            page = pages.sign_in(
                shown.replace(known="", problem="You were signed out meanwhile."), status=403
            )
            return Outcome(person=None, at=now, page=page)
        return Outcome(person=Person(name=session.person), at=session.at)

    def _with_password(
        self, request: Request, form: Fields, shown: SignInForm, now: datetime
    ) -> Outcome:
        name = form.get("name").strip()
        again = shown.replace(known="", name=name[:254])
        try:
            person = self._people.sign_in(name, form.get("password"), request.client, page=True)
        except UnavailableError as error:
            return Outcome(person=None, at=now, page=_not_now(again, error))
        if person is None:
            page = pages.sign_in(again.replace(problem=pages.WRONG), status=403)
            return Outcome(person=None, at=now, page=page)
        cookies = self._browsers.remember(request, Session(person=person.name, at=now))
        return Outcome(person=person, at=now, cookies=cookies)


def _not_now(shown: SignInForm, error: UnavailableError) -> Response:
    too_many = isinstance(error, TooManyError)
    page = pages.sign_in(
        shown.replace(problem=pages.TOO_MANY if too_many else pages.NOT_NOW),
        status=429 if too_many else 503,
        headers=(("Retry-After", "60" if too_many else "5"),),
    )
    return page if too_many else page.replace(problem=str(error))
