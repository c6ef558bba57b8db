"""A second factor: set up with a real code, asked for on the way in, and demanded where settings say so."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts import two_factors
from accounts.models import AuditEvent
from tests.cast import make_user

pytestmark = pytest.mark.django_db
SIGN_IN = {"username": "mara", "password": "password"}
EMPTY = (
    '{"id": "eA", "rawId": "eA", "type": "public-key", "clientExtensionResults": %s, "response": '
    '{"clientDataJSON": "e30", "authenticatorData": "", "attestationObject": "", "signature": ""}}'
)


def code_of(secret: str) -> str:
    """Compute the code that an app shows now."""
    return str(format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time()))))


def set_up(client: Client) -> str:
    """Confirm the password, set an app up, and return its secret."""
    address = reverse("mfa_activate_totp")
    confirm = client.get(address)
    assert confirm["Location"].startswith(reverse("account_reauthenticate"))
    client.post(confirm["Location"], {"password": "password"})
    secret: str = client.get(address).context["form"].secret
    assert "incorrect" in client.post(address, {"code": "000000"}).text.lower()
    cache.clear()  # the wrong code counts
    done = client.post(address, {"code": code_of(secret)})
    assert done["Location"] == reverse("mfa_view_recovery_codes")
    return secret


@pytest.fixture
def mara():
    cache.clear()
    return make_user("manager", username="mara")


def test_the_code_is_asked_for_after_the_password(mara):
    client = Client()
    assert client.post(reverse("login"), SIGN_IN)["Location"] == reverse("home")
    secret = set_up(client)
    codes = client.get(reverse("mfa_view_recovery_codes")).context["unused_codes"]
    assert secret not in str(Authenticator.objects.values())
    assert codes
    assert AuditEvent.objects.filter(actor=mara, action="set up second factor").exists()

    other = Client()
    asked = other.post(reverse("login") + "?next=/campaigns/", {**SIGN_IN, "next": "/campaigns/"})
    assert asked["Location"] == reverse("mfa_authenticate")
    assert other.get(reverse("home")).status_code == 302
    assert other.post(reverse("mfa_authenticate"), {"code": "123"}).status_code == 200
    assert other.get(reverse("home")).status_code == 302
    cache.clear()  # a code works once: the app's next one is 30 s away
    assert other.post(reverse("mfa_authenticate"), {"code": code_of(secret)})["Location"] == "/campaigns/"
    assert other.get(reverse("campaigns")).status_code == 200

    third = Client()
    third.post(reverse("login"), SIGN_IN)
    assert third.post(reverse("mfa_authenticate"), {"code": codes[0]})["Location"] == reverse("home")
    fourth = Client()
    fourth.post(reverse("login"), SIGN_IN)
    assert fourth.post(reverse("mfa_authenticate"), {"code": codes[0]}).status_code == 200  # spent


def test_it_is_taken_away_by_oneself_or_by_a_manager(mara):
    client = Client()
    client.post(reverse("login"), SIGN_IN)
    set_up(client)
    assert client.post(reverse("mfa_deactivate_totp"))["Location"] == reverse("mfa_index")
    assert not Authenticator.objects.exists()
    set_up_again = Client()
    set_up_again.post(reverse("login"), SIGN_IN)
    set_up(set_up_again)
    two_factors.take_away(mara, by=make_user("manager"))
    assert Client().post(reverse("login"), SIGN_IN)["Location"] == reverse("home")


@pytest.fixture
def demanded(settings):
    """Load the middleware as a server with the setting does."""
    settings.REQUIRE_TWO_FACTORS = "managers"


def test_managers_do_nothing_without_it_where_it_is_demanded(mara, demanded):
    client = Client()
    client.post(reverse("login"), SIGN_IN)
    assert client.get(reverse("campaigns"))["Location"] == reverse("mfa_index")
    answer = client.get(reverse("api_campaigns"))
    assert (answer.status_code, "second factor" in answer.json()["detail"]) == (403, True)
    assert client.get(reverse("mfa_index")).status_code == 200
    set_up(client)
    assert client.get(reverse("campaigns")).status_code == 200

    make_user(username="rafi")
    rater = Client()
    rater.post(reverse("login"), {**SIGN_IN, "username": "rafi"})
    assert rater.get(reverse("home")).status_code == 200


def test_wrong_passwords_have_to_wait(settings):
    cache.clear()
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "2/5m/key"}
    make_user(username="slow")
    client = Client()
    for _ in range(2):
        client.post(reverse("login"), {"username": "slow", "password": "wrong"})
    page = client.post(reverse("login"), {"username": "slow", "password": "password"})
    assert page.status_code == 200
    assert "Too many failed login attempts" in page.text
    cache.clear()
    assert client.post(reverse("login"), {"username": "slow", "password": "password"}).status_code == 302


@pytest.mark.parametrize(
    "credential",
    ["", "{", "1", "[]", '"x"', "{}", '{"response": 5}', '{"response": {"userHandle": 5}}', '{"id": "x"}',
     '{"id": "x", "rawId": "x"}', EMPTY % 5, EMPTY % "{}", "[" * 100_000],
)  # fmt: skip
def test_what_is_no_passkey_lets_nobody_in(mara, credential):
    client = Client()
    asked = client.get(reverse("mfa_login_webauthn"), headers={"Accept": "application/json"}).json()
    assert asked["request_options"]["publicKey"]["userVerification"] == "required"
    said = client.post(reverse("mfa_login_webauthn"), {"credential": credential, "next": "/campaigns/"})
    assert said["Location"] == reverse("login")
    assert "was not recognised" in client.get(reverse("login")).text
    assert client.get(reverse("home")).status_code == 302

    client.post(reverse("login"), SIGN_IN)
    page = client.post(reverse("account_reauthenticate") + "?next=/", {"password": "password"})
    assert page.status_code == 302
    page = client.post(
        reverse("mfa_add_webauthn"), {"credential": credential, "name": "x", "passwordless": "on"}
    )
    assert "could not be checked" in page.text
    assert not Authenticator.objects.exists()
