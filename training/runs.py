"""The run's state machine, and which runs can be queued.

A run that is started again after its worker died has a higher `attempts`. Every verb of the worker names the
attempt that it belongs to, so that a worker that was believed dead can no longer change the run.
"""

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import webhooks
from accounts.audit import record
from accounts.models import User
from labeling.models import Campaign, Round
from labeling.rounds import StateError
from models_app import registry
from models_app.models import ModelVersion
from training import mixes, snapshots
from training.models import Run, RunEvent, Snapshot

QUEUED, RUNNING = Run.Status.QUEUED.value, Run.Status.RUNNING.value
SUCCEEDED, FAILED, CANCELLED = (
    Run.Status.SUCCEEDED.value,
    Run.Status.FAILED.value,
    Run.Status.CANCELLED.value,
)

TRANSITIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "start": ((QUEUED,), RUNNING),
    "requeue": ((RUNNING,), QUEUED),
    "succeed": ((RUNNING,), SUCCEEDED),
    "fail": ((QUEUED, RUNNING), FAILED),
    "cancel": ((QUEUED, RUNNING), CANCELLED),
}

TOLD = {SUCCEEDED, FAILED}  # to webhooks


class RunError(Exception):
    """Say in one plain sentence why a run cannot be queued or go on."""


def queue_reward(
    campaign: Campaign,
    snapshot: Snapshot,
    *,
    round: Round | None = None,
    by: User | None = None,
    trunk: ModelVersion | None = None,
) -> Run:
    """Queue the fit of a reward model, from scratch, on all pairs of a snapshot.

    It grows from `trunk`, or else from the first checkpoint of the policies' line. A round that has a live
    run keeps that one. Raises RunError when there is nothing to learn from or to grow from.
    """
    if not snapshot.counts.get("training_pairs", 0):
        raise RunError(
            _("There are no comparisons with a preference yet to learn from in the training split.")
        )
    trunk = trunk or first_checkpoint(campaign)
    if trunk is None:
        raise RunError(
            _("There is no checkpoint to grow a reward model from; register a transformers model first.")
        )
    champion = registry.champion(campaign.model_family, ModelVersion.Kind.REWARD)
    hyper = dict(campaign.hyper.get("reward", {}))
    config = {
        "kind": Run.Kind.REWARD.value,
        "seed": _seed(round),
        "threads": None,
        "trunk": trunk.location,
        "champion": champion.location if champion else None,
        # the two words among a campaign's numbers
        "tuning": hyper.pop("tuning", None),
        "loss": hyper.pop("loss", None),
        "hyper": hyper,
        "snapshot": snapshot.digest,
    }
    return _queue(Run.Kind.REWARD, campaign, snapshot, round, by, config, parent=trunk)


def queue_policy(
    campaign: Campaign,
    snapshot: Snapshot,
    *,
    round: Round | None = None,
    by: User | None = None,
    parent: ModelVersion | None = None,
) -> Run:
    """Queue the improvement of the champion policy (or of `parent`) by the campaign's stages.

    Stages that have nothing to learn from are left out. A round that has a live run keeps that one. Raises
    RunError when no stage is left or the policy has no checkpoint.
    """
    parent = parent or registry.champion(campaign.model_family, ModelVersion.Kind.POLICY)
    reward_model = registry.champion(campaign.model_family, ModelVersion.Kind.REWARD)
    if parent is None or parent.backend != ModelVersion.Backend.TRANSFORMERS:
        raise RunError(_("Only a policy with a transformers checkpoint can be improved, and there is none."))
    stages = usable_stages(campaign, snapshot, reward_model)
    if not stages:
        raise RunError(
            _(
                "There is nothing to improve the policy by: "
                "no edits, no preferences and no reward model that its stages could use."
            )
        )
    sampling = campaign.sampling
    drawn = {} if sampling is None else {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_new_tokens": sampling.max_new_tokens,
    }  # fmt: skip
    hyper = {**drawn, **campaign.hyper.get("policy", {})}
    config = {
        "kind": Run.Kind.POLICY.value,
        "seed": _seed(round),
        "threads": None,
        "parent": parent.location,
        "reward_model": reward_model.location if reward_model else None,
        "stages": stages,
        # the words among a campaign's numbers
        "tuning": hyper.pop("tuning", None),
        "rl": hyper.pop("rl", None),
        "chooser": hyper.pop("chooser", None),
        "mix": mixes.cut(campaign),
        "hyper": hyper,
        "snapshot": snapshot.digest,
    }
    return _queue(
        Run.Kind.POLICY, campaign, snapshot, round, by, config, parent=parent, reward_model=reward_model
    )


def usable_stages(campaign: Campaign, snapshot: Snapshot, reward_model: ModelVersion | None) -> list[str]:
    """Return the campaign's stages that have something to learn from.

    What targets mix in is always imitated. Where the policy's own verifier chooses the best of n, it is
    trained first.
    """
    mixed, votes = mixes.waiting(campaign), snapshot.counts.get("training_pairs", 0) > 0
    verified = campaign.hyper.get("policy", {}).get("chooser") == "verifier"
    usable = {
        "sft": mixed or snapshot.counts.get("training_demonstrations", 0) > 0,
        "dpo": votes,
        "verify": verified and votes,
        "best_of_n": votes if verified else reward_model is not None,
        "rl": reward_model is not None,
    }
    wanted = {*campaign.stages, *(["sft"] if mixed else [])}
    if "best_of_n" in wanted:
        wanted.add("verify")
    return [stage for stage in usable if stage in wanted and usable[stage]]


def retry(run: Run, *, by: User | None = None) -> Run:
    """Queue a failed or cancelled run once more, with the same job, on what still stands of its data."""
    if run.status not in {FAILED, CANCELLED}:
        sentence = _("Run %(run)s is %(status)s; only a failed or cancelled one can be retried.")
        raise StateError(sentence % {"run": run.pk, "status": run.get_status_display().lower()})
    snapshot = snapshots.standing(run.snapshot)
    changed = {"mix": mixes.standing_now(run.config["mix"])} if run.config.get("mix") else {}
    return _queue(
        Run.Kind(run.kind),
        run.campaign,
        snapshot,
        run.round,
        by,
        {**run.config, **changed, "snapshot": snapshot.digest},
        run.parent,
        run.reward_model,
    )


def start(run_id: int) -> Run | None:
    """Claim a queued run for this worker; None when it is not queued (any more)."""
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk=run_id, status=QUEUED).first()
        if run is None:
            return None
        now = timezone.now()
        return _move(
            run,
            "start",
            attempts=run.attempts + 1,
            heartbeat_at=now,
            started_at=run.started_at or now,
            error="",
        )


def heartbeat(run: Run, progress: dict[str, Any]) -> bool:
    """Say that this attempt's worker lives; False when the run is no longer its own."""
    mine = Run.objects.filter(pk=run.pk, status=RUNNING, attempts=run.attempts)
    return bool(mine.update(heartbeat_at=timezone.now(), **({"progress": progress} if progress else {})))


def requeue(run: Run, reason: str) -> Run:
    """Put an interrupted run back; its next worker resumes it in the same folder."""
    return _move(run, "requeue", attempt=run.attempts, reason=reason, heartbeat_at=None)


def succeed(run: Run, result: dict[str, Any], location: str) -> Run:
    """Register the model that a run made, as a candidate, and end the run, in one transaction."""
    with transaction.atomic():
        family = run.campaign.model_family
        version = registry.register(
            family,
            run.kind,
            _model_name(run, family),
            ModelVersion.Backend.TRANSFORMERS.value,
            location,
            options=_options(result),
            parent=run.parent,
            by=run.created_by,
        )
        return _move(
            run,
            "succeed",
            attempt=run.attempts,
            produced=version,
            result=result,
            error="",
            finished_at=timezone.now(),
        )


def _options(result: dict[str, Any]) -> dict[str, Any]:
    """Return what a version keeps of its test: the temperature that makes probabilities of its scores."""
    found = (result.get("report") or {}).get("calibration") or {}
    return {"temperature": found["temperature"]} if "temperature" in found else {}


def fail(run: Run, sentence: str) -> Run:
    """End a run with the sentence that says why."""
    return _move(
        run, "fail", attempt=run.attempts, reason=sentence[:500], error=sentence, finished_at=timezone.now()
    )


def cancel(run: Run, *, by: User | None = None, reason: str = "") -> Run:
    """End a queued run at once; ask the worker of a running one to stop, which takes a few seconds.

    Raises StateError when the run is over.
    """
    with transaction.atomic():
        if by is not None:
            record(by, "run.cancel", run, reason=reason)
        if Run.objects.filter(pk=run.pk, status=RUNNING).update(cancel_requested=True):
            run.refresh_from_db()
            return run
        return _move(run, "cancel", by=by, reason=reason, cancel_requested=True, finished_at=timezone.now())


def cancelled(run: Run) -> Run:
    """Note that the worker of a run has stopped its engine, as asked."""
    return _move(run, "cancel", attempt=run.attempts, finished_at=timezone.now())


def folder(run: Run) -> Any:
    """Return the folder of a run's files."""
    return settings.RUNS_DIR / str(run.pk)


def _move(
    run: Run,
    verb: str,
    *,
    attempt: int | None = None,
    by: User | None = None,
    reason: str = "",
    **changes: Any,
) -> Run:
    sources, after = TRANSITIONS[verb]
    guard = {} if attempt is None else {"attempts": attempt}
    with transaction.atomic():
        for before in sources:
            if Run.objects.filter(pk=run.pk, status=before, **guard).update(status=after, **changes):
                RunEvent.objects.create(run=run, before=before, after=after, by=by, reason=reason)
                run.refresh_from_db()
                if after in TOLD:
                    _tell(run)
                return run
    run.refresh_from_db()
    raise StateError(f"Run {run.pk} is {run.status}; it cannot {verb} now.")


def _tell(run: Run) -> None:
    said = {"id": run.pk, "kind": run.kind, "produced": run.produced_id, "error": run.error}
    webhooks.emit(f"run.{run.status}", run.campaign.slug, **said)


def _queue(
    kind: Run.Kind,
    campaign: Campaign,
    snapshot: Snapshot,
    round: Round | None,
    by: User | None,
    config: dict[str, Any],
    parent: ModelVersion,
    reward_model: ModelVersion | None = None,
) -> Run:
    if snapshot.beside.exists():
        raise RunError(_("A run learns from one campaign, and this snapshot is of several."))
    if snapshot.withdrawals.exists():
        raise RunError(
            _("Snapshot %(snapshot)s holds withdrawn data: nothing is trained on it any more. Cut a new one.")
            % {"snapshot": snapshot}
        )
    try:
        with transaction.atomic():
            run = Run.objects.create(
                kind=kind,
                campaign=campaign,
                snapshot=snapshot,
                round=round,
                created_by=by,
                config=config,
                parent=parent,
                reward_model=reward_model,
            )
            RunEvent.objects.create(run=run, before="", after=QUEUED, by=by)
            if by is not None:
                record(by, "run.queue", run, kind=kind.value, snapshot=snapshot.digest)
            return run
    except IntegrityError:
        live = Run.objects.filter(round=round, kind=kind, status__in=[QUEUED, RUNNING, SUCCEEDED]).first()
        if round is None or live is None:
            raise
        return live


def first_checkpoint(campaign: Campaign) -> ModelVersion | None:
    """Return what reward models grow from: the oldest checkpoint in the line of the policy in use.

    Where no policy has one, because a server has them, it is the champion reward model, or else the first
    checkpoint that somebody registered in the family.
    """
    version = registry.champion(campaign.model_family, ModelVersion.Kind.POLICY)
    found = None
    while version is not None:
        if version.backend == ModelVersion.Backend.TRANSFORMERS:
            found = version
        version = version.parent
    registered = ModelVersion.objects.filter(
        family=campaign.model_family, backend=ModelVersion.Backend.TRANSFORMERS
    )
    reward = registry.champion(campaign.model_family, ModelVersion.Kind.REWARD)
    return found or reward or registered.order_by("pk").first()


def _model_name(run: Run, family: str) -> str:
    name = f"{run.kind}-round-{run.round.number}" if run.round else f"{run.kind}-run-{run.pk}"
    taken = ModelVersion.objects.filter(family=family, kind=run.kind, name=name).exists()
    return f"{name}-run-{run.pk}" if taken else name


def _seed(round: Round | None) -> int:
    return round.number if round else 0
