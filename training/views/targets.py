"""The page of targets: a described failure, its small campaign, and how often each policy still fails."""

import csv
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import require, signed_in_user
from accounts.spreadsheets import harmless
from labeling.campaigns import CampaignError
from labeling.models import Campaign
from labeling.rounds import StateError
from training import targets
from training.models import Target
from training.plots import Mark, Plot, Series
from training.targets import Standing
from training.views.campaign import visible_campaign


class TargetForm(forms.Form):
    """Ask what the failure is, how it shows, and what provokes it."""

    name = forms.CharField(
        max_length=120,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Of the small campaign in which raters edit answers."),
    )
    description = forms.CharField(
        max_length=5000,
        label=gettext_lazy("What goes wrong, and what it should say instead"),
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=gettext_lazy("Raters read it as the guideline of the small campaign."),
    )
    pattern = forms.CharField(
        max_length=500,
        label=gettext_lazy("Pattern"),
        widget=forms.TextInput(attrs={"dir": "ltr"}),
        help_text=gettext_lazy("A regular expression, for instance: (?i)\\b(sent|emailed) (it|you|the)"),
    )
    fails = forms.ChoiceField(label=gettext_lazy("An answer fails"), choices=Target.Fails.choices)
    prompts = forms.CharField(
        label=gettext_lazy("Prompts that provoke it"),
        widget=forms.Textarea(attrs={"rows": 8, "dir": "auto"}),
        help_text=gettext_lazy(
            'One a line; or JSON lines such as {"prompt": "…", "original": "…", "edited": {"text": "…"}}, '
            "whose edits are taken as they are. A quarter of them, by content, is held out to measure by."
        ),
    )
    weight = forms.FloatField(
        label=gettext_lazy("Weight in the next run"),
        initial=1,
        min_value=0,
        max_value=targets.HEAVIEST,
        help_text=gettext_lazy("How many ordinary edits one of these counts for."),
        widget=forms.NumberInput(attrs={"step": "any"}),
    )


@require("view_campaigns", post="manage")
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """List a campaign's targets with how its policies fare; a manager makes one."""
    campaign = visible_campaign(request, slug)
    form = TargetForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            targets.create(campaign, by=signed_in_user(request), **form.cleaned_data)
            return redirect("targets", slug)
        except ValidationError as error:
            form.add_error(None, error)
        except CampaignError as error:
            form.add_error("name", str(error))
        except StateError as error:
            form.add_error(None, str(error))
    found = targets.listed(campaign)
    edits = targets.edited(found)
    context = {
        "campaign": campaign,
        "section": "campaigns",
        "tab": "targets",
        "form": form,
        "rows": [(target, edits.get(target.source_id, 0), *_shown(target)) for target in found],
        "heaviest": targets.HEAVIEST,
    }
    return render(request, "training/targets.html", context)


def _shown(target: Target) -> tuple[list[Standing], Plot | None]:
    """Return how policies fare on a target, and the same as a plot where there are two or more."""
    rows = targets.standings(target)
    marks = [Mark(at, row.check.version.name, row.rate) for at, row in enumerate(rows) if row.check.rate]
    series = [Series(_("Answers that fail"), marks, joined=True)]
    return rows, Plot(f"target-{target.pk}", _("Policy"), series) if len(marks) > 1 else None


@require_POST
@require("manage")
def change(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Change a target's weight, or whether it is mixed in."""
    target = _numbered(visible_campaign(request, slug), pk)
    try:
        weight = float(request.POST.get("weight", ""))
        active = request.POST.get("active") == "on"
        targets.change(target, signed_in_user(request), weight=weight, active=active)
    except ValueError:
        messages.error(request, _("Weight: give a number."))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("targets", slug)


@require_safe
@require("view_campaigns")
def download(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Give every answer by which a target's policies were measured as CSV."""
    campaign = visible_campaign(request, slug)
    target = _numbered(campaign, pk)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="target-{campaign.slug}-{pk}.csv"'
    rows = csv.writer(answer)
    rows.writerow(["policy", "prompt", "failed", "answer"])
    for check in target.checks.select_related("version").order_by("version"):
        for prompt, text, failed in check.answers:
            rows.writerow(map(harmless, [check.version.name, prompt, int(failed), text]))
    return answer


def _numbered(campaign: Campaign, pk: int) -> Any:
    return get_object_or_404(Target.objects.select_related("campaign", "source"), pk=pk, campaign=campaign)
