"""The manager's page about gold tasks: those in use, those that could be, and making one of a comparison."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.roles import require, signed_in_user
from labeling import golds
from labeling.golds import GoldError
from labeling.models import Campaign, Gold, Task
from labeling.verdict_scale import points, say
from labeling.views.manage import named
from preferences.intervals import wilson
from preferences.types import Estimate

NEWEST = 20  # comparisons to choose from
ON_PAGE = 40  # gold tasks
LARGEST = 2**63 - 1
RULES = [
    ("", gettext_lazy("Who takes the same side is right")),
    ("1", gettext_lazy("At most one step beside it is right")),
    ("0", gettext_lazy("Only this verdict is right")),
]


class GoldForm(forms.Form):
    """Which comparison becomes a gold task, and what is right."""

    task = forms.IntegerField(min_value=1, max_value=LARGEST, label=gettext_lazy("Task"))
    verdict = forms.TypedChoiceField(coerce=int, label=gettext_lazy("The right verdict"))
    tolerance = forms.TypedChoiceField(
        coerce=int, empty_value=None, choices=RULES, required=False, label=gettext_lazy("What else is right")
    )
    explanation = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
        label=gettext_lazy("Why"),
        help_text=gettext_lazy("For managers and reviewers; raters never see it."),
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["verdict"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [("", _("Choose")), *((p.verdict, p.name) for p in points(campaign, ""))]


@require("manage")
def list_(request: HttpRequest, slug: str) -> HttpResponse:
    """List gold tasks and proposals, and make a comparison one."""
    campaign = named(request, slug)
    form = GoldForm(request.POST or None, campaign=campaign, initial={"task": request.GET.get("task")})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        task = campaign.tasks.filter(pk=said["task"]).first()
        try:
            if task is None:
                raise GoldError("task", _("This campaign has no such task."))
            golds.make(
                task,
                signed_in_user(request),
                said["verdict"],
                tolerance=said["tolerance"],
                explanation=said["explanation"],
            )
        except GoldError as error:
            form.add_error(error.field, str(error))
        else:
            messages.success(request, _("It is a gold task now."))
            return redirect("golds", slug)
    return show(request, campaign, form, status=400 if form.errors else 200)


def show(request: HttpRequest, campaign: Campaign, form: GoldForm, status: int = 200) -> HttpResponse:
    """Show the page with its form as it was filled in."""
    chosen = comparisons(campaign).filter(pk=read_key(str(form["task"].value() or ""))).first()
    rows = golds.listed(campaign).prefetch_related("task__task_responses__response")
    page, told = Paginator(rows, ON_PAGE).get_page(request.GET.get("page")), golds.answered(campaign)
    context = {
        "campaign": campaign,
        "page": page,
        "golds": [(gold, say(campaign, gold.verdict), score(*told.get(gold.pk, (0, 0)))) for gold in page],
        "proposals": [(task, row, say(campaign, row["verdict"])) for task, row in golds.proposals(campaign)],
        "form": form,
        "chosen": chosen,
        "newest": [] if chosen else list(comparisons(campaign)[:NEWEST]),
        "section": "campaigns",
        "tab": "golds",
    }
    return render(request, "manage/golds.html", context, status=status)


def read_key(text: str) -> int:
    """Read a task's number; 0, which none has, where it is none."""
    return int(text) if text.isascii() and text.isdigit() and int(text) <= LARGEST else 0


def comparisons(campaign: Campaign) -> Any:
    """Return the comparisons that can become gold tasks, newest first."""
    rows = campaign.tasks.filter(kind=Task.Kind.COMPARE, chat=None, repeats=None, gold=False)
    return rows.select_related("prompt").prefetch_related("task_responses__response").order_by("-pk")


def score(right: int, asked: int) -> Estimate:
    """Return the share of right answers to a gold task."""
    if not asked:
        return Estimate(None, None, 0, golds.UNASKED)
    return Estimate(right / asked, wilson(right, asked), asked)


@require_POST
@require("manage")
def accept(request: HttpRequest, slug: str) -> HttpResponse:
    """Make a proposed comparison a gold task."""
    campaign = named(request, slug)
    task = get_object_or_404(campaign.tasks, pk=read_key(request.POST.get("task", "")))
    try:
        golds.accept(campaign, task, signed_in_user(request))
    except GoldError as error:
        messages.error(request, str(error))
    return redirect("golds", slug)


@require_POST
@require("manage")
def retire(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Ask a gold task no more."""
    gold = get_object_or_404(Gold.objects.select_related("task"), pk=pk, task__campaign=named(request, slug))
    try:
        golds.retire(gold, signed_in_user(request), request.POST.get("why", ""))
    except GoldError as error:
        messages.error(request, str(error))
    return redirect("golds", slug)
