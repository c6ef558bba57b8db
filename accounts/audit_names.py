"""What actions in the audit log and their details are called on pages; the API keeps identifiers."""

from operator import itemgetter
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.models import AuditEvent

ACTIONS: dict[str, Any] = {
    "add example": _("added an example"),
    "add passkey": _("added a passkey"),
    "add rater": _("added a rater"),
    "add raters": _("added a pool's people as raters"),
    "add webhook": _("added a webhook"),
    "adjudicate": _("decided a dispute"),
    "archive campaign": _("archived the campaign"),
    "bring back campaign": _("brought the campaign back from the archive"),
    "change campaign": _("changed the campaign"),
    "change example": _("changed an example"),
    "change settings": _("changed settings"),
    "change target": _("changed a target"),
    "change webhook": _("changed a webhook"),
    "choose pairs again": _("let comparisons be chosen again"),
    "clone campaign": _("cloned a campaign"),
    "come by link": _("came by an invitation"),
    "come by single sign-on": _("came by single sign-on"),
    "create campaign": _("created a campaign"),
    "create pool": _("created a pool"),
    "create target": _("created a target"),
    "delete pool": _("deleted a pool"),
    "drop pool": _("took a pool out of the campaign"),
    "end sessions": _("ended sessions"),
    "feedback": _("gave a rater feedback"),
    "give campaign role": _("gave a role in the campaign"),
    "import": _("imported"),
    "import examples": _("imported examples"),
    "import.cancel": _("cancelled an import"),
    "invite": _("invited a person"),
    "invite by link": _("made an invitation link"),
    "issue token": _("made an API token"),
    "join pool": _("put people into a pool"),
    "keep out": _("kept somebody out"),
    "leave pool": _("took somebody out of a pool"),
    "let in": _("let somebody in again"),
    "link.made": _("made a download link"),
    "link.revoked": _("revoked a download link"),
    "make gold": _("made a gold task"),
    "message raters": _("wrote to raters"),
    "note skills": _("noted skills"),
    "pause loop": _("paused the loop"),
    "pause rater": _("paused a rater"),
    "pause webhook": _("paused a webhook"),
    "prioritise": _("changed the order of tasks"),
    "promote model": _("promoted a model"),
    "publish guideline": _("published a guideline"),
    "register model": _("registered a model"),
    "release work": _("released a rater's work"),
    "remove criterion": _("removed a criterion"),
    "remove passkey": _("removed a passkey"),
    "remove rater": _("removed a rater"),
    "remove raters": _("removed a pool's raters"),
    "remove second factor": _("removed a second factor"),
    "remove webhook": _("removed a webhook"),
    "rename passkey": _("renamed a passkey"),
    "reopen": _("took a rater's work out of the count"),
    "reserve": _("kept tasks for a rater"),
    "reset qualification": _("let a rater take the test again"),
    "resume rater": _("let a rater go on"),
    "retire example": _("retired an example"),
    "retire gold": _("retired a gold task"),
    "retry delivery": _("sent an event again"),
    "revoke invitation": _("revoked an invitation"),
    "revoke token": _("revoked an API token"),
    "rotate webhook secret": _("made a webhook a new secret"),
    "run.cancel": _("cancelled a run"),
    "run.queue": _("started a run"),
    "set criterion": _("set a criterion"),
    "set up second factor": _("set up a second factor"),
    "settle alarms": _("settled alarms"),
    "settle gap": _("settled a gap in the guideline"),
    "sign out": _("signed a person out everywhere"),
    "snapshot.cut": _("cut a snapshot"),
    "sort dispute": _("said why raters disagreed"),
    "start judge": _("had a model judge"),
    "start watch": _("started a watch"),
    "state": _("stated something about the data"),
    "stop choosing pairs": _("stopped choosing comparisons"),
    "test webhook": _("sent a webhook a test"),
    "use pool": _("took a pool's people as raters"),
    "waive qualification": _("waived the test for a rater"),
    "withdraw prompt": _("withdrew a prompt's data"),
    "withdraw rater": _("withdrew a rater's data"),
}  # fmt: skip

DETAILS: dict[str, Any] = {
    "active": _("active"),
    "added": _("added"),
    "after": _("after"),
    "before": _("before"),
    "campaign": _("campaign"),
    "campaigns": _("campaigns"),
    "days": _("days"),
    "events": _("events"),
    "fields": _("fields"),
    "file": _("file"),
    "filename": _("file"),
    "format": _("format"),
    "members": _("people"),
    "name": _("name"),
    "number": _("number"),
    "people": _("people"),
    "person": _("person"),
    "pool": _("pool"),
    "prompts": _("prompts"),
    "rater": _("rater"),
    "raters": _("raters"),
    "reason": _("reason"),
    "role": _("role"),
    "scopes": _("may do"),
    "skills": _("skills"),
    "snapshot": _("snapshot"),
    "source": _("source"),
    "status": _("state"),
    "tasks": _("tasks"),
    "text": _("text"),
    "url": _("address"),
    "username": _("user name"),
    "verdict": _("verdict"),
    "why": _("reason"),
}


# What a campaign's settings are called: labeling, which has them, puts them here when it begins.
SETTINGS: dict[str, Any] = {}


def called(event: Any) -> str:
    """Return what an event's action is called; that of a program before this one as it was written."""
    return str(ACTIONS.get(event.action, event.action))


def told(event: AuditEvent) -> list[tuple[str, str]]:
    """Return what is told of a change with the names that pages use."""
    return [(str(DETAILS.get(name, name)), value) for name, value in audit.details(event, worded)]


def worded(value: Any) -> str:
    """Return what a change tells of as text in the reader's language; nothing for what is empty."""
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, dict):
        known = {**DETAILS, **SETTINGS}
        return ", ".join(f"{known.get(name, name)}: {worded(each) or '–'}" for name, each in value.items())
    return audit.worded(value)


def choices() -> list[tuple[str, str]]:
    """Return all actions to choose from, by what they are called."""
    by_name = sorted(((key, str(name)) for key, name in ACTIONS.items()), key=itemgetter(1))
    return [("", str(_("anything"))), *by_name]
