"""manage.py promote"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from accounts.roles import can
from labeling.models import Campaign
from models_app import registry
from models_app.models import ModelVersion
from models_app.registry import ModelError
from training import cards
from training.models import Evaluation


class Command(BaseCommand):
    """Make a model of a campaign the champion, on a named person's behalf."""

    help = "Make a model of a campaign the champion, whatever its gate said, on somebody's behalf."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_decision(parser)
        parser.add_argument("name", help="the model's name, as its page shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign, by = read_decision(options)
        family = {"family": campaign.model_family, "kind": options["kind"]}
        version = ModelVersion.objects.filter(**family, name=options["name"]).first()
        if version is None:
            raise CommandError(f"There is no {options['kind']} model “{options['name']}” in this campaign.")
        try:
            registry.promote(version, by=by, reason=options["reason"])
        except ModelError as error:
            raise CommandError(str(error)) from error
        failed = cards.failed_checks(Evaluation.objects.filter(run__produced=version).first())
        overrode = f", overriding: {', '.join(failed)}" if failed else ""
        self.stdout.write(f"“{version.name}” is the champion now{overrode}.")


def add_decision(parser: ArgumentParser) -> None:
    """Ask for the campaign, the kind of model, who decides and why."""
    parser.add_argument("campaign", help="the campaign's short name, as in its address")
    parser.add_argument("kind", choices=ModelVersion.Kind.values)
    parser.add_argument("--by", required=True, metavar="USER", help="the manager who decides")
    parser.add_argument("--reason", required=True, help="why, for the model's page and the audit log")


def read_decision(options: dict[str, Any]) -> tuple[Campaign, User]:
    """Return the campaign and the manager that were named; raises CommandError."""
    campaign = Campaign.objects.filter(slug=options["campaign"]).first()
    if campaign is None:
        raise CommandError(f"There is no campaign “{options['campaign']}”.")
    by = User.objects.filter(username=options["by"]).first()
    if by is None or not can(by, "administer"):
        raise CommandError(f"--by: “{options['by']}” is no active manager.")
    return campaign, by
