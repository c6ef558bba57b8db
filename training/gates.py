"""The checks that a candidate passes, or not, before it becomes the champion."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from django.db import transaction
from django.utils.translation import gettext as _

from labeling.rounds import StateError
from models_app import registry, scoring
from models_app.backends import BackendError
from models_app.models import ModelVersion
from models_app.registry import ModelError
from preferences.intervals import paired_difference
from preferences.types import Estimate
from training import runs
from training.engine.data import Pair, read_pairs
from training.engine.evaluation import hits, words
from training.models import Evaluation, Run

Floats = npt.NDArray[np.float64]
Check = dict[str, Any]

ENOUGH = 2000  # comparisons, below which a reward model is near chance (Gao et al. 2022)
LONGEST = 1.2  # length of the candidate's answers, as a share of its parent's
LEAST_DISTINCT = 0.8
ONE_SIDED = 1.645 / (2 * 1.96)  # of a 95 % interval's width: whether something is above, at the 5 % level
TOLERATED = -0.01  # accuracy below the champion's that a lower bound may reach


def evaluate(run: Run) -> Evaluation:
    """Check what a succeeded run made, and promote it if every check passes; once per run.

    A reward model's comparison with the champion scores the held-out votes again, with torch, unless the
    engine did.
    """
    found = Evaluation.objects.filter(run=run).first()
    if found is not None:
        return found
    if run.status != Run.Status.SUCCEEDED or run.produced is None:
        sentence = _("Run %(run)s is %(status)s; only what a succeeded run made can be checked.")
        raise StateError(sentence % {"run": run.pk, "status": run.get_status_display().lower()})
    champion = registry.champion(run.produced.family, run.kind)
    checks = reward_checks(run, champion) if run.kind == Run.Kind.REWARD else policy_checks(run.result)
    passed = all(check["passed"] for check in checks)
    with transaction.atomic():
        Run.objects.select_for_update().get(pk=run.pk)
        found = Evaluation.objects.filter(run=run).first()
        if found is None:
            found = Evaluation.objects.create(run=run, champion=champion, passed=passed, checks=checks)
            if passed:
                report = {"run": run.pk, "checks": checks}
                registry.promote(run.produced, gate=report, reason=f"Passed the gate of run {run.pk}")
    return found


def reward_checks(run: Run, champion: ModelVersion | None) -> list[Check]:
    """Compare a reward model's hits on held-out votes with chance, with length, and with the champion's."""
    folder = runs.folder(run)
    pairs = [pair for pair in read_pairs(folder) if pair.split == "test"]
    margin = _column(folder / "test_votes.parquet", "margin")
    probability = np.array([pair.probability for pair in pairs])
    prompts = [pair.prompt_id for pair, p in zip(pairs, probability, strict=True) if p != 0.5]
    mine = hits(probability, margin)
    checks = [_beats_chance(run.result.get("test", {}))]
    if len(mine):
        checks.append(_beats_length(run.result, pairs, mine, probability, prompts))
        if champion is not None and champion != run.produced:
            gap = _gap_to(run, champion, pairs, mine, probability, prompts)
            checks.append(_beats_champion(champion, gap))
    checks.append(_advisory(run.snapshot.counts.get("comparisons", 0)))
    return checks


def policy_checks(result: dict[str, Any]) -> list[Check]:
    """Look at a policy's proxy win rate against its parent, its length and its variety, on test prompts."""
    return [_wins(result.get("proxy")), _length(result), _variety(result)]


def _beats_chance(test: dict[str, Any]) -> Check:
    interval, accuracy = test.get("interval"), test.get("accuracy")
    passed = interval is not None and accuracy - ONE_SIDED * (interval[1] - interval[0]) > 0.5
    if accuracy is None:
        says = f"There is no held-out accuracy: {test.get('why', 'there are no held-out votes')}."
    elif interval is None:
        says = f"It agrees with {accuracy:.0%} of {test['n']} held-out votes; too few for an interval."
    else:
        says = f"It agrees with {accuracy:.1%} of {test['n']} held-out votes ({_range(interval)}), " + (
            "more often than chance." if passed else "which may be chance."
        )
    return _check("Beats chance", passed, accuracy, interval, test.get("n", 0), says)


def _beats_length(
    result: dict[str, Any], pairs: list[Pair], mine: Floats, probability: Floats, prompts: list[str]
) -> Check:
    rule = result.get("length_baseline", {}).get("rule", "longer")
    longer = words([pair.chosen for pair in pairs]) - words([pair.rejected for pair in pairs])
    baseline = hits(probability, longer if rule == "longer" else -longer)
    gap = paired_difference(mine, baseline, prompts)
    clearly_worse = gap.interval is not None and gap.interval.high < 0
    says = f"Always preferring the {rule} answer agrees with {baseline.mean():.1%}; the model is {_gap(gap)}."
    return _check("Beats length alone", not clearly_worse, gap.value, gap.interval, gap.n, says)


def _beats_champion(champion: ModelVersion, gap: Estimate) -> Check:
    if gap.value is None:
        says = f"{champion.name} cannot score the same votes: {gap.why} A person may promote with a reason."
        return _check("Not worse than the champion", False, None, None, 0, says)
    worse = gap.interval is not None and gap.interval.high < 0
    says = f"On the same votes as {champion.name} it is {_gap(gap)}"
    if worse:
        says += ", clearly worse."
    elif gap.interval is not None and gap.interval.low < TOLERATED:
        says += "; a loss of more than a point is not excluded."
    else:
        says += "; a loss of more than a point is excluded."
    return _check("Not worse than the champion", not worse, gap.value, gap.interval, gap.n, says)


def _advisory(comparisons: int) -> Check:
    says = f"It was fitted to {comparisons:,} comparisons"
    if comparisons < ENOUGH:
        says += f"; below {ENOUGH:,} a reward model is advisory: look at what it prefers before trusting it."
    else:
        says += "."
    return _check("Enough comparisons", True, comparisons, None, comparisons, says)


def _wins(proxy: dict[str, Any] | None) -> Check:
    if proxy is None or proxy.get("win_rate") is None:
        says = "No reward model has compared it with its parent; a person may promote it with a reason."
        return _check("Wins against its parent", False, None, None, 0, says)
    rate, interval, n = proxy["win_rate"], proxy.get("interval"), proxy["n"]
    passed = interval is not None and interval[0] > 0.5
    says = f"The reward model prefers it to its parent on {rate:.1%} of {n} held-out prompts"
    says += f" ({_range(interval)})." if interval else "; too few for an interval."
    return _check("Wins against its parent", passed, rate, interval, n, says)


def _length(result: dict[str, Any]) -> Check:
    ratio = result.get("length_ratio")
    passed = ratio is not None and ratio <= LONGEST
    says = "There are no answers to measure." if ratio is None else (
        f"Its answers are {ratio:.2f} times as long as its parent's; at most {LONGEST} is allowed."
    )  # fmt: skip
    return _check("Length", passed, ratio, None, (result.get("proxy") or {}).get("n", 0), says)


def _variety(result: dict[str, Any]) -> Check:
    distinct = result.get("distinct")
    passed = distinct is not None and distinct >= LEAST_DISTINCT
    says = "There are no answers to compare." if distinct is None else (
        f"{distinct:.1%} of its answers are distinct; at least {LEAST_DISTINCT:.0%} must be."
    )  # fmt: skip
    return _check("Variety", passed, distinct, None, (result.get("proxy") or {}).get("n", 0), says)


def _gap_to(
    run: Run, champion: ModelVersion, pairs: list[Pair], mine: Floats, probability: Floats, prompts: list[str]
) -> Estimate:
    """Compare with the champion; undefined when it cannot score any more."""
    try:
        theirs = _champion_margins(run, champion, pairs)
    except (BackendError, ModelError) as error:
        return Estimate(None, None, 0, str(error))
    return paired_difference(mine, hits(probability, theirs), prompts)


def _champion_margins(run: Run, champion: ModelVersion, pairs: list[Pair]) -> Floats:
    # the engine has scored them already, unless the champion has changed since the run was queued
    if run.config.get("champion") == champion.location:
        return _column(runs.folder(run) / "test_votes.parquet", "champion_margin")
    sides = [
        [*pair.messages, {"role": "assistant", "content": text}]
        for pair in pairs
        for text in (pair.chosen, pair.rejected)
    ]
    scores: Floats = np.array(scoring.score(champion, sides), dtype=np.float64)
    return scores[::2] - scores[1::2]


def _column(file: Path, name: str) -> Floats:
    found: Floats = pq.read_table(file, columns=[name])[name].to_numpy().astype(np.float64)
    return found


def _check(name: str, passed: bool, figure: Any, interval: Any, n: int, says: str) -> Check:
    return {
        "name": name,
        "passed": bool(passed),
        "figure": None if figure is None else float(figure),
        "interval": None if interval is None else [float(end) for end in interval],
        "n": int(n),
        "says": says,
    }


def _range(interval: Any) -> str:
    return f"95 % interval {interval[0]:.1%} to {interval[1]:.1%}"


def _gap(gap: Estimate) -> str:
    assert gap.value is not None
    text = f"{100 * gap.value:+.1f} points"
    if gap.interval is None:
        return text
    return f"{text} (95 % interval {100 * gap.interval.low:+.1f} to {100 * gap.interval.high:+.1f})"
