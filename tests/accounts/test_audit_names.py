"""Every action that the program writes into the audit log has a name for people, and no secret is in it."""

import ast

import pytest
from django.conf import settings

from accounts import webhooks
from accounts.audit_names import ACTIONS
from labeling import campaigns

WRITE = {"record": 1, "note": 2, "set_up": 2}  # what writes an event: which argument is the action


def written():
    """Return the actions that are spelt out in calls that write an event."""
    for app in ("accounts", "labeling", "models_app", "training"):
        for file in (settings.BASE_DIR / app).rglob("*.py"):
            for call in (n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)):
                name = (
                    call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                )
                if name in WRITE and len(call.args) > WRITE[name]:
                    yield from texts(call.args[WRITE[name]])


def texts(argument):
    if isinstance(argument, ast.IfExp):
        return [*texts(argument.body), *texts(argument.orelse)]
    return [argument.value] if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else []


def test_every_action_has_a_name():
    found = {*written(), campaigns.CHANGED}
    assert len(found) > 60
    assert found - ACTIONS.keys() == set()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/", "https://example.org/"),
        ("https://example.org/touchstone", "https://example.org/touchstone"),
        ("https://example.org:8443/hook/", "https://example.org:8443/hook"),
        ("https://hooks.example.org/services/T0/B0/s3cret", "https://hooks.example.org/services/…"),
        ("https://example.org/0123456789abcdef0123456789abcdef", "https://example.org/…"),
        ("https://example.org/hook?token=s3cret", "https://example.org/hook…"),
    ],
)
def test_of_an_address_what_may_be_a_secret_is_not_shown(url, shown):
    assert webhooks.shown(url) == shown
