"""Every action that the program writes into the audit log has a name for people, and no secret is in it."""

import ast
from importlib import import_module

import pytest
from django.conf import settings

from accounts import webhooks
from accounts.audit_names import ACTIONS

WRITE = {"record": 1, "note": 2, "set_up": 2}  # what writes an event: which argument is the action


def written():
    """Return the actions of all calls that write an event."""
    for app in ("accounts", "labeling", "models_app", "training"):
        for file in (settings.BASE_DIR / app).rglob("*.py"):
            tree = ast.parse(file.read_text())
            module = ".".join(file.relative_to(settings.BASE_DIR).with_suffix("").parts)
            # what passes its own argument on is asked where it is called
            passed_on = {
                id(node)
                for wrapper in ast.walk(tree)
                if isinstance(wrapper, ast.FunctionDef) and wrapper.name in WRITE
                for node in ast.walk(wrapper)
            }
            for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call) and id(n) not in passed_on):
                name = (
                    call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                )
                if name in WRITE and len(call.args) > WRITE[name]:
                    yield from texts(call.args[WRITE[name]], module)


def texts(argument, module):
    """Return the texts that an argument may be; a name must be one of its module's constants."""
    if isinstance(argument, ast.IfExp):
        return [*texts(argument.body, module), *texts(argument.orelse, module)]
    if isinstance(argument, ast.Name):
        value = getattr(import_module(module), argument.id, None)
    else:
        value = getattr(argument, "value", None)
    assert isinstance(value, str), f"{module}:{argument.lineno}: which action is this?"
    return [value]


def test_every_action_has_a_name():
    found = set(written())
    assert len(found) > 60
    assert found - ACTIONS.keys() == set()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/", "https://example.org/"),
        ("https://example.org/touchstone", "https://example.org/…"),
        ("https://example.org:8443/hook/", "https://example.org:8443/…"),
        ("https://hooks.example.org/services/T0/B0/s3cret", "https://hooks.example.org/…"),
        ("https://example.org/0123456789abcdef0123456789abcdef", "https://example.org/…"),
        ("https://example.org/hook?token=s3cret", "https://example.org/…"),
    ],
)
def test_of_an_address_what_may_be_a_secret_is_not_shown(url, shown):
    assert webhooks.shown(url) == shown
