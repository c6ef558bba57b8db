"""The benchmark of the queue runs and says what it should, at the smallest size."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = ["--tasks=3000", "--raters=2", "--thinkers=3", "--seconds=1", "--turns=2", "--grow", "2000"]


def test_the_benchmark_measures_and_writes_its_figures(tmp_path: Path) -> None:
    file = tmp_path / "queue.json"
    # services of its own, not the tests'
    environment = {
        k: v for k, v in os.environ.items() if k not in {"TOUCHSTONE_VAR", "DJANGO_SETTINGS_MODULE"}
    }
    command = [sys.executable, "-m", "bench.queue", *SMALL, "--json", str(file)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    figures = {f["name"]: f for f in json.loads(file.read_text())["figures"]}
    assert figures["busy: judgments"]["value"] > 0
    assert 0 < figures["busy: CPU of the raters"]["value"] < figures["busy: CPU of web"]["value"]
    assert figures["limit: the same SQL under pgbench"]["value"] > figures["busy: judgments"]["value"]
    for name in ("busy: errors", "busy: tasks handed out twice", "thinking: errors"):
        assert figures[name]["holds"], result.stdout
    assert figures["2,000 slots: times the first"]["value"] > 0
    assert "| 2 raters without a pause, 3,000 tasks (median of 2: " in result.stdout
