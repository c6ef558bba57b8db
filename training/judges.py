"""Models as judges, as pages see them: who can judge, what they are asked in, and what came of it.

The work itself (training.judging) brings NumPy and perhaps torch, which the web does without. A judge's
verdicts are in no slot, no count, no fit and no snapshot: they lie in a table of their own.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from accounts.models import User
from labeling.models import Campaign, Judgment, Task
from labeling.models.judgment import counting
from labeling.models.task import fresh
from labeling.rounds import StateError
from models_app import registry
from models_app.models import ModelVersion
from preferences.types import Estimate, Interval
from training.loop import send
from training.models import JudgeTemplate, JudgeVerdict, Judging
from training.watch import estimate

JUDGE, COUNT = "training.tasks.judge_comparisons", "training.tasks.count_judging"
MOST_TASKS = 2000
LONGEST_TEMPLATE = 20_000
PARTS = ("conversation", "a", "b")
SILENT = timedelta(seconds=150)  # without a heartbeat; a server may take two minutes for an answer
LIVE = (Judging.Status.QUEUED, Judging.Status.RUNNING)
FIRST_TEMPLATE = """Which of two answers to this conversation is better?

{conversation}

Answer A:
{a}

Answer B:
{b}

Reply with one word and nothing else: A, B or tie."""
_VERDICT = re.compile(r"\W*(?:verdict\W+)?(A|B|tie)\W*", re.IGNORECASE)
_READ = {"a": -1, "b": 1, "tie": 0}
# figures of training.judging.measure in the order in which they are shown, with what they are
SHOWN = {
    "people": gettext_noop("People with each other, same tasks"),
    "judge": gettext_noop("The judge with people, same tasks"),
    "difference": gettext_noop("Difference, task by task"),
    "clear": gettext_noop("The judge with people where neither says tie"),
    "everything": gettext_noop("The judge with people, on all tasks with a vote"),
    "alpha": gettext_noop("Krippendorff's α of people"),
    "alpha_with": gettext_noop("… with the judge as one more of them"),
    "consistency": gettext_noop("Same verdict in both orders"),
    "position": gettext_noop("Takes the answer shown first (unbiased: 50 %)"),
    "longer": gettext_noop("The judge takes the longer answer"),
    "people_longer": gettext_noop("People take the longer answer, same tasks"),
}
PLAIN = {"alpha", "alpha_with"}  # no shares


@dataclass(frozen=True)
class Reading:
    """A judging as it is shown: its figures by name, and what they come to in words."""

    judging: Judging
    figures: list[tuple[str, str, Estimate]] = field(default_factory=list)  # key, what it is, figure
    tasks: int = 0
    unread: int = 0
    says: list[str] = field(default_factory=list)

    def __getitem__(self, key: str) -> Estimate:
        for name, _what, figure in self.figures:
            if name == key:
                return figure
        raise KeyError(key)


def check_template(text: str) -> str:
    """Return a template as it is kept; ValidationError says which part is missing."""
    text = text.replace("\r\n", "\n").strip()
    for part in PARTS:
        if f"{{{part}}}" not in text:
            raise ValidationError(_("The template lacks {%(part)s}.") % {"part": part})
    if len(text) > LONGEST_TEMPLATE:
        raise ValidationError(
            _("The template is longer than %(most)s characters.") % {"most": LONGEST_TEMPLATE}
        )
    return text


def keep_template(campaign: Campaign, text: str, by: User | None) -> JudgeTemplate:
    """Return the version of the template that says this, making it if it is new."""
    text = check_template(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    template, _new = JudgeTemplate.objects.get_or_create(
        campaign=campaign, digest=digest, defaults={"text": text, "created_by": by}
    )
    return template


def newest_template(campaign: Campaign) -> str:
    """Return the text that the campaign's last judge was asked in, or else the one to begin with."""
    last = campaign.judgings.exclude(template=None).select_related("template").order_by("-pk").first()
    return last.template.text if last is not None and last.template is not None else FIRST_TEMPLATE


def question(template: str, messages: list[dict[str, str]], a: str, b: str) -> str:
    """Put a conversation and two answers into a template; what they say of braces stays as it is."""
    said = [m["content"] if len(messages) == 1 else f"{m['role']}: {m['content']}" for m in messages]
    parts = {"conversation": "\n\n".join(said), "a": a, "b": b}
    return re.sub(r"\{(conversation|a|b)\}", lambda found: parts[found[1]], template)


def read_answer(answer: str) -> int | None:
    """Read a judge's answer: −1 for A, 1 for B, 0 for a tie, None for anything else.

    Its last line must hold the word alone, but for signs around it and "Verdict:" before it.
    """
    lines = answer.strip().splitlines()
    found = _VERDICT.fullmatch(lines[-1]) if lines else None
    return _READ[found[1].lower()] if found else None


def candidates(campaign: Campaign, by: User | None = None) -> QuerySet[ModelVersion]:
    """Return the versions that can judge: policies that answer, and the campaign's own reward models.

    Of those that `by` may see, where somebody asks.
    """
    answering = Q(kind=ModelVersion.Kind.POLICY) & ~Q(backend=ModelVersion.Backend.IMPORTED)
    own = Q(kind=ModelVersion.Kind.REWARD, family=campaign.model_family)
    known = ModelVersion.objects.all() if by is None else registry.visible_to(by)
    return known.filter(answering | own).order_by("family", "kind", "-pk")


def judged(campaign: Campaign) -> QuerySet[Task]:
    """Return the comparisons that a judge can be asked about: those that people have judged."""
    tasks = Task.objects.filter(fresh(), campaign=campaign, kind=Task.Kind.COMPARE, counted__gt=0)
    return tasks.annotate(answers=Count("task_responses")).filter(answers=2)


def start(
    campaign: Campaign, judge: ModelVersion, tasks: int, *, template: str = "", by: User | None = None
) -> Judging:
    """Queue a judge's look at some comparisons, first those that several people judged.

    What it has judged in the same words already is not asked again. Raises StateError where one is under
    way or there is nothing to judge, ValidationError for a template that lacks a part.
    """
    if not candidates(campaign, by).filter(pk=judge.pk).exists():
        raise StateError(_("This model can't judge here."))
    if not 1 <= tasks <= MOST_TASKS:
        raise StateError(_("Choose 1 to %(most)s comparisons.") % {"most": MOST_TASKS})
    if not judged(campaign).exists():
        raise StateError(
            _("Nobody has judged a comparison here yet, so there is nothing to hold it against.")
        )
    try:
        with transaction.atomic():
            asks = judge.kind == ModelVersion.Kind.POLICY
            asked_in = keep_template(campaign, template or newest_template(campaign), by) if asks else None
            judging = Judging.objects.create(
                campaign=campaign, judge=judge, template=asked_in, tasks=tasks, created_by=by
            )
            audit.record(by, "start judge", campaign, judge=judge.name, tasks=tasks)
            send(JUDGE, judging.pk)
    except IntegrityError as error:
        raise StateError(_("The campaign's last judge is still at work.")) from error
    return judging


def tend() -> None:
    """Send again for judges whose worker is gone."""
    lost = Q(heartbeat_at=None) | Q(heartbeat_at__lt=timezone.now() - SILENT)
    for pk in Judging.objects.filter(lost, status__in=LIVE).values_list("pk", flat=True):
        send(JUDGE, pk)


def verdicts(judging: Judging) -> QuerySet[JudgeVerdict]:
    """Return all that a judge said of the campaign in these words, whenever it was asked."""
    mine = JudgeVerdict.objects.filter(judge=judging.judge_id, template=judging.template_id)
    return mine.filter(task__campaign=judging.campaign_id).order_by("pk")


def votes(judging: Judging) -> QuerySet[Judgment]:
    """Return people's votes on what a judge has judged."""
    said = Judgment.objects.filter(counting(), fresh("task__"), task__in=verdicts(judging).values("task"))
    return said.filter(verdict__isnull=False).order_by("pk")


def newest(campaign: Campaign, most: int = 30) -> list[Judging]:
    """Return a campaign's judgings, the newest first."""
    found = campaign.judgings.select_related("judge", "template", "created_by")
    return list(found.order_by("-pk")[:most])


def count_again(judging: Judging) -> None:
    """Have a judging's figures computed anew where people have voted since."""
    if judging.status == Judging.Status.DONE and votes(judging).count() != judging.votes:
        send(COUNT, judging.pk)


def read(judging: Judging) -> Reading:
    """Return a judging as it is shown."""
    stored = judging.figures
    if not stored:
        return Reading(judging)
    figures = [(key, translation.gettext(what), estimate(stored[key])) for key, what in SHOWN.items()]
    found = Reading(judging, figures, stored["tasks"], stored["unread"])
    found.says.extend(_sentences(found))
    return found


def _sentences(reading: Reading) -> list[str]:
    found = []
    difference = reading["difference"]
    if difference.interval is None:
        found.append(_("Too few comparisons with two people's votes to hold the judge against people."))
    elif difference.interval.high < 0:
        found.append(_("The judge agrees with people less often than they agree with each other."))
    elif difference.interval.low > 0:
        found.append(_("The judge agrees with people more often than they agree with each other."))
    else:
        found.append(_("No difference is seen between the judge's agreement with people and people's own."))
    position = reading["position"]
    if position.interval is not None and not _holds(position.interval, 0.5):
        first = position.interval.low > 0.5
        found.append(
            _("It leans to the answer that is shown first.")
            if first
            else _("It leans to the answer that is shown second.")
        )
    if reading.unread:
        counts: dict[str, Any] = {"unread": reading.unread, "asked": 2 * reading.tasks}
        found.append(_("%(unread)s of its %(asked)s answers can't be read as a verdict.") % counts)
    return found


def _holds(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high
