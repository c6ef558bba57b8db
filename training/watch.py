"""The over-optimisation watch as pages and the conductor see it: when it is due, where it is, what it says.

The work itself (training.watching) brings NumPy and torch, which the web and the conductor do without.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from labeling.models import Campaign, Judgment, Prompt, Round
from labeling.models.judgment import counting
from labeling.models.task import fresh
from labeling.rounds import StateError
from labeling.templatetags.figures import isolate
from models_app import registry, sampling
from models_app.models import ModelVersion
from preferences.types import Estimate, Interval
from training.loop import send
from training.models import Watch

LOOK, COUNT = "training.tasks.look_at_watch", "training.tasks.count_watch"
MOST_PROMPTS = 200
FEWEST_PROMPTS = 8  # below which a round's watch could say nothing
PICKS = 2.5  # comparisons that a prompt makes, about
SILENT = timedelta(seconds=90)  # without a heartbeat, after which a worker counts as gone
AGAIN = 20  # seconds between two looks at new votes
LIVE = (Watch.Status.QUEUED, Watch.Status.RUNNING)


@dataclass(frozen=True)
class Row:
    """The two curves at one n: chances to win against a random answer, by models and by people."""

    n: int
    divergence: float
    reward: Estimate  # of the best of n above a random answer, in standard deviations
    promised: Estimate
    check: Estimate
    people: Estimate


@dataclass(frozen=True)
class Reading:
    """A watch as it is shown: its curves and what they come to, in words; an alarm first."""

    watch: Watch
    rows: list[Row]
    alarm: bool
    says: list[str]


def start(campaign: Campaign, prompts: int, *, by: User | None = None) -> Watch:
    """Queue a watch of the champion policy and reward model, and ask people in the open round.

    Raises StateError where one is under way, a champion is missing, or there are no prompts to watch.
    """
    policy = registry.champion(campaign.model_family, ModelVersion.Kind.POLICY)
    reward_model = registry.champion(campaign.model_family, ModelVersion.Kind.REWARD)
    if policy is None or policy.backend == ModelVersion.Backend.IMPORTED or reward_model is None:
        raise StateError(_("It takes a champion policy that can answer, and a champion reward model."))
    if not 1 <= prompts <= MOST_PROMPTS:
        raise StateError(_("Choose 1 to %(most)s prompts.") % {"most": MOST_PROMPTS})
    if not watched_prompts(campaign).exists():
        raise StateError(_("The campaign has no prompts in the test split to watch."))
    config = campaign.sampling or sampling.get_config()
    try:
        with transaction.atomic():
            watch = Watch.objects.create(
                campaign=campaign,
                round=open_round(campaign),
                policy=policy,
                reward_model=reward_model,
                sampling=config,
                prompts=prompts,
                created_by=by,
            )
            if by is not None:
                audit.record(by, "start watch", campaign, prompts=prompts)
            send(LOOK, watch.pk)
    except IntegrityError as error:
        raise StateError(_("The campaign's last watch is still under way.")) from error
    return watch


def watched_prompts(campaign: Campaign) -> QuerySet[Prompt]:
    """Return the prompts that may be watched: those never learnt from."""
    return Prompt.objects.filter(campaign=campaign, split=Prompt.Split.TEST, opening=None)


def open_round(campaign: Campaign) -> Round | None:
    """Return the round in which people can be asked."""
    rounds = campaign.rounds.filter(status=Round.Status.OPEN, origin=Round.Origin.LOOP)
    return rounds.order_by("-number").first()


def tend(campaign: Campaign) -> None:
    """Start a round's watch, send again for one whose worker is gone, and have new votes counted."""
    live = campaign.watches.filter(status__in=LIVE).first()
    if live is not None:
        if live.heartbeat_at is None or live.heartbeat_at < timezone.now() - SILENT:
            send(LOOK, live.pk)
        return
    round_ = open_round(campaign)
    if round_ is not None and not round_.watches.exists():
        prompts = min(MOST_PROMPTS, round(round_.task_target * settings.WATCH_SHARE / PICKS))
        if prompts >= FEWEST_PROMPTS and watched_prompts(campaign)[FEWEST_PROMPTS - 1 :].exists():
            try:
                start(campaign, prompts)
            except StateError:
                return  # there is nothing to watch yet
    if cache.add(f"watched:{campaign.pk}", 1, AGAIN):
        for watch in campaign.watches.filter(status=Watch.Status.DONE).order_by("-pk")[:3]:
            if counted(watch) != watch.votes:
                send(COUNT, watch.pk)


def counted(watch: Watch) -> int:
    """Count the votes on what a watch asked."""
    return votes(watch).count()


def votes(watch: Watch) -> QuerySet[Judgment]:
    """Return the judgments on what a watch asked that count."""
    said = Judgment.objects.filter(counting(), fresh("task__"), task__watch_pick__watch=watch)
    return said.filter(verdict__isnull=False).order_by("pk")


def newest(campaign: Campaign, most: int = 20) -> list[Watch]:
    """Return a campaign's watches, the newest first."""
    watches = campaign.watches.select_related("policy", "reward_model", "round", "created_by")
    return list(watches.order_by("-pk")[:most])


def alarm(campaign: Campaign) -> str:
    """Return the sentence of an alarm that the newest watch with votes raised, or nothing."""
    done = campaign.watches.filter(status=Watch.Status.DONE, votes__gt=0).order_by("-pk").first()
    reading = read(done) if done else None
    return reading.says[0] if reading and reading.alarm else ""


def read(watch: Watch) -> Reading:
    """Return a watch as it is shown."""
    proxy, people = watch.proxy, watch.people
    check = proxy.get("check", {})
    rates = people.get("rates", [])
    unasked = Estimate(None, None, 0, "there are no votes yet")
    rows = [
        Row(
            n,
            proxy["divergence"][at],
            estimate(proxy["reward"][at]),
            estimate(proxy["promised"][at]),
            estimate(check["win"][at]) if "win" in check else Estimate(None, None, 0, check.get("why", "")),
            # the best of one is the random answer itself
            Estimate(0.5, None, 0) if n == 1 else estimate(rates[at - 1]) if rates else unasked,
        )
        for at, n in enumerate(proxy.get("sizes", []))
    ]
    alarm = people.get("standing") == "stopped"
    return Reading(watch, rows, alarm, _sentences(watch, rows) if rows else [])


def estimate(stored: dict[str, Any]) -> Estimate:
    """Read an estimate as it is stored."""
    interval = stored.get("interval")
    return Estimate(
        stored["value"], Interval(*interval) if interval else None, stored["n"], stored.get("why", "")
    )


def _sentences(watch: Watch, rows: list[Row]) -> list[str]:
    last = rows[-1]
    found = [_standing(watch, last)]
    promised, seen = last.promised.value, last.people
    if promised is not None and seen.interval is not None and promised > seen.interval.high:
        found.append(
            _("The reward model promises more than people see: %(promised)s against %(seen)s.")
            % {"promised": _percent(promised), "seen": _percent(seen.value or 0.0)}
        )
    check = watch.proxy.get("check", {})
    if "agreement" in check:
        found.append(
            _(
                "Two second reward models, each fitted to one half of the raters: their rewards of a "
                "prompt's answers correlate with this one's by %(agreement)s, "
                "and with each other's by %(halves)s."
            )
            % {name: isolate(f"{check[name]:.2f}") for name in ("agreement", "halves")}
        )
        if check["own"] > 0:
            found.append(
                _("Of the gain that one half's model sees in its own choice the other's sees %(share)s.")
                % {"share": _percent(check["cross"] / check["own"])}
            )
    return found


def _standing(watch: Watch, last: Row) -> str:
    people = watch.people
    names = {"n": last.n, "beyond": people.get("beyond")}
    match people.get("standing"):
        case "stopped" if people["beyond"] == 1:
            return _(
                "People see no gain from choosing by the reward model, while its own estimate goes on "
                "rising. Don't optimise against it any further."
            )
        case "stopped":
            return (
                _(
                    "People no longer see a gain beyond n = %(beyond)s, while the reward model's own "
                    "estimate goes on rising. Don't optimise against it any further."
                )
                % names
            )
        case "pays":
            return _("The proxy still pays: people prefer the best of %(n)s to a random answer.") % names
        case "undecided":
            return _("Undecided: the votes neither show a gain by the best of %(n)s nor exclude one.") % names
    if watch.round is None:
        return _("People weren't asked: no round was open.")
    return _("Too few votes yet to say anything of people: %(votes)s so far.") % {"votes": watch.votes}


def _percent(share: float) -> str:
    return isolate(f"{100 * share:.0f} %")
