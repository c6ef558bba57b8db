"""Copy a campaign as a draft: what it is made of, and none of what people said in it."""

from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from labeling import campaigns, examples, golds, guidelines, members, pools, rounds
from labeling.models import Campaign, Example, Gold, Response, Round, Task, TaskResponse
from models_app import registry
from models_app.models import ModelVersion

# What belongs to one campaign alone; everything else in its row is a setting.
OWN = {
    "id", "slug", "name", "status", "model_family", "created_by", "created_at", "loop_paused", "selection",
    "archived_at", "setup_seen",
}  # fmt: skip

PROMPTS = """
INSERT INTO labeling_prompt (campaign_id, messages, content_hash, split, purpose, language, tags, meta,
    withdrawn, created_at)
SELECT %(copy)s, messages, content_hash, split, purpose, language, tags, meta, false, now()
FROM labeling_prompt
WHERE campaign_id = %(source)s AND opening_id IS NULL AND NOT withdrawn ORDER BY content_hash
"""


def clone(
    campaign: Campaign, name: str, by: User, *, prompts: bool = True, raters: bool = True, policy: bool = True
) -> Campaign:
    """Make a draft with a campaign's settings, criteria, newest guideline and examples.

    With `prompts` come also its prompts and the gold tasks in use, with `raters` its people in their roles,
    with `policy` the policy that answers now. Raises CampaignError for the name, ModelError for the policy.
    """
    settings = {name: getattr(campaign, name) for name in setting_names()}
    newest = guidelines.newest(campaign)
    with transaction.atomic():
        copy = campaigns.create(
            name=name,
            by=by,
            status=Campaign.Status.DRAFT,
            guideline=newest.text if newest else "",
            skills=campaigns.skills_of(campaign),
            **settings,
        )
        _copy_criteria(campaign, copy, by)
        _copy_examples(campaign, copy, by)
        if policy:
            _copy_policy(campaign, copy, by)
        if prompts:
            copy_prompts(campaign, copy)
            _copy_golds(campaign, copy, by)
        if raters:
            members.copy(campaign, copy, by)
            for pool in campaign.pools.all():
                pools.use(copy, pool, by)
        audit.record(by, "clone campaign", copy, source=campaign.slug, prompts=prompts, raters=raters)
    return copy


def setting_names() -> list[str]:
    """Return the names of what is set about a campaign."""
    return [field.name for field in Campaign._meta.concrete_fields if field.name not in OWN]


def copy_prompts(source: Campaign, target: Campaign) -> None:
    """Give a campaign the prompts of another; they keep their splits. Withdrawn ones stay behind."""
    with connection.cursor() as cursor:
        cursor.execute(PROMPTS, {"source": source.pk, "copy": target.pk})


def _copy_criteria(source: Campaign, target: Campaign, by: User) -> None:
    there = list(source.criteria.order_by("pk"))
    campaigns.set_criteria(target, by, {criterion.key: criterion.name for criterion in there})
    for criterion in there:
        points, required = criterion.points, criterion.required
        campaigns.set_criterion(
            target, criterion.key, by, name=criterion.name, points=points, required=required
        )


def _copy_examples(source: Campaign, target: Campaign, by: User) -> None:
    rows = examples.active(source).order_by("pk").values(*examples.FIELDS)
    Example.objects.bulk_create(Example(campaign=target, created_by=by, **row) for row in rows)


def _copy_policy(source: Campaign, target: Campaign, by: User) -> None:
    version = registry.champion(source.model_family, ModelVersion.Kind.POLICY)
    if version is not None:
        about = {name: getattr(version, name) for name in ("name", "backend", "location", "options")}
        campaigns.set_base_policy(target, by, **about)


def _copy_golds(source: Campaign, target: Campaign, by: User) -> None:
    """Copy the gold tasks in use into a round that is over: they move into the next one that opens."""
    known = golds.in_use(source).filter(task__prompt__withdrawn=False).select_related("task__prompt")
    found = list(known.prefetch_related("task__task_responses__response").order_by("pk"))
    if not found:
        return
    round_ = Round.objects.create(campaign=target, number=1, origin=Round.Origin.IMPORT)
    rounds.start_generating(round_, by)
    prompts = {p.content_hash: p for p in target.prompts.filter(content_hash__in=_hashes(found))}
    for gold in found:
        task = Task.objects.create(
            campaign=target,
            round=round_,
            prompt=prompts[gold.task.prompt.content_hash],
            kind=Task.Kind.COMPARE,
            status=Task.Status.DONE,
            gold=True,
            selection=Task.Selection.IMPORTED,
        )
        _copy_answers(gold.task, task)
        about = {name: getattr(gold, name) for name in ("verdict", "tolerance", "explanation", "source")}
        Gold.objects.create(task=task, by=by, **about)
    rounds.open_(round_, by)
    rounds.close(round_, by=by, reason=_("It holds gold tasks of another campaign."))


def _hashes(found: list[Gold]) -> list[str]:
    return [gold.task.prompt.content_hash for gold in found]


def _copy_answers(source: Task, target: Task) -> None:
    for place in source.task_responses.all():
        same = Response.objects.filter(prompt=target.prompt, text_hash=place.response.text_hash)
        response = Response.objects.create(
            prompt=target.prompt,
            origin=Response.Origin.IMPORTED,
            text=place.response.text,
            text_hash=place.response.text_hash,
            turns=place.response.turns,
            copy=same.count(),
        )
        TaskResponse.objects.create(task=target, response=response, position=place.position)
