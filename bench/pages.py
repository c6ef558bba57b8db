"""Measure every page and API list of managers at a million judgments, on the server.

python -m bench.pages --json FILE [--judgments 1000000] [--only PART]

A campaign of comparisons by three raters each, of 200, filled by COPY into an installation of its own, with
rounds, runs and their curves, gold tasks, disputes, imports, snapshots and a long audit log around it
(bench.furnishing). Each address of the URLconf that answers a GET is asked for in this process, through all
of the middleware: by a manager, those of the admin by a superuser. A time is the median of five after one
look that doesn't count.
"""

import argparse
import os
import re
import statistics
import time
from collections.abc import Iterator
from typing import Any

from bench.report import Figure, main
from bench.serving import installed

RATERS = 200
GOAL = 300  # milliseconds
LOOKS = 5
# Pages of raters, which a manager who is no member of the campaign may not see, and what needs a secret.
OTHERS = re.compile(r"^(api/v1/)?(rate|d|join|login|logout|welcome)/|^$")
NO_PAGES = {
    # what a worker gives to somebody who asked for it, and keeps for half an hour
    "api_scored", "api_link", "api_preparation", "api_model_sample", "compared_models", "model_sample",
    # files: bench.datasets and bench.imports measure their making, and the audit log's is streamed
    "api_download", "audit_csv", "import_errors", "import_failed", "api_import_errors", "api_import_failed",
    # of an upload that waits for its mapping, and of a second factor that nobody set up
    "api_preview_import", "mfa_deactivate_totp", "mfa_view_recovery_codes",
}  # fmt: skip


def measure(options: argparse.Namespace) -> list[Figure]:
    """Fill, then look at each page."""
    os.environ["TOUCHSTONE_POOL"] = "1"
    with installed():
        # Django is set up only now
        from django.db import connection

        from bench.furnishing import furnish
        from bench.trust import fill
        from labeling import counting, quality, reliability

        began = time.monotonic()
        campaign, rater = fill(options.judgments, people=RATERS)
        furnish(campaign)
        filled = time.monotonic() - began
        # what workers keep for the pages
        quality.refresh(campaign)
        reliability.refresh(campaign)
        counting.catch_up()
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        found = list(look(campaign, rater, options.only))
    return [Figure("filled in", filled, "s"), *figures(found)]


def look(
    campaign: Any, rater: Any, only: str = "", looks: int = LOOKS
) -> Iterator[tuple[str, int, list[float], int]]:
    """Ask for each page; yield its name, the status, the times in ms, and how many statements it took."""
    from django.test import Client

    from accounts.models import User

    manager, root = (
        Client(False, raise_request_exception=False, headers={"host": "localhost"}) for _ in range(2)
    )
    manager.force_login(User.objects.get(username="mara"))
    root.force_login(User.objects.create_superuser("root"))
    for name, path in addresses(campaign, rater):
        if not path:
            yield name, 0, [], 0
        elif only in name:
            yield name, *times(root if path.startswith("/admin/") else manager, path, looks)


def times(client: Any, path: str, looks: int) -> tuple[int, list[float], int]:
    """Ask for one page several times; what refuses or leads elsewhere is asked for once."""
    from django.db import connection

    taken: list[float] = []
    statements = 0

    def count(execute: Any, *args: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*args)

    for _ in range(looks + 1):
        statements = 0
        began = time.monotonic()
        with connection.execute_wrapper(count):
            answer = client.get(path)
            if answer.streaming:
                b"".join(answer)
        taken.append(1000 * (time.monotonic() - began))
        if answer.status_code != 200 or sum(taken) > 30 * GOAL:
            break
    return answer.status_code, taken[1:] or taken, statements


def addresses(campaign: Any, rater: Any) -> Iterator[tuple[str, str]]:
    """Give the name and the path of every page that may answer, each of the URLconf and of the admin."""
    from django.contrib import admin
    from django.urls import get_resolver, reverse

    from accounts.support import ReadOnlyAdmin
    from labeling.models import Judgment

    things = Things(campaign, rater)
    for route, pattern in routes(get_resolver().url_patterns):
        module = getattr(pattern.callback, "__module__", "")
        if OTHERS.match(route) or pattern.name in NO_PAGES or module.startswith("allauth"):
            continue
        cls = getattr(pattern.callback, "cls", None)
        if cls is not None and not hasattr(cls, "get"):
            continue  # an API view that takes POST alone
        named = things.named_in(route)
        yield pattern.name, "" if named is None else reverse(pattern.name, kwargs=named)
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        yield f"admin, {model._meta.verbose_name_plural}", reverse(name)
    late = int(0.9 * Judgment.objects.count() / ReadOnlyAdmin.list_per_page)
    yield "admin, judgments, a late page", reverse("admin:labeling_judgment_changelist") + f"?p={late}"


def routes(patterns: list[Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Give each named address but the admin's with its whole route."""
    from django.urls import URLResolver

    for pattern in patterns:
        if not isinstance(pattern, URLResolver):
            yield before + str(pattern.pattern), pattern
        elif pattern.namespace != "admin":
            yield from routes(pattern.url_patterns, before + str(pattern.pattern))


class Things:
    """What addresses name: of each kind in the campaign the newest, by the word before its number."""

    def __init__(self, campaign: Any, rater: Any) -> None:
        from labeling.models import Campaign
        from training.models import Snapshot

        self.snapshots = list(Snapshot.objects.filter(campaign=campaign).order_by("pk")[:2])
        self.draft = Campaign.objects.filter(status="draft").latest("pk").slug
        self.rater = rater
        self.words = {
            "slug": campaign.slug,
            "username": rater.username,
            "number": campaign.rounds.count(),
            "user": rater.pk,
            "old": 1,
            "new": 2,
            "table": "policies",
            "format": "trl-preference",
            "first": self.snapshots[0].pk,
            "second": self.snapshots[0].pk,
        }

    def named_in(self, route: str) -> dict[str, Any] | None:
        """Return the arguments of an address; None where it names what is new here."""
        known = {**self.words, "pk": self.number(route), "key": self.key(route)}
        if "/setup/" in route:
            known["slug"] = self.draft
        names = re.findall(r"<(?:\w+:)?(\w+)>", route)
        return {name: known[name] for name in names} if known.keys() >= set(names) else None

    def key(self, route: str) -> str:
        """Return the key of a plot, or of a criterion."""
        if "plots/" not in route:
            return "kind"
        return "loss" if "runs/" in route else "progress"

    def number(self, route: str) -> int:
        """Return the key of what stands after a word, `models/<int:pk>/`; 0 where there is nothing."""
        from accounts.models import Pool, User
        from accounts.webhook_models import Webhook
        from labeling.models import Adjudication, Example, Gold, GuidelineGap, Import, Task
        from models_app.models import ModelVersion
        from training.models import Judging, Run, Target, Watch

        kinds: dict[str, Any] = {
            "disputes": Adjudication, "examples": Example, "gaps": GuidelineGap, "gold": Gold,
            "imports": Import, "judges": Judging, "people": User, "pools": Pool, "runs": Run,
            "targets": Target, "tasks": Task, "watch": Watch,
        }  # fmt: skip
        word = route.split("/<int:pk>")[0].rsplit("/", 1)[-1]
        if word == "raters":
            return int(self.rater.pk)
        if word == "snapshots":
            return int(self.snapshots[0].pk)
        if word == "models":
            kind = "policy" if "/compare/" in route else "reward"
            return ModelVersion.objects.filter(kind=kind, status="champion").latest("pk").pk
        if word == "webhooks":
            campaign = self.words["slug"] if "<slug:slug>" in route else ""
            return Webhook.objects.filter(campaign=campaign).latest("pk").pk
        if word not in kinds:
            return 0
        # the page shows one that lies before the manager, and the API one that is decided
        order = "pk" if word == "disputes" and not route.startswith("api/") else "-pk"
        return int(kinds[word].objects.order_by(order).values_list("pk", flat=True).first() or 0)


def figures(found: list[tuple[str, int, list[float], int]]) -> list[Figure]:
    """Give each page's time and statements, the slowest, and how many are not there."""
    shown, missing = [], []
    for name, status, taken, statements in found:
        if status == 200:
            shown.append((statistics.median(taken), name, statements))
        elif status not in (202, 302, 405):
            missing.append(f"{name} ({status})")
    if not shown:
        raise SystemExit("No page has that in its name.")
    shown.sort(reverse=True)
    print("Not there:", ", ".join(missing) or "none")
    rows = [Figure(f"page: {name}", ms, "ms", f"< {GOAL}", ms < GOAL) for ms, name, _n in shown]
    rows += [Figure(f"statements: {name}", n, "") for _ms, name, n in shown]
    slowest = shown[0][0]
    return [
        Figure("pages", len(shown), ""),
        Figure("the slowest page", slowest, "ms", f"< {GOAL}", slowest < GOAL),
        Figure("the page in the middle", statistics.median(ms for ms, _name, _n in shown), "ms"),
        Figure("statements of a page, at most", max(n for _ms, _name, n in shown), ""),
        *rows,
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--judgments", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="only addresses with this in their name")
    main(measure, parser)
