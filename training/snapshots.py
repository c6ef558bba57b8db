"""Cut immutable, hashed datasets from judgments and edits."""

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Right
from django.utils.translation import gettext as _

from accounts import webhooks
from accounts.audit import record
from accounts.models import User
from labeling import campaigns as campaigns_
from labeling import trust
from labeling.models import Campaign, Edit, Judgment, Prompt, Task
from labeling.models.task import fresh
from training import canonical_rows
from training import filters as filters_
from training import standing as standing_
from training.filters import FilterError, Filters
from training.formats import Row
from training.models import Snapshot

SPLITS = ("train", "validation", "test")
EVERYTHING = Q()
MANY_PROMPTS = 20_000  # beyond which a preview doesn't look at all of them
LOOKED_AT = 2000  # of which it looks at so many
ENOUGH = 500  # judgments and edits of those, of which it tells how many there are


class SnapshotError(Exception):
    """Say in one plain sentence why there is no such snapshot."""


class WrongFilterError(SnapshotError):
    """Say in one plain sentence which filter is wrong."""


def cut(
    campaign: Campaign,
    *,
    by: User | None = None,
    filters: dict[str, Any] | None = None,
    on_prompts: Callable[[int], None] | None = None,
) -> Snapshot:
    """Write everything that was said in a campaign so far to a folder named by its hash.

    `filters` are those of training.filters; their `campaigns` are taken together with this one, as far as
    `by` may export them. The same filters on the same labels give the same digest, whatever the labels'
    order of arrival, and then the same Snapshot. Raises SnapshotError for a wrong filter, and when nothing
    of the kind was said yet. `on_prompts` hears now and then how many are done.
    """
    # pyarrow comes with some, which no idle worker needs, and the others read snapshots
    from training import dataset_statistics, snapshot_files, withdrawal

    wanted, sources = _read(campaign, filters or {}, by)
    filters = wanted.as_json()
    draft = settings.SNAPSHOTS_DIR / f".draft-{uuid.uuid4().hex}"
    draft.mkdir(parents=True)
    before = withdrawal.newest()
    try:
        with transaction.atomic():
            _see_one_moment()
            tally = snapshot_files.write(draft, sources, wanted, on_prompts)
        if not tally.counts["judgments"] + tally.counts["edits"]:
            raise SnapshotError(_("There are no judgments or edits to take yet."))
        digest = tally.digest.hexdigest()
        counts = {**tally.counts, "raters": len(tally.raters)}
        canonical_rows.write_cards(draft, sources, digest, filters, counts)
        dataset_statistics.write(draft, tally.sums)
        if not (settings.SNAPSHOTS_DIR / digest).exists():
            draft.rename(settings.SNAPSHOTS_DIR / digest)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    with transaction.atomic():
        snapshot, created = Snapshot.objects.get_or_create(
            campaign=campaign,
            digest=digest,
            defaults={"filters": filters, "counts": counts, "created_by": by},
        )
        if created:
            snapshot.beside.set(source for source in sources if source != campaign)
            webhooks.emit("snapshot.cut", campaign.slug, id=snapshot.pk, digest=digest, counts=counts)
        if created and by is not None:
            record(by, "snapshot.cut", snapshot, digest=digest)
        withdrawal.mark_if_late(snapshot, before)
    return snapshot


def count(campaign: Campaign, given: dict[str, Any], by: User | None = None) -> dict[str, int]:
    """Count what filters would take, but for agreement, which only a cut looks at. Raises SnapshotError.

    Where there are many prompts and much is taken of them, `about` is true: about LOOKED_AT of the prompts
    are looked at, and counts are what they tell of all, to two digits; of raters, those found there.
    """
    filters, sources = _read(campaign, given, by)
    prompts = Prompt.objects.filter(campaign__in=sources)
    number = prompts.count()
    if number > MANY_PROMPTS:
        # splits go by the first digits of a hash
        part = max(1, 4096 * LOOKED_AT // number)
        some = prompts.alias(last=Right("content_hash", 3)).filter(last__lt=f"{part:03x}")
        # named in the statement, so that PostgreSQL knows how few they are
        found = _count(sources, filters, Q(prompt__in=list(some.values_list("pk", flat=True))))
        if found["judgments"] + found["edits"] > ENOUGH:
            whole = {name: _two_digits(n * 4096 / part) for name, n in found.items() if name != "raters"}
            return {**found, **whole, "about": True}
    return {**_count(sources, filters), "about": False}


def _two_digits(number: float) -> int:
    whole = round(number)
    return round(whole, 2 - len(str(whole)))


def _count(sources: Sequence[Campaign], filters: Filters, among: Q = EVERYTHING) -> dict[str, int]:
    _prompts_left, tasks_left = standing_.known_now()
    tasks = Task.objects.filter(fresh(), among, filters.tasks(tasks_left), campaign__in=sources)
    votes = Judgment.objects.filter(filters.said(Judgment), task__in=tasks)
    for source in sources if filters.min_reliability else ():
        weights = trust.weights(source).items()
        weak = [rater for rater, weight in weights if weight < filters.min_reliability]
        votes = votes.exclude(task__campaign=source, rater__in=weak)
    if filters.ties == "drop":
        votes = votes.exclude(verdict=0)
    edits = Edit.objects.filter(filters.said(Edit), task__in=tasks)
    heard = [said.order_by().values("rater", "task", "task__prompt") for said in (votes, edits)]
    halves = [said.annotate(edits=Value(n)) for n, said in enumerate(heard)]
    sql, values = halves[0].union(halves[1], all=True).query.sql_with_params()
    names = ("judgments", "edits", "tasks", "prompts", "raters")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FILTER (WHERE edits = 0), count(*) FILTER (WHERE edits = 1),"  # noqa: S608  Django's SQL
            f" count(DISTINCT task), count(DISTINCT prompt), count(DISTINCT rater)"
            f" FROM ({sql}) AS said (rater, task, prompt, edits)",
            values,
        )
        return dict(zip(names, cursor.fetchone(), strict=True))


def readable(campaign: Campaign, given: dict[str, Any], by: User | None) -> dict[str, Any]:
    """Return filters as a campaign's snapshot keeps them. Raises SnapshotError for a wrong one."""
    return _read(campaign, given, by)[0].as_json()


def visible_to(user: User) -> QuerySet[Snapshot]:
    """Return the snapshots that somebody may have: those of campaigns all of which they may export."""
    mine = campaigns_.visible_to(user, "export")
    among = Snapshot.beside.through.objects.filter(snapshot=OuterRef("pk"))
    hidden = Exists(among.exclude(campaign__in=mine))
    return Snapshot.objects.filter(~hidden, campaign__in=mine).select_related("campaign")


def holds(campaign: Campaign) -> Q:
    """Select the snapshots that take from a campaign."""
    through = Snapshot.beside.through.objects.filter(snapshot=OuterRef("pk"), campaign=campaign)
    return Q(campaign=campaign) | Q(Exists(through))


def sources(snapshot: Snapshot) -> list[Campaign]:
    """Return the campaigns that a snapshot takes from, by their short names."""
    return sorted([snapshot.campaign, *snapshot.beside.all()], key=lambda campaign: campaign.slug)


def title(snapshot: Snapshot) -> str:
    """Name the campaigns that a snapshot takes from."""
    return " + ".join(campaign.name for campaign in sources(snapshot))


def standing(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot to train on: itself, or where some of its data is withdrawn, the same cut anew."""
    if not snapshot.withdrawals.exists():
        return snapshot
    return cut(snapshot.campaign, filters=snapshot.filters)


def path(snapshot: Snapshot) -> Path:
    """Return the folder of a snapshot's files; SnapshotError when it is gone."""
    folder: Path = settings.SNAPSHOTS_DIR / snapshot.digest
    if not (folder / "manifest.json").exists():
        raise SnapshotError(f"The files of snapshot {snapshot} are missing from {folder}.")
    return folder


def rows(snapshot: Snapshot, split: str | None = None, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Yield the canonical rows of a snapshot (parquet.ROWS), of one split or of all, in their fixed order.

    With `columns`, only these of them are read, spelt as Parquet does.
    """
    for name in [split] if split else SPLITS:
        yield from _rows(path(snapshot) / "data" / f"{name}.parquet", columns)


def prompts(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the prompts that the campaign had (parquet.PROMPTS), judged or not: policies learn on them."""
    yield from _rows(path(snapshot) / "prompts.parquet")


def _read(campaign: Campaign, given: dict[str, Any], by: User | None) -> tuple[Filters, list[Campaign]]:
    """Read filters for a cut of a campaign, and the campaigns that they take from, by their short names."""
    try:
        filters = filters_.read(given)
    except FilterError as error:
        raise WrongFilterError(str(error)) from error
    names = {campaign.slug, *filters.campaigns}
    known = Campaign.objects.all() if by is None else campaigns_.visible_to(by, "export")
    beside = {each.slug: each for each in known.filter(slug__in=names - {campaign.slug})}
    if missing := sorted(names - {campaign.slug} - beside.keys()):
        sentence = _("campaigns: there is no campaign “%(name)s”, or you may not export it.")
        raise WrongFilterError(sentence % {"name": missing[0]})
    found = {**beside, campaign.slug: campaign}
    # the same campaigns are the same dataset, whichever of them it is cut in
    slugs = tuple(sorted(found)) if beside else ()
    return replace(filters, campaigns=slugs), [found[slug] for slug in sorted(found)]


def _see_one_moment() -> None:
    # An enclosing transaction has its own view of the data already, and PostgreSQL lets nobody change it.
    if len(connection.savepoint_ids) == 0:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _rows(file: Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    from training import parquet

    return parquet.read(file, columns)
