"""Run the engine in this process: what a worker's subprocess does, without another start of torch."""

from training import execution, runs
from training.engine.__main__ import main
from training.models import Run


def execute(run: Run) -> Run:
    """Take a queued run to its end; it must succeed."""
    claimed = runs.start(run.pk)
    assert claimed is not None
    folder = runs.folder(claimed)
    execution.prepare(claimed, folder)
    assert main([str(folder)]) == 0, (folder / "error.txt").read_text()
    return runs.succeed(claimed, execution.read_json(folder / "result.json"), str(folder / "model"))
