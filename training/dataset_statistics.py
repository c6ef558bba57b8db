"""What a snapshot's rows add up to: counts, agreement, what pulls verdicts; read column by column.

Counted once, when the snapshot is cut, and kept beside its rows as statistics.json.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db.models import Count

from accounts.models import User
from training import snapshots
from training.models import Snapshot

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Numbers = npt.NDArray[np.float64]
    Whole = npt.NDArray[np.int64]

FILE = "statistics.json"
COLUMNS = [
    "task.id", "task.kind", "task.selection", "campaign", "round", "language", "tags",
    "responses.list.element.text",
    *(
        f"judgments.list.element.{name}"
        for name in ("rater", "source", "guideline", "active_ms", "counted", "verdict", "order_shown",
                     "both_bad", "reliability")
    ),
    *(f"edits.list.element.{name}" for name in ("rater", "source", "counted", "active_ms")),
]  # fmt: skip
BATCH = 10_000  # tasks in memory at once
# how many times as many words the longer answer has, up to and without the next
RATIOS = (1.1, 1.5, 2.0, 3.0)


def read(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot's statistics (see `measure`); raises SnapshotError when its files are missing."""
    folder = snapshots.path(snapshot)
    if not (folder / FILE).exists():
        write(folder)
    found: dict[str, Any] = json.loads((folder / FILE).read_text())
    return found


def write(folder: Path, sums: Sums | None = None) -> None:
    """Write statistics.json to a folder, whole or not at all; counts its rows unless `sums` are given."""
    found = measure(folder) if sums is None else _conclude(sums)
    found["people"] = people(found["raters"])
    draft = folder / f".{FILE}"
    draft.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    draft.replace(folder / FILE)


def people(raters: Iterable[str]) -> dict[str, Any]:
    """Count skills, languages and passed tests among raters, by their pseudonyms, as they are now."""
    who = User.objects.filter(pseudonym__in=list(raters)).order_by()
    skills = who.filter(skills__isnull=False).values_list("skills__name").annotate(n=Count("pk"))
    spoken = who.exclude(language="").values_list("language").annotate(n=Count("pk"))
    qualified = who.filter(memberships__qualified_at__isnull=False).distinct().count()
    return {"skills": dict(sorted(skills)), "languages": dict(sorted(spoken)), "qualified": qualified}


@dataclass
class _Votes:
    """The counted votes on comparisons, as columns."""

    task: list[Whole] = field(default_factory=list)
    round: list[Whole] = field(default_factory=list)
    rater: list[Whole] = field(default_factory=list)
    verdict: list[Whole] = field(default_factory=list)  # between the sides as displayed
    first: list[Whole] = field(default_factory=list)  # the task's position that stood left
    imported: list[Whole] = field(default_factory=list)
    words: list[Whole] = field(default_factory=list)  # of the left answer, and of the right one


@dataclass
class Sums:
    """What passes by while the batches are read."""

    votes: _Votes = field(default_factory=_Votes)
    raters: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    guidelines: dict[str, Counter[str]] = field(default_factory=dict)  # of each campaign
    seconds: list[Numbers] = field(default_factory=list)
    words: list[Whole] = field(default_factory=list)
    both_bad: int = 0
    tasks: int = 0
    last: str = ""  # the task of the row before

    def tally(self, what: str, values: pa.Array) -> None:
        """Count how often each value is among some."""
        _add(self.counts.setdefault(what, Counter()), values)

    def count(self, table: pa.Table) -> None:
        """Count some more rows, in their order."""
        for batch in table.combine_chunks().to_batches():
            _count(self, batch)


def _add(found: Counter[str], values: pa.Array) -> None:
    for told in values.value_counts().to_pylist():
        found[str(told["values"])] += told["counts"]


def measure(folder: Path) -> dict[str, Any]:
    """Count what the files of a snapshot hold, in memory that grows by some bytes for each vote.

    Counts by round, kind, selection, language, tag, source and guideline; verdicts as displayed; each rater's
    work and reliability; estimates as {"value", "interval", "n", "why"}: agreement (three outcomes: first,
    tie, second) of all and by round, the left side's share, the longer answer's share, of all and by how much
    longer it is. Of several campaigns, guidelines are told by campaign and number, and nothing by round.
    """
    import pyarrow.parquet as pq

    sums = Sums()
    for split in snapshots.SPLITS:
        with pq.ParquetFile(folder / "data" / f"{split}.parquet") as file:
            for batch in file.iter_batches(BATCH, columns=COLUMNS):
                _count(sums, batch)
    return _conclude(sums)


def _count(sums: Sums, batch: pa.RecordBatch) -> None:
    import numpy as np
    import pyarrow.compute as pc

    numbers, begins = _count_tasks(sums, batch)
    rounds = batch["round"].to_numpy()
    texts = batch["responses"].flatten().field("text")
    words = pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts))).to_numpy()
    answers = pc.list_value_length(batch["responses"]).to_numpy()
    sums.words.append(words[np.repeat(begins, answers)].astype(np.int32))
    starts = np.concatenate([[0], np.cumsum(answers)])
    for kind in ("judgments", "edits"):
        _count_said(sums, batch, kind, rounds)
    said = batch["judgments"].flatten()
    parent = pc.list_parent_indices(batch["judgments"]).to_numpy()
    verdict = said.field("verdict")
    use = np.flatnonzero(pc.and_(said.field("counted"), pc.is_valid(verdict)).to_numpy(zero_copy_only=False))
    if len(use):
        said, parent = said.take(use), parent[use]
        first = pc.list_element(said.field("order_shown"), 0).to_numpy().astype(np.int64)
        pair = np.column_stack([words[starts[parent] + first], words[starts[parent] + 1 - first]])
        votes = sums.votes
        votes.task.append(numbers[parent])
        votes.round.append(rounds[parent])
        raters = said.field("rater").dictionary_encode()
        codes = np.array([sums.codes[name] for name in raters.dictionary.to_pylist()])
        votes.rater.append(codes[raters.indices.to_numpy()])
        votes.verdict.append(said.field("verdict").to_numpy())
        votes.first.append(first)
        votes.imported.append(pc.equal(said.field("source"), "imported").to_numpy(zero_copy_only=False))
        votes.words.append(pair)
        sums.both_bad += pc.sum(pc.cast(said.field("both_bad"), "int64")).as_py() or 0


def _count_tasks(sums: Sums, batch: pa.RecordBatch) -> tuple[Whole, list[bool]]:
    """Count a batch's tasks; return each row's number of its task, and whether it is its first row."""
    import numpy as np

    names = batch["task"].field("id").to_pylist()
    begins = [name != before for name, before in zip(names, [sums.last, *names[:-1]], strict=True)]
    firsts = batch.filter(begins)
    task = firsts["task"]
    sums.tally("kinds", task.field("kind"))
    sums.tally("selections", task.field("selection"))
    sums.tally("campaigns", firsts["campaign"])
    sums.tally("languages", firsts["language"].fill_null(""))
    sums.tally("tags", firsts["tags"].flatten())
    sums.tally("tasks_by_round", firsts["round"])
    numbers = np.cumsum(begins) + sums.tasks
    sums.tasks, sums.last = int(numbers[-1]), names[-1]
    return numbers, begins


def _count_said(sums: Sums, batch: pa.RecordBatch, kind: str, rounds: Whole) -> None:
    """Count the judgments, or edits, of a batch by rater, round, source and guideline."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    said = batch[kind].flatten()
    counted = pc.fill_null(said.field("counted"), False)
    parent = pc.list_parent_indices(batch[kind]).filter(counted).to_numpy()
    said = said.filter(counted)
    sums.tally(f"{kind}_by_round", pa.array(rounds[parent]))
    sums.tally("sources", said.field("source"))
    people = said.field("rater").dictionary_encode()
    who, names = people.indices.to_numpy(), people.dictionary.to_pylist()
    last = np.zeros(len(names), np.int64)
    last[who] = np.arange(len(who))
    reliability = None
    if kind == "judgments":
        _count_guidelines(sums, said.field("guideline").fill_null(0), batch["campaign"], parent)
        reliability = said.field("reliability").take(pa.array(last)).to_pylist()
    for at, (name, n) in enumerate(zip(names, np.bincount(who).tolist(), strict=True)):
        rater = sums.raters.setdefault(name, {"judgments": 0, "edits": 0, "reliability": None})
        sums.codes.setdefault(name, len(sums.codes))
        rater[kind] += n
        if reliability is not None:
            rater["reliability"] = reliability[at]
    sums.seconds.append(said.field("active_ms").drop_null().to_numpy() / 1000)


def _count_guidelines(sums: Sums, numbers: pa.Array, campaigns: pa.Array, parent: Whole) -> None:
    import pyarrow.compute as pc

    names = pc.unique(campaigns).to_pylist()
    for name in names:
        here = numbers if len(names) == 1 else numbers.filter(pc.equal(campaigns.take(parent), name))
        _add(sums.guidelines.setdefault(name, Counter()), here)


def _conclude(sums: Sums) -> dict[str, Any]:
    import numpy as np

    found: dict[str, Any] = {name: dict(sorted(count.items())) for name, count in sums.counts.items()}
    several = len(sums.counts.get("campaigns", ())) > 1
    found["guidelines"] = {
        f"{campaign} {number}" if several else number: n
        for campaign, count in sorted(sums.guidelines.items())
        for number, n in sorted(count.items())
    }
    found |= {"raters": sums.raters, "both_bad": sums.both_bad}
    seconds = np.concatenate(sums.seconds) if sums.seconds else np.array([])
    words = np.concatenate(sums.words) if sums.words else np.array([])
    found["seconds"] = _quartiles(seconds)
    found["words"] = _quartiles(words)
    votes = {
        name: np.concatenate(part) if part else np.zeros((0, 2) if name == "words" else 0, np.int64)
        for name, part in vars(sums.votes).items()
    }
    verdicts = Counter(votes["verdict"].tolist())
    found["verdicts"] = {str(verdict): verdicts.get(verdict, 0) for verdict in range(-3, 4)}
    found |= _agreement(votes) | _pulls(votes)
    if several:  # each has a first round
        found |= {name: {} for name in found if name.endswith("_by_round")}
    return found


def _agreement(votes: dict[str, Any]) -> dict[str, Any]:
    """Measure how far raters agree on which of a task's answers is better, of all and by round."""
    import numpy as np

    from preferences.agreement import agreement_by_group

    inward = np.where(votes["first"] == 0, 1, -1) * np.sign(votes["verdict"])
    said = (inward + 1).astype(np.int64)

    def measure(groups: Any) -> dict[Any, Any]:
        return agreement_by_group(votes["task"], said, groups, 3, tie=1)

    everything = measure(np.zeros(len(said), np.int64))
    rounds = measure(votes["round"])
    return {
        "agreement": {name: _plain(getattr(everything[0], name)) for name in ("alpha", "pairs")}
        if everything
        else {},
        "agreement_by_round": {
            str(number): {"alpha": _plain(of.alpha), "pairs": _plain(of.pairs)}
            for number, of in sorted(rounds.items())
        },
    }


def _pulls(votes: dict[str, Any]) -> dict[str, Any]:
    """Estimate how often the left and the longer answer win, whole raters drawn; imports don't tell sides."""
    import numpy as np

    from preferences.intervals import clustered_bootstrap

    left = 0.5 - np.sign(votes["verdict"]) / 2
    sides = ~votes["imported"].astype(bool)
    one, other = votes["words"][:, 0], votes["words"][:, 1]
    ratio = (np.maximum(one, other) + 1) / (np.minimum(one, other) + 1)
    longer = np.where(one > other, left, 1 - left)
    differ = ratio >= RATIOS[0]
    band = np.digitize(ratio, RATIOS)
    return {
        "left": _plain(clustered_bootstrap(left[sides], votes["rater"][sides])),
        "longer": _plain(clustered_bootstrap(longer[differ], votes["rater"][differ])),
        "longer_by_ratio": [
            _plain(clustered_bootstrap(longer[band == at], votes["rater"][band == at]))
            for at in range(1, len(RATIOS) + 1)
        ],
    }


def _quartiles(values: Any) -> list[float] | None:
    import numpy as np

    return [round(float(at), 3) for at in np.quantile(values, (0.25, 0.5, 0.75))] if len(values) else None


def _plain(estimate: Any) -> dict[str, Any]:
    return {
        "value": estimate.value,
        "interval": None if estimate.interval is None else list(estimate.interval),
        "n": estimate.n,
        "why": estimate.why,
    }
