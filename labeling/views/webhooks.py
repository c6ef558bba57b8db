"""The pages of webhooks: those of one campaign, and those that are told of all campaigns."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import webhooks
from accounts.roles import require, signed_in_user
from accounts.webhook_models import Webhook
from accounts.webhooks import DeliveryError, WebhookError
from labeling import announcing
from labeling.models import Campaign
from labeling.views.manage import named

ON_PAGE = 50  # deliveries


class WebhookForm(forms.Form):
    """Where to, and of what."""

    url = forms.CharField(
        max_length=500,
        label=gettext_lazy("Address of the receiver"),
        widget=forms.URLInput(attrs={"dir": "ltr", "placeholder": "https://example.org/touchstone"}),
    )
    events = forms.MultipleChoiceField(
        choices=[(kind, says) for kind, says in webhooks.KINDS.items()],
        label=gettext_lazy("Tell it when"),
        widget=forms.CheckboxSelectMultiple,
    )


class ChangeForm(WebhookForm):
    """The same of a webhook that is there, whose address isn't given away."""

    def __init__(self, data: QueryDict | None, webhook: Webhook) -> None:
        super().__init__(data, initial={"events": webhook.events})
        self.fields["url"].required = False
        self.fields["url"].help_text = _("Empty: it stays %(url)s.") % {"url": webhooks.shown(webhook.url)}

    def changes(self) -> dict[str, Any]:
        """Return what webhooks.change takes."""
        return {name: value for name, value in self.cleaned_data.items() if value}


@require("manage")
def in_campaign(request: HttpRequest, slug: str) -> HttpResponse:
    """List a campaign's webhooks, and add one."""
    return _list(request, named(request, slug))


@require("administer")
def everywhere(request: HttpRequest) -> HttpResponse:
    """List the webhooks that are told of all campaigns, and add one."""
    return _list(request, None)


@require("manage")
def one_in_campaign(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Show a campaign's webhook and what it was told; test, change or remove it."""
    campaign = named(request, slug)
    return _one(request, campaign, get_object_or_404(webhooks.of(slug), pk=pk))


@require("administer")
def one_everywhere(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a webhook of all campaigns and what it was told; test, change or remove it."""
    return _one(request, None, get_object_or_404(webhooks.of(""), pk=pk))


def _list(request: HttpRequest, campaign: Campaign | None) -> HttpResponse:
    slug = campaign.slug if campaign else ""
    form = WebhookForm(request.POST or None)
    made, secret = None, ""
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = webhooks.add(slug, **form.cleaned_data, by=signed_in_user(request))
        except WebhookError as error:
            form.add_error(error.field, str(error))
        else:
            announcing.begin(made)
            form = WebhookForm()
    context = {
        **_about(campaign),
        "form": form,
        "webhooks": [
            (hook, webhooks.shown(hook.url), _address(campaign, hook)) for hook in webhooks.of(slug)
        ],
        "secret": secret,
        "made": made,
    }
    return _shown(request, "manage/webhooks.html", context, secret, bool(form.errors))


def _one(request: HttpRequest, campaign: Campaign | None, webhook: Webhook) -> HttpResponse:
    form = ChangeForm(request.POST if request.POST.get("do") == "change" else None, webhook)
    secret = ""
    if request.method == "POST":
        try:
            secret = _do(request, webhook, form)
        except WebhookError as error:
            form.add_error(error.field, str(error))
        except DeliveryError as error:
            messages.error(request, str(error))
        if not secret and not form.errors:
            gone = request.POST.get("do") == "remove"
            return redirect(_list_address(campaign) if gone else _address(campaign, webhook))
    deliveries = webhook.deliveries.select_related("event").order_by("-pk")
    page = Paginator(deliveries, ON_PAGE).get_page(request.GET.get("page"))
    context = {**_about(campaign), "webhook": webhook, "form": form, "page": page, "secret": secret}
    context["url"] = webhooks.shown(webhook.url)
    context["kinds"] = {**webhooks.KINDS, webhooks.TEST: _("A test")}
    return _shown(request, "manage/webhook.html", context, secret, bool(form.errors))


def _do(request: HttpRequest, webhook: Webhook, form: ChangeForm) -> str:
    """Do what a form of a webhook's page says; return a new secret, where there is one."""
    by, do = signed_in_user(request), request.POST.get("do", "")
    if do == "rotate":
        return webhooks.rotate(webhook, by=by)
    if do == "change":
        if form.is_valid():
            webhooks.change(webhook, **form.changes(), by=by)
            messages.success(request, _("Saved."))
    elif do in {"pause", "resume"}:
        webhooks.change(webhook, active=do == "resume", by=by)
    elif do == "remove":
        webhooks.remove(webhook, by=by)
        messages.success(request, _("It is removed, and told nothing any more."))
    elif do == "retry":
        number = request.POST.get("delivery", "")
        rows = webhook.deliveries.select_related("webhook")
        found = get_object_or_404(rows, pk=int(number) if number.isdecimal() else 0)
        webhooks.retry(found, by=by)
        messages.success(request, _("It is being sent again; load this page again in some seconds."))
    elif do == "test":
        webhooks.test(webhook, by=by)
        messages.success(request, _("A test is on its way; load this page again in some seconds."))
    return ""


def _about(campaign: Campaign | None) -> dict[str, Any]:
    return {"campaign": campaign, "section": "campaigns", "tab": "webhooks"}


def _list_address(campaign: Campaign | None) -> str:
    return reverse("campaign_webhooks", args=[campaign.slug]) if campaign else reverse("webhooks")


def _address(campaign: Campaign | None, webhook: Webhook) -> str:
    """Return the path of a webhook's page."""
    if campaign:
        return reverse("campaign_webhook", args=[campaign.slug, webhook.pk])
    return reverse("webhook", args=[webhook.pk])


def _shown(
    request: HttpRequest, template: str, context: dict[str, Any], secret: str, wrong: bool
) -> HttpResponse:
    response = render(request, template, context, status=400 if wrong else 200)
    if secret:
        response["Cache-Control"] = "no-store"
    return response
