"""The review page: what raters sent, how it came about, and the reviewer's word about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.roles import require, signed_in_user
from labeling import history, reviews, signals, typing_signals, words
from labeling.models import Campaign, Edit, Flag, Judgment, Task
from labeling.rendering import render_many
from labeling.reviews import ReviewError
from labeling.typing_signals import Signals
from labeling.views.manage import named
from labeling.views.showing import NAMES

KINDS: dict[str, Promise] = {
    Task.Kind.COMPARE.value: gettext_lazy("Comparisons"),
    Task.Kind.RANK.value: gettext_lazy("Rankings"),
    Task.Kind.EDIT.value: gettext_lazy("Edits"),
    reviews.PICKED: gettext_lazy("Picks of conversations"),
}


@dataclass(frozen=True)
class Side:
    """An answer as the rater saw it, with what they said about it, and who wrote it."""

    name: str
    html: SafeString
    author: str
    grades: list[tuple[str, int]]
    reasons: list[str]


@dataclass(frozen=True)
class Shown:
    """One submission on the page; `changes` are an edit's, None where there are too many to show."""

    row: Any
    kind: str
    words: str
    beginning: str
    turns: list[dict[str, Any]]
    sides: list[Side]
    changes: list[tuple[str, str]] | None
    signals: Signals | None
    close: tuple[int, str, SafeString] | None  # percent, whose answer it is close to, and that answer

    @property
    def place(self) -> str:
        """Name it within the page."""
        return f"{self.kind}-{self.row.pk}"

    @property
    def flags(self) -> list[str]:
        return [str(Flag(flag).label) for flag in self.row.flags]

    @property
    def active(self) -> str:
        """Say how long the rater was at it."""
        if self.row.active_ms is None:
            return ""
        minutes, seconds = divmod(round(self.row.active_ms / 1000), 60)
        if minutes:
            return _("%(minutes)s min %(seconds)s s active") % {"minutes": minutes, "seconds": seconds}
        return _("%(seconds)s s active") % {"seconds": seconds}


@require("manage")
def review(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what raters sent, newest first, and send them a word about it."""
    campaign = named(request, slug)
    refused: dict[str, str] = {}
    if request.method == "POST":
        kind, pk, text = (request.POST.get(name, "") for name in ("kind", "id", "text"))
        try:
            about = reviews.find(
                campaign, kind, int(pk) if pk.isascii() and pk.isdigit() and len(pk) < 19 else 0
            )
            reviews.give(signed_in_user(request), campaign, about, text)
        except ReviewError as error:
            messages.error(request, str(error))
            refused = {"about": f"{kind}-{pk}", "text": text}
        else:
            messages.success(request, _("Sent. The rater sees it at home."))
            return redirect(f"{request.get_full_path()}#{kind}-{pk}")
    asked: dict[str, Any] = {
        "rater": request.GET.get("rater", ""),
        "kind": request.GET.get("kind", "") if request.GET.get("kind") in KINDS else "",
        "with_signals": bool(request.GET.get("signals")),
    }
    try:
        before = reviews.read_cursor(request.GET.get("before", ""))
    except ReviewError as error:
        messages.error(request, str(error))
        return redirect("review", slug)
    rows, after = reviews.submissions(campaign, **asked, before=before)
    standing_out = [] if before or any(asked.values()) else signals.strongest(campaign)
    context = {
        "campaign": campaign,
        "entries": describe(campaign, rows),
        "after": after,
        "before": before,
        "asked": asked,
        "kinds": KINDS.items(),
        "raters": reviews.raters(campaign),
        "refused": refused,
        "signals": standing_out,
        "errors": {signal.name: signal.wrong for found in standing_out for signal in found.signals},
        "section": "campaigns",
        "tab": "review",
    }
    return render(request, "manage/review.html", context, status=400 if refused else 200)


def describe(campaign: Campaign, rows: list[Judgment | Edit]) -> list[Shown]:
    """Tell all about a page's rows, with one look for their texts and one for the criteria's names."""
    names = dict(campaign.criteria.values_list("key", "name"))
    htmls = iter(render_many([text for row in rows for text in texts_of(row)]))
    return [describe_one(row, names, htmls) for row in rows]


def texts_of(row: Judgment | Edit) -> list[str]:
    """Return what is shown of a row as Markdown: its prompt, its answers, and what it is close to."""
    texts = [message["content"] for message in row.task.prompt.messages]
    if isinstance(row, Judgment):
        placed = list(row.task.task_responses.all())
        return texts + [spoken(placed[position].response) for position in row.order_shown]
    texts += [row.original.text, *([row.edited.text] if row.edited else [])]
    return [*texts, row.likeness.response.text] if hasattr(row, "likeness") else texts


def spoken(response: Any) -> str:
    """Return an answer, or a whole conversation with who says what, as Markdown."""
    if not response.turns:
        return str(response.text)
    return "\n\n".join(f"**{turn['role']}**\n\n{turn['content']}" for turn in response.turns)


def describe_one(row: Judgment | Edit, names: dict[str, str], htmls: Iterator[SafeString]) -> Shown:
    """Tell about one row; `htmls` are those of texts_of, in their order."""
    contents = row.task.prompt.messages
    turns = [{"role": message["role"], "html": next(htmls)} for message in contents]
    common = {"row": row, "words": history.words(row), "turns": turns, "beginning": contents[-1]["content"]}
    if isinstance(row, Judgment):
        sides = [judged_side(row, side, names, next(htmls)) for side in range(len(row.order_shown))]
        typed = typing_signals.read_comment(row)
        return Shown(**common, kind="judgment", sides=sides, changes=[], signals=typed, close=None)
    sides = [Side(_("Original"), next(htmls), author(row.original), [], [])]
    if row.edited:
        sides.append(Side(_("Edited"), next(htmls), "", [], []))
    likeness = getattr(row, "likeness", None)
    return Shown(
        **common,
        kind="edit",
        sides=sides,
        changes=words.compare(row.original.text, row.edited.text) if row.edited else [],
        signals=typing_signals.read(row),
        close=(round(100 * likeness.share), author(likeness.response), next(htmls)) if likeness else None,
    )


def judged_side(row: Judgment, side: int, names: dict[str, str], html: SafeString) -> Side:
    """Tell about an answer of a judgment by its displayed side."""
    position = row.order_shown[side]
    graded = [(names.get(key, key), grades[position]) for key, grades in row.criteria.items()]
    return Side(
        NAMES[side],
        html,
        author(row.task.task_responses.all()[position].response),
        [(name, grade) for name, grade in graded if grade is not None],
        row.reasons[position] if row.reasons else [],
    )


def author(response: Any) -> str:
    """Name the model that wrote an answer; a person's is said to be written."""
    return response.policy.name if response.policy else str(response.get_origin_display())
