"""People are invited, choose their password once, and hold tokens that are shown once."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.backends import Backend
from accounts.models import ApiToken, AuditEvent, User
from tests.cast import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return make_user("manager", username="mara")


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_an_invited_person_chooses_a_password_once(manager):
    page = sign_in(manager).post(reverse("people"), {"username": "nina", "role": "researcher"})
    link = page.context["link"]
    assert link in page.text

    nina = Client()
    form = nina.get(link, follow=True)
    assert "Welcome, nina" in form.text
    address = form.redirect_chain[-1][0]
    done = nina.post(address, {"new_password1": "three plain words", "new_password2": "three plain words"})
    assert done["Location"] == reverse("home")
    assert nina.get(reverse("campaigns")).status_code == 200

    assert "no longer works" in Client().get(link, follow=True).text
    assert AuditEvent.objects.get(action="invite").detail == {"username": "nina", "role": "researcher"}


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"username": "mara", "role": "rater"}, "already exists"),
        ({"username": "not a name", "role": "rater"}, "Enter a valid username"),
        ({"username": "nina", "role": "king"}, "is not one of the available choices"),
    ],
)
def test_a_bad_invitation_is_refused_in_words(manager, form, says):
    page = sign_in(manager).post(reverse("people"), form)
    assert says in page.text
    answer = sign_in(manager).post(reverse("api_people"), form, content_type="application/json")
    assert answer.status_code == 400
    assert set(answer.json()) <= {"username", "role"}
    assert User.objects.count() == 1


def test_a_token_is_shown_once_and_kept_as_a_hash(manager):
    client = sign_in(manager)
    page = client.post(reverse("tokens"), {"name": "nightly"})
    secret = page.context["issued"]
    assert secret.startswith("tst_")
    assert secret in page.text
    assert page["Cache-Control"] == "no-store"
    assert secret not in client.get(reverse("tokens")).text
    assert secret not in str(ApiToken.objects.values())

    by_token = Client(headers={"Authorization": f"Token {secret}"})
    assert by_token.get(reverse("api_me")).json()["username"] == "mara"
    client.post(reverse("revoke_token", args=[ApiToken.objects.get().pk]))
    assert by_token.get(reverse("api_me")).status_code == 401


def test_a_manager_cannot_lock_themselves_out(manager):
    page = sign_in(manager).post(reverse("set_active", args=[manager.pk]), {"active": "no"}, follow=True)
    assert "Nobody can lock themselves out." in page.text
    manager.refresh_from_db()
    assert manager.is_active


def test_the_audit_page_says_who_did_what(manager):
    client = sign_in(manager)
    client.post(reverse("people"), {"username": "nina", "role": "rater"})
    page = client.get(reverse("audit")).text
    assert "mara" in page
    assert "<dt>user name</dt><dd><bdi>nina</bdi></dd>" in page
    assert "invited a person" in page


def test_a_manager_notes_what_somebody_is_good_at(client):
    manager, rater = make_user("manager"), make_user(username="rafi")
    client.force_login(manager)
    page = client.post(f"/people/{rater.pk}/skills/", {"skills": "French, medicine, french"}, follow=True)
    assert 'value="french, medicine"' in page.content.decode()
    assert sorted(rater.skills.values_list("name", flat=True)) == ["french", "medicine"]
    event = AuditEvent.objects.get(action="note skills")
    assert (event.detail["before"], event.detail["after"]) == ([], ["french", "medicine"])
    page = client.post(f"/people/{rater.pk}/skills/", {"skills": "two words"}, follow=True)
    assert "can&#x27;t be a skill&#x27;s name" in page.content.decode()
    assert rater.skills.count() == 2
    answer = client.put(f"/api/v1/people/{rater.pk}/skills/", {"skills": ["welsh"]}, "application/json")
    assert answer.json() == {"skills": ["welsh"]}


def test_who_is_signed_in_is_read_whole_and_only_while_active(client, django_assert_num_queries):
    rater = make_user(keys={"send": "z"}, language="ar")
    client.force_login(rater)
    backend = Backend()
    with django_assert_num_queries(1):
        read = backend.get_user(rater.pk)
    stored = User.objects.get(pk=rater.pk)
    names = [field.attname for field in User._meta.concrete_fields]
    assert [getattr(read, name) for name in names] == [getattr(stored, name) for name in names]
    assert (read._state.adding, read.get_deferred_fields()) == (False, set())
    User.objects.filter(pk=rater.pk).update(is_active=False)
    assert backend.get_user(rater.pk) is None is backend.get_user(0)
    assert client.get(reverse("home")).status_code == 302
