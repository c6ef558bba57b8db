"""manage.py roll_back"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from models_app import registry
from models_app.registry import ModelError
from training.management.commands.promote import add_decision, read_decision


class Command(BaseCommand):
    """Make the champion's predecessor the champion again, on a named person's behalf."""

    help = "Go back to the champion before this one, of one kind of model of a campaign."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_decision(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        campaign, by = read_decision(options)
        try:
            promotion = registry.roll_back(
                campaign.model_family, options["kind"], by=by, reason=options["reason"]
            )
        except ModelError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"“{promotion.version.name}” is the champion again.")
