"""Where a task comes from, in words for its rater: nothing here says who wrote what or what others said."""

from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from labeling.models import Campaign, Slot, Task


def find(rater: User, campaign: Campaign, lease: UUID) -> Slot | None:
    """Return the slot that a rater was given under a lease, with its task and round."""
    given = Slot.objects.filter(rater=rater, campaign=campaign, lease=lease)
    return given.select_related("task__round", "task__campaign").first()


def explain(slot: Slot) -> list[str]:
    """Say why a rater has this task before them; the slot comes with its task and round."""
    task = slot.task
    if checks(task.campaign):
        told = [
            asked_as_a_rule(task.campaign),
            _("Some tasks are there to check the work; they look like any other."),
        ]
    else:
        told = [asked(task)]
    return [*placed(slot), chosen(task), *told]


def placed(slot: Slot) -> list[str]:
    """Say what brought the task before others, if anything did."""
    if slot.reserved_for_id is not None and slot.task.repeats_id is None:
        return [_("A manager chose you for it.")]
    return [_("It comes before others: a manager gave it priority.")] if slot.priority > 0 else []


def chosen(task: Task) -> str:
    """Say how the task was chosen for its round."""
    values = {"round": task.round.number, "share": _share(task.probability)}
    if task.selection == Task.Selection.IMPORTED:
        return _("It came with an import, for round %(round)s.") % values
    if task.selection == Task.Selection.ACTIVE and task.probability not in (None, 1.0):
        text = _("It was picked for round %(round)s to teach more than most; its chance was %(share)s.")
        return text % values
    if task.selection == Task.Selection.ACTIVE:
        return _("It was picked for round %(round)s to teach more than most would.") % values
    if values["share"]:
        return _("It was drawn at random for round %(round)s; its chance was %(share)s.") % values
    return _("It was drawn at random for round %(round)s.") % values


def asked(task: Task) -> str:
    """Say how many raters are asked, and how many have answered."""
    if task.overlap == 1:
        return _("You alone are asked this one: your word is the one that counts.")
    said = ngettext(
        "%(n)s rater is asked, each without knowing what the others say;",
        "%(n)s raters are asked, each without knowing what the others say;",
        task.overlap,
    ) % {"n": task.overlap}
    so_far = ngettext("%(n)s has answered so far.", "%(n)s have answered so far.", task.counted) % {
        "n": task.counted
    }
    return f"{said} {so_far}"


def checks(campaign: Campaign) -> bool:
    """Tell whether some tasks of a campaign are checks; then no task's own figures may tell which."""
    return campaign.gold_share > 0 or campaign.repeat_share > 0


def asked_as_a_rule(campaign: Campaign) -> str:
    """Say how many raters a campaign asks about each task."""
    if campaign.overlap == 1:
        return _("As a rule one rater is asked: your word is the one that counts.")
    said = ngettext(
        "As a rule %(n)s rater is asked, each without knowing what the others say.",
        "As a rule %(n)s raters are asked, each without knowing what the others say.",
        campaign.overlap,
    )
    return said % {"n": campaign.overlap}


def _share(probability: float | None) -> str:
    if probability is None:
        return ""
    percent = 100 * probability
    return _("%(percent)s %%") % {"percent": f"{percent:.0f}" if percent >= 1 else f"{percent:.2g}"}
