"""The checks that a candidate passes, or not, before it becomes the champion."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from labeling.rounds import StateError
from models_app import registry, scoring
from models_app.backends import BackendError
from models_app.models import ModelVersion
from models_app.registry import ModelError
from preferences.intervals import paired_difference
from preferences.types import Estimate
from training import runs, safeguards
from training.bands import LIMITS, limits
from training.engine.data import Pair, read_pairs
from training.engine.evaluation import hits
from training.engine.held_out import conversations, word_difference
from training.models import Evaluation, Run

Floats = npt.NDArray[np.float64]
Check = dict[str, Any]

ENOUGH = 2000  # comparisons, below which a reward model is near chance (Gao et al. 2022)
LONGEST = LIMITS["length_step"][1]  # length of the candidate's answers, as a share of its parent's
LEAST_DISTINCT = 0.8
ONE_SIDED = 1.645 / (2 * 1.96)  # of a 95 % interval's width: whether something is above, at the 5 % level
TOLERATED = -0.01  # accuracy below the champion's that a lower bound may reach
MOST_DRIFT = 1e-3  # of a score, with the batch that it is in


class _Votes:
    """The clear held-out votes as arrays: prompts, rounds, words, and the candidate's hits."""

    def __init__(self, pairs: list[Pair], margin: Floats) -> None:
        self.pairs = pairs
        self.probability = np.array([pair.probability for pair in pairs], dtype=np.float64)
        clear = [pair for pair in pairs if pair.probability != 0.5]
        self.prompts = [pair.prompt_id for pair in clear]
        self.rounds = np.array([pair.round for pair in clear], dtype=np.int64)
        self.longer = word_difference(pairs)
        self.mine = self.hits(margin)

    def hits(self, margin: Floats) -> Floats:
        """Return 1, ½ or 0 for each clear vote."""
        return hits(self.probability, margin)


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
    if run.kind == Run.Kind.REWARD:
        checks = reward_checks(run, champion)
    else:
        rival = champion if champion is not None and champion != run.produced else run.parent
        longest = limits(run.campaign, "length_step")[1]
        checks = policy_checks(run.result, longest) + safeguards.checks(run, rival)
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
    """Hold a reward model's hits on held-out votes against chance, length and the champion's hits.

    Fitted to fewer than 2,000 comparisons a model is advisory, and only what is clearly worse blocks it,
    since so few votes exclude nothing; from then on a loss has to be excluded.
    """
    folder = runs.folder(run)
    pairs = [pair for pair in read_pairs(folder) if pair.split == "test"]
    comparisons = run.snapshot.counts.get("comparisons", 0)
    enough = comparisons >= ENOUGH
    votes = _Votes(pairs, _column(folder / "test_votes.parquet", "margin"))
    checks = [_beats_chance(run.result.get("test", {}))]
    if len(votes.mine):
        checks.append(_beats_length(run.result, votes, enough))
        if champion is not None and champion != run.produced:
            checks += _against_champion(run, champion, votes, enough)
    report = run.result.get("report") or {}
    checks.append(_invariant((report.get("invariance") or {}).get("greatest")))
    checks.append(_advisory(comparisons))
    return checks


def policy_checks(result: dict[str, Any], longest: float | None = LONGEST) -> list[Check]:
    """Look at a policy's proxy win rate against its parent, its length and its variety, on test prompts."""
    return [_wins(result.get("proxy")), _length(result, longest), _variety(result)]


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
    return _check(gettext_noop("Beats chance"), passed, accuracy, interval, test.get("n", 0), says)


def _beats_length(result: dict[str, Any], votes: _Votes, enough: bool) -> Check:
    rule = result.get("length_baseline", {}).get("rule", "longer")
    baseline = votes.hits(votes.longer if rule == "longer" else -votes.longer)
    gap = paired_difference(votes.mine, baseline, votes.prompts)
    low, high = gap.interval or (-1.0, 1.0)
    passed = low > 0 if enough else high >= 0
    says = f"Always preferring the {rule} answer agrees with {baseline.mean():.1%}; the model is {_gap(gap)}"
    says += "." if passed else ", clearly worse." if high < 0 else ", which may be no gain."
    return _check(gettext_noop("Beats length alone"), passed, gap.value, gap.interval, gap.n, says)


def _against_champion(run: Run, champion: ModelVersion, votes: _Votes, enough: bool) -> list[Check]:
    """Compare with the champion on all votes and on the newest round's; it fails if that cannot score."""
    try:
        theirs = votes.hits(_champion_margins(run, champion, votes.pairs))
    except (BackendError, ModelError) as error:
        says = f"{champion.name} cannot score the same votes: {error} A person may promote with a reason."
        return [_check(gettext_noop("Not worse than the champion"), False, None, None, 0, says)]
    gap = paired_difference(votes.mine, theirs, votes.prompts)
    checks = [_beats_champion(champion, gap, enough)]
    newest = votes.rounds == votes.rounds.max()
    if not newest.all():
        prompts = [prompt for prompt, new in zip(votes.prompts, newest, strict=True) if new]
        last = paired_difference(votes.mine[newest], theirs[newest], prompts)
        checks.append(_holds_on_newest(champion, last, votes.rounds.max()))
    return checks


def _beats_champion(champion: ModelVersion, gap: Estimate, enough: bool) -> Check:
    low, high = gap.interval or (-1.0, 1.0)
    excluded = low >= TOLERATED
    says = f"On the same votes as {champion.name} it is {_gap(gap)}"
    if high < 0:
        says += ", clearly worse."
    elif excluded:
        says += "; a loss of more than a point is excluded."
    else:
        says += "; a loss of more than a point is not excluded"
        says += "." if enough else f", which blocks only from {ENOUGH:,} comparisons on."
    passed = high >= 0 and (excluded or not enough)
    return _check(gettext_noop("Not worse than the champion"), passed, gap.value, gap.interval, gap.n, says)


def _holds_on_newest(champion: ModelVersion, gap: Estimate, round_: int) -> Check:
    worse = gap.interval is not None and gap.interval.high < 0
    says = f"On the votes of round {round_}, the newest, it is {_gap(gap)} against {champion.name}"
    says += ", clearly worse." if worse else "."
    return _check(
        gettext_noop("Not worse on the newest round"), not worse, gap.value, gap.interval, gap.n, says
    )


def _invariant(greatest: float | None) -> Check:
    passed = greatest is not None and greatest <= MOST_DRIFT
    if greatest is None:
        says = "Whether a score depends on what is scored beside it was not measured."
    else:
        says = f"A score differs by up to {greatest:.1g} with what is scored beside it; "
        says += f"at most {MOST_DRIFT:g} is allowed."
    return _check(gettext_noop("Scores alike in any company"), passed, greatest, None, 0, says)


def _advisory(comparisons: int) -> Check:
    says = f"It was fitted to {comparisons:,} comparisons"
    if comparisons < ENOUGH:
        says += (
            f"; below {ENOUGH:,} a reward model is advisory: look at what it prefers before trusting it. "
            "It is blocked only where it is clearly worse."
        )
    else:
        says += "."
    return _check(gettext_noop("Enough comparisons"), True, comparisons, None, comparisons, says)


def _wins(proxy: dict[str, Any] | None) -> Check:
    if proxy is None or proxy.get("win_rate") is None:
        says = "No reward model has compared it with its parent; a person may promote it with a reason."
        return _check(gettext_noop("Wins against its parent"), False, None, None, 0, says)
    rate, interval, n = proxy["win_rate"], proxy.get("interval"), proxy["n"]
    passed = interval is not None and interval[0] > 0.5
    says = f"The reward model prefers it to its parent on {rate:.1%} of {n} held-out prompts"
    says += f" ({_range(interval)})." if interval else "; too few for an interval."
    return _check(gettext_noop("Wins against its parent"), passed, rate, interval, n, says)


def _length(result: dict[str, Any], longest: float | None) -> Check:
    ratio = result.get("length_ratio")
    passed = ratio is not None and (longest is None or ratio <= longest)
    if ratio is None:
        says = "There are no answers to measure."
    else:
        says = f"Its answers are {ratio:.2f} times as long as its parent's"
        says += "." if longest is None else f"; at most {longest:g} is allowed."
    return _check(gettext_noop("Length"), passed, ratio, None, (result.get("proxy") or {}).get("n", 0), says)


def _variety(result: dict[str, Any]) -> Check:
    distinct = result.get("distinct")
    passed = distinct is not None and distinct >= LEAST_DISTINCT
    says = "There are no answers to compare." if distinct is None else (
        f"{distinct:.1%} of its answers are distinct; at least {LEAST_DISTINCT:.0%} must be."
    )  # fmt: skip
    return _check(
        gettext_noop("Variety"), passed, distinct, None, (result.get("proxy") or {}).get("n", 0), says
    )


def _champion_margins(run: Run, champion: ModelVersion, pairs: list[Pair]) -> Floats:
    # the engine has scored them already, unless the champion has changed since the run was queued
    if run.config.get("champion") == champion.location:
        return _column(runs.folder(run) / "test_votes.parquet", "champion_margin")
    scores: Floats = np.array(scoring.score(champion, conversations(pairs)), dtype=np.float64)
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
