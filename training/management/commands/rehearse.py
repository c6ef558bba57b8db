"""manage.py rehearse"""

import json
import os
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
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
from training import comparators, contest, rehearsal_plot
from training.comparators import Outcome
from training.rehearsal import (
    Plan,
    Progress,
    RehearsalError,
    RoundReport,
    Start,
    begin,
    figures,
    rehearse,
    staged,
)

WIDTHS = {
    "round": 5, "labels": 7, "reward accuracy": 22, "wins against base": 22, "right": 7, "distinct": 9,
    "words": 6, "minutes": 8,
}  # fmt: skip
HEADER = " ".join(f"{name:>{width}}" for name, width in WIDTHS.items())
SAMPLES = 10  # prompts


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
        parser.add_argument(
            "--continue", action="store_true", help="take up the rehearsal that --json FILE tells of"
        )
        parser.add_argument(
            "--beside",
            action="store_true",
            help="compare with DPO, with best-of-n on as many labels at once, and with coin flips",
        )
        parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the rounds as an SVG file")
        parser.add_argument(
            "--samples", type=Path, metavar="FILE", help="write answers of the base and of the last policy"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        plan = self._plan(options)
        start, reports = _taken_up(options)
        taste = "none: coin flips" if plan.coin_flips else f"{plan.taste.name}: {plan.taste.description}"
        self.stdout.write(f"Hidden taste {taste}\n{HEADER}")
        began = time.monotonic()
        others: list[Outcome] = []

        def write() -> None:
            if options["json"]:
                write_json(options["json"], plan, start, reports, others)

        try:
            start = start or begin(plan)
            write()
            with ExitStack() as until_the_end:
                show = until_the_end.enter_context(_bar())
                with staged(plan, start) as raters:
                    until_the_end.enter_context(_workers())
                    # torch answers as the policies in this process, beside workers that use the cores
                    os.environ.setdefault("OMP_NUM_THREADS", "1")
                    for report in rehearse(plan, start, raters, show, tuple(reports)):
                        reports.append(report)
                        tqdm.write(line(report))
                        write()
                self.stdout.write(f"{plan.rounds} rounds in {(time.monotonic() - began) / 60:.1f} minutes.")
                if options["samples"]:
                    write_samples(options["samples"], plan, show)
                for outcome in comparators.compare(plan, show) if options["beside"] else ():
                    others.append(outcome)
                    tqdm.write(beside(outcome))
                    write()
        except (RehearsalError, ModelError, BackendError) as error:
            raise CommandError(str(error)) from error
        if options["plot"]:
            _write(options["plot"], rehearsal_plot.plot(reports, others))

    def _plan(self, options: dict[str, Any]) -> Plan:
        if min(options["rounds"], options["judgments"]) < 1:
            raise CommandError("--rounds and --judgments must be at least 1.")
        if options["continue"] and not options["json"]:
            raise CommandError("--continue needs the --json FILE that the rehearsal wrote.")
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
    cells = {
        "round": str(report.round),
        "labels": str(report.judgments),
        "reward accuracy": accuracy,
        "wins against base": wins,
        "right": "–" if report.right is None else f"{report.right:.1%}",
        "distinct": "–" if report.distinct is None else f"{report.distinct:.0%}",
        "words": "–" if report.mean_words is None else f"{report.mean_words:.1f}",
        "minutes": f"{report.seconds / 60:.1f}",
    }
    return " ".join(f"{cell:>{WIDTHS[name]}}" for name, cell in cells.items())


def beside(outcome: Outcome) -> str:
    """Return a line on what else as many labels came to."""
    found = outcome.contest
    wins = share(found.win_rate.value, found.win_rate.interval)
    return f"{rehearsal_plot.name_of(outcome.name)}: {outcome.labels} labels, wins {wins}"


def share(value: float | None, interval: Sequence[float] | None) -> str:
    """Return a share with its interval, in per cent."""
    if value is None:
        return "–"
    bounds = f" ({interval[0]:.1%}–{interval[1]:.1%})" if interval else ""
    return f"{value:.1%}{bounds}"


def write_json(
    path: Path, plan: Plan, start: Start | None, reports: list[RoundReport], others: list[Outcome]
) -> None:
    """Write what is known so far: enough to take a rehearsal up that was killed."""
    taste = "coin-flips" if plan.coin_flips else plan.taste.name
    content = {
        "taste": taste,
        "seed": plan.seed,
        "judgments": plan.judgments,
        "start": start and asdict(start),
        "rounds": [asdict(report) for report in reports],
        "beside": [
            {"name": other.name, "judgments": other.labels, **figures(other.contest)} for other in others
        ],
    }
    _write(path, json.dumps(content, indent=1) + "\n")


def _taken_up(options: dict[str, Any]) -> tuple[Start | None, list[RoundReport]]:
    """Read how far a rehearsal came that is to be continued; one that never began begins."""
    if not options["continue"] or not options["json"].exists():
        return None, []
    found = json.loads(options["json"].read_text())
    asked = {name: options[name] for name in ("seed", "judgments")}
    if {name: found[name] for name in asked} != asked:
        raise CommandError(f"{options['json']} tells of another rehearsal: its seed or judgments differ.")
    return Start(**found["start"]), [RoundReport(**report) for report in found["rounds"]]


def write_samples(path: Path, plan: Plan, show: Progress) -> None:
    """Write what the base and the policy in use say to the same prompts."""
    prompts = contest.held_out(plan.campaign)[:SAMPLES]
    policy = contest.champion(plan.campaign)
    drawn = contest.both(plan.campaign, policy, lambda n, of: show("samples", n, of))
    said = [
        {"prompt": prompt.messages[-1]["content"]} | {name: texts[prompt.pk] for name, texts in drawn.items()}
        for prompt in prompts
    ]
    content = {"taste": plan.taste.name, "description": plan.taste.description, "samples": said}
    _write(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole: who is killed leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.replace(path)


def _workers() -> Any:
    """Use the workers of `make run` when they answer, and else run some for the time of the rehearsal."""
    if current_app.control.ping(timeout=1.5):
        return nullcontext()
    # nobody judges what a watch asks in a rehearsal: its many answers need not be drawn
    return import_string(settings.STACK_WORKERS)(environment={"WATCH_SHARE": "0"})


@contextmanager
def _bar() -> Iterator[Any]:
    with tqdm(bar_format="{desc} {bar:30} {n_fmt}/{total_fmt} {elapsed}", leave=False, disable=None) as bar:

        def show(stage: str, done: int, total: int) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.n, bar.total = done, total or None
            bar.refresh()

        yield show
