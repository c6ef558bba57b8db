"""Measure the improvement of policies beside TRL's, and sampling beside transformers' `generate`.

python -m bench.policy --json FILE

Needs TOUCHSTONE_REAL_DATA (oasst1_en_val_pairs.jsonl.gz) and the development package trl. The policy is a
Llama of 5.8 million random weights. Each training is a process of its own on `--threads` threads; engine and
TRL take turns.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from bench.policy import dialogues
from bench.policy.programs import ENGINE, PEER, SAMPLER, Cost, run, variables
from bench.report import Figure, main
from training import parquet

EXAMPLES = 384, 64  # multiples of the batch; and for a quick pass
EXACT = 96  # of them, trained on in float32 to compare losses
TOKENS = 128, 32  # sampled by each answer
LENGTH = 256  # tokens of an example, at most
GOALS = {"sft": 1.5, "dpo": 2.0}  # times TRL's examples a second
# nats: how far the loss of a step may be from TRL's in float32; in bfloat16 rounding alone moves a sum over
# some hundred tokens by more, as TRL's two kinds of attention show
NEAR = 0.002
GOAL_TOKENS = 4000
ENGINE_EXACTLY, PEER_EXACTLY = "engine, float32", "TRL, float32"
PLAIN = {"attention": "sdpa", "precompute": False}
HYPER = {
    "batch_size": 16,
    "micro_batch_size": 16,
    "max_length": LENGTH,
    "warmup": 0.1,
    "weight_decay": 0.0,
    "clip": 1.0,
    "sft_epochs": 1,
    "sft_learning_rate": 2e-4,
    "dpo_epochs": 1,
    "dpo_learning_rate": 5e-5,
    "dpo_beta": 0.1,
    "checkpoint_steps": 1000,
}


class Contest:
    """Train one policy by engine and TRL on the same examples, each time in a folder of its own."""

    def __init__(self, folder: Path, threads: int, small: bool) -> None:
        self.folder, self.threads = folder, threads
        found = dialogues.read()
        self.policy = str(dialogues.save_policy(folder / "policy", found, 2 * LENGTH))
        self.kept = self._whole(found)[: EXAMPLES[small]]
        self.costs: dict[str, list[Cost]] = {}

    def take(self, name: str, stage: str, program: str, peer: dict[str, Any], exact: bool = False) -> None:
        """Train once; a name is of a way to do so, `exact` ones in float32 on fewer examples."""
        kept = self.kept[:EXACT] if exact else self.kept
        costs = self.costs.setdefault(f"{stage}: {name}", [])
        # each run directory has a parent of its own, where the engine keeps reference log-probabilities
        path = self.folder / f"{stage} {name} {len(costs)}" / "run"
        path.mkdir(parents=True)
        if stage == "sft":
            rows = dialogues.demonstration_rows(kept)
            parquet.write(path / "demonstrations.parquet", parquet.ENGINE_DEMONSTRATIONS, rows)
        else:
            parquet.write(path / "pairs.parquet", parquet.ENGINE_PAIRS, dialogues.pair_rows(kept))
        config = {
            "kind": "policy",
            "seed": 0,
            "threads": self.threads,
            "parent": self.policy,
            "reward_model": None,
            "stages": [stage],
            "hyper": HYPER,
        }
        (path / "config.json").write_text(json.dumps(config))
        (path / "peer.json").write_text(json.dumps(peer))
        costs.append(run(program, path, len(kept), self.threads, exact))
        print(f"{stage}: {name}: {costs[-1].per_cpu_second:.1f} examples/CPU s", flush=True)

    def cost(self, name: str, what: str) -> float:
        """Return the median of what a way took."""
        return float(median(getattr(cost, what) for cost in self.costs[name]))

    def _whole(self, found: list[dialogues.Dialogue]) -> list[dialogues.Dialogue]:
        """Leave out dialogues that would have to be cut, which the two might do differently."""
        from transformers import AutoTokenizer

        from training.engine.data import Encoder

        encoder = Encoder(AutoTokenizer.from_pretrained(self.policy), LENGTH)
        kept = []
        for each in found:
            replies = [encoder.reply(each.prompt, text) for text in (each.chosen, each.rejected)]
            if all(len(reply.prompt) + len(reply.reply) < LENGTH for reply in replies):
                kept.append(each)
        return kept


def training(contest: Contest, stage: str) -> list[Figure]:
    """Train engine, TRL, engine, and TRL in the other ways that it offers."""
    for name, program in (("engine", ENGINE), ("TRL", PEER), ("engine", ENGINE), ("TRL", PEER)):
        contest.take(name, stage, program, PLAIN)
    contest.take("TRL, eager attention", stage, PEER, {**PLAIN, "attention": "eager"})
    if stage == "dpo":
        contest.take("TRL, references computed before", stage, PEER, {**PLAIN, "precompute": True})
    for name, program in ((ENGINE_EXACTLY, ENGINE), (PEER_EXACTLY, PEER)):
        contest.take(name, stage, program, PLAIN, exact=True)
    found = []
    for name in (name for name in contest.costs if name.startswith(stage) and "float32" not in name):
        found += [
            Figure(name, contest.cost(name, "per_second"), "examples/s"),
            Figure(f"{name}, by processor time", contest.cost(name, "per_cpu_second"), "ex./CPU s"),
            Figure(f"{name}, peak memory", contest.cost(name, "peak_mb"), "MB"),
        ]
    for what, says in (("per_cpu_second", "processor time"), ("per_second", "seconds")):
        ratio = contest.cost(f"{stage}: engine", what) / contest.cost(f"{stage}: TRL", what)
        goal = GOALS[stage]
        found.append(Figure(f"{stage}: engine / TRL, {says}", ratio, "times", f">= {goal:g}", ratio >= goal))
    return [*found, *_losses(contest, stage)]


def _losses(contest: Contest, stage: str) -> list[Figure]:
    """Compare the losses of the same batches in the same order, step by step."""

    def losses(name: str) -> tuple[float, ...]:
        return contest.costs[f"{stage}: {name}"][0].losses

    def apart(first: str, second: str) -> list[float]:
        return [abs(a - b) for a, b in zip(losses(first), losses(second), strict=True)]

    exactly = max(apart(ENGINE_EXACTLY, PEER_EXACTLY))
    usual, noise = (fmean(apart(name, "TRL")) for name in ("engine", "TRL, eager attention"))
    return [
        Figure(f"{stage}: losses apart, float32, most", exactly, "nats", f"<= {NEAR:g}", exactly <= NEAR),
        Figure(f"{stage}: losses apart, mean", usual, "nats"),
        Figure(f"{stage}: TRL's losses apart by its attention, mean", noise, "nats"),
        Figure(f"{stage}: losses of steps, standard deviation", stdev(losses("engine")), "nats"),
    ]


def sampling(policy: str, threads: int, tokens: int) -> list[Figure]:
    """Sample by the engine's sampler and by transformers' static cache, in turns."""
    costs: dict[str, list[dict[str, float]]] = {"touchstone": [], "transformers": []}
    for who in ("touchstone", "transformers", "touchstone"):
        done = subprocess.run(
            [sys.executable, "-m", SAMPLER, who, policy, str(threads), str(tokens)],
            env=variables(threads), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
        )  # fmt: skip
        costs[who].append(json.loads(done.stdout.splitlines()[-1]))
        print(f"sampling: {who}: {costs[who][-1]}", flush=True)
    pace = {
        (who, what): median(cost["tokens"] / cost[what] for cost in found)
        for who, found in costs.items()
        for what in ("seconds", "cpu_seconds")
    }
    fast = pace["touchstone", "seconds"]
    ratio = pace["touchstone", "cpu_seconds"] / pace["transformers", "cpu_seconds"]
    return [
        Figure("sampling, batches of 64", fast, "tokens/s", f">= {GOAL_TOKENS}", fast >= GOAL_TOKENS),
        Figure("sampling, by processor time", pace["touchstone", "cpu_seconds"], "tokens/CPU s"),
        Figure("sampling: static generate", pace["transformers", "seconds"], "tokens/s"),
        Figure(
            "sampling: static generate, by processor time",
            pace["transformers", "cpu_seconds"],
            "tokens/CPU s",
        ),
        Figure("sampling: ours / static generate, processor time", ratio, "times"),
    ]


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure the parts that were asked for, in a folder that goes with them."""
    found = []
    with tempfile.TemporaryDirectory(prefix="touchstone-policy-") as folder:
        contest = Contest(Path(folder), options.threads, options.small)
        for stage in GOALS:
            if options.only in (None, stage):
                found += training(contest, stage)
        if options.only in (None, "sampling"):
            found += sampling(contest.policy, options.cores, TOKENS[options.small])
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=(*GOALS, "sampling"))
    parser.add_argument("--small", action="store_true", help="a quick pass whose figures mean little")
    parser.add_argument("--threads", type=int, default=1, help="of each training (default 1)")
    parser.add_argument("--cores", type=int, default=2, help="of each sampling (default 2)")
    main(measure, parser)
