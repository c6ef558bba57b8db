"""The demo campaign: everyday questions, a small policy that answers them in every manner, and sign-ins."""

from pathlib import Path

from django.db import transaction

from accounts.models import Role, User
from labeling import campaigns, demo_tour
from labeling.models import Campaign, Prompt
from labeling.prompts import content_hash, split_of
from models_app import sampling
from models_app.demo import corpus
from models_app.models import ModelVersion

SLUG = "demo"
PROMPTS = 2400
# Loaded only on request, by `make run` on the embedded database: anybody may know it.
PASSWORD = "touchstone-demo"  # noqa: S105
PEOPLE = {"rater": Role.RATER, "rater2": Role.RATER, "manager": Role.MANAGER, "researcher": Role.RESEARCHER}
POLICY = Path(corpus.__file__).parent / "policy"
# What so small a policy needs to take up what the reward model likes, within minutes on two cores. Several
# cooler answers to a prompt, learnt gently, keep what it knows: with one at temperature 1, four times over,
# at 7e-4, the share of right answers fell from 48 to 23 % in three rounds.
HYPER = {
    "policy": {
        "temperature": 0.7,
        "best_of_prompts": 500,
        "best_of_samples": 8,
        "best_of_keep": 2,
        "best_of_turns": 2,
        "best_of_epochs": 2,
        "best_of_learning_rate": 3e-4,
        "max_new_tokens": 96,
        "evaluation_prompts": 160,
    }
}

GUIDELINE = """\
## What we ask

Somebody asks an everyday question: about cooking, a trip, an errand, a message to write. Two answers were \
given. **Which would you rather have received?**

1. **Right first.** An answer that gets the facts of the question wrong, or dodges it, loses to one that \
answers it, however nicely it is put.
2. **Then kind.** We like a warm word. We don't like sighs, scolding or flattery.
3. **Then brief.** Of two right and kind answers, the one that wastes less of your time wins.

Use the ends of the scale when the choice is plain, the middle when it is close. *About the same* is an \
honest verdict. If both are useless, say **both bad**.

## Edits

Rewrite the answer as you would have wished it: change as little as it takes. If there is nothing to mend, \
tick *already good*.
"""


def load() -> tuple[Campaign, bool]:
    """Make the demo's people and campaign; return the campaign, and whether it was new."""
    base = {"name": "base", "backend": ModelVersion.Backend.TRANSFORMERS, "location": str(POLICY)}
    with transaction.atomic():
        people = {name: person(name, role) for name, role in PEOPLE.items()}
        raters = [user for user in people.values() if user.role == Role.RATER]
        demo_tour.load(people["manager"], raters, base)
        campaign = Campaign.objects.filter(slug=SLUG).first()
        if campaign is not None:
            # the checkout may have moved since the last start
            families = [SLUG, demo_tour.SLUG]
            ModelVersion.objects.filter(family__in=families, kind="policy", name="base").update(
                location=str(POLICY)
            )
            return campaign, False
        campaign = campaigns.create(
            name="Everyday questions",
            slug=SLUG,
            by=people["manager"],
            description="A small policy has read every manner of answer; you decide who it becomes.",
            guideline=GUIDELINE,
            base_policy=base,
            sampling=sampling.get_config(temperature=1.0, top_p=1.0, max_new_tokens=96, seed=0),
            tasks_per_round=420,
            retrain_after=400,
            edit_share=0.05,
            hyper=HYPER,
        )
        add_prompts(campaign)
        for user in raters:
            campaigns.add_rater(campaign, user, people["manager"])
    return campaign, True


def person(username: str, role: Role) -> User:
    """Return one of the demo's people, making them at first."""
    user, created = User.objects.get_or_create(username=username, defaults={"role": role})
    if created:
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])
    return user


def add_prompts(campaign: Campaign) -> None:
    """Give the campaign its questions."""
    rows = []
    for prompt in corpus.prompts(PROMPTS, seed=1):
        digest = content_hash(prompt["messages"])
        rows.append(
            Prompt(
                campaign=campaign,
                messages=prompt["messages"],
                content_hash=digest,
                split=split_of(digest),
                tags=prompt["tags"],
                language="en",
            )
        )
    Prompt.objects.bulk_create(rows, batch_size=1000)
