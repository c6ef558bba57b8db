"""How a rater gets to know a campaign: its guideline, practice with explanations, and its qualification test.

Where somebody is follows from the rows alone (`decide`). The test is what bars the way to a campaign's tasks
(`labeling.statements`); practice is asked once, of those who haven't worked in the campaign yet. A campaign
with neither has no onboarding: its guideline lies beside the work.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Skill, User
from labeling.judgments import check_verdict
from labeling.models import Campaign, Example, Guideline, GuidelineRead, Membership, Slot, Trial
from labeling.submissions import SubmissionError

PRACTICE = 0  # the attempt under which practice is kept; the test counts from 1


class Step(StrEnum):
    """What a rater is to do next; FAILED ends the way until a manager helps, DONE opens the work."""

    GUIDELINE = "guideline"
    PRACTICE = "practice"
    TEST = "test"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True)
class Attempt:
    """One try at the test: how many questions it has, and how many of them were answered, and rightly."""

    total: int
    answered: int
    right: int

    @property
    def complete(self) -> bool:
        return self.answered == self.total

    @property
    def score(self) -> float:
        """Return the share answered rightly, 0…1."""
        return self.right / self.answered


@dataclass(frozen=True)
class State:
    """Where a rater is on the way into a campaign.

    `steps` are those that the campaign has; `done` of `total` tasks of the present step are answered.
    `attempt` is the try at the test that is running or would be next, and `attempts_left` counts it; `right`
    of `asked` questions is what the last full one brought.
    """

    step: Step
    steps: tuple[Step, ...] = ()
    done: int = 0
    total: int = 0
    attempt: int = 0
    attempts_left: int = 0
    right: int = 0
    asked: int = 0
    qualified: bool = False
    lacking: tuple[str, ...] = ()  # skills

    @property
    def score(self) -> float | None:
        """Return the share that the last full try got right, 0…1; None before the first."""
        return self.right / self.asked if self.asked else None

    @property
    def running(self) -> bool:
        """Tell whether a try at the test has begun."""
        return self.step == Step.TEST and self.done > 0


@dataclass(frozen=True)
class Facts:
    """What `decide` goes by."""

    campaign: Campaign
    qualified: bool = False
    worked: bool = False
    guideline: bool = False
    read: bool = False
    lacking: tuple[str, ...] = ()
    examples: list[Example] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)

    def asked(self, use: str) -> list[Example]:
        """Return the examples of a use that are asked now."""
        return [e for e in self.examples if e.use == use and not e.retired and answerable(e, self.campaign)]


@dataclass(frozen=True)
class Question:
    """An example as one rater sees it: `order` holds the answers' positions from left to right."""

    example: Example
    number: int
    total: int
    attempt: int
    order: list[int]


@dataclass(frozen=True)
class Obstacle:
    """Why a member gets no task: “skills” that they lack, or “qualify”: the test isn't passed."""

    reason: str
    skills: tuple[str, ...] = ()


def answerable(example: Example, campaign: Campaign) -> bool:
    """Tell whether a campaign's scale has a right answer to an example."""
    return bool(example.verdict) or campaign.allow_ties


# -- where somebody is --------------------------------------------------------------------------------


def decide(facts: Facts) -> State:
    """Tell where a rater is."""
    tested = facts.campaign.pass_mark is not None
    practice = {e.pk for e in facts.asked(Example.Use.PRACTICE)}
    steps = [Step.PRACTICE] * bool(practice) + [Step.TEST] * tested
    if steps and facts.guideline:
        steps.insert(0, Step.GUIDELINE)
    full = [a for a in tries(facts) if a.complete]
    done = State(
        Step.DONE,
        steps=tuple(steps),
        attempt=len(full) + 1,
        attempts_left=max(0, facts.campaign.test_attempts - len(full)),
        right=full[-1].right if full else 0,
        asked=full[-1].total if full else 0,
        qualified=facts.qualified,
        lacking=facts.lacking,
    )
    if not steps or facts.qualified or (facts.worked and not tested):
        return done
    if Step.GUIDELINE in steps and not facts.read and not facts.worked:
        return replace(done, step=Step.GUIDELINE, total=1)
    practised = {t.example_id for t in facts.trials if t.attempt == PRACTICE} & practice
    if len(practised) < len(practice) and not facts.worked:
        return replace(done, step=Step.PRACTICE, done=len(practised), total=len(practice))
    return decide_test(facts, done) if tested else done


def decide_test(facts: Facts, before: State) -> State:
    """Tell where a rater is who has come to the test."""
    running = next((a for a in tries(facts) if not a.complete), None)
    if running is not None:
        # what has begun may be ended, even if fewer tries are allowed since
        left = max(1, before.attempts_left)
        return replace(before, step=Step.TEST, done=running.answered, total=running.total, attempts_left=left)
    if not before.attempts_left:
        return replace(before, step=Step.FAILED)
    return replace(before, step=Step.TEST, total=len(facts.asked(Example.Use.TEST)))


def tries(facts: Facts) -> list[Attempt]:
    """Return somebody's tries at the test, the first first; only the last can be unfinished."""
    last = max((t.attempt for t in facts.trials), default=0)
    return [
        Attempt(
            total=len(questions_of(facts, number)),
            answered=sum(t.attempt == number for t in facts.trials),
            right=sum(t.attempt == number and t.right for t in facts.trials),
        )
        for number in range(1, last + 1)
    ]


def questions_of(facts: Facts, attempt: int) -> list[Example]:
    """Return the questions of one try: those of its beginning, less those retired before their answer."""
    said = {t.example_id: t.created_at for t in facts.trials if t.attempt == attempt}
    began = min(said.values(), default=None)
    asked = {e.pk for e in facts.asked(Example.Use.TEST) if began is None or e.created_at <= began}
    return [e for e in facts.examples if e.pk in asked or e.pk in said]


def state(user: User, campaign: Campaign) -> State:
    """Tell where a member of a campaign is on the way into it."""
    return states(user, [campaign])[campaign.pk]


def states(user: User, campaigns: Iterable[Campaign]) -> dict[int, State]:
    """Tell by campaign where a rater is, in those that they are a member of."""
    return {pk: decide(facts) for pk, facts in gather(user, campaigns).items()}


def gather(user: User, campaigns: Iterable[Campaign]) -> dict[int, Facts]:
    """Read by campaign what decides where a member is: three queries, however many campaigns."""
    given = {campaign.pk: campaign for campaign in campaigns}
    here = OuterRef("campaign")
    lacking = Skill.objects.filter(campaigns=here).exclude(user=user.pk).order_by("name")
    members = Membership.objects.filter(user=user, campaign__in=given).annotate(
        has_guideline=Exists(Guideline.objects.filter(campaign=here)),
        has_read=Exists(GuidelineRead.objects.filter(user=user, guideline__campaign=here)),
        has_worked=Exists(done_by(user, here)),
        lacking=ArraySubquery(lacking.values("name")),
    )
    found = {
        m.campaign_id: Facts(
            given[m.campaign_id],
            qualified=m.qualified_at is not None,
            worked=m.has_worked,
            guideline=m.has_guideline,
            read=m.has_read,
            lacking=tuple(m.lacking),
        )
        for m in members
    }
    uses = [Example.Use.PRACTICE, Example.Use.TEST]
    for example in Example.objects.filter(campaign__in=found, use__in=uses).order_by("pk"):
        found[example.campaign_id].examples.append(example)
    trials = Trial.objects.filter(rater=user, example__campaign__in=found).select_related("example")
    for trial in trials.order_by("pk"):
        found[trial.example.campaign_id].trials.append(trial)
    return found


def done_by(user: User, campaign: Campaign | OuterRef) -> QuerySet[Slot]:
    """Select what somebody has done in a campaign."""
    return Slot.objects.filter(rater=user, campaign=campaign, status=Slot.Status.DONE)


def comes_first(user: User, campaign: Campaign) -> bool:
    """Tell whether a member's way leads through the onboarding before its tasks; mostly one query."""
    practice = Example.objects.filter(campaign=campaign, use=Example.Use.PRACTICE, retired=False)
    newcomer = Q(Exists(practice)) & ~Q(Exists(done_by(user, campaign)))
    unqualified = Membership.objects.filter(user=user, campaign=campaign, qualified_at=None)
    if not unqualified.filter(Q(campaign__pass_mark__isnull=False) | newcomer).exists():
        return False
    return state(user, campaign).step != Step.DONE


def obstacle(user: User, campaign: Campaign) -> Obstacle | None:
    """Tell what keeps a member from an active campaign's tasks, if anything does."""
    if campaign.status != Campaign.Status.ACTIVE:
        return None
    now = state(user, campaign)
    if now.lacking:
        return Obstacle("skills", now.lacking)
    return Obstacle("qualify") if campaign.pass_mark is not None and not now.qualified else None


# -- questions and answers ----------------------------------------------------------------------------


def practice(user: User, campaign: Campaign) -> list[Question]:
    """Return the practice tasks in the order that the manager gave them."""
    asked = gather(user, [campaign])[campaign.pk].asked(Example.Use.PRACTICE)
    return [
        Question(example, number, len(asked), PRACTICE, order_for(user, example, PRACTICE))
        for number, example in enumerate(asked, start=1)
    ]


def first_unpractised(user: User, campaign: Campaign) -> int:
    """Return the number of the first practice task that a rater hasn't answered yet."""
    facts = gather(user, [campaign])[campaign.pk]
    said = {t.example_id for t in facts.trials if t.attempt == PRACTICE}
    numbered = enumerate(facts.asked(Example.Use.PRACTICE), start=1)
    return next((number for number, example in numbered if example.pk not in said), 1)


def next_question(user: User, campaign: Campaign) -> Question | None:
    """Return the next question of the try that is running or begins now; None when there is none to ask."""
    facts = gather(user, [campaign])[campaign.pk]
    now = decide(facts)
    if now.step != Step.TEST:
        return None
    said = {t.example_id for t in facts.trials if t.attempt == now.attempt}
    left = [e for e in questions_of(facts, now.attempt) if e.pk not in said]
    if not left:
        return None
    example = min(left, key=lambda e: shuffle(user, e, now.attempt))
    return Question(example, now.done + 1, now.total, now.attempt, order_for(user, example, now.attempt))


def order_for(user: User, example: Example, attempt: int) -> list[int]:
    """Return the order in which a rater sees an example's answers: by chance, and always the same."""
    return [1, 0] if shuffle(user, example, attempt)[0] % 2 else [0, 1]


def shuffle(user: User, example: Example, attempt: int) -> bytes:
    """Return bytes that are as good as random, and the same for the same question."""
    return sha256(f"{user.pk} {example.pk} {attempt}".encode()).digest()


def as_shown(example: Example, order: list[int]) -> int:
    """Return an example's right verdict between the sides as displayed."""
    return example.verdict if order[0] == 0 else -example.verdict


def answer(
    user: User, campaign: Campaign, *, example: int, attempt: int, verdict: int, both_bad: bool = False
) -> Trial:
    """Keep a member's verdict on an example as displayed, and qualify who passes with it.

    Right is who prefers the same side, or neither where neither is better. Practice can be repeated; a test
    question's first answer stays, and sent again it is returned. Raises SubmissionError.
    """
    check_verdict(campaign, verdict, both_bad)
    with transaction.atomic():
        # two windows' answers follow each other
        Membership.objects.select_for_update(of=("self",), no_key=True).get(user=user, campaign=campaign)
        facts = gather(user, [campaign])[campaign.pk]
        asked = facts.asked(Example.Use.PRACTICE)
        if attempt != PRACTICE:
            for trial in facts.trials:
                if (trial.example_id, trial.attempt) == (example, attempt):
                    return trial
            now = decide(facts)
            here = now.step == Step.TEST and now.attempt == attempt
            asked = questions_of(facts, attempt) if here else []
        question = next((e for e in asked if e.pk == example), None)
        if question is None:
            raise SubmissionError(
                "example", _("This question isn't asked of you any more. Go on with the next.")
            )
        order = order_for(user, question, attempt)
        said = {
            "verdict": verdict,
            "both_bad": both_bad,
            "order_shown": order,
            "right": sign(verdict) == sign(as_shown(question, order)),
        }
        trial, _new = Trial.objects.update_or_create(
            example=question, rater=user, attempt=attempt, defaults=said
        )
        if attempt != PRACTICE:
            settle(campaign, [user])
    return trial


def sign(verdict: int) -> int:
    """Return which side a verdict prefers: −1, 0 or 1."""
    return (verdict > 0) - (verdict < 0)


# -- who is qualified ---------------------------------------------------------------------------------


def settle(campaign: Campaign, raters: Iterable[User] | None = None) -> None:
    """Qualify who has passed the test by its present questions and mark; nobody loses what they have."""
    if campaign.pass_mark is None:
        return
    unqualified = Membership.objects.filter(campaign=campaign, qualified_at=None)
    if raters is None:
        tested = unqualified.filter(
            user__trials__example__campaign=campaign, user__trials__attempt__gt=PRACTICE
        )
        raters = User.objects.filter(pk__in=tested.values("user"))
    for rater in raters:
        full = [a for a in tries(gather(rater, [campaign])[campaign.pk]) if a.complete]
        if any(a.score >= campaign.pass_mark for a in full):
            unqualified.filter(user=rater).update(qualified_at=timezone.now())
