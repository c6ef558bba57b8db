"""manage.py serve_rewards"""

import os
import signal
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import Campaign
from models_app import scoring
from models_app.backends import BackendError
from models_app.models import ModelVersion
from models_app.scoring import Scorer, ScoringError, Source
from models_app.serving import Doorkeeper, Server


class Command(BaseCommand):
    """Serve the rewards of a reward model to trainers."""

    help = "Answer POST /get_reward with a campaign's champion reward model, or with another one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--campaign", help="follow this campaign's champion; its short name")
        which.add_argument("--model", help="a reward model's number, its folder or its hub id")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=5000)
        parser.add_argument("--token-env", help="a variable that holds a secret which is a token, too")

    def handle(self, *args: Any, **options: Any) -> None:
        secret = ""
        if options["token_env"] and not (secret := os.environ.get(options["token_env"], "")):
            raise CommandError(f"The variable {options['token_env']} is empty.")
        try:
            find, family = self._finder(options)
            scorer = Scorer(find)
            server = Server((options["host"], options["port"]), scorer, Doorkeeper(secret, family))
        except (ScoringError, BackendError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"{options['host']}:{options['port']} can't be used: {error.strerror}."
            ) from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        host, port = server.server_address[:2]
        self.stdout.write(f"{scorer.model} is served at http://{host!s}:{port}/get_reward.")
        self.stdout.flush()
        with server:
            server.serve_forever()
        scorer.close()

    def _finder(self, options: dict[str, Any]) -> tuple[Callable[[], Source | None], str]:
        """Return what finds the model, and its family; "" for a model that isn't registered."""
        if options["campaign"]:
            campaign = Campaign.objects.filter(slug=options["campaign"]).first()
            if campaign is None:
                raise CommandError(f"There is no campaign “{options['campaign']}”.")
            return partial(scoring.of_champion, campaign.model_family), campaign.model_family
        if not options["model"].isdecimal():
            return partial(scoring.of_path, options["model"]), ""
        version = ModelVersion.objects.filter(pk=options["model"], kind=ModelVersion.Kind.REWARD).first()
        if version is None:
            raise CommandError(f"There is no reward model {options['model']}.")
        return partial(scoring.of_version, version), version.family
