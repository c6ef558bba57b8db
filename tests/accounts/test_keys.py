"""Keys: every action has one of its own, a person changes them, and what browsers need stays theirs."""

from types import SimpleNamespace

import pytest
from django.core.exceptions import ValidationError
from django.template import Context, Template

from accounts import keys


def person(own=None, shortcuts=True):
    return SimpleNamespace(keys=own or {}, shortcuts=shortcuts)


def test_the_defaults_clash_nowhere_and_pass_the_check():
    defaults = {name: action.key for name, action in keys.ACTIONS.items()}
    assert len(set(defaults.values())) == len(defaults)
    assert keys.check(defaults) == {}
    assert keys.bindings(person()) == defaults


def test_only_what_differs_is_kept_and_the_rest_stays_default():
    kept = keys.check({"send": "m", "undo": "u", "comment": "Ö"})
    assert kept == {"send": "m", "comment": "ö"}
    own = keys.bindings(person(kept))
    assert (own["send"], own["comment"], own["undo"]) == ("m", "ö", "u")


def test_two_actions_can_swap_their_keys():
    assert keys.check({"undo": "s", "skip": "u"}) == {"undo": "s", "skip": "u"}


@pytest.mark.parametrize(
    ("chosen", "named", "says"),
    [
        ({"fly": "q"}, "fly", "“fly” is no action."),
        ({"send": ""}, "send", "Choose a key."),
        ({"send": None}, "send", "Choose a key."),
        ({"send": 7}, "send", "Choose a key."),
        ({"send": "Tab"}, "send", "“Tab” belongs to the browser"),
        ({"send": "Escape"}, "send", "“Escape” belongs to the browser"),
        ({"send": "F5"}, "send", "“F5” belongs to the browser"),
        ({"send": "Control+k"}, "send", "“Control+k” belongs to the browser"),
        ({"send": "\u0007"}, "send", "belongs to the browser"),
        ({"send": " "}, "send", "space bar"),
        ({"undo": "c"}, "undo", "This key is taken by “Write a comment"),
        ({"undo": "c", "comment": "c"}, "undo", "This key is taken by “Write a comment"),
        ({"undo": "C"}, "undo", "This key is taken by “Write a comment"),
        ({"undo": "q", "skip": "q"}, "skip", "This key is taken by “Take back"),
        ("u", "keys", "Give a key for each action"),
        (["u"], "keys", "Give a key for each action"),
    ],
)
def test_a_bad_key_is_refused_by_the_name_of_its_action(chosen, named, says):
    with pytest.raises(ValidationError) as refusal:
        keys.check(chosen)
    assert list(refusal.value.message_dict) == [named]
    assert says in refusal.value.message_dict[named][0]


def test_single_keys_can_be_turned_off():
    assert set(keys.bindings(person({"send": "m"}, shortcuts=False)).values()) == {""}


def test_a_page_gets_the_keys_as_json_and_as_a_table():
    page = Template(
        '{% load keys %}<p data-keys="{{ user|bindings_json }}">{% key_groups user as groups %}'
        "{% for group, rows in groups %}[{{ group }}]"
        "{% for row in rows %}{{ row.shown }}={{ row.label }};{% endfor %}"
        '{% endfor %}{{ user|key_of:"send" }}'
    ).render(Context({"user": person({"undo": '"', "skip": "<"})}))
    assert 'data-keys="{&quot;verdict_1&quot;: &quot;1&quot;' in page
    assert "&quot;=Take back what you sent last;&lt;=Skip, with a reason;" in page
    assert "[Verdict]1=Verdict 1, counted from A;" in page
    assert page.endswith("Enter")
    assert page.count("[") == len({str(action.group) for action in keys.ACTIONS.values()})
