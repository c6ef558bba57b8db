"""Two policies side by side: what both said to the same prompts, and what people think of the two."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from labeling import quality
from labeling.models import Campaign, Judgment, Prompt, Response, Task, TaskResponse
from labeling.models.judgment import counting
from labeling.models.task import fresh
from models_app.models import ModelVersion
from preferences.types import Estimate, Interval

PAIRS = 20
APART = "no vote joins it with the other policies, not even through others"


@dataclass(frozen=True)
class Pair:
    """Both policies' answers to a prompt, and the votes for the first, for neither and for the second."""

    prompt: Prompt
    first: Response
    second: Response
    votes: tuple[int, int, int]


@dataclass(frozen=True)
class Standing:
    """What share of the votes the first policy takes from the second in a campaign, a tie counting half.

    `overall` follows from all votes there, `direct` only from comparisons of the two; None where there is no
    such test.
    """

    campaign: Campaign
    overall: Estimate
    direct: Estimate | None


def pairs(
    campaigns: Iterable[Campaign],
    first: ModelVersion,
    second: ModelVersion,
    before: int | None = None,
    most: int = PAIRS,
) -> list[Pair]:
    """Return the newest prompts, of those before a key, that both answered, in four queries.

    Where people compared two of their answers it is those, else each one's newest.
    """
    answers = Response.objects.filter(prompt=OuterRef("pk"))
    prompts = Prompt.objects.filter(campaign__in=list(campaigns)).order_by("-pk")
    if before is not None:
        prompts = prompts.filter(pk__lt=before)
    both = prompts.filter(Exists(answers.filter(policy=first)), Exists(answers.filter(policy=second)))
    shown = list(both[:most])
    said: dict[int, list[Response]] = {prompt.pk: [] for prompt in shown}
    for response in Response.objects.filter(prompt__in=shown, policy__in=[first, second]).order_by("pk"):
        said[response.prompt_id].append(response)
    votes = _votes(shown, first, second)
    found = []
    for prompt in shown:
        compared, counts = votes.get(prompt.pk, ((), (0, 0, 0)))
        newest = {each.policy_id: each for each in said[prompt.pk]}
        newest |= {each.policy_id: each for each in said[prompt.pk] if each.pk in compared}
        found.append(Pair(prompt, newest[first.pk], newest[second.pk], counts))
    return found


def _votes(
    prompts: Sequence[Prompt], first: ModelVersion, second: ModelVersion
) -> dict[int, tuple[tuple[int, ...], tuple[int, int, int]]]:
    """Return by prompt its newest comparison of the two: the keys of its answers, and the votes."""
    places = TaskResponse.objects.filter(
        fresh("task__"),
        task__kind=Task.Kind.COMPARE,
        task__prompt__in=prompts,
        response__policy__in=[first, second],
    )
    tasks: dict[int, dict[int, tuple[int, int]]] = {}  # by policy: the answer and its position
    prompt_of: dict[int, int] = {}
    rows = places.order_by("task").values_list(
        "task", "task__prompt", "response__policy", "response", "position"
    )
    for task, prompt, policy, response, position in rows:
        tasks.setdefault(task, {})[policy] = response, position
        prompt_of[task] = prompt
    chosen = {prompt_of[task]: task for task, sides in tasks.items() if len(sides) == 2}
    counts = {task: [0, 0, 0] for task in chosen.values()}
    judgments = Judgment.objects.filter(counting(), task__in=counts, verdict__isnull=False)
    for task, verdict, order in judgments.values_list("task", "verdict", "order_shown"):
        assert verdict is not None  # as the query asks
        # below 0: the answer at position 0 is better
        better = verdict if order[0] == 0 else -verdict
        mine = better if tasks[task][first.pk][1] == 0 else -better
        counts[task][1 + (mine > 0) - (mine < 0)] += 1
    found = {}
    for prompt, task in chosen.items():
        mine, none, theirs = counts[task]
        found[prompt] = tuple(key for key, _place in tasks[task].values()), (mine, none, theirs)
    return found


def standings(campaigns: Iterable[Campaign], first: ModelVersion, second: ModelVersion) -> list[Standing]:
    """Return where people put the two in each campaign that knows both, as its figures were last computed."""
    campaigns = list(campaigns)
    reports = quality.latest_of(campaigns)
    found = []
    for campaign in campaigns:
        figures = reports[campaign.pk].figures
        names = {} if figures.board is None else {key: name for name, key in figures.board.models.items()}
        one, other = names.get(first.pk), names.get(second.pk)
        if figures.board is None or one is None or other is None:
            continue
        raw = figures.board.raw
        known = one in raw and other in raw
        overall = raw.share(one, other) if known else Estimate(None, None, 0, APART)
        duel = next((each for each in figures.duels if {each.first, each.second} == {one, other}), None)
        direct = None if duel is None else duel.share if duel.first == one else _turned(duel.share)
        found.append(Standing(campaign, overall, direct))
    return found


def _turned(share: Estimate) -> Estimate:
    """Return the other policy's share."""
    if share.value is None:
        return share
    ends = share.interval
    turned = None if ends is None else Interval(1 - ends.high, 1 - ends.low)
    return Estimate(1 - share.value, turned, share.n, share.why)
