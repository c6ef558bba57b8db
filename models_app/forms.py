"""The form that registers a model."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from models_app import samples
from models_app.models import ModelVersion
from models_app.registry import MOST_AT_ONCE

QUESTION = _("How long does rice take?")
ANSWERS = _("White rice takes about 18 minutes, brown rice 40.\nI don't know.")
TRIAL_TOKENS = 96


class RegisterForm(forms.Form):
    """A policy or reward model, and where it is."""

    family = forms.SlugField(
        max_length=80, label=_("Family"), help_text=_("What the model is a version of: a campaign's address.")
    )
    kind = forms.ChoiceField(choices=ModelVersion.Kind.choices, label=_("Kind"))
    name = forms.CharField(max_length=200, label=_("Name"))
    backend = forms.ChoiceField(choices=ModelVersion.Backend.choices, label=_("Runs as"))
    location = forms.CharField(
        required=False,
        max_length=500,
        label=_("Folder, hub id or address"),
        help_text=_("e.g. /models/llama, org/model, or http://localhost:8001/v1"),
    )
    server_model = forms.CharField(
        required=False, max_length=200, label=_("Model name at the server"), help_text=_("Servers only.")
    )
    api_key_env = forms.CharField(
        required=False,
        max_length=80,
        label=_("Variable that holds the server's key"),
        help_text=_(
            "An environment variable of the workers whose name ends in _API_KEY; "
            "the key itself is not stored."
        ),
    )
    concurrency = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_AT_ONCE,
        label=_("Requests at once"),
        help_text=_("Servers only; 8 if empty. Fewer while the server is in trouble."),
    )
    stream = forms.BooleanField(
        required=False,
        label=_("Ask for answers in pieces"),
        help_text=_("Servers only: for slow ones behind a proxy that ends idle connections."),
    )
    question = forms.CharField(
        required=False,
        max_length=4000,
        label=_("Question to try it with"),
        help_text=_("It is asked before the model is registered, and nothing is kept."),
    )
    answers = forms.CharField(
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=_("Answers to score"),
        help_text=_("Reward models only, one a line: it should like the better one more."),
    )

    def trial(self) -> dict[str, Any]:
        """Return what samples.ask takes: the model, one question and how to answer it, or its answers."""
        data, registration = self.cleaned_data, self.registration()
        model = {name: registration[name] for name in ("kind", "name", "backend", "location", "options")}
        answers: list[str] = []
        if data["kind"] == ModelVersion.Kind.REWARD:
            lines = data["answers"] or str(ANSWERS)
            answers = [line.strip() for line in lines.splitlines() if line.strip()]
        questions = samples.exchanges(data["question"].strip() or str(QUESTION), answers)
        return {"models": [model], "questions": questions, "params": {"max_new_tokens": TRIAL_TOKENS}}

    def registration(self) -> dict[str, Any]:
        """Return what registry.register takes."""
        data = self.cleaned_data
        options = {"model": data["server_model"], "api_key_env": data["api_key_env"]}
        options |= {name: data[name] for name in ("concurrency", "stream") if data[name]}
        names = ["family", "kind", "name", "backend", "location"]
        served = data["backend"] == ModelVersion.Backend.OPENAI
        return {**{name: data[name] for name in names}, "options": options if served else {}}
