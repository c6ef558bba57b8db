"""Run one training job in its run directory, or say in one sentence why it cannot be."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from training.engine.config import EngineError
from training.engine.run_dir import Cancelled, RunDir

CANCELLED = 128 + 15


def main(arguments: list[str]) -> int:
    """Run the job of RUN_DIR; returns the exit code: 0 done, 1 failed, 2 misused, 143 cancelled."""
    if len(arguments) != 1:
        print("usage: python -m training.engine RUN_DIR", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    if not path.is_dir():
        print(f"There is no run directory at {path}.", file=sys.stderr)
        return 2
    run = RunDir(path, writes=os.environ.get("RANK", "0") == "0")
    if run.finished:
        return 0
    with run.alive():
        try:
            _train(run)
        except Cancelled:
            return CANCELLED
        except Exception as error:
            traceback.print_exc()
            run.fail(_sentence(error))
            return 1
    return 0


def _train(run: RunDir) -> None:
    from training.engine.config import RewardConfig, read_config

    config = read_config(run.path)
    if isinstance(config, RewardConfig):
        from training.engine.reward_trainer import train_reward_model

        train_reward_model(run, config)
    elif int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise EngineError("A policy is improved by one process; launch its run without accelerate.")
    else:
        from training.engine.policy_trainer import train_policy

        train_policy(run, config)


def _sentence(error: Exception) -> str:
    from models_app.backends import BackendError

    if isinstance(error, EngineError | BackendError):
        return str(error)
    if isinstance(error, OSError) and error.errno == 28:
        return "The disk is full; free some space and start the run again."
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "Memory ran out; use a smaller model, micro_batch_size or max_length."
    return f"The engine met an error that it does not know ({type(error).__name__}: {error}); see the log."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
