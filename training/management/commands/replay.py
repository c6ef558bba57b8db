"""manage.py replay"""

import json
import os
import tempfile
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from labeling.models import Round
from models_app.backends import BackendError
from models_app.registry import ModelError
from training.replay import ReplayError, replay


class Command(BaseCommand):
    """Run a round again from what it left, and say what comes out the same."""

    help = "Draw a round's answers and train its models again, beside what is stored; changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", help="the campaign's short name")
        parser.add_argument("round", type=int, help="the round's number")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found there too")

    def handle(self, *args: Any, **options: Any) -> None:
        round_ = Round.objects.filter(campaign__slug=options["campaign"], number=options["round"]).first()
        if round_ is None:
            raise CommandError(f"There is no round {options['round']} of a campaign “{options['campaign']}”.")
        # answers are drawn on as many threads as the worker that draws a round's
        os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
        found = []
        bar = tqdm(bar_format="{desc} {n_fmt}/{total_fmt} {elapsed}", leave=False, disable=None)

        def show(stage: str, done: int, total: int) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.n, bar.total = done, total or None
            bar.refresh()

        try:
            with bar, tempfile.TemporaryDirectory(prefix="replay-") as folder:
                for finding in replay(round_, Path(folder), show):
                    found.append(finding)
                    tqdm.write(f"{'same' if finding.same else 'OTHER':<6}{finding.what}: {finding.says}")
        except (ReplayError, ModelError, BackendError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            content = {"round": round_.number, "findings": [asdict(finding) for finding in found]}
            options["json"].write_text(json.dumps(content, indent=1) + "\n")
        if not found:
            self.stdout.write(
                "The round has no answers of policies and no runs: there is nothing to run again."
            )
        elif not all(finding.same for finding in found):
            raise CommandError("Something came out otherwise.")
