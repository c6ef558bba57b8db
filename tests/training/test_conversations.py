"""A live conversation's picks, from the rater to what trainers read."""

import json
from uuid import uuid4

import pytest
from django.core.cache import cache

from labeling import assignment, chat_answers, chats
from labeling.models import Prompt, Task
from tests.cast import make_campaign, make_open_chats, make_user
from tests.training import cast as labels
from training import exports, formats, snapshots

pytestmark = pytest.mark.django_db


def test_picks_become_pairs_with_their_context(folders, tmp_path, monkeypatch):
    cache.clear()
    monkeypatch.setattr("labeling.chats.answer_turn.delay", lambda turn: None)
    rafi = make_user()
    campaign = make_campaign(raters=(rafi,), chat_turns=2)
    opening = labels.make_prompt(campaign, "train").messages
    make_open_chats(campaign, opening)
    slot = assignment.claim(rafi, campaign)
    for number, verdict in ((1, -3), (2, 2)):
        if number > 1:
            chats.say(rafi, slot.lease, number=number, message="And pasta?")
        chat_answers.answer(chats.read(slot).turn.pk)
        chats.pick(rafi, chats.read(slot).pick.lease, idempotency_key=uuid4(), verdict=verdict)
    assert Task.objects.get(kind="chat").status == "done"

    snapshot = snapshots.cut(campaign)
    assert (snapshot.counts["tasks"], snapshot.counts["comparisons"], snapshot.counts["pairs"]) == (2, 2, 2)
    rows = list(snapshots.rows(snapshot, "train"))
    assert {prompt.split for prompt in Prompt.objects.all()} == {"train"}
    pairs = [pair for row in rows for pair in formats.engine_pairs(row)]
    first, second = sorted(pairs, key=lambda pair: len(pair["prompt"]))
    assert json.loads(first["prompt"]) == opening
    assert json.loads(second["prompt"]) == [
        *opening,
        {"role": "assistant", "content": first["chosen"]},
        {"role": "user", "content": "And pasta?"},
    ]
    exports.write(snapshot, "trl-preference", tmp_path / "out")
    lines = (tmp_path / "out" / "data" / "train.jsonl").read_text().splitlines()
    assert {len(json.loads(line)["prompt"]) for line in lines} == {1, 3}
