"""No page of a manager, list of the API or list of the admin asks more of the database the more there is."""

import pytest
from django.db import transaction

from accounts import support
from bench.furnishing import furnish
from bench.pages import look
from labeling import counting, quality, reliability
from labeling.models import Prompt, Task
from models_app import registry
from tests.cast import make_campaign, make_open_round, make_user
from tests.training.cast import judge

MOST = 60  # statements of one page


def ask(tasks: int, scale: float) -> dict[str, tuple[int, int]]:
    """Give the status and the number of statements of each address, in an installation of some size."""
    raters = [make_user() for _rater in range(3 + int(20 * scale))]  # the last says nothing
    campaign = make_campaign(by=make_user("manager", "mara"), raters=tuple(raters), overlap=2)
    registry.register(campaign.model_family, "policy", "base", "imported")
    make_open_round(campaign, comparisons=tasks)
    Prompt.objects.update(split="test")
    for number, task in enumerate(Task.objects.order_by("pk")):
        for more in range(1 if number % 4 else 2):
            judge(task, raters[(number + more) % (len(raters) - 1)], number % 3 - 1)
    furnish(campaign, scale)
    quality.refresh(campaign)
    reliability.refresh(campaign)
    counting.catch_up()
    return {name: (status, n) for name, status, _ms, n in look(campaign, raters[0], looks=0)}


@pytest.mark.django_db
def test_no_page_takes_more_statements_for_more_rows(monkeypatch):
    monkeypatch.setattr(support, "COUNTED", 10**6)  # beyond, one statement more estimates
    found = []
    for tasks, scale in ((55, 0.02), (121, 0.15)):  # more than a page of the admin, both
        with transaction.atomic():
            found.append(ask(tasks, scale))
            transaction.set_rollback(True)
    few, many = found
    assert few.keys() == many.keys()
    # every address that answers a GET is there
    assert {name: status for name, (status, _n) in many.items() if status not in (200, 202, 302, 405)} == {}
    grown = {
        name: (few[name][1], n)
        for name, (status, n) in many.items()
        if status == 200 and n > min(few[name][1], MOST)
    }
    assert grown == {}
