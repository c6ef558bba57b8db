"""The manager's page about worked examples: the guideline's edge cases, practice tasks and test questions."""

import io
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.roles import require, signed_in_user
from labeling import examples, qualification
from labeling.campaigns import CampaignError
from labeling.forms import UploadForm
from labeling.models import Campaign, Example
from labeling.verdict_scale import points, say
from labeling.views.manage import named

USES = [
    (Example.Use.EDGE_CASE.value, gettext_lazy("An edge case, shown with the guideline")),
    (Example.Use.PRACTICE.value, gettext_lazy("A practice task")),
    (Example.Use.TEST.value, gettext_lazy("A question of the test")),
]


class ExampleForm(forms.Form):
    """A worked example: its question, two answers, which is better, and why."""

    use = forms.ChoiceField(choices=USES, label=gettext_lazy("What for"))
    messages = forms.CharField(
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        label=gettext_lazy("The user asks"),
    )
    answer_a = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "dir": "auto"}),
        label=gettext_lazy("Answer A"),
    )
    answer_b = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "dir": "auto"}),
        label=gettext_lazy("Answer B"),
    )
    verdict = forms.TypedChoiceField(coerce=int, label=gettext_lazy("The right verdict"))
    explanation = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        label=gettext_lazy("Why"),
        help_text=gettext_lazy(
            "Markdown. Write {A} and {B} for the answers: each rater sees them in an order of their own."
        ),
    )

    def __init__(self, *args: Any, campaign: Campaign, example: Example | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = example.messages[:-1] if example else []
        offered = [(point.verdict, point.name) for point in points(campaign, "")]
        if example is not None and example.verdict not in dict(offered):
            offered.append((example.verdict, say(campaign, example.verdict)))
        field = self.fields["verdict"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [("", _("Choose")), *sorted(offered)]
        if example is not None:
            self.initial = {
                "use": example.use,
                "messages": example.messages[-1]["content"],
                "answer_a": example.answers[0],
                "answer_b": example.answers[1],
                "verdict": example.verdict,
                "explanation": example.explanation,
            }

    def values(self) -> dict[str, Any]:
        """Return what examples.create and examples.revise take."""
        data = self.cleaned_data
        return {
            "use": data["use"],
            "messages": [*self.before, {"role": "user", "content": data["messages"]}],
            "answers": [data["answer_a"], data["answer_b"]],
            "verdict": data["verdict"],
            "explanation": data["explanation"],
        }

    def refuse(self, error: CampaignError) -> None:
        """Show what the domain says at the field that it is about."""
        self.add_error("answer_b" if error.field == "answers" else error.field, str(error))


@require("manage")
def list_(request: HttpRequest, slug: str) -> HttpResponse:
    """List a campaign's examples by use, and add one."""
    campaign = named(request, slug)
    form = ExampleForm(request.POST or None, campaign=campaign, initial={"use": request.GET.get("use")})
    if request.method == "POST" and form.is_valid():
        try:
            added = examples.create(campaign, signed_in_user(request), **form.values())
        except CampaignError as error:
            form.refuse(error)
        else:
            messages.success(request, _("Added."))
            return redirect(f"{request.path}#{added.use}")
    return show(request, campaign, form, UploadForm(), status=400 if form.errors else 200)


def show(
    request: HttpRequest,
    campaign: Campaign,
    form: ExampleForm,
    lines: UploadForm,
    report: examples.ImportedExamples | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show the page with its forms as they were filled in."""
    rows: dict[str, list[Any]] = {use: [] for use, _name in USES}
    for example in examples.active(campaign).annotate(answered=Count("trials")):
        verdict = say(campaign, example.verdict)
        rows[example.use].append({"example": example, "verdict": verdict, "why": examples.explain(example)})
    context = {
        "campaign": campaign,
        "uses": [(use, name, rows[use]) for use, name in USES],
        "questions": len(rows[Example.Use.TEST]),
        "form": form,
        "lines": lines,
        "report": report,
        "section": "campaigns",
        "tab": "examples",
    }
    return render(request, "manage/examples.html", context, status=status)


@require("manage")
def change(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Change one example."""
    campaign = named(request, slug)
    example = get_object_or_404(campaign.examples.filter(retired=False), pk=pk)
    form = ExampleForm(request.POST or None, campaign=campaign, example=example)
    if request.method == "POST" and form.is_valid():
        try:
            examples.revise(example, signed_in_user(request), **form.values())
        except CampaignError as error:
            form.refuse(error)
        else:
            messages.success(request, _("Saved."))
            return redirect("examples", slug)
    context = {
        "campaign": campaign,
        "example": example,
        "form": form,
        "answered": example.trials.count(),
        "section": "campaigns",
        "tab": "examples",
    }
    return render(request, "manage/example.html", context, status=400 if form.errors else 200)


@require_POST
@require("manage")
def retire(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Ask and show an example no more."""
    campaign = named(request, slug)
    examples.retire(get_object_or_404(campaign.examples, pk=pk), signed_in_user(request))
    return redirect("examples", slug)


@require("manage", post="manage")
def import_(request: HttpRequest, slug: str) -> HttpResponse:
    """Add examples from a file or a paste, all or none."""
    campaign = named(request, slug)
    if request.method != "POST":
        return redirect("examples", slug)
    lines = UploadForm(request.POST, request.FILES)
    report = None
    if lines.is_valid():
        data = lines.cleaned_data
        source = data["file"] or io.BytesIO(data["text"].encode("utf-8", "replace"))
        report = examples.import_lines(campaign, source, signed_in_user(request))
        if not report.errors:
            told = ngettext("%(n)d example added.", "%(n)d examples added.", report.added)
            messages.success(request, told % {"n": report.added})
            return redirect("examples", slug)
    return show(request, campaign, ExampleForm(campaign=campaign), lines, report, status=400)


@require_POST
@require("manage")
def qualify(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Let a member in without the test, or give them its attempts anew."""
    campaign = named(request, slug)
    rater = get_object_or_404(User, pk=pk, memberships__campaign=campaign)
    decide = qualification.reset if request.POST.get("how") == "reset" else qualification.waive
    decide(campaign, rater, signed_in_user(request))
    return redirect("campaign_raters", slug)
