"""What raters do by keyboard: the one table of actions and their keys, and what a person makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User

VERDICT = gettext_lazy("Verdict")
SUBMIT = gettext_lazy("Sending and leaving")
SAY = gettext_lazy("Saying more")
READ = gettext_lazy("Reading")
RANK = gettext_lazy("Ranking")

NAMED = frozenset({"Enter"})


@dataclass(frozen=True)
class Action:
    """Something a rater does with one key; `key` is what the browser's KeyboardEvent.key says."""

    key: str
    label: str | Promise
    group: Promise


def _verdict(number: int) -> Action:
    label = format_lazy(gettext_lazy("Verdict {number}, counted from A"), number=number)
    return Action(str(number), label, VERDICT)


ACTIONS: dict[str, Action] = {
    **{f"verdict_{number}": _verdict(number) for number in range(1, 8)},
    "both_bad": Action("0", gettext_lazy("Both are bad"), VERDICT),
    "send": Action("Enter", gettext_lazy("Send, and see the next"), SUBMIT),
    "undo": Action("u", gettext_lazy("Take back what you sent last"), SUBMIT),
    "skip": Action("s", gettext_lazy("Skip, with a reason"), SUBMIT),
    "cannot_judge": Action("x", gettext_lazy("It can't be judged"), SUBMIT),
    "comment": Action("c", gettext_lazy("Write a comment (in an edit: what was wrong)"), SAY),
    "write": Action("e", gettext_lazy("In an edit or a conversation: write"), SAY),
    "reasons": Action("w", gettext_lazy("Say why: the reasons for each answer"), SAY),
    "flag": Action("f", gettext_lazy("Flag an answer"), SAY),
    "prompt": Action("p", gettext_lazy("Fold or unfold the prompt"), READ),
    "diff": Action("d", gettext_lazy("Show how the answers differ"), READ),
    "raw": Action("r", gettext_lazy("Raw or rendered text"), READ),
    "lock": Action("l", gettext_lazy("Scroll the answers together"), READ),
    "show_all": Action("a", gettext_lazy("Show the whole answer at once"), READ),
    "guideline": Action("g", gettext_lazy("The guideline"), READ),
    "why": Action("y", gettext_lazy("Why this task"), READ),
    "help": Action("?", gettext_lazy("This list of keys"), READ),
    "rank_up": Action("k", gettext_lazy("Move the answer up"), RANK),
    "rank_down": Action("j", gettext_lazy("Move the answer down"), RANK),
    "rank_tie": Action("t", gettext_lazy("As good as the one above"), RANK),
}


def groups() -> list[tuple[Promise, list[tuple[str, Action]]]]:
    """List (group, its actions by name), in the table's order."""
    return [(group, list(items)) for group, items in groupby(ACTIONS.items(), key=lambda item: item[1].group)]


def bindings(user: User) -> dict[str, str]:
    """Return the key of each action for a person; all are empty for who turned single keys off."""
    if not user.shortcuts:
        return dict.fromkeys(ACTIONS, "")
    return {name: user.keys.get(name, action.key) for name, action in ACTIONS.items()}


def check(keys: object) -> dict[str, str]:
    """Return those of `keys` (action → key) that differ from the default.

    ValidationError names each action that is unknown, has no key or one that browsers or screen readers
    need, or shares its key with another.
    """
    if not isinstance(keys, Mapping):
        raise ValidationError({"keys": _("Give a key for each action, by the action's name.")})
    problems: dict[str, str] = {}
    chosen: dict[str, str] = {}
    for name, key in keys.items():
        if name not in ACTIONS:
            problems[name] = _("“%(name)s” is no action.") % {"name": name}
        elif problem := _problem(key):
            problems[name] = problem
        else:
            chosen[name] = _normalized(key)
    holders: dict[str, str] = {}
    for name, action in ACTIONS.items():
        other = holders.setdefault(chosen.get(name, action.key), name)
        if other != name:
            # the one that was changed is the one to mend
            changed, kept = (name, other) if chosen.get(name, action.key) != action.key else (other, name)
            problems.setdefault(
                changed, _("This key is taken by “%(action)s”.") % {"action": ACTIONS[kept].label}
            )
    if problems:
        raise ValidationError(dict(problems))
    return {name: key for name, key in chosen.items() if key != ACTIONS[name].key}


def _normalized(key: str) -> str:
    """Fold case, so that Caps Lock changes nothing."""
    return key.lower() if len(key) == len(key.lower()) == 1 else key


def _problem(key: object) -> str:
    """Say what is wrong with a key, or nothing."""
    if not isinstance(key, str) or not key:
        return _("Choose a key.")
    if key in NAMED:
        return ""
    if key.isspace():
        return _("The space bar scrolls the page and presses buttons.")
    if len(key) == 1 and key.isprintable():
        return ""
    return _(
        "“%(key)s” belongs to the browser or to a screen reader; choose a letter, a digit or a sign."
    ) % {"key": key[:20]}
