"""What changed between two snapshots, in numbers and in examples."""

import pytest
from django.urls import reverse

from tests import cast
from tests.training import cast as labels
from training import difference, snapshots
from training.tasks import compare_snapshots

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(settings, tmp_path):
    """Cut a campaign, let two judgments, an edit and a rater come, and cut it again."""
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"
    campaign = cast.make_campaign(slug="kitchen")
    round_, (ann, bob) = cast.make_round(campaign), (cast.make_user(), cast.make_user())
    tasks = [labels.make_task(round_, ("tea", "coffee"), split) for split in ("train", "test", "train")]
    for task in tasks[:2]:
        labels.judge(task, ann, -2)
    first = snapshots.cut(campaign)
    labels.judge(tasks[1], bob, 1)
    labels.judge(tasks[2], bob, 3)
    labels.edit(labels.make_task(round_, ("rude",)), bob, "kind")
    return first, snapshots.cut(campaign)


def test_what_came(pair):
    found = difference.compare(*pair)
    assert found.table() == [
        ("prompts", 0, 2, 2),
        ("tasks", 0, 2, 2),
        ("judgments", 0, 2, 2),
        ("edits", 0, 1, 0),
        ("raters", 0, 1, 1),
    ]
    assert found.changed == 1
    assert sorted(example["what"] for example in found.examples) == ["added", "added", "changed"]


def test_the_other_way_round_and_against_itself(pair):
    back = difference.compare(*reversed(pair))
    assert [(name, gone) for name, gone, _, _ in back.table()] == [
        (name, came) for name, _, came, _ in difference.compare(*pair).table()
    ]
    alone = difference.compare(pair[0], pair[0])
    assert (alone.changed, alone.examples, alone.removed.total(), alone.added.total()) == (0, [], 0, 0)


def test_the_page_and_the_api_say_it(pair, client):
    client.force_login(cast.make_user("researcher"))
    page = client.get(reverse("snapshot_difference", args=[snapshot.pk for snapshot in pair])).text
    assert "1 task is in both, but not the same" in page
    told = client.get(reverse("api_snapshot_difference", args=[snapshot.pk for snapshot in pair])).json()
    assert (told["added"]["judgments"], told["removed"]["judgments"], told["changed"]) == (2, 0, 1)
    listed = client.get(reverse("snapshot", args=[pair[1].pk])).text
    assert reverse("snapshot_difference", args=[pair[0].pk, pair[1].pk]) in listed


def test_large_ones_are_compared_by_a_worker(pair, client, settings, django_capture_on_commit_callbacks):
    settings.PREPARE_ABOVE = 1
    client.force_login(cast.make_user("manager"))
    keys = [each.pk for each in pair]
    page, api = reverse("snapshot_difference", args=keys), reverse("api_snapshot_difference", args=keys)
    with django_capture_on_commit_callbacks() as sent:
        assert "a worker is comparing them" in client.get(page).text
        assert client.get(api).status_code == 202
    assert len(sent) == 1
    compare_snapshots(*keys)
    assert client.get(api).json()["changed"] == 1
    assert "1 task is in both, but not the same" in client.get(page).text
