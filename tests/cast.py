"""The people and things that tests are about: Mara manages, Ruth researches, Rafi and Rosa rate."""

from itertools import count
from pathlib import Path
from typing import Any

from accounts.models import Role, User
from labeling import campaigns, rounds
from labeling.models import Campaign, Example, Prompt, Response, Round, Task, TaskResponse
from labeling.prompts import content_hash, split_of, text_hash
from models_app import registry, sampling
from models_app.demo import corpus
from models_app.models import ModelVersion

numbers = count(1)
POLICY = str(Path(corpus.__file__).parent / "policy")


def make_user(role: str = Role.RATER, username: str = "", **fields: Any) -> User:
    """Make a person who signs in with the password "password"."""
    username = username or f"{role}{next(numbers)}"
    return User.objects.create_user(username=username, password="password", role=role, **fields)


def make_campaign(*, by: User | None = None, raters: tuple[User, ...] = (), **settings: Any) -> Campaign:
    """Make an active campaign with a guideline, and its members."""
    number = next(numbers)
    by = by or make_user(Role.MANAGER)
    settings = {"name": f"Campaign {number}", "guideline": "Prefer the better answer.", **settings}
    campaign = campaigns.create(by=by, **settings)
    for rater in raters:
        campaigns.add_rater(campaign, rater, by)
    return campaign


def make_prompt(campaign: Campaign, text: str = "") -> Prompt:
    """Make a one-turn prompt."""
    messages = [{"role": "user", "content": text or f"Question {next(numbers)}?"}]
    digest = content_hash(messages)
    return Prompt.objects.create(
        campaign=campaign, messages=messages, content_hash=digest, split=split_of(digest)
    )


def make_policy(family: str, name: str = "writer") -> ModelVersion:
    """Return a policy that exists in name only."""
    version = ModelVersion.objects.filter(family=family, kind="policy", name=name).first()
    return version or registry.register(family, "policy", name, "imported")


def make_response(prompt: Prompt, text: str, round_: Round | None = None, policy: str = "writer") -> Response:
    """Make an answer by a policy that exists in name only."""
    return Response.objects.create(
        prompt=prompt,
        text=text,
        text_hash=text_hash(text),
        origin=Response.Origin.SAMPLED,
        policy=make_policy(prompt.campaign.model_family, policy),
        sampling=sampling.get_config(),
        round=round_,
        copy=next(numbers) % 30_000,
    )


def make_round(campaign: Campaign) -> Round:
    """Make a round in generation, without tasks."""
    last = campaign.rounds.count()
    round_ = Round.objects.create(
        campaign=campaign, number=last + 1, origin=Round.Origin.IMPORT, sampling=sampling.get_config()
    )
    rounds.start_generating(round_)
    return round_


def add_task(
    round_: Round, texts: tuple[str, ...] = ("short", "a longer answer"), *, overlap: int | None = None
) -> Task:
    """Add an edit (one text), a comparison (two) or a ranking (more) to a round that isn't open yet."""
    prompt = make_prompt(round_.campaign)
    task = Task.objects.create(
        campaign=round_.campaign,
        round=round_,
        prompt=prompt,
        kind={1: Task.Kind.EDIT, 2: Task.Kind.COMPARE}.get(len(texts), Task.Kind.RANK),
        overlap=overlap or round_.campaign.overlap,
        probability=1.0,
    )
    for position, text in enumerate(texts):
        policy = f"writer-{position}"
        response = make_response(prompt, text, round_, policy)
        TaskResponse.objects.create(task=task, response=response, position=position)
    return task


def make_open_round(
    campaign: Campaign, comparisons: int = 1, edits: int = 0, rankings: int = 0, **task: Any
) -> Round:
    """Make an open round with some tasks, ready to be claimed."""
    round_ = make_round(campaign)
    for number in range(comparisons):
        add_task(round_, (f"Answer one, {number}.", f"The other answer, number {number}."), **task)
    for number in range(edits):
        add_task(round_, (f"An answer to be mended, {number}.",), **task)
    for number in range(rankings):
        add_task(
            round_,
            tuple(f"The {n} of four, {number}." for n in ("first", "second", "third", "fourth")),
            **task,
        )
    rounds.open_(round_)
    return round_


def make_open_chats(
    campaign: Campaign, *openings: list[dict[str, str]], overlap: int = 1, **config: Any
) -> Round:
    """Make an open round of conversations whose policy is the demo's."""
    round_ = make_round(campaign)
    round_.sampling = sampling.get_config(**{"max_new_tokens": 12, **config})
    round_.save(update_fields=["sampling"])
    name = f"demo-{round_.pk}"
    round_.policies.add(registry.register(campaign.model_family, "policy", name, "transformers", POLICY))
    for messages in openings or ([{"role": "user", "content": "How long does rice take?"}],):
        digest = content_hash(messages)
        prompt, _ = Prompt.objects.get_or_create(
            campaign=campaign,
            content_hash=digest,
            defaults={"messages": messages, "split": split_of(digest), "tags": ["kitchen"]},
        )
        Task.objects.create(
            campaign=campaign,
            round=round_,
            prompt=prompt,
            kind=Task.Kind.CHAT,
            overlap=overlap,
            probability=0.5,
        )
    rounds.open_(round_)
    return round_


def make_example(campaign: Campaign, use: str, verdict: int = 2, explanation: str = "") -> Example:
    """Make a worked example whose second answer is the better one, unless `verdict` says otherwise."""
    return Example.objects.create(
        campaign=campaign,
        use=use,
        messages=[{"role": "user", "content": f"Example question {next(numbers)}?"}],
        answers=["It is the first.", "It is the second, and why."],
        verdict=verdict,
        explanation=explanation or "{B} says why, {A} does not.",
    )
