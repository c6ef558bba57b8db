"""Passkeys in Chromium, whose virtual authenticator makes them: added, signed in with, named, removed."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from playwright.sync_api import Page, expect

from accounts.models import AuditEvent
from tests.cast import make_user
from tests.e2e.desk import follow, sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def device(page: Page) -> Any:
    """Give the browser a device that keeps passkeys, and whose owner is always there."""
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    kind = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    made = tools.send("WebAuthn.addVirtualAuthenticator", {"options": kind})
    return lambda verified: tools.send("WebAuthn.setUserVerified", {**made, "isUserVerified": verified})


def at_name(live_server: Any) -> str:
    """Return the server's address with a name: passkeys belong to names, not to numbers."""
    return str(live_server.url).replace("127.0.0.1", "localhost")


def add(page: Page, address: str, *, alone: bool) -> None:
    """Sign in by password, and add a passkey, which shows the recovery codes."""
    sign_in(page, f"{address}/login/?next=/account/factors/", "mara")
    follow(page, page.get_by_role("link", name="Add a passkey"))
    page.get_by_label("Password").fill("password")
    follow(page, page.get_by_role("button", name="Go on"))
    expect(page.get_by_label("Name", exact=True)).to_have_value("Chrome, Linux")
    page.get_by_label("Name", exact=True).fill("Desk")
    page.get_by_label("Sign in with it alone").set_checked(alone)
    follow(page, page.get_by_role("button", name="Add it"))
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


def test_a_passkey_lets_its_owner_in_alone_until_it_is_removed(page, live_server, device, troubles):
    cache.clear()
    make_user("manager", username="mara")
    address = at_name(live_server)
    add(page, address, alone=True)
    page.goto(address + "/account/factors/")
    expect(page.get_by_role("row", name="Desk")).to_contain_text("yes")
    follow(page, page.get_by_role("button", name="Sign out"))

    passkey = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)
    chosen = passkey.data["credential"]["clientExtensionResults"]["credProps"]
    chosen["rk"] = False
    passkey.save()
    page.goto(address + "/login/")
    follow(page, page.get_by_role("button", name="Use a passkey"))
    expect(page.get_by_role("status")).to_contain_text("was not recognised")
    chosen["rk"] = True
    passkey.save()

    page.goto(address + "/login/?next=/campaigns/")
    with page.expect_navigation(url="**/campaigns/"):
        page.get_by_role("button", name="Use a passkey").click()

    page.goto(address + "/account/factors/")
    follow(page, page.get_by_role("link", name="Rename: Desk"))
    follow(page, page.get_by_role("link", name="Use a passkey"))  # is it still you?
    follow(page, page.get_by_role("button", name="Use a passkey"))
    page.get_by_label("Name", exact=True).fill("Laptop")
    follow(page, page.get_by_role("button", name="Save"))
    follow(page, page.get_by_role("link", name="Remove: Laptop"))
    follow(page, page.get_by_role("button", name="Remove it"))
    assert not Authenticator.objects.exists()
    done = (
        AuditEvent.objects.filter(target__startswith="accounts.user")
        .order_by("pk")
        .values_list("action", flat=True)
    )
    assert [*done] == ["add passkey", "rename passkey", "remove passkey"]

    follow(page, page.get_by_role("button", name="Sign out"))
    page.goto(address + "/login/")
    follow(page, page.get_by_role("button", name="Use a passkey"))
    expect(page.get_by_role("status")).to_contain_text("was not recognised")


def test_a_passkey_is_asked_for_after_the_password(page, live_server, device, troubles):
    cache.clear()
    make_user("manager", username="mara")
    address = at_name(live_server)
    add(page, address, alone=False)
    page.goto(address)
    follow(page, page.get_by_role("button", name="Sign out"))
    sign_in(page, address + "/login/?next=/campaigns/", "mara")
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    with page.expect_navigation(url="**/campaigns/"):
        page.get_by_role("button", name="Use a passkey").click()
    page.goto(address + "/account/factors/passkeys/new/")
    page.get_by_label("Password").fill("password")
    follow(page, page.get_by_role("button", name="Go on"))
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("alert")).to_have_text("This device has a passkey for you already.")
