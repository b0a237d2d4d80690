"""Devices without a browser: they get a code, somebody types it on another machine and lets them in (RFC 8628).

The danger is a stranger who sends somebody his own code (RFC 8628, 5.4): so the page shows the code and where it was
asked for, even where the link had the code in it, and the code alone lets nobody in.
"""

from countermark.core import limits
from countermark.core.errors import InputError, UnavailableError
from countermark.core.ports import Clock
from countermark.core.ports_hosting import Request, Response
from countermark.formats import strict_json
from countermark.services.identity_provider.authorization import check_challenge
from countermark.services.identity_provider.browsers import Browsers
from countermark.services.identity_provider.forms import (
    JSON,
    NOT_KEPT,
    Fields,
    GrantError,
    client_login,
    read_form,
)
from countermark.services.identity_provider.grants import Device, DeviceRequest, Devices, shown
from countermark.services.identity_provider.people import Guesses
from countermark.services.identity_provider.settings import Settings
from countermark.services.identity_provider.signing_in import SigningIn
from countermark.services.pages import sign_in as pages
from countermark.services.pages.sign_in import SignInForm

_UNKNOWN = "No program waits with this code. It may have waited too long: start it again."
_TYPED_CHARS = 40


class DeviceFlow:
    """Lets devices wait, and people let them in."""

    def __init__(
        self,
        settings: Settings,
        browsers: Browsers,
        signing_in: SigningIn,
        devices: Devices,
        clock: Clock,
    ) -> None:
        self._settings, self._clients = settings, settings.by_id
        self._browsers, self._signing_in, self._devices = browsers, signing_in, devices
        self._clock = clock
        self._guesses = Guesses(limits.USER_CODE_GUESSES, limits.USER_CODE_GUESS_SECONDS)

    # programs ---------------------------------------------------------------------------------------

    def begin(self, request: Request) -> Response:
        """Give a device its codes (RFC 8628, 3.2).

        Raises:
            GrantError: the request is refused.
        """
        form = read_form(request)
        name, secret = client_login(request, form)
        client = self._clients.get(name)
        if client is None or secret:
            raise GrantError("invalid_client", "no such client", status=401)
        if "openid" not in form.words("scope"):
            raise GrantError("invalid_scope", "the scope must have openid in it")
        check_challenge(form)
        asked = DeviceRequest(
            client=client.id,
            scope=form.words("scope"),
            challenge=form.get("code_challenge"),
            address=request.client,
            at=self._clock(),
        )
        try:
            code, device = self._devices.begin(asked)
        except UnavailableError as error:
            raise GrantError("temporarily_unavailable", str(error), status=503) from None
        place = f"{self._settings.issuer}/device"
        body = {
            "device_code": code,
            "user_code": shown(device.user_code),
            "verification_uri": place,
            "verification_uri_complete": f"{place}?user_code={shown(device.user_code)}",
            "expires_in": self._settings.device_seconds,
            "interval": self._settings.poll_seconds,
        }
        return Response(status=200, headers=(JSON, *NOT_KEPT), body=strict_json.compact(body))

    # people -----------------------------------------------------------------------------------------

    @property
    def _page(self) -> str:
        return f"{self._settings.path}/device"

    def show(self, request: Request) -> Response:
        """Ask for a device's code; where it is there, ask who lets it in."""
        now = self._clock()
        try:
            typed = Fields(request.query).get("user_code")[:_TYPED_CHARS]
            if not typed:
                return pages.ask_user_code(self._page)
            self._guesses.refuse(request.client, now)
        except GrantError:
            return pages.problem("The link that led you here is broken.")
        except UnavailableError:
            return pages.ask_user_code(self._page, problem=pages.TOO_MANY, status=429)
        device = self._devices.waiting(typed, now)
        if device is None:
            self._guesses.note(request.client, now)
            return pages.ask_user_code(self._page, typed=typed, problem=_UNKNOWN, status=404)
        sealed, cookies = self._browsers.seal(request, {"user_code": device.user_code}, now)
        session = self._signing_in.known(request)
        form = self._form(device, sealed, known=session.person if session else "")
        return pages.sign_in(form, headers=cookies)

    def _form(self, device: Device, sealed: str, *, known: str = "") -> SignInForm:
        return SignInForm(
            action=self._page,
            sealed=sealed,
            asker=device.asked.client,
            known=known,
            device={
                "Program": device.asked.client,
                "Asked from": device.asked.address or "an unknown address",
                "Asked at": f"{device.asked.at:%Y-%m-%d %H:%M:%S} UTC",
            },
            user_code=shown(device.user_code),
        )

    def finish(self, request: Request) -> Response:
        """Take the form, and let the device in, or refuse it."""
        now = self._clock()
        try:
            form = read_form(request)
            sealed = form.needed("request")
            kept = self._browsers.opened(request, sealed, now)
        except InputError as error:
            return pages.problem(str(error), status=403)
        device = self._devices.waiting(kept.get("user_code", ""), now)
        if device is None:
            return pages.problem(_UNKNOWN, status=404)
        outcome = self._signing_in.decide(request, form, self._form(device, sealed), oldest=None)
        if outcome.page is not None:
            return outcome.page
        person = outcome.person.name if outcome.person else ""
        if not self._devices.decide(device, person, now):
            return pages.problem(_UNKNOWN, status=404)
        if not person:
            return pages.done("Refused", "The program gets nothing. You can close this page.")
        return pages.done(
            "Done",
            "The program is let in. Go back to it; you can close this page.",
            outcome.cookies,
        )
