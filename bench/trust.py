"""Measure figures at a million judgments: the pages that show them, and the worker that computes them.

python -m bench.trust --json FILE [--judgments 1000000]

A campaign of comparisons by three raters each, of 500, between answers of five policies, filled by COPY into
an installation of its own. Pages are asked for over HTTP by a manager, one after another; each time is the
median of seven, with nothing else to do. The worker's memory is the peak of a process of its own.
"""

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from bench.report import Figure, main
from bench.serving import serving

RATERS = 500
OVERLAP = 3
POLICIES = (0.9, 0.4, 0.0, -0.3, -0.8)  # what raters think of them, in logits
PAGE_GOAL = 300  # milliseconds
MEMORY_GOAL = 1000  # MB
LOOKS = 7
COMPUTE = (
    "import django, json, resource, sys; django.setup();"
    "from labeling import quality, reliability; from labeling.models import Campaign;"
    "work = {'figures computed': quality.refresh, 'raters fitted': reliability.refresh}[sys.argv[2]];"
    "work(Campaign.objects.get(slug=sys.argv[1]));"
    "used = resource.getrusage(resource.RUSAGE_SELF);"
    "print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))"
)


def measure(options: argparse.Namespace) -> list[Figure]:
    """Fill, compute, and look at the pages."""
    with serving() as address:
        # Django is set up only now
        campaign, rater = fill(options.judgments)
        figures = work(campaign, "figures computed") + work(campaign, "raters fitted")
        return figures + look(address, campaign, rater)


def work(campaign: Any, name: str) -> list[Figure]:
    """Do a worker's task in a process of its own."""
    began = time.monotonic()
    command = [sys.executable, "-c", COMPUTE, campaign.slug, name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall = time.monotonic() - began
    cpu, memory = json.loads(done.stdout.splitlines()[-1])
    return [
        Figure(f"{name}: processor of the worker", cpu, "s"),
        Figure(f"{name}: from first to last", wall, "s"),
        Figure(f"{name}: memory", memory, "MB", f"< {MEMORY_GOAL}", memory < MEMORY_GOAL),
    ]


def fill(judgments: int, overlap: int = OVERLAP, people: int = RATERS) -> tuple[Any, Any]:
    """Store a campaign with so many judgments of so many people; return it and one of its raters."""
    from django.db import connection, transaction

    from bench.queue.fill import copy, make_campaign, make_raters
    from labeling.models import Judgment, Slot, Task
    from models_app import registry

    tasks = judgments // overlap
    raters = make_raters(people)
    campaign = make_campaign("A million", raters, tasks, overlap, prompts=min(tasks, 100_000))
    family = campaign.model_family
    policies = [
        registry.register(family, "policy", f"policy-{k}", "imported").pk for k in range(len(POLICIES))
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE labeling_response SET policy_id = (%s::bigint[])[1 + id %% %s]", [policies, len(policies)]
        )
        cursor.execute(
            "UPDATE labeling_slot SET status = 'done', lease = gen_random_uuid(), lease_until = now(),"
            " rater_id = (%s::bigint[])[1 + (task_id * 37 + id %% 3 * 131) %% %s]",
            [[rater.pk for rater in raters], people],
        )
        cursor.execute("UPDATE labeling_task SET counted = overlap, status = 'done'")
        copy(
            Judgment,
            ["task_id", "slot_id", "rater_id", "idempotency_key", "verdict", "order_shown", "ranking"],
            list(judgment_rows(policies)),  # it reads, and COPY has the connection to itself
            guideline_id=campaign.guidelines.get().pk,
            created_at=campaign.created_at,
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    assert Judgment.objects.count() == Slot.objects.count() == Task.objects.count() * overlap
    return campaign, raters[0]


def judgment_rows(policies: list[int]) -> Any:
    """Give a verdict for each slot; raters differ in nothing but chance."""
    from labeling.models import Slot, TaskResponse

    chance = random.Random(0)
    worth = dict(zip(policies, POLICIES, strict=True))
    sides: dict[int, float] = {}
    places = TaskResponse.objects.values_list("task", "position", "response__policy")
    for task, position, policy in places.iterator(20_000):
        sides[task] = sides.get(task, 0.0) + (worth[policy] if position == 0 else -worth[policy])
    slots = Slot.objects.order_by("pk").values_list("task", "pk", "rater")
    for task, slot, rater in slots.iterator(20_000):
        swapped = chance.random() < 0.5
        d = sides[task] * (-1 if swapped else 1) + 1.2 * chance.gauss(0, 1.5)
        verdict = 0 if abs(d) < 0.2 else -1 if d > 0 else 1
        key = UUID(int=chance.getrandbits(128))
        yield f"{task}\t{slot}\t{rater}\t{key}\t{verdict}\t{'{1,0}' if swapped else '{0,1}'}\t\\N"


def look(address: str, campaign: Any, rater: Any) -> list[Figure]:
    """Ask for each page of a manager that shows figures."""
    from django.test import Client

    from accounts.models import User

    client = Client()
    client.force_login(User.objects.get(username="mara"))
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    at = f"/campaigns/{campaign.slug}/"
    pages = {
        "the campaigns": "/campaigns/",
        "a campaign": at,
        "its figures": f"{at}figures/",
        "its leaderboards": f"{at}leaderboard/",
        "its raters": f"{at}raters/",
        "a rater": f"{at}raters/{rater.pk}/",
        "its gold tasks": f"{at}gold/",
        "its disputes": f"{at}disputes/",
        "its review": f"{at}review/",
    }
    return [page_figure(address, name, path, cookie) for name, path in pages.items()]


def page_figure(address: str, name: str, path: str, cookie: str) -> Figure:
    """Time one page; it must be there."""
    times = []
    for _ in range(LOOKS + 1):
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=120)
        began = time.monotonic()
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        times.append(1000 * (time.monotonic() - began))
        if answer.status != 200:
            raise RuntimeError(f"{path} said {answer.status}")
    median = statistics.median(times[1:])
    return Figure(f"page: {name}", median, "ms", f"< {PAGE_GOAL}", median < PAGE_GOAL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.trust", description=__doc__)
    parser.add_argument("--judgments", type=int, default=1_000_000)
    main(measure, parser)
