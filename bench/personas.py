"""Rehearse three hidden tastes from one base, and write what the three policies say to the same prompts.

python -m bench.personas --json FILE [--markdown docs/personas.md]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.report import Figure, commit, machine, main

TASTES = ("kind-brief", "thorough-cautious", "playful")
LEAST = 0.7  # wins against the base by the own taste
Said = dict[str, Any]


def rehearse(taste: str, options: argparse.Namespace) -> tuple[Said, list[Said]]:
    """Rehearse a taste on services of its own; return its samples and its rounds."""
    with tempfile.TemporaryDirectory(prefix="persona-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's PostgreSQL runs as another user
        environment = {**os.environ, "TOUCHSTONE_VAR": str(folder)}
        figures, samples = folder / "figures.json", folder / "samples.json"
        command = [sys.executable, "manage.py", "rehearse", "--taste", taste, "--seed", str(options.seed)]
        command += ["--rounds", str(options.rounds), "--judgments", str(options.judgments)]
        command += ["--json", str(figures), "--samples", str(samples)]
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(migrate, check=True, env=environment)
        subprocess.run(command, check=True, env=environment)
        return json.loads(samples.read_text()), json.loads(figures.read_text())["rounds"]


def measure(options: argparse.Namespace) -> list[Figure]:
    """Make the personas, and hold each against the base by its own taste."""
    made = {taste: rehearse(taste, options) for taste in TASTES}
    if options.markdown:
        options.markdown.write_text(markdown(made, options))
    figures = []
    for taste, (_samples, rounds) in made.items():
        last = rounds[-1]
        rate = last["win_rate"]
        figures.append(Figure(f"{taste}: wins by its taste", rate, "share", f">= {LEAST}", rate >= LEAST))
        figures.append(Figure(f"{taste}: words", last["mean_words"], "words"))
        figures.append(Figure(f"{taste}: distinct answers", last["distinct"], "share"))
        if last["right"] is not None:
            figures.append(Figure(f"{taste}: right answers", last["right"], "share"))
    return figures


def markdown(made: dict[str, tuple[Said, list[Said]]], options: argparse.Namespace) -> str:
    """Write the figures and the samples side by side."""
    first = next(iter(made.values()))
    lines = [
        "# Three personas from one base",
        "",
        f"Made by `python -m bench.personas --markdown docs/personas.md`: {options.rounds} rounds of "
        f"{options.judgments} labels by simulated raters of each hidden taste, 15 % noise, "
        f"seed {options.seed}, from the same base policy. The prompts are the first held-out ones in the "
        "order of their hashes; one answer each, sampled at temperature 1, none left out.",
        "",
        f"Commit `{commit()}`; {machine()}.",
        "",
        "| taste | what it likes | wins against the base by it | words (base) | right (more than the base's) "
        "| distinct |",
        "|---|---|---|---|---|---|",
    ]
    for taste, (samples, rounds) in made.items():
        last = rounds[-1]
        gain = _range(last["right_gain"], last["right_gain_interval"], "+")
        lines.append(
            f"| {taste} | {samples['description']} | {_range(last['win_rate'], last['win_rate_interval'])} "
            f"| {last['mean_words']:.1f} ({last['base_words']:.1f}) | {last['right']:.1%} ({gain}) "
            f"| {last['distinct']:.0%} |"
        )
    for place, sample in enumerate(first[0]["samples"]):
        lines += ["", f"## {place + 1}. {_inline(sample['prompt'])}", ""]
        lines += [f"- **base**: {_inline(sample['base'])}"]
        lines += [
            f"- **{taste}**: {_inline(samples['samples'][place]['policy'])}"
            for taste, (samples, _rounds) in made.items()
        ]
    return "\n".join(lines) + "\n"


def _inline(text: str) -> str:
    return " ".join(text.split()).replace("*", "\\*").replace("<", "&lt;")


def _range(value: float, interval: list[float] | None, sign: str = "") -> str:
    bounds = f", {interval[0]:{sign}.1%} to {interval[1]:{sign}.1%}" if interval else ""
    return f"{value:{sign}.1%}{bounds}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--judgments", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", type=Path, help="write the samples and figures there")
    main(measure, parser)
