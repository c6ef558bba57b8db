"""Single sign-on against a real OpenID provider: who comes in, as what, and who doesn't."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts import tokens
from accounts.models import ApiToken, AuditEvent, User
from tests import openid_server
from tests.cast import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def served():
    with openid_server.serve() as provider:
        yield provider


@pytest.fixture
def provider(served, settings):
    settings.OIDC_ISSUER = served.address
    app = {
        "provider_id": "sso", "name": "Example", "client_id": openid_server.CLIENT,
        "secret": openid_server.SECRET, "settings": {"server_url": served.address},
    }  # fmt: skip
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
    served.overrides, served.key = {}, served.published
    served.claims = {"sub": "7", "email": "nina@example.org", "email_verified": True, "name": "Nina Lo"}
    return served


def come(client: Client, query: str = ""):
    """Go where a browser would: to the provider, and back."""
    away = client.get(reverse("openid_connect_login", args=["sso"]) + query)
    assert away.status_code == 302, away.content
    back = requests.get(away["Location"], allow_redirects=False, timeout=5).headers["Location"]
    return client.get(back.removeprefix("http://testserver"))


def test_a_newcomer_comes_in_with_the_role_of_settings_and_again_as_the_same(provider, settings):
    assert "Sign in with" in Client().get(reverse("login")).text
    settings.OIDC_ROLE = "researcher"
    client = Client()
    assert come(client, "?next=/campaigns/")["Location"] == "/campaigns/"
    user = User.objects.get()
    assert (user.email, user.role, user.has_usable_password()) == ("nina@example.org", "researcher", False)
    assert client.get(reverse("campaigns")).status_code == 200
    assert AuditEvent.objects.get(action="come by single sign-on").actor == user
    come(Client())
    assert User.objects.get() == user


def test_who_was_invited_under_the_address_comes_in_as_themselves(provider):
    invited = make_user("manager", username="nina", email="Nina@example.org")
    thief = Client()  # whoever came by her link before her, and stayed
    thief.force_login(invited)
    tokens.issue(invited, "script")
    Authenticator.objects.create(user=invited, type=Authenticator.Type.TOTP, data={})
    client = Client()
    come(client)
    assert client.get(reverse("campaigns")).context["user"] == invited
    assert User.objects.count() == 1
    assert not User.objects.get().has_usable_password()
    ended = {"sessions": 1, "tokens": 1, "password": "ended"}
    assert AuditEvent.objects.get(action="sign out").detail == ended
    assert thief.get(reverse("campaigns")).status_code == 302
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    assert not Authenticator.objects.exists()
    tokens.issue(invited, "script")
    come(Client())
    assert ApiToken.objects.filter(revoked_at=None).exists()  # what is made since stays


@pytest.mark.parametrize(
    "spoilt",
    [
        {"aud": "somebody-else"},
        {"exp": 1_000_000_000},
        {"iss": "https://evil.example"},
        {"nonce": "that of another request"},
        {"nonce": None},
        "another key",
    ],
    ids=str,
)
def test_a_token_that_cannot_be_trusted_lets_nobody_in(provider, spoilt):
    if spoilt == "another key":
        provider.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        provider.overrides = spoilt
    client = Client()
    page = come(client)
    assert page.status_code == 403
    assert "not so that it can be trusted" in page.text
    assert not User.objects.exists()
    assert client.get(reverse("home")).status_code == 302


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"email": "eve@evil.example"}, "a confirmed address at example.org"),
        ({"email_verified": False}, "a confirmed address at example.org"),
        ({"email": "eve@notexample.org"}, "a confirmed address at example.org"),
    ],
)
def test_a_foreign_or_unconfirmed_address_lets_nobody_in(provider, settings, claims, says):
    settings.OIDC_DOMAINS = ["example.org"]
    provider.claims |= claims
    page = come(Client())
    assert (page.status_code, says in page.text) == (403, True)
    assert not User.objects.exists()


def test_an_address_that_is_not_confirmed_takes_nobodys_account(provider):
    make_user("manager", username="mara", email="nina@example.org")
    provider.claims["email_verified"] = False
    page = come(Client())
    assert page.status_code == 403
    assert "does not confirm that it is yours" in page.text


def test_newcomers_can_be_refused_and_the_kept_out_stay_out(provider, settings):
    settings.OIDC_ROLE = "none"
    assert "Ask a manager to invite you" in come(Client()).text
    rafi = make_user(username="rafi", email="nina@example.org", is_active=False)
    assert "kept out" in come(Client()).text
    assert User.objects.get() == rafi


def test_an_answer_that_nobody_asked_for_is_refused(provider):
    page = Client().get(reverse("openid_connect_callback", args=["sso"]), {"code": "1", "state": "forged"})
    assert page.status_code == 403


def test_a_code_of_another_browser_lets_nobody_in(provider):
    """Whoever gets hold of a code can't spend it in a sign-in of their own: verifier and nonce differ."""
    eve, nina = Client(), Client()
    begun = [c.get(reverse("openid_connect_login", args=["sso"]))["Location"] for c in (eve, nina)]
    assert begun[0].partition("nonce=")[2] != begun[1].partition("nonce=")[2]
    spent = [parse_qs(urlsplit(url).query) for url in begun]
    code = provider.authorize({name: values[0] for name, values in spent[1].items()}).partition("code=")[2]
    provider.codes[code[: code.index("&")]]["code_challenge"] = spent[0]["code_challenge"][0]  # PKCE is off
    back = reverse("openid_connect_callback", args=["sso"])
    page = eve.get(back, {"code": code[: code.index("&")], "state": spent[0]["state"][0]})
    assert page.status_code == 403
    assert not User.objects.exists()


def test_a_link_can_not_ask_the_provider_for_more(provider):
    client = Client()
    client.force_login(make_user("manager", username="mara"))
    query = "?process=connect&scope=offline_access&auth_params=redirect_uri%3Dhttps://evil.example"
    away = client.get(reverse("openid_connect_login", args=["sso"]) + query)["Location"]
    assert "evil" not in away
    assert "offline" not in away
    come(client, query)
    assert not SocialAccount.objects.filter(user__username="mara").exists()
    assert come(Client(), "?next=https://evil.example/")["Location"] == "/"


def test_a_provider_that_is_away_is_told_in_words(provider, settings):
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"] = {
        "server_url": "http://127.0.0.1:9"
    }
    page = Client().get(reverse("openid_connect_login", args=["sso"]))
    assert (page.status_code, "can not be reached" in page.text) == (503, True)


def test_without_a_provider_there_is_nothing(settings):
    cache.clear()
    assert "Sign in with" not in Client().get(reverse("login")).text
    assert Client().get(reverse("openid_connect_login", args=["sso"])).status_code == 404
