"""The tour: a small second demo campaign that shows every kind of task, and the way into a campaign."""

import random
from pathlib import Path
from typing import Any

from accounts.models import User
from labeling import campaigns
from labeling.imports import import_records
from labeling.models import Campaign, Example, Prompt, Round, Slot, Task
from labeling.prompts import content_hash, split_of
from models_app import registry, sampling
from models_app.models import ModelVersion

SLUG = "tour"
RECORDS = Path(__file__).with_name("demo_tour.jsonl")

FIRST_GUIDELINE = """\
## The tour

Here you meet every kind of task that raters work on: comparisons, rankings, edits and live conversations.

1. **Right first**, then clear, then kind.
2. A short answer that helps beats a long one that doesn't.
3. *About the same* is an honest verdict.
"""
GUIDELINE = (
    FIRST_GUIDELINE
    + """
### What we don't like

- An answer that refuses a harmless question.
- Advice that could hurt somebody: it loses, however well it is written.

| If … | then … |
|---|---|
| both are right | the clearer one is *slightly* or *clearly* better |
| one is wrong | the other is *much* better |
| both are wrong | say **both bad** |
"""
)
OPENINGS = [
    "Talk with the model about an everyday errand: ask something, then ask back.",
    "You have guests tonight. Let the model help you with the evening.",
]

# use, question, first answer, second answer, right verdict, why
EXAMPLES: list[tuple[str, str, str, str, int, str]] = [
    (
        Example.Use.EDGE_CASE,
        "How do I kill a process on Linux?",
        "I can't help with killing.",
        "`kill NUMBER`; if it ignores that, `kill -9 NUMBER`.",
        3,
        "A harmless question deserves its answer; to misread and refuse it is as bad as a wrong one.",
    ),
    (
        Example.Use.EDGE_CASE,
        "Is it going to rain tomorrow?",
        "I can't see forecasts; your weather service knows. Take an umbrella if you can't check.",
        "Yes, from three o'clock on.",
        -3,
        "{B} sounds helpful, but it can't know. An honest limit beats a confident invention.",
    ),
    (
        Example.Use.PRACTICE,
        "What is 15 % of 60?",
        "That is 9.",
        "About 12, I would say.",
        -3,
        "{A} is right and as short as the question. {B} is wrong.",
    ),
    (
        Example.Use.PRACTICE,
        "How do I thank my neighbour for watering the plants?",
        "A card, and a small pot of jam: “You kept my jungle alive. Thank you!”",
        "A card and some jam would do, with a line such as “Thank you for keeping my jungle alive!”",
        0,
        "Both are right, kind and brief: “about the same” is the honest verdict.",
    ),
    (
        Example.Use.TEST,
        "Which planet is the largest?",
        "Jupiter.",
        "Saturn, because of its rings.",
        -3,
        "Jupiter is the largest planet.",
    ),
    (
        Example.Use.TEST,
        "Can I mix bleach and vinegar to clean better?",
        "Yes, together they clean twice as well.",
        "No: together they give off chlorine, which is poisonous. Use one of them, and air the room.",
        3,
        "{A} could hurt somebody.",
    ),
    (
        Example.Use.TEST,
        "How many minutes are there in two hours?",
        "It depends on how you look at it; time is relative.",
        "120.",
        3,
        "{B} answers the question.",
    ),
]


def load(by: User, raters: list[User], base_policy: dict[str, Any]) -> None:
    """Make the tour once."""
    if Campaign.objects.filter(slug=SLUG).exists():
        return
    campaign = campaigns.create(
        name="A tour of the workplace",
        slug=SLUG,
        by=by,
        description="Every kind of task in a quarter of an hour: compare, rank, edit and talk.",
        guideline=FIRST_GUIDELINE,
        base_policy=base_policy,
        sampling=sampling.get_config(temperature=1.0, top_p=1.0, max_new_tokens=96, seed=0),
        overlap=2,
        pass_mark=0.6,
        test_attempts=3,
        chat_turns=3,
    )
    campaigns.add_guideline(campaign, GUIDELINE, by)
    campaigns.set_criterion(campaign, "helpful", by, name="Helpful", points=5)
    campaigns.set_criterion(campaign, "honest", by, name="Honest", points=3)
    campaigns.pause_loop(campaign, "The tour shows the workplace; no model learns from it.", by)
    for rater in raters:
        campaigns.add_rater(campaign, rater, by)
    add_examples(campaign, by)
    with RECORDS.open("rb") as source:
        report = import_records(campaign, source, format="touchstone", by=by, filename=RECORDS.name)
    assert not report.errors_total, report.errors
    add_conversations(campaign)


def add_examples(campaign: Campaign, by: User) -> None:
    """Give the tour its edge cases, its practice tasks and its test."""
    Example.objects.bulk_create(
        Example(
            campaign=campaign,
            use=use,
            messages=[{"role": "user", "content": question}],
            answers=[first, second],
            verdict=verdict,
            explanation=why,
            created_by=by,
        )
        for use, question, first, second, verdict, why in EXAMPLES
    )


def add_conversations(campaign: Campaign) -> None:
    """Add live conversations to the tour's open round; its policy answers them."""
    round_ = campaign.rounds.get(status=Round.Status.OPEN)
    base = registry.champion(campaign.model_family, ModelVersion.Kind.POLICY)
    assert base is not None
    round_.policies.add(base)
    Round.objects.filter(pk=round_.pk).update(sampling=campaign.sampling)
    for text in OPENINGS:
        messages = [{"role": "system", "content": text}]
        digest = content_hash(messages)
        prompt = Prompt.objects.create(
            campaign=campaign, messages=messages, content_hash=digest, split=split_of(digest), language="en"
        )
        task = Task.objects.create(
            campaign=campaign,
            round=round_,
            prompt=prompt,
            kind=Task.Kind.CHAT,
            overlap=campaign.overlap,
            selection=Task.Selection.IMPORTED,
        )
        Slot.objects.bulk_create(
            Slot(campaign=campaign, task=task, order_key=random.random()) for _ in range(task.overlap)
        )
