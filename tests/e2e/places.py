"""Every page that a rater meets, and the way to each: for the tests that look at all, and the pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from accounts import people
from accounts.models import Role, Skill, User
from accounts.sessions import SessionStore
from labeling import (
    assignment,
    chat_answers,
    chats,
    demo_tour,
    edits,
    guidelines,
    judgments,
    onboarding,
    rankings,
    reviews,
)
from labeling.models import Campaign, Draft, Membership, Slot, Task, Turn
from models_app.demo import corpus
from models_app.models import ModelVersion
from tests.cast import make_campaign, make_open_round, make_policy, make_user

POLICY = Path(corpus.__file__).parent / "policy"
REWRITE = "Dear neighbour,\n\nthank you **very much** for the plants.\n\n- water\n- light"
PAST = ["gift", "egg", "capital", "recursion", "headache", "refusal", "edit-receipt", "rank-excuse"]
FIRST = -1.0  # the order key of the task that comes next
SAID = [
    ("Ask two neighbours first. Then say what you need, and until when; people like to help with something"
     " that has an end."),
    "You could ask your neighbours, your friends or somebody from work. There are many possibilities.",
]  # fmt: skip


@dataclass
class World:
    """Who and what the pages show; `address` is that of the server."""

    address: str
    rafi: User  # rates in the tour, and has for a while
    nina: User  # is new
    manager: User
    tour: Campaign

    def put_first(self, **which: Any) -> Task:
        """Let the first task of the tour that fits be what Rafi gets next."""
        mine = Slot.objects.filter(rater=self.rafi, status=Slot.Status.CLAIMED)
        assignment.give_back(list(mine.values_list("pk", flat=True)))
        Draft.objects.filter(rater=self.rafi).delete()
        Slot.objects.filter(order_key=FIRST).update(order_key=0.5)
        open_ = Slot.objects.filter(task__campaign=self.tour, status=Slot.Status.OPEN, **which)
        said = Slot.objects.filter(rater=self.rafi, status=Slot.Status.DONE).values("task")
        slot = open_.exclude(task__in=said).order_by("task").first()
        assert slot is not None, which
        Slot.objects.filter(pk=slot.pk).update(order_key=FIRST)
        return slot.task


@dataclass(frozen=True)
class Place:
    """A page in one of its states, who looks at it, and the way to it."""

    name: str
    who: str  # "rafi", "nina", "manager", or nobody
    go: Callable[[Page, World], None]


PLACES: list[Place] = []


def place(name: str, who: str = "rafi") -> Callable[[Callable[[Page, World], None]], None]:
    """Enter a way into the list."""

    def enter(go: Callable[[Page, World], None]) -> None:
        PLACES.append(Place(name, who, go))

    return enter


def sign_in(context: BrowserContext, user: User, address: str) -> None:
    """Give a browser somebody's session."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session.session_key or "", "url": address}
    context.add_cookies([cookie])  # type: ignore[list-item]


# -- the world ----------------------------------------------------------------------------------------


def build(address: str) -> World:
    """Make the people, the tour with a past, and campaigns in every state."""
    manager = make_user(Role.MANAGER, "mara")
    rafi, rosa, nina = make_user(username="rafi"), make_user(username="rosa"), make_user(username="nina")
    base = {"name": "base", "backend": ModelVersion.Backend.TRANSFORMERS, "location": str(POLICY)}
    demo_tour.load(manager, [rafi, rosa], base)
    tour = Campaign.objects.get(slug=demo_tour.SLUG)
    Membership.objects.filter(campaign=tour).update(qualified_at=timezone.now())
    guidelines.mark_read(rafi, tour.guidelines.get(number=1))
    arabic, english = (Skill.objects.create(name=name) for name in ("arabic", "english"))
    tour.skills.add(english)
    rafi.skills.add(english)
    rosa.skills.add(english)
    world = World(address, rafi, nina, manager, tour)
    live_through(world, rosa)
    for status in ("paused", "closed"):
        make_campaign(by=manager, raters=(rafi,), name=status.title(), slug=status, status=status)
    make_campaign(by=manager, raters=(rafi,), name="Recipes", slug="waiting")
    skilled = make_campaign(by=manager, raters=(rafi,), name="Letters in Arabic", slug="skilled")
    skilled.skills.set([arabic, english])
    make_open_round(skilled, comparisons=2)
    for slug in ("step-guideline", "step-practice", "step-test", "step-failed", "step-passed"):
        make_way_in(world, slug)
    return world


def live_through(world: World, rosa: User) -> None:
    """Let Rafi and Rosa judge some of the tour, and the manager answer."""
    for number, name in enumerate(PAST):
        task = world.put_first(task__external_id=name)
        said = say(world.rafi, world.tour, task.pk, number)
        if task.kind == Task.Kind.COMPARE:
            say(rosa, world.tour, task.pk, number // 2)
        if number in (1, 4):
            reviews.give(world.manager, world.tour, said, "Good catch. Do look at the units as well: the "
                         "second answer mixes hours and minutes.")  # fmt: skip
    world.put_first(task__external_id="sql")
    slot = assignment.claim(world.rafi, world.tour)
    assert slot is not None
    assert slot.lease is not None
    judgments.skip(world.rafi, slot.lease, "cannot_judge", "I know nothing about SQL.")


def say(rater: User, campaign: Campaign, task: int, number: int) -> Any:
    """Answer a task, one way or another."""
    Slot.objects.filter(task=task, status=Slot.Status.OPEN).update(order_key=FIRST)
    slot = assignment.claim(rater, campaign)
    assert slot is not None
    assert slot.lease is not None
    assert slot.task_id == task
    key: dict[str, Any] = {"idempotency_key": uuid4(), "active_ms": 30_000}
    if slot.task.kind == Task.Kind.EDIT:
        text = slot.task.responses.get().text + "\n\nKeep the receipt."
        return edits.submit(rater, slot.lease, text=text, instruction="It left the receipt out.", **key)
    if slot.task.kind == Task.Kind.RANK:
        order = [[side] for side in range(len(slot.order_shown))]
        return rankings.submit(rater, slot.lease, ranking=order, **key)
    criteria = {"helpful": [4, 2], "honest": [3, None]} if number == 3 else {}
    comment = ["", "It says why, not only what.", ""][number % 3]
    verdict = [-2, 3, 1, -1, 0, 2][number]
    return judgments.submit(
        rater, slot.lease, verdict=verdict, comment=comment, criteria=criteria,
        reasons=[["Right", "Clear"], ["Too long"]] if number == 1 else [], **key,
    )  # fmt: skip


def make_way_in(world: World, slug: str) -> None:
    """Make a campaign whose way in Nina has gone as far as its name says."""
    campaign = make_campaign(
        by=world.manager, raters=(world.nina,), name="Everyday advice", slug=slug, pass_mark=0.6,
        test_attempts=1, guideline=demo_tour.GUIDELINE,
    )  # fmt: skip
    demo_tour.add_examples(campaign, world.manager)
    make_open_round(campaign)
    if slug == "step-guideline":
        return
    guidelines.mark_read(world.nina, campaign.guidelines.get())
    for question in onboarding.practice(world.nina, campaign):
        if slug != "step-practice" or question.number == 1:
            answer(world.nina, campaign, question, rightly=question.number == 1)
    if slug in ("step-failed", "step-passed"):
        while asked := onboarding.next_question(world.nina, campaign):
            answer(world.nina, campaign, asked, rightly=slug == "step-passed")


def answer(user: User, campaign: Campaign, question: onboarding.Question, *, rightly: bool) -> None:
    """Answer an example."""
    right = onboarding.as_shown(question.example, question.order)
    verdict = right if rightly else -right or 1
    onboarding.answer(user, campaign, example=question.example.pk, attempt=question.attempt, verdict=verdict)


# -- pages of one's own -------------------------------------------------------------------------------


def visit(name: str, path: str, who: str = "rafi") -> None:
    """Enter a page that needs nothing but its address."""

    @place(name, who)
    def go(page: Page, world: World) -> None:
        page.goto(world.address + path)


visit("sign-in", "/login/", "")
visit("home", "/")
visit("home-new", "/", "nina")
visit("history", "/history/")
visit("history-empty", "/history/", "nina")
visit("feedback-empty", "/feedback/", "nina")
visit("settings", "/settings/")
visit("account", "/account/")
visit("password", "/account/password/")
visit("guideline", "/rate/tour/guideline/")
visit("waiting", "/rate/waiting/")
visit("waiting-paused", "/rate/paused/")
visit("waiting-closed", "/rate/closed/")
visit("waiting-skills", "/rate/skilled/")
for _step in ("guideline", "practice", "test", "failed", "passed"):
    visit(f"way-in-{_step}", f"/rate/step-{_step}/start/", "nina")
visit("practice-question", "/rate/step-practice/start/practice/2/", "nina")
visit("test-question", "/rate/step-test/start/test/", "nina")
visit("audit", "/audit/", "manager")
visit("audit-nothing", "/audit/?who=nobody", "manager")
visit("campaign-raters", "/campaigns/tour/raters/", "manager")
visit("invitations", "/campaigns/tour/invitations/", "manager")
visit("people", "/people/", "manager")
visit("pools", "/people/pools/", "manager")
visit("sessions", "/account/sessions/")
visit("factors", "/account/factors/")
visit("models", "/models/", "manager")
visit("register-model", "/models/register/", "manager")
visit("join-refused", "/join/unknown/", "")
visit("webhooks", "/campaigns/tour/webhooks/", "manager")
visit("import", "/campaigns/tour/import/", "manager")
visit("guideline-written", "/campaigns/tour/guideline/", "manager")
visit("guideline-readers", "/campaigns/tour/guideline/readers/", "manager")
visit("dataset-builder", "/snapshots/?campaign=tour", "manager")
visit("campaign-settings", "/campaigns/tour/settings/", "manager")
visit("criteria", "/campaigns/tour/criteria/", "manager")
visit("not-found", "/rate/nowhere/")
visit("forbidden", "/campaigns/")


@place("passkey-new", "manager")
def _(page: Page, world: World) -> None:
    page.goto(world.address + "/account/factors/passkeys/new/")
    page.fill("[name=password]", "password")
    page.click("main button[type=submit]")
    expect(page.locator("#passkey button")).to_be_visible()


@place("import-columns", "manager")
def _(page: Page, world: World) -> None:
    page.goto(world.address + "/campaigns/tour/import/")
    page.locator("[name=text]").fill("question,first,second\nWhy?,Because.,So.\n,x,y")
    page.locator("main form.card button[type=submit]").click()
    expect(page.locator(".columns")).to_be_visible()


@place("campaign-settings-refused", "manager")
def _(page: Page, world: World) -> None:
    page.goto(world.address + "/campaigns/tour/settings/")
    page.locator("[name=pass_mark]").fill("80")
    page.locator("form.settings").evaluate("form => { form.noValidate = true; form.submit(); }")
    expect(page.get_by_role("alert")).to_be_visible()


@place("campaign-settings-changed", "manager")
def _(page: Page, world: World) -> None:
    page.goto(world.address + "/campaigns/tour/settings/")
    page.locator("[name=overlap]").fill(str(1 + int(page.locator("[name=overlap]").input_value()) % 3))
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator("details.last > summary").click()
    expect(page.get_by_role("button", name="Undo this change")).to_be_visible()


@place("model", "manager")
def _(page: Page, world: World) -> None:
    page.goto(f"{world.address}/models/{make_policy(world.tour.model_family, 'base').pk}/")


@place("compare-policies", "manager")
def _(page: Page, world: World) -> None:
    base, other = (make_policy(world.tour.model_family, name) for name in ("base", "other"))
    page.goto(f"{world.address}/models/{base.pk}/compare/?with={other.pk}&diff=1")


@place("sign-in-refused", "")
def _(page: Page, world: World) -> None:
    page.goto(world.address + "/login/")
    page.fill("[name=username]", "rafi")
    page.fill("[name=password]", "wrong")
    page.click("main button[type=submit]")


@place("welcome", "")
def _(page: Page, world: World) -> None:
    uid, token = people.invitation(world.nina)
    page.goto(f"{world.address}/welcome/{uid}/{token}/")


@place("practice-answered", "nina")
def _(page: Page, world: World) -> None:
    page.goto(world.address + "/rate/step-practice/start/practice/1/")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.locator(".feedback")).to_be_visible()


@place("feedback")
def _(page: Page, world: World) -> None:
    world.rafi.feedback.update(read_at=None)
    page.goto(world.address + "/feedback/")


# -- work ---------------------------------------------------------------------------------------------


def work(page: Page, world: World, **which: Any) -> None:
    """Open the tour at the first task that fits."""
    world.put_first(**which)
    page.goto(world.address + "/rate/tour/")
    expect(page.locator("#work[data-ready]")).to_be_attached()


def compare(page: Page, world: World, id: str = "code-duplicates", scale: int = 7) -> None:
    """Open a comparison of the tour."""
    Campaign.objects.filter(pk=world.tour.pk).update(scale=scale)
    work(page, world, task__kind="compare", task__external_id=id)


def press(*keys: str, **options: Any) -> Callable[[Page, World], None]:
    """Open a comparison and press some keys."""

    def go(page: Page, world: World) -> None:
        compare(page, world, **options)
        for key in keys:
            page.keyboard.press(key)

    return go


place("compare")(press())
place("compare-chips")(press("2"))
place("compare-4-points")(press("1", scale=4))
place("compare-2-points")(press("1", scale=2))
place("compare-conversation")(press(id="multi-turn-plant"))
place("compare-formulas")(press(id="checklist"))
place("compare-long")(press(id="long-reading"))
place("compare-arabic")(press(id="arabic-tea"))
place("compare-japanese")(press(id="japanese-thanks"))
place("compare-differences")(press("d", id="letter-landlord"))


@place("compare-guideline")
def _(page: Page, world: World) -> None:
    compare(page, world)
    page.keyboard.press("g")
    expect(page.locator("#guideline .body")).not_to_be_empty()
    expect(page.locator("#guideline")).to_be_focused()


place("compare-keys")(press("?"))
place("compare-why")(press("y"))
place("compare-skip")(press("s"))
place("compare-flag")(press("f"))
place("compare-raw")(press("r"))
place("compare-refused")(press("Enter", id="poem"))


@place("rank")
def _(page: Page, world: World) -> None:
    work(page, world, task__kind="rank")
    page.keyboard.press("j")


@place("edit-write")
def _(page: Page, world: World) -> None:
    work(page, world, task__kind="edit")
    page.locator("#text").fill(
        "Dear neighbour,\n\nthank you **very much** for the plants.\n\n- water\n- light"
    )


@place("edit-preview")
def _(page: Page, world: World) -> None:
    work(page, world, task__kind="edit")
    page.locator("#text").fill(
        "Dear neighbour,\n\nthank you **very much** for the plants.\n\n- water\n- light"
    )
    page.locator("#tab-preview").click()
    expect(page.locator("#panel-preview strong")).to_be_visible()


@place("edit-diff")
def _(page: Page, world: World) -> None:
    work(page, world, task__kind="edit")
    text = page.locator("#text").input_value()
    page.locator("#text").fill(text.replace("the", "your").replace(".", "!", 1))
    page.locator("#tab-diff").click()
    expect(page.locator("#panel-diff ins").first).to_be_visible()


@place("lease-lost")
def _(page: Page, world: World) -> None:
    compare(page, world, id="bike")
    with page.expect_navigation():
        page.evaluate(
            """() => { const form = document.getElementById("answer-form");
            form.elements.lease.value = "00000000-0000-4000-8000-000000000000";
            form.querySelector("[name=verdict]").checked = true; form.submit(); }"""
        )


# -- the live conversation ----------------------------------------------------------------------------


def talk(page: Page, world: World, status: str = "") -> None:
    """Open a live conversation whose first turn has come so far."""
    Turn.objects.all().delete()
    task = world.put_first(task__kind="chat")
    slot = assignment.claim(world.rafi, world.tour)
    assert slot is not None
    assert slot.task_id == task.pk
    if status:
        opening = task.prompt
        messages = [*opening.messages, {"role": "user", "content": "Whom can I ask to water my plants?"}]
        prompt = chats.continuation(task, messages)
        turn = Turn.objects.create(
            chat=task, rater=world.rafi, number=1, prompt=prompt, status=Turn.Status.SAMPLING
        )
        chat_answers.note_progress(turn)
        if status == Turn.Status.READY:
            chat_answers.store(turn, [make_policy(world.tour.model_family, "base")] * 2, SAID)
        elif status == Turn.Status.FAILED:
            chat_answers.fail(turn, "the two answers were the same")
    page.goto(world.address + "/rate/tour/")
    expect(page.locator("#work[data-ready]")).to_be_attached()


for _status in ("", Turn.Status.SAMPLING, Turn.Status.READY, Turn.Status.FAILED):
    place(f"chat-{_status or 'writing'}")(partial(talk, status=_status))
