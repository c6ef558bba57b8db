"""Create campaigns, change them, and say who sees them."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts import audit, skills
from accounts.models import AuditEvent, User
from labeling import assignment, onboarding, overlaps
from labeling.members import visible_to as visible_to  # callers ask for it here
from labeling.models import Campaign, Criterion, Guideline, Membership, Slot
from models_app import registry, sampling
from models_app.models import ModelVersion, SamplingConfig

REASON_LENGTH = 40
SHARES = ("edit_share", "rank_share", "chat_share")
OPPONENTS = ("champion_share", "history_share")
CHANGED = "change settings"  # in the audit log


class CampaignError(Exception):
    """A campaign can't be made or changed so; `field` names what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def create(
    *,
    name: str,
    by: User,
    slug: str = "",
    guideline: str = "",
    base_policy: dict[str, Any] | None = None,
    **settings: Any,
) -> Campaign:
    """Make an active campaign with its first guideline and, if given, its base policy as champion.

    `base_policy` holds name, backend, location and options as registry.register takes them.
    """
    slug = slug or slugify(name)[:60]
    if not slug:
        raise CampaignError("name", _("Give the campaign a name with at least one letter or digit."))
    if slug == "new":
        raise CampaignError(
            "slug", _("“new” is the address of the page that makes campaigns; choose another.")
        )
    if settings.keys() & set(SHARES):
        settings["edit_share"] = fit_edits(**{name: settings.get(name, 0) for name in SHARES})
    if settings.keys() & set(OPPONENTS):
        settings["champion_share"] = fit_opponents(**{name: settings.get(name, 0) for name in OPPONENTS})
    asked = settings.pop("skills", [])
    with transaction.atomic():
        if Campaign.objects.filter(slug=slug).exists():
            raise CampaignError("slug", _("There is already a campaign at “%(slug)s”.") % {"slug": slug})
        settings.setdefault("sampling", sampling.get_config())
        campaign = Campaign.objects.create(name=name, slug=slug, model_family=slug, created_by=by, **settings)
        campaign.skills.set(skills.named(asked))
        if guideline.strip():
            add_guideline(campaign, guideline, by)
        if campaign.red_team:
            set_criterion(campaign, "harmless", by, name=_("Harmless"))
        if base_policy:
            set_base_policy(campaign, by, **base_policy)
        audit.record(by, "create campaign", campaign, name=name)
    return campaign


def set_base_policy(campaign: Campaign, by: User, **policy: Any) -> ModelVersion:
    """Let a policy answer a campaign's prompts from now on.

    `policy` holds name, backend, location and options as registry.register takes them. Raises ModelError.
    """
    with transaction.atomic():
        version = registry.register(campaign.model_family, ModelVersion.Kind.POLICY, by=by, **policy)
        registry.promote(version, by=by, reason="The campaign's base policy")
    return version


def update(campaign: Campaign, by: User, **changes: Any) -> None:
    """Change a campaign's settings, and note what they were; `skills` are the names of all that it asks.

    Its status is none of them: labeling.states changes that.
    """
    with transaction.atomic():
        now = Campaign.objects.select_for_update().get(pk=campaign.pk)
        _fit(now, changes)
        before = {key: getattr(now, key) for key in changes if key != "skills"}
        Campaign.objects.filter(pk=campaign.pk).update(**{key: changes[key] for key in before})
        if "skills" in changes:
            before["skills"] = skills_of(now)
            changes["skills"] = sorted(changes["skills"])
            campaign.skills.set(skills.named(changes["skills"]))
        changed = [key for key, value in before.items() if value != changes[key]]
        if changed:
            was, is_ = ({key: _plain(values[key]) for key in changed} for values in (before, changes))
            audit.record(by, CHANGED, campaign, before=was, after=is_)
        campaign.refresh_from_db()
        if "pass_mark" in changes:
            onboarding.settle(campaign)
        if "overlap" in changes and campaign.status == Campaign.Status.DRAFT:
            overlaps.refit(campaign)


def _fit(campaign: Campaign, changes: dict[str, Any]) -> None:
    """Hold changes against the settings that stay, and take off shares what binary puts on."""
    if changes.keys() & set(SHARES):
        shares = {name: changes.get(name, getattr(campaign, name)) for name in SHARES}
        changes["edit_share"] = fit_edits(**shares)
    if changes.keys() & set(OPPONENTS):
        shares = {name: changes.get(name, getattr(campaign, name)) for name in OPPONENTS}
        changes["champion_share"] = fit_opponents(**shares)
    given = {name: changes.get(name, getattr(campaign, name)) for name in ("overlap", "overlap_cap")}
    check_overlap(given["overlap"], given["overlap_cap"])


def _plain(value: Any) -> Any:
    """Return a setting as JSON has it."""
    return sampling.values(value) if isinstance(value, SamplingConfig) else value


def last_change(campaign: Campaign) -> AuditEvent | None:
    """Return how a campaign's settings were changed last, with who did it; None if never."""
    events = AuditEvent.objects.filter(campaign=campaign.slug, action=CHANGED)
    return events.select_related("actor").order_by("-pk").first()


def undo(campaign: Campaign, number: str, by: User) -> None:
    """Put settings back to what they were before the last change, which must be that of this number.

    Undone twice, it holds again. Raises CampaignError where the settings were changed since.
    """
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)  # the last change stays the last
        event = last_change(campaign)
        if event is None or str(event.pk) != number:
            message = _("The settings were changed again meanwhile; look at the newest change.")
            raise CampaignError("undo", message)
        before = dict(event.detail["before"])
        if "sampling" in before:
            before["sampling"] = sampling.get_config(**(before["sampling"] or {}))
        update(campaign, by, **before)


def listed(user: User, *, archived: bool = False) -> QuerySet[Campaign]:
    """Return the campaigns that a list shows to somebody: those in use, or else those in the archive."""
    return visible_to(user).filter(archived_at__isnull=not archived)


def fit_edits(edit_share: float, rank_share: float, chat_share: float) -> float:
    """Return the share of edits; CampaignError when all shares together are more than all tasks."""
    room = 1 - rank_share - chat_share
    if edit_share > room + 1e-9:
        message = _("The shares of edits, rankings and conversations must not add up to more than 1.")
        raise CampaignError("edit_share", message)
    # 1 - 0.3 - 0.4 is a hair less than 0.3 in binary, and the database counts hairs
    return min(edit_share, room)


def fit_opponents(champion_share: float, history_share: float) -> float:
    """Return the share of the champion's test; CampaignError when both are more than 1."""
    if champion_share > 1 - history_share + 1e-9:
        message = _("This share and that of earlier policies must not add up to more than 1.")
        raise CampaignError("champion_share", message)
    return min(champion_share, 1 - history_share)


def check_overlap(overlap: int, cap: int | None) -> None:
    """Refuse a cap of judgments that is lower than what each task gets anyway."""
    if cap is not None and cap < overlap:
        raise CampaignError("overlap_cap", _("This can't be less than the judgments that each task gets."))


def check_reasons(reasons: Iterable[str]) -> list[str]:
    """Return the reasons that raters may tick, each once; ValidationError names one that is too long."""
    kept = list(dict.fromkeys(" ".join(reason.split()) for reason in reasons if reason.strip()))
    long = next((reason for reason in kept if len(reason) > REASON_LENGTH), None)
    if long:
        values = {"reason": long, "limit": REASON_LENGTH}
        raise ValidationError(_("“%(reason)s” is longer than %(limit)s characters.") % values)
    return kept


def skills_of(campaign: Campaign) -> list[str]:
    """Return the names of the skills that a campaign asks of its raters."""
    return sorted(skill.name for skill in campaign.skills.all())


def add_guideline(campaign: Campaign, text: str, by: User | None) -> Guideline:
    """Publish the next version of the instructions; an unchanged text gives the version it equals."""
    text = text.replace("\r\n", "\n").strip()  # as browsers send it
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        last = campaign.guidelines.order_by("-number").first()
        if last is not None and last.text == text:
            return last
        guideline = Guideline.objects.create(
            campaign=campaign, number=last.number + 1 if last else 1, text=text, created_by=by
        )
        audit.record(by, "publish guideline", campaign, number=guideline.number)
    return guideline


def set_criterion(
    campaign: Campaign, key: str, by: User, *, name: str, points: int = 5, required: bool = False
) -> Criterion:
    """Add a quality that raters grade, or change the one of that key; grades given before stay."""
    with transaction.atomic():
        values = {"name": name, "points": points, "required": required}
        criterion, _new = Criterion.objects.update_or_create(campaign=campaign, key=key, defaults=values)
        audit.record(by, "set criterion", campaign, key=key, **values)
    return criterion


def set_criteria(campaign: Campaign, by: User, names: dict[str, str]) -> None:
    """Let raters grade exactly these qualities, names by key; those that are there keep their grades."""
    with transaction.atomic():
        there = {criterion.key: criterion for criterion in campaign.criteria.all()}
        for key in there.keys() - names.keys():
            remove_criterion(campaign, key, by)
        for key, name in names.items():
            before = there.get(key)
            if before is None:
                set_criterion(campaign, key, by, name=name)
            elif before.name != name:
                points, required = before.points, before.required
                set_criterion(campaign, key, by, name=name, points=points, required=required)


def remove_criterion(campaign: Campaign, key: str, by: User) -> None:
    """Ask for this quality no more; grades given before stay."""
    with transaction.atomic():
        deleted, _rows = Criterion.objects.filter(campaign=campaign, key=key).delete()
        if deleted:
            audit.record(by, "remove criterion", campaign, key=key)


def pause_loop(campaign: Campaign, reason: str, by: User | None = None) -> None:
    """Make the conductor leave a campaign alone, and say why."""
    with transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(loop_paused=reason[:500] or "Paused by hand.")
        audit.record(by, "pause loop", campaign, reason=reason)
    campaign.refresh_from_db()


def resume_loop(campaign: Campaign, by: User) -> None:
    """Let the conductor go on."""
    update(campaign, by, loop_paused="")


def add_rater(campaign: Campaign, user: User, by: User) -> Membership:
    """Let somebody rate in a campaign."""
    with transaction.atomic():
        membership, created = Membership.objects.get_or_create(campaign=campaign, user=user)
        if created:
            audit.record(by, "add rater", campaign, rater=user.username)
    return membership


def remove_rater(campaign: Campaign, user: User, by: User) -> None:
    """End somebody's right to rate in a campaign; what they said stays."""
    with transaction.atomic():
        deleted, _rows = Membership.objects.filter(campaign=campaign, user=user).delete()
        if deleted:
            assignment.unreserve(Slot.objects.filter(campaign=campaign, reserved_for=user))
            audit.record(by, "remove rater", campaign, rater=user.username)
