"""manage.py rehearse"""

import json
import os
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string
from tqdm import tqdm

from labeling import demo
from labeling.models import Campaign
from models_app.backends import BackendError
from models_app.registry import ModelError
from preferences.simulation import TASTES
from training.rehearsal import Plan, RehearsalError, RoundReport, rehearse, staged

HEADER = f"{'round':>5} {'labels':>7} {'reward accuracy':>22} {'wins against base':>22} {'distinct':>9} {'words':>6} {'minutes':>8}"  # noqa: E501


class Command(BaseCommand):
    """Let simulated raters with a hidden taste work through rounds of a campaign."""

    help = "Let simulated raters with a hidden taste work through rounds of a campaign; report each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--campaign", default=demo.SLUG, help="the campaign's short name (default: demo)")
        parser.add_argument("--rounds", type=int, default=3)
        parser.add_argument("--judgments", type=int, default=400, help="per round (default: 400)")
        parser.add_argument("--noise", type=float, default=0.15, help="share of judgments reversed")
        parser.add_argument("--taste", choices=sorted(TASTES), default="kind-brief")
        parser.add_argument("--coin-flips", action="store_true", help="judge at random instead: the control")
        parser.add_argument(
            "--faulty", action="store_true", help="four of the ten: weak, at random, one side, the longer"
        )
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")

    def handle(self, *args: Any, **options: Any) -> None:
        plan = self._plan(options)
        reports: list[RoundReport] = []
        taste = "none: coin flips" if plan.coin_flips else f"{plan.taste.name}: {plan.taste.description}"
        self.stdout.write(f"Hidden taste {taste}\n{HEADER}")
        began = time.monotonic()
        try:
            with staged(plan) as raters, _workers(), _bar() as show:
                # torch comes into this process to answer as the policies, beside workers that use the cores
                os.environ.setdefault("OMP_NUM_THREADS", "1")
                for report in rehearse(plan, raters, show):
                    reports.append(report)
                    tqdm.write(line(report))
                    if options["json"]:
                        write(options["json"], plan, reports)
        except (RehearsalError, ModelError, BackendError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{plan.rounds} rounds in {(time.monotonic() - began) / 60:.1f} minutes.")

    def _plan(self, options: dict[str, Any]) -> Plan:
        if min(options["rounds"], options["judgments"]) < 1:
            raise CommandError("--rounds and --judgments must be at least 1.")
        if not 0 <= options["noise"] <= 1:
            raise CommandError("--noise is a share between 0 and 1.")
        if options["campaign"] == demo.SLUG:
            demo.load()
        campaign = Campaign.objects.filter(slug=options["campaign"]).first()
        if campaign is None:
            raise CommandError(f"There is no campaign “{options['campaign']}”.")
        return Plan(
            campaign=campaign,
            taste=TASTES[options["taste"]],
            rounds=options["rounds"],
            judgments=options["judgments"],
            noise=options["noise"],
            coin_flips=options["coin_flips"],
            faulty=options["faulty"],
            seed=options["seed"],
        )


def line(report: RoundReport) -> str:
    """Return a round's row of the table."""
    accuracy = share(report.reward_accuracy, report.reward_accuracy_interval)
    wins = share(report.win_rate, report.win_rate_interval)
    distinct = "–" if report.distinct is None else f"{report.distinct:.0%}"
    words = "–" if report.mean_words is None else f"{report.mean_words:.1f}"
    return (
        f"{report.round:>5} {report.judgments:>7} {accuracy:>22} {wins:>22} {distinct:>9} {words:>6} "
        f"{report.seconds / 60:>8.1f}"
    )


def share(value: float | None, interval: list[float] | None) -> str:
    """Return a share with its interval, in per cent."""
    if value is None:
        return "–"
    bounds = f" ({interval[0]:.1%}–{interval[1]:.1%})" if interval else ""
    return f"{value:.1%}{bounds}"


def write(path: Path, plan: Plan, reports: list[RoundReport]) -> None:
    """Write the figures of the rounds so far."""
    taste = "coin-flips" if plan.coin_flips else plan.taste.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"taste": taste, "rounds": [asdict(r) for r in reports]}, indent=1) + "\n")


def _workers() -> Any:
    """Use the workers of `make run` when they answer, and else run some for the time of the rehearsal."""
    if current_app.control.ping(timeout=1.5):
        return nullcontext()
    return import_string(settings.STACK_WORKERS)()


@contextmanager
def _bar() -> Iterator[Any]:
    with tqdm(bar_format="{desc} {bar:30} {n_fmt}/{total_fmt} {elapsed}", leave=False, disable=None) as bar:

        def show(stage: str, done: int, total: int) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.n, bar.total = done, total or None
            bar.refresh()

        yield show
