"""Several processes fit the model that one would have."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accelerate.commands.launch import launch_command_parser

from models_app.backends.transformers import load_reward_model
from tests.training.engine.conftest import REPOSITORY, World, metrics, prepare
from training.engine.__main__ import main


def launch(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Launch the engine as a cluster does; --multi_gpu is the launcher's word for several processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    return subprocess.run(
        [*program, "--main_process_port", port, *options, "-m", "training.engine", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_two_processes_fit_the_model_that_one_does(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To 1e-3 in score, with steps that don't divide by two, and a validation that chooses the epoch."""
    hyper = {"epochs": 2, "batch_size": 7, "min_validation_votes": 10, "held_out_raters": 0}
    config = {"kind": "reward", "trunk": str(policy), "hyper": hyper}
    alone = prepare(tmp_path / "one" / "run", config, pairs=World().pairs(120))
    both = tmp_path / "two" / "run"
    shutil.copytree(alone, both)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # bfloat16 rounds other batches otherwise
    assert main([str(alone)]) == 0
    said = launch(both)
    assert said.returncode == 0, said.stderr
    asked = [
        [
            {"role": "user", "content": "how long"},
            {"role": "assistant", "content": World(seed).sentence(1, 12)},
        ]
        for seed in range(40)
    ]
    scores = [np.array(load_reward_model(str(folder / "model")).score(asked)) for folder in (alone, both)]
    assert scores[0].std() > 0.1
    assert np.abs(scores[0] - scores[1]).max() < 1e-3
    assert metrics(both, "reward/validation") == pytest.approx(metrics(alone, "reward/validation"), abs=1e-3)
    assert metrics(both, "reward/accuracy") == pytest.approx(metrics(alone, "reward/accuracy"), abs=1e-3)


@pytest.mark.parametrize(
    ("config", "environment", "sentence"),
    [
        ({"kind": "policy", "parent": "p", "stages": ["sft"]}, {}, "one process"),
        ({"kind": "reward", "trunk": "t"}, {"ACCELERATE_USE_FSDP": "true"}, "every process holds all of it"),
    ],
)
def test_what_several_processes_cannot_do_is_said_in_a_sentence(
    config: dict[str, Any],
    environment: dict[str, str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"WORLD_SIZE": "2", **environment}.items():
        monkeypatch.setenv(name, value)
    folder = prepare(tmp_path / "run", config, pairs=World().pairs(20))
    assert main([str(folder)]) == 1
    assert sentence in (folder / "error.txt").read_text()


def test_the_clusters_commands_are_ones_that_the_launcher_takes() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    job = re.search(r"```bash\n(#!/bin/bash.*?)```", text, re.DOTALL)
    assert job is not None
    assert subprocess.run(["bash", "-n"], input=job[1], text=True).returncode == 0
    words = text.replace("\\\n", " ").replace("$((8 * SLURM_NNODES))", "16").replace("$HEAD", "node-0")
    commands = re.findall(r"accelerate launch (.*?RUN_DIR)", re.sub(r"\$SLURM_\w+", "2", words))
    assert len(commands) == 3
    for command in commands:
        asked = launch_command_parser().parse_args(command.split())
        assert (asked.module, asked.training_script) == (True, "training.engine")
        assert asked.training_script_args == ["RUN_DIR"]
        assert asked.num_processes % asked.num_machines == 0
