"""Put a campaign with signed-in raters and open comparisons into an installation that runs elsewhere.

python -m tests.queue.furnish SLUG --raters 40 --tasks 300 --overlap 3

Prints [[username, session key, CSRF token], …]; the environment names the installation.
"""

import argparse
import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accounts.models import User
    from labeling.models import Campaign


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slug")
    parser.add_argument("--raters", type=int, required=True)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--overlap", type=int, required=True)
    parser.add_argument("--cap", type=int, help="up to which the overlap adapts")
    parser.add_argument("--lease-minutes", type=int, default=15)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from bench.queue.crowd import sign_in
    from tests.cast import make_campaign, make_user

    people = make_people(options.slug, options.raters)
    campaign = make_campaign(
        by=make_user("manager", f"manager-of-{options.slug}"),
        raters=tuple(people),
        name=options.slug,
        slug=options.slug,
        overlap=options.overlap,
        overlap_cap=options.cap,
        lease_minutes=options.lease_minutes,
    )
    add_tasks(campaign, options.tasks)
    print(json.dumps(sign_in(people)))


def make_people(name: str, number: int) -> list["User"]:
    """Make raters without a password: hashing hundreds would take longer than the test."""
    from accounts.models import Role, User

    return User.objects.bulk_create(
        User(username=f"{name}-{n}", role=Role.RATER, password="!") for n in range(number)
    )


def add_tasks(campaign: "Campaign", number: int) -> None:
    """Add comparisons in an open round."""
    from labeling import rounds
    from labeling.models import Prompt, Response, Task, TaskResponse
    from labeling.prompts import content_hash, split_of, text_hash
    from tests.cast import make_policy, make_round

    round_ = make_round(campaign)
    sides = ("One side of {}, which says little.", "The other side of {}, which says somewhat **more**.")
    writers = [make_policy(campaign.model_family, f"writer-{side}") for side in range(len(sides))]
    talks = [[{"role": "user", "content": f"What about number {n}?"}] for n in range(number)]
    prompts = Prompt.objects.bulk_create(
        Prompt(campaign=campaign, messages=talk, content_hash=digest, split=split_of(digest))
        for talk, digest in zip(talks, map(content_hash, talks), strict=True)
    )
    tasks = Task.objects.bulk_create(
        Task(
            campaign=campaign, round=round_, prompt=prompt, kind=Task.Kind.COMPARE,
            overlap=campaign.overlap, probability=1.0,
        )
        for prompt in prompts
    )  # fmt: skip
    for position, (side, writer) in enumerate(zip(sides, writers, strict=True)):
        texts = [side.format(n) for n in range(number)]
        answers = Response.objects.bulk_create(
            Response(
                prompt=prompt, text=text, text_hash=text_hash(text), origin=Response.Origin.SAMPLED,
                policy=writer, sampling=round_.sampling, round=round_,
            )
            for prompt, text in zip(prompts, texts, strict=True)
        )  # fmt: skip
        TaskResponse.objects.bulk_create(
            TaskResponse(task=task, response=answer, position=position)
            for task, answer in zip(tasks, answers, strict=True)
        )
    rounds.open_(round_)


if __name__ == "__main__":
    main()
