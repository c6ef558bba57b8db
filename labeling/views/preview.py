"""The rater's page as it will look, with a task of the campaign's own; nothing can be sent or is stored."""

from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from csp.constants import HEADER, NONE, SELF
from csp.utils import build_policy
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from accounts.models import Role, User
from accounts.roles import require
from labeling import chats, setup
from labeling.models import Campaign, Task
from labeling.views.frames import render_task
from labeling.views.manage import named
from labeling.views.showing import shown

KINDS = {
    Task.Kind.COMPARE.value: gettext_lazy("Comparison"),
    Task.Kind.EDIT.value: gettext_lazy("Edit"),
    Task.Kind.RANK.value: gettext_lazy("Ranking"),
    Task.Kind.CHAT.value: gettext_lazy("Live conversation"),
}
SIZES = {"wide": gettext_lazy("Wide"), "phone": gettext_lazy("Phone")}


@require_safe
@require("view_campaigns")
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the rater's page in a frame, as wide as a screen or as a phone."""
    campaign = named(request, slug)
    kind = chosen(request, campaign)
    size = request.GET.get("size", "wide")
    context = {
        "campaign": campaign,
        "kinds": KINDS.items(),
        "kind": kind,
        "sizes": SIZES.items(),
        "size": size if size in SIZES else "wide",
        "made_up": sample(campaign, kind)[2],
        "section": "campaigns",
        "tab": "preview",
    }
    return render(request, "manage/preview.html", context)


@require_safe
@require("view_campaigns")
@xframe_options_sameorigin
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what is in the frame: the templates of the rater's page, whose forms lead nowhere."""
    campaign: Any = named(request, slug)
    kind = chosen(request, campaign)
    newest = campaign.guidelines.order_by("-number").values_list("number", flat=True).first()
    campaign.guideline_number = campaign.guideline_read = newest
    fields = ("key", "name", "points", "required")
    campaign.graded = list(campaign.criteria.order_by("pk").values(*fields))
    messages, answers, _made_up = sample(campaign, kind)
    slot = SimpleNamespace(
        task=SimpleNamespace(kind=kind),
        prompt_messages=messages,
        answers=[{"text": text, "turns": []} for text in answers],
        order_shown=range(len(answers)),
        lease=uuid4(),
        lease_until=timezone.now(),
        draft_data=None,
        draft_at=None,
    )
    talk = chats.Talk(chats.WRITING, 1, messages[:-1]) if kind == Task.Kind.CHAT else None
    rater = User(username=_("rater"), role=Role.RATER)
    context = {"campaign": campaign, "fragment": False, "user": rater}
    context |= shown(slot, campaign, None, talk)
    context["task"] = render_task(request, context)
    response = render(request, "labeling/preview.html", context)
    response.headers[HEADER] = policy()
    return response


@lru_cache
def policy() -> str:
    """Return the content policy of a page that may stand in a frame of ours, and sends nothing."""
    return str(build_policy(replace={"frame-ancestors": [SELF], "form-action": [NONE]}))


def chosen(request: HttpRequest, campaign: Campaign) -> str:
    """Return the kind of task that is asked for, or else the one that the campaign asks most of."""
    kind = request.GET.get("kind", "")
    usual = setup.kind_of(campaign)
    return kind if kind in KINDS else usual if usual in KINDS else Task.Kind.COMPARE.value


def sample(campaign: Campaign, kind: str) -> tuple[list[dict[str, str]], list[str], str]:
    """Return a conversation, the answers to it, and what of that is made up: "", "answers" or "all"."""
    wanted = {"compare": 2, "edit": 1, "rank": campaign.rank_size}.get(kind, 0)
    tasks = campaign.tasks.filter(kind=kind, chat=None, gold=False, prompt__withdrawn=False)
    task = tasks.select_related("prompt").prefetch_related("task_responses__response").order_by("pk").first()
    if task is not None and wanted:
        return task.prompt.messages, [place.response.text for place in task.task_responses.all()], ""
    prompt = campaign.prompts.filter(withdrawn=False, opening=None).order_by("pk").first()
    if prompt is not None:
        return prompt.messages, made_up(wanted), "answers" if wanted else ""
    question = _("How do I keep fresh basil for a week?")
    return [{"role": "user", "content": question}], made_up(wanted), "all"


def made_up(number: int) -> list[str]:
    """Return some answers that nobody gave, each unlike the others."""
    texts = [
        _("Put it into a glass of water like a bunch of flowers, and change the water every other day."),
        _("Here stands a longer answer. It may have several parts:\n\n- one point\n- **another** point\n\n"
          "and end with a word of advice."),
        _("Here stands a short answer."),
    ]  # fmt: skip
    more = [_("Here stands answer %(n)s.") % {"n": n} for n in range(len(texts) + 1, number + 1)]
    return [*texts, *more][:number]
