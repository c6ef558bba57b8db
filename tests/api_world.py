"""The world of the table of addresses, and what requests to the API need beside it to do their work."""

import io
from typing import Any
from uuid import UUID, uuid4

from django.test import Client
from django.utils import timezone

from accounts import sessions
from labeling import adjudication, assignment, chat_answers, chats, uploads
from labeling.models import Adjudication, Campaign, Slot, Turn
from models_app import registry, samples, score_requests
from models_app.models import ModelVersion
from tests.cast import POLICY, make_campaign, make_open_chats, make_open_round
from tests.test_permissions import make_world
from tests.training.cast import make_model
from training import links, targets
from training.models import Preparation, Run, Snapshot

Facts = dict[str, dict[str, Any]]  # by the name of an address
QUESTION = [{"role": "user", "content": "How long does rice take?"}]


def make_api_world() -> dict[str, Any]:
    """Make one of everything; "args", "body" and "query" are, by address, what is true of it."""
    world = make_world()
    campaign = Campaign.objects.get(slug=world["in_campaign"]["slug"])
    manager, member = world["people"]["manager"], world["people"]["member"]
    lease = {"lease": world["body"]["rate-skip"]["lease"]}
    world["query"] = {
        "api_download": {"format": "trl-preference"},
        "api_why": lease,
    }
    for args, bodies, queries in (
        _models(campaign, manager, world["pks"]["card"]),
        _runs(campaign, manager, world),
        _imports(campaign, manager),
        _held(member),
        _sessions(manager),
        _disputes(campaign, manager, world),
    ):
        world["args"] |= args
        world["body"] |= bodies
        world["query"] |= queries
    return world


def _models(campaign: Campaign, manager: Any, judge: int) -> tuple[Facts, Facts, Facts]:
    """Make a champion with a predecessor, a reward model in use, and something asked of either."""
    first, second, third = (
        make_model(campaign.model_family, "policy", name, POLICY) for name in ("base", "better", "best")
    )
    reward = ModelVersion.objects.get(pk=judge)
    for version in (first, second, reward):
        registry.promote(version, by=manager, reason="It is better.")
    sample = samples.ask(manager, [samples.spell(first)], [QUESTION], {}, lambda _key: None)
    scores = score_requests.ask(reward, ["How?"], lambda *_sent: None)
    args = {
        "api_compare_models": {"pk": second.pk},
        "api_lineage": {"pk": second.pk},
        "api_promote": {"pk": third.pk},
        "api_model_sample": {"key": sample["id"]},
        "api_score": {"pk": judge},
        "api_scored": {"pk": judge, "key": scores["id"]},
    }
    bodies: Facts = {
        "api_compare_models": {"question": "How?"},
        "api_base_policy": {"name": "written", "backend": "imported"},
        "api_judges": {"judge": first.pk, "tasks": 5},
    }
    return args, bodies, {"api_compare_models": {"with": first.pk}}


def _runs(campaign: Campaign, manager: Any, world: dict[str, Any]) -> tuple[Facts, Facts, Facts]:
    """Make what is learnt: a run that failed, a target, a link, something under way."""
    of_run = Run.objects.get(pk=world["pks"]["run"])
    failed = Run.objects.create(
        campaign=campaign, kind="policy", snapshot=of_run.snapshot, parent=of_run.parent, status="failed"
    )
    body = {**world["body"]["api_targets"], "prompts": "\n".join(f"Send email {n}." for n in range(40))}
    target = targets.create(campaign, by=manager, **body)
    snapshot = Snapshot.objects.get(pk=world["pks"]["snapshot"])
    link = links.make(snapshot, manager, "trl-preference", "jsonl", 7)
    preparation = Preparation.objects.create(campaign=campaign, by=manager, expected=1, filters={})
    return (
        {
            "api_retry_run": {"pk": failed.pk},
            "api_target": {"slug": campaign.slug, "pk": target.pk},
            "api_link": {"pk": link.pk},
            "api_preparation": {"pk": preparation.pk},
        },
        {"api_targets": {**body, "name": "Letters"}},
        {},
    )


def _imports(campaign: Campaign, manager: Any) -> tuple[Facts, Facts, Facts]:
    """Make an upload that waits, one that was checked, and one that was refused."""

    def receive(text: str, **how: Any) -> dict[str, Any]:
        source = io.BytesIO(text.encode())
        upload = uploads.receive(
            campaign, source, format="prompts", by=manager, filename="p.jsonl", dry_run=True, **how
        )
        if not how:
            uploads.run(upload.pk)
        return {"slug": campaign.slug, "pk": upload.pk}

    refused = receive('{"prompt": 1}\n')
    # each its own: a file that is read or dropped doesn't come back
    args = {
        "api_preview_import": receive('{"prompt": "How?"}\n', wait=True),
        "api_start_import": receive('{"prompt": "When?"}\n', wait=True),
        "api_cancel_import": receive('{"prompt": "Where?"}\n', wait=True),
        "api_keep_import": receive('{"prompt": "Why?"}\n'),
        "api_import_errors": refused,
        "api_import_failed": refused,
    }
    return args, {}, {}


def _held(member: Any) -> tuple[Facts, Facts, Facts]:
    """Have a rater hold an edit, a ranking and conversations, each in a campaign of its own."""
    names = ("edit", "rank", "chat_say", "chat_pick", "chat_retry", "chat_end")
    campaigns = {name: make_campaign(raters=(member,), chat_turns=3) for name in names}
    make_open_round(campaigns["edit"], comparisons=0, edits=1)
    make_open_round(campaigns["rank"], comparisons=0, rankings=1)
    make_open_chats(campaigns["chat_say"], [*QUESTION, {"role": "assistant", "content": "Brown rice?"}])
    for name in ("chat_pick", "chat_retry", "chat_end"):
        make_open_chats(campaigns[name], QUESTION)
    slots = {name: _claimed(member, campaign) for name, campaign in campaigns.items()}
    bodies: Facts = {
        f"api_{name}": {"lease": str(slot.lease), "idempotency_key": str(uuid4())}
        for name, slot in slots.items()
    }
    bodies["api_edit"]["text"] = "Twenty minutes."
    bodies["api_rank"]["ranking"] = [[2], [0, 1], [3]]
    bodies["api_chat_say"] |= {"number": 1, "message": "Yes."}
    bodies["api_chat_pick"] |= {"lease": str(_to_pick(slots["chat_pick"])), "verdict": 1}
    bodies["api_chat_retry"]["number"] = 1
    chat_answers.fail(_turn(slots["chat_retry"]), "The policy is gone.")
    chats.pick(member, _to_pick(slots["chat_end"]), idempotency_key=uuid4(), verdict=1)
    args = {f"api_{name}": {"slug": campaign.slug} for name, campaign in campaigns.items()}
    args["api_chat"] = args["api_chat_pick"]
    return args, bodies, {"api_chat": {"lease": str(slots["chat_pick"].lease)}}


def _turn(slot: Slot) -> Turn:
    turn = chats.read(slot).turn
    assert turn is not None
    return turn


def _to_pick(slot: Slot) -> UUID:
    """Have a conversation's turn answered, and return the lease of the pick."""
    turn = _turn(slot)
    chat_answers.store(turn, chat_answers.policies(turn.chat.round), ["Ten minutes.", "Twenty."])
    pick = chats.read(slot).pick
    assert pick is not None
    assert pick.lease is not None
    return pick.lease


def _claimed(rater: Any, campaign: Campaign) -> Slot:
    slot: Slot | None = assignment.claim(rater, campaign)
    assert slot is not None
    return slot


def _sessions(manager: Any) -> tuple[Facts, Facts, Facts]:
    """Sign a manager in with a browser."""
    Client().force_login(manager)
    return {"api_session": {"name": sessions.of_user(manager)[0].name}}, {}, {}


def _disputes(campaign: Campaign, manager: Any, world: dict[str, Any]) -> tuple[Facts, Facts, Facts]:
    """Decide a dispute beside the one that is held."""
    task = campaign.tasks.get(pk=world["args"]["api_reserve"]["pk"])
    held = Adjudication.objects.create(
        campaign=campaign, task=task, reason="disagreement", reviewer=manager, held_until=timezone.now()
    )
    adjudication.decide(held, manager, verdict=1)
    decided = {"slug": campaign.slug, "pk": held.pk}
    return {"api_dispute": decided, "api_sort_dispute": decided}, {}, {}
