"""What lies around a campaign's judgments, for the pages that show it: rounds, runs, golds, disputes."""

import json
import random
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import AuditEvent, Pool, Role, User
from accounts.webhook_models import Webhook, WebhookDelivery, WebhookEvent
from bench.queue.fill import copy, row
from labeling import campaigns
from labeling.models import (
    Adjudication,
    Campaign,
    Criterion,
    Example,
    Feedback,
    Gold,
    GuidelineGap,
    GuidelineRead,
    Import,
    Invitation,
    Judgment,
    Round,
    Task,
)
from models_app import sampling
from models_app.models import ModelVersion, Promotion
from training import snapshots
from training.models import (
    Alarm,
    AlarmFigure,
    Evaluation,
    Judging,
    Run,
    RunEvent,
    RunMetric,
    Snapshot,
    Target,
    TargetCheck,
    Watch,
)

ROUNDS = 30
STEPS = 400  # of each curve of a run
CURVES = ("loss", "accuracy", "learning_rate", "gradient_norm", "tokens_per_second")
MANY = 300  # of what people do by hand: imports, gold tasks, gaps, words
DISPUTES = 2000
CAMPAIGNS = 40  # others
EVENTS = 100_000  # of the audit log
TEST = {"test": {"accuracy": 0.71, "interval": [0.68, 0.74], "n": 800}}
PROXY = {"proxy": {"win_rate": 0.64, "interval": [0.6, 0.68], "n": 400}}


def furnish(campaign: Campaign, scale: float = 1.0) -> None:
    """Put a filled campaign into the middle of an installation that has been at work for a year."""
    manager = User.objects.get(username="mara")
    many = max(2, int(MANY * scale))
    rounds = make_rounds(campaign, max(2, int(ROUNDS * scale)))
    make_runs(campaign, rounds, cut(campaign, manager), max(2, int(STEPS * scale)))
    make_checks(campaign, manager, many)
    make_disputes(campaign, manager, max(4, int(DISPUTES * scale)))
    make_words(campaign, manager, many)
    make_loop(campaign, rounds)
    make_ways_in(campaign, manager, many)
    make_neighbours(campaign, manager, max(2, int(CAMPAIGNS * scale)), max(10, int(EVENTS * scale)))


def make_rounds(campaign: Campaign, count: int) -> list[Round]:
    """Share the campaign's tasks out among closed rounds, and leave the last one open."""
    config = sampling.get_config()
    Round.objects.filter(campaign=campaign).update(origin=Round.Origin.LOOP, sampling=config)
    first = Round.objects.get(campaign=campaign)
    Round.objects.filter(pk=first.pk).update(status=Round.Status.CLOSED)
    rounds = Round.objects.bulk_create(
        Round(
            campaign=campaign,
            number=number,
            status=Round.Status.OPEN if number == count else Round.Status.CLOSED,
            sampling=config,
        )
        for number in range(2, count + 1)
    )
    ids = [first.pk, *(each.pk for each in rounds)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE labeling_task SET round_id = (%s::bigint[])[1 + id %% %s] WHERE campaign_id = %s",
            [ids, count, campaign.pk],
        )
    return [first, *rounds]


def cut(campaign: Campaign, manager: User) -> list[Snapshot]:
    """Cut one dataset, of the first round alone: all is a worker's work; the others have no files."""
    made = snapshots.cut(campaign, by=manager, filters={"rounds": [1]})
    others = Snapshot.objects.bulk_create(
        Snapshot(campaign=campaign, digest=f"{number:064x}", counts=made.counts, created_by=manager)
        for number in range(20)
    )
    return [made, *others]


def make_runs(campaign: Campaign, rounds: list[Round], sets: list[Snapshot], steps: int) -> None:
    """Let each round have made a reward model and a policy, with curves, logs, gates and promotions."""
    family = campaign.model_family
    base = ModelVersion.objects.filter(family=family, kind="policy").first()
    assert base is not None  # a campaign begins with one
    parent: dict[str, ModelVersion] = {"policy": base}
    reward = None
    for number, round_ in enumerate(rounds):
        for kind in (Run.Kind.REWARD, Run.Kind.POLICY):
            version = ModelVersion.objects.create(
                family=family,
                kind=kind,
                name=f"{kind}-of-round-{round_.number}",
                backend="transformers",
                location=f"/models/{kind}-{round_.number}",
                parent=parent.get(kind),
                status="champion" if round_ is rounds[-1] else "retired",
            )
            run = Run.objects.create(
                campaign=campaign,
                round=round_,
                kind=kind,
                status=Run.Status.SUCCEEDED,
                snapshot=sets[number % len(sets)],
                parent=parent.get(kind, parent["policy"]),
                reward_model=reward if kind == Run.Kind.POLICY else None,
                produced=version,
                result=TEST if kind == Run.Kind.REWARD else PROXY,
                started_at=timezone.now(),
            )
            note_run(run, steps)
            Promotion.objects.create(version=version, previous=parent.get(kind), gate={"passed": True})
            parent[kind] = version
            reward = version if kind == Run.Kind.REWARD else reward
        round_.policies.add(parent["policy"])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        ids = list(ModelVersion.objects.filter(family=family, kind="policy").values_list("pk", flat=True))
        cursor.execute(
            "UPDATE labeling_response SET policy_id = (%s::bigint[])[1 + id %% %s] WHERE prompt_id IN"
            " (SELECT id FROM labeling_prompt WHERE campaign_id = %s AND split = 'test')",
            [ids, len(ids), campaign.pk],
        )


def note_run(run: Run, steps: int) -> None:
    """Store what a run leaves: curves, a log, its changes of status and its gate."""
    chance = random.Random(run.pk)
    copy(
        RunMetric,
        ["run_id", "name", "step", "value"],
        [
            row(run.pk, name, step, 1 / (1 + step) + chance.random())
            for name in CURVES
            for step in range(steps)
        ],
    )
    folder = settings.RUNS_DIR / str(run.pk)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.txt").write_text("".join(f"step {step} loss 0.5\n" for step in range(steps)))
    RunEvent.objects.bulk_create(
        RunEvent(run=run, before=before, after=after)
        for before, after in (("queued", "running"), ("running", "succeeded"))
    )
    check = {"name": "accuracy", "passed": True, "figure": 0.7, "interval": None, "n": 800, "says": "It is."}
    Evaluation.objects.create(run=run, passed=True, checks=[check])


def make_checks(campaign: Campaign, manager: User, count: int) -> None:
    """Name gold tasks, and write examples, criteria, a second guideline and who has read it."""
    chosen = list(Task.objects.filter(campaign=campaign).order_by("pk").values_list("pk", flat=True)[:count])
    Task.objects.filter(pk__in=chosen).update(gold=True)
    Gold.objects.bulk_create(Gold(task_id=pk, verdict=1, by=manager) for pk in chosen)
    Example.objects.bulk_create(
        Example(
            campaign=campaign,
            use=Example.Use.values[number % 3],
            messages=[{"role": "user", "content": f"Which of two, {number}?"}],
            answers=["This one.", "The other."],
            verdict=1,
            explanation="{B} says why.",
        )
        for number in range(count // 5 + 1)
    )
    Criterion.objects.create(campaign=campaign, key="kind", name="Kindness")
    for number in range(5):
        newest = campaigns.add_guideline(campaign, f"Prefer what helps ({number}).", manager)
    raters = User.objects.filter(memberships__campaign=campaign)
    GuidelineRead.objects.bulk_create(GuidelineRead(guideline=newest, user=rater) for rater in raters)


def make_disputes(campaign: Campaign, manager: User, count: int) -> None:
    """Put comparisons in doubt: half are open, half are decided, some of them gaps of the guideline."""
    tasks = Task.objects.filter(campaign=campaign, gold=False).order_by("-pk").values_list("pk", flat=True)
    now = timezone.now()
    decided = {"reviewer": manager, "decided_at": now, "verdict": 1, "cause": "rater_error"}
    disputes = Adjudication.objects.bulk_create(
        Adjudication(
            campaign=campaign,
            task_id=pk,
            reason="disagreement",
            urgency=number / count,
            **(decided if number % 2 else {}),
        )
        for number, pk in enumerate(tasks[:count])
    )
    # the one whose page is looked at lies before its reviewer
    held = now + timedelta(hours=1)
    Adjudication.objects.filter(pk=disputes[0].pk).update(reviewer=manager, held_until=held)
    GuidelineGap.objects.bulk_create(
        GuidelineGap(campaign=campaign, adjudication=dispute, text="What of length?", verdict=1)
        for dispute in disputes[1 : count // 5 : 2]
    )


def make_words(campaign: Campaign, manager: User, count: int) -> None:
    """Store imports and what reviewers said to raters."""
    Import.objects.bulk_create(
        Import(
            campaign=campaign,
            by=manager,
            filename=f"prompts-{number}.jsonl",
            format="prompts",
            report={"records": 300, "new": 300, "errors": []},
        )
        for number in range(count)
    )
    said = Judgment.objects.filter(task__campaign=campaign).order_by("-pk")[:count]
    Feedback.objects.bulk_create(
        Feedback(
            campaign=campaign, rater_id=each.rater_id, reviewer=manager, judgment=each, text="Look twice."
        )
        for each in said
    )


def make_loop(campaign: Campaign, rounds: list[Round]) -> None:
    """Store what a campaign's loop left in each round: alarms' figures, looks, and models' judgings."""
    estimate = {"value": 0.9, "interval": [0.8, 1.0], "n": 200, "why": ""}
    AlarmFigure.objects.bulk_create(
        AlarmFigure(campaign=campaign, round=each, name=name, estimate=estimate)
        for each in rounds
        for name in ("length", "longer", "kl")
    )
    now = timezone.now()
    Alarm.objects.bulk_create(
        Alarm(
            campaign=campaign,
            round=each,
            name="length",
            values={"side": "high", "value": "3", "limit": "2"},
            paused_at=now,
            settled_at=now,
            reason="It is the taste.",
        )
        for each in rounds
    )
    policy = ModelVersion.objects.get(family=campaign.model_family, kind="policy", status="champion")
    reward = ModelVersion.objects.get(family=campaign.model_family, kind="reward", status="champion")
    failed: dict[str, Any] = {"campaign": campaign, "status": "failed", "error": "There was no answer."}
    looked = {"policy": policy, "reward_model": reward, "sampling": rounds[0].sampling, "prompts": 64}
    Watch.objects.bulk_create(Watch(round=each, **looked, **failed) for each in rounds)
    Judging.objects.bulk_create(Judging(judge=policy, tasks=100, **failed) for _each in rounds)


def make_ways_in(campaign: Campaign, manager: User, count: int) -> None:
    """Make pools of people, links that let people in, and webhooks with what they were told."""
    raters = list(User.objects.filter(memberships__campaign=campaign))
    for number in range(count // 30 + 2):
        Pool.objects.create(name=f"Pool {number}", created_by=manager).members.set(raters)
    ends = timezone.now() + timedelta(days=7)
    Invitation.objects.bulk_create(
        Invitation(digest=f"{number:064x}", campaign=where, created_by=manager, expires_at=ends)
        for number, where in enumerate(count * [campaign, None])
    )
    hooks = Webhook.objects.bulk_create(
        Webhook(url="https://example.org/", campaign=slug, events=["run.failed"], sealed_secret="-")
        for slug in (campaign.slug, "")
        for _number in range(5)
    )
    events = WebhookEvent.objects.bulk_create(WebhookEvent(kind="run.failed") for _number in range(count))
    delivered = {"status": "delivered", "attempts": 1, "delivered_at": timezone.now()}
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(webhook=hook, event=each, **delivered) for hook in hooks for each in events
    )


def make_neighbours(campaign: Campaign, manager: User, count: int, events: int) -> None:
    """Make other campaigns, other people, and a long audit log."""
    others = Campaign.objects.bulk_create(
        Campaign(name=f"Other {number}", slug=f"other-{number}", model_family=f"other-{number}")
        for number in range(count)
    )
    Campaign.objects.filter(pk=others[-1].pk).update(status=Campaign.Status.DRAFT)
    aim(campaign, others[: count // 4 + 1])
    nobody = make_password(None)
    User.objects.bulk_create(
        User(username=f"guest{number}", role=Role.RATER, password=nobody) for number in range(5 * count)
    )
    copy(
        AuditEvent,
        ["actor_id", "target", "detail"],
        (
            row(manager.pk, f"labeling.campaign:{number % 50}", json.dumps({"n": number}))
            for number in range(events)
        ),
        action="change campaign",
        created_at=timezone.now(),
    )


def aim(campaign: Campaign, others: list[Campaign]) -> None:
    """Let small campaigns gather what is to mend failures of the campaign's policies."""
    policies = ModelVersion.objects.filter(family=campaign.model_family, kind="policy").order_by("pk")
    targets = Target.objects.bulk_create(
        Target(
            campaign=campaign,
            source=each,
            description="It claims to have sent it.",
            pattern="sent",
            base=policies[0],
        )
        for each in others
    )
    share = {"value": 0.3, "interval": [0.2, 0.4], "n": 60, "why": ""}
    rate = {"rate": share, "change": share}
    TargetCheck.objects.bulk_create(
        TargetCheck(target=target, version=version, rate=rate, measured_at=timezone.now())
        for target in targets
        for version in policies[:5]
    )
