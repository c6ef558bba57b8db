"""A campaign whose policy is a server, slow and failing at times, goes through a whole round."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from celery import current_app
from django.core.cache import cache
from django.utils import timezone

from labeling import assignment, generation, judgments
from labeling.models import Campaign, Response, Round
from models_app import demo, registry
from models_app.backends import openai_compatible
from tests import cast, chat_server
from tests.chat_server import ChatServer
from tests.training import cast as labels
from training import loop
from training.loop import Action, tick

POLICY = str(Path(demo.__path__[0]) / "policy")
TROUBLE = ("", "slow", "busy", "", "error", "", "slow", "", "cut", "")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setattr(openai_compatible, "FIRST_PAUSE", 0.005)
    with chat_server.running() as found:
        yield found


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    cache.clear()
    found: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args: found.append(name))
    yield found
    cache.clear()


def campaign_at(server: ChatServer, **options: object) -> Campaign:
    base = {"name": "base", "backend": "openai_compatible", "location": server.url}
    campaign = cast.make_campaign(
        raters=(cast.make_user(), cast.make_user()),
        base_policy={**base, "options": {"model": "m", **options}},
        tasks_per_round=24,
        retrain_after=20,
    )
    # a server's weights are its own: reward models grow from a checkpoint
    registry.register(campaign.model_family, "policy", "trunk", "transformers", POLICY)
    for split, number in (("train", 16), ("test", 8)):
        for _ in range(number):
            labels.make_prompt(campaign, split)
    return campaign


def judge(campaign: Campaign) -> None:
    """Let the campaign's raters judge until the round has enough: the longer answer is better."""
    raters = [membership.user for membership in campaign.memberships.order_by("pk")]
    for turn in range(campaign.retrain_after):
        slot = assignment.claim(raters[turn % 2], campaign)
        assert slot is not None
        texts = [place.response.text for place in slot.task.task_responses.all()]
        left, right = (len(texts[position]) for position in slot.order_shown)
        verdict = -2 if left > right else 2
        judgments.submit(raters[turn % 2], slot.lease, idempotency_key=uuid4(), verdict=verdict)


@pytest.mark.django_db
@pytest.mark.parametrize("stream", [False, True])
def test_a_server_drives_a_campaign_through_a_round(
    server: ChatServer, folders: object, stream: bool
) -> None:
    campaign = campaign_at(server, concurrency=4, stream=stream)
    server.trouble = TROUBLE
    assert tick(campaign).action is Action.GENERATE
    round_ = loop.last_round(campaign)
    assert round_ is not None
    while not generation.generate(round_.pk):
        # some answers failed four times: the others are kept, and the conductor comes again
        round_.refresh_from_db()
        assert "answers are missing" in round_.error
        Round.objects.filter(pk=round_.pk).update(generation_lease_until=timezone.now())
        assert tick(campaign).action is Action.GENERATE
    assert tick(campaign).says == "Waiting for labels: 0 of 20."
    drawn = Response.objects.filter(round=round_)
    assert (drawn.count(), drawn.values("text").distinct().count()) == (48, 48)
    assert all(request["stream"] for request in server.requests[1:]) if stream else True
    assert server.most <= 4
    judge(campaign)
    assert tick(campaign).says == "The reward model run waits for a worker."
    round_.refresh_from_db()
    assert round_.status == "closed"
    assert round_.runs.get().kind == "reward"


@pytest.mark.django_db
def test_what_arrived_is_kept_when_the_server_goes_down_and_the_round_says_how_much_is_missing(
    server: ChatServer, folders: object
) -> None:
    campaign = campaign_at(server, concurrency=1)
    tick(campaign)
    round_ = loop.last_round(campaign)
    assert round_ is not None
    there = len(server.requests)
    server.trouble = ("",) * (there + 10) + ("down",) * 200
    assert not generation.generate(round_.pk)
    round_.refresh_from_db()
    kept = dict(Response.objects.values_list("pk", "text"))
    assert len(kept) == 10
    assert round_.error.startswith("38 of 48 answers are missing.")
    assert "status 503" in round_.error
    server.trouble = ("",)
    Round.objects.filter(pk=round_.pk).update(generation_lease_until=timezone.now())
    assert generation.generate(round_.pk)
    assert kept.items() <= dict(Response.objects.values_list("pk", "text")).items()
    assert Response.objects.count() == 48
    again = {response.pk: text for response, text in generation.redraw(round_)}
    assert again == dict(Response.objects.values_list("pk", "text"))


@pytest.mark.django_db
def test_a_prompt_that_a_server_refuses_for_good_holds_up_no_round(server: ChatServer) -> None:
    campaign = campaign_at(server, concurrency=2)
    tick(campaign)
    round_ = loop.last_round(campaign)
    assert round_ is not None
    refused = round_.tasks.order_by("pk")[0]
    server.refuses = refused.prompt.messages[-1]["content"]
    for tries in range(generation.STUCK_TRIES):
        Round.objects.filter(pk=round_.pk).update(generation_lease_until=timezone.now())
        assert generation.generate(round_.pk) is (tries == generation.STUCK_TRIES - 1)
    assert list(round_.tasks.exclude(status="open")) == [refused]
    assert Response.objects.count() == 46
