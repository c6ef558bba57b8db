"""The page of models as judges: which, in what words, how far it is, and how it agrees with people."""

import csv
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.roles import require, signed_in_user
from accounts.spreadsheets import harmless
from labeling.models import Campaign
from labeling.rounds import StateError
from models_app.models import ModelVersion
from training import judges
from training.models import Judging
from training.views.campaign import visible_campaign

TASKS = 100  # that the form proposes


class JudgingForm(forms.Form):
    """Ask who is to judge, how much, and in what words."""

    judge = forms.ChoiceField(label=_("Judge"))
    tasks = forms.IntegerField(
        label=_("Comparisons"),
        min_value=1,
        max_value=judges.MOST_TASKS,
        initial=TASKS,
        help_text=_(
            "First those that several people judged. What it has judged in these words isn't asked again."
        ),
    )
    template = forms.CharField(
        label=_("What it is asked"), widget=forms.Textarea(attrs={"rows": 12, "dir": "auto"}),
        help_text=_(
            "{conversation}, {a} and {b} are filled in. The last line of its answer must be A, B or tie and "
            "nothing else. A reward model isn't asked in words: its scores decide."
        ),
    )  # fmt: skip

    def __init__(self, campaign: Campaign, by: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.versions = {str(version.pk): version for version in judges.candidates(campaign, by)}
        listed = self.fields["judge"]
        assert isinstance(listed, forms.ChoiceField)
        listed.choices = [
            (key, f"{version.family} · {version.name} · {version.get_kind_display()}")
            for key, version in self.versions.items()
        ]
        self.fields["template"].initial = judges.newest_template(campaign)

    def clean_judge(self) -> ModelVersion:
        """Return the version that is meant."""
        return self.versions[self.cleaned_data["judge"]]

    def clean_template(self) -> str:
        """Refuse a template that lacks a part."""
        return judges.check_template(self.cleaned_data["template"])


@require("view_campaigns", post="manage")
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the newest judge (or the one that ?judging= names) and the earlier ones; a manager starts one."""
    campaign = visible_campaign(request, slug)
    form = JudgingForm(campaign, signed_in_user(request), request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            judges.start(
                campaign, given["judge"], given["tasks"],
                template=given["template"], by=signed_in_user(request),
            )  # fmt: skip
            return redirect("judges", slug)
        except (StateError, ValidationError) as error:
            messages.error(request, getattr(error, "message", str(error)))
    context = {
        **context_of(campaign, request.GET.get("judging", "")),
        "campaign": campaign,
        "section": "campaigns",
        "tab": "judges",
        "form": form,
    }
    return render(request, "training/judges.html", context)


@require_safe
@require("view_campaigns")
def live(request: HttpRequest, slug: str) -> HttpResponse:
    """Give the part of the page that changes by itself while a judge is at work."""
    campaign = visible_campaign(request, slug)
    return render(request, "training/_judges.html", {**context_of(campaign, ""), "campaign": campaign})


def context_of(campaign: Campaign, wanted: str) -> dict[str, Any]:
    """Return what the page shows of a campaign's judges: one of them read, and all beside each other."""
    found = judges.newest(campaign)
    chosen = next((each for each in found if str(each.pk) == wanted), found[0] if found else None)
    if chosen is not None:
        judges.count_again(chosen)
    return {
        "readings": [judges.read(each) for each in found],
        "chosen": chosen,
        "reading": judges.read(chosen) if chosen else None,
        "plain": judges.PLAIN,
        "under_way": bool(found) and found[0].status in judges.LIVE,
    }


@require_safe
@require("view_campaigns")
def download(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Give each comparison of a judge as CSV: both its answers, both verdicts, and how people voted."""
    campaign = visible_campaign(request, slug)
    judging = get_object_or_404(Judging.objects.select_related("judge", "template"), pk=pk, campaign=campaign)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="judge-{campaign.slug}-{pk}.csv"'
    rows = csv.writer(answer)
    rows.writerow(
        ["task", "prompt", "judge", "template", "answer_first_order", "answer_second_order",
         "first_order", "second_order", "people_first", "people_second", "people_tie"]
    )  # fmt: skip
    digest = judging.template.digest if judging.template else ""
    people = votes_by_task(judging)
    listed = judges.verdicts(judging).values_list(
        "task", "task__prompt__content_hash", "answers", "first", "second"
    )
    for task, prompt, said, first, second in listed:
        cells = [task, prompt, judging.judge.name, digest, *said, first, second]
        rows.writerow(map(harmless, [*cells, *people.get(task, (0, 0, 0))]))
    return answer


def votes_by_task(judging: Judging) -> dict[int, tuple[int, int, int]]:
    """Count people's votes on each task: for its first answer, its second, and ties."""
    first = Q(verdict__lt=0, order_shown__0=0) | Q(verdict__gt=0, order_shown__0=1)
    rows = judges.votes(judging).order_by().values("task").annotate(
        first=Count("pk", filter=first), tie=Count("pk", filter=Q(verdict=0)), n=Count("pk")
    )  # fmt: skip
    return {row["task"]: (row["first"], row["n"] - row["first"] - row["tie"], row["tie"]) for row in rows}
