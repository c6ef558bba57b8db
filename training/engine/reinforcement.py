"""Reinforcement learning against a reward model, through TRL: answers are tried, better ones made likelier.

RLOO (Ahmadian et al. 2024) or GRPO (Shao et al. 2024), with a penalty for what leaves the parent. TRL is no
part of the installation that serves; vLLM samples where it is installed and CUDA is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch

from training.engine.config import EngineError, PolicyConfig
from training.engine.data import Prompt
from training.engine.optimisation import Resume
from training.engine.run_dir import RunDir

SHOWN = {"reward": "reward", "kl": "kl", "grad_norm": "grad_norm", "completions/mean_length": "tokens"}


def reinforce(
    run: RunDir, config: PolicyConfig, model: Any, tokenizer: Any, prompts: Sequence[Prompt], resume: Resume
) -> dict[str, Any]:
    """Train the model in place for `rl_steps` steps of `batch_size` answers; returns the stage's figures.

    TRL keeps checkpoints in the run's work folder, from which a killed run goes on. It leaves the model
    patched: only its weights are of use afterwards. Raises EngineError where TRL is missing, and Cancelled.
    """
    try:
        from datasets import Dataset, disable_progress_bars
    except ImportError:
        raise EngineError(_MISSING) from None
    trainer_class, arguments = _trl(config.rl)
    disable_progress_bars()
    folder = run.work / "rl"
    done = _checkpoints(folder)
    trainer = trainer_class(
        model=model,
        reward_funcs=_judge(config),
        args=arguments(**_arguments(config, str(folder))),
        train_dataset=Dataset.from_list([{"prompt": prompt.messages} for prompt in prompts]),
        processing_class=tokenizer,
        callbacks=[_watcher(run, config, resume)],
    )
    trainer.train(resume_from_checkpoint=done[-1] if done else None)
    run.check_stop()
    rewards = [row["reward"] for row in trainer.state.log_history if "reward" in row]
    resume.total_step += config.hyper.rl_steps
    return {
        "method": config.rl,
        "prompts": len(prompts),
        "steps": trainer.state.global_step,
        "first_reward": rewards[0],
        "last_reward": rewards[-1],
    }


_MISSING = (
    "The stage rl needs TRL: pip install -r requirements/dev.txt, or pip install trl datasets; "
    "and vllm where a GPU is to sample."
)


def _trl(method: str) -> tuple[Any, Any]:
    """Return TRL's trainer of a method and the class of its arguments."""
    try:
        if method == "grpo":
            from trl import GRPOConfig, GRPOTrainer

            return GRPOTrainer, GRPOConfig
        from trl import RLOOConfig, RLOOTrainer
    except ImportError:
        raise EngineError(_MISSING) from None
    return RLOOTrainer, RLOOConfig


def _arguments(config: PolicyConfig, folder: str) -> dict[str, Any]:
    hyper, cuda = config.hyper, torch.cuda.is_available()
    fast = cuda and find_spec("vllm") is not None
    return {
        "output_dir": folder,
        "max_steps": hyper.rl_steps,
        "per_device_train_batch_size": hyper.batch_size,
        "num_generations": hyper.rl_samples,
        "learning_rate": hyper.rl_learning_rate,
        "warmup_steps": hyper.warmup,
        "weight_decay": hyper.weight_decay,
        "max_grad_norm": hyper.clip,
        "beta": hyper.rl_kl,
        "temperature": hyper.temperature or 1.0,  # at 0 every answer to a prompt would be the same
        "top_p": hyper.top_p,
        "max_completion_length": hyper.max_new_tokens,
        "bf16": torch.cuda.is_bf16_supported() if cuda else torch.cpu._is_avx512_bf16_supported(),
        "use_cpu": not cuda,
        "gradient_checkpointing": cuda,
        "use_vllm": fast,
        **({"vllm_mode": "colocate"} if fast else {}),
        "save_strategy": "steps",
        "save_steps": hyper.checkpoint_steps,
        "save_total_limit": 1,
        "logging_steps": 1,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "seed": config.seed,
        "data_seed": config.seed,
    }


def _judge(config: PolicyConfig) -> Any:
    """Return the reward model as TRL asks one: prompts and completions as messages, one reward each."""
    from models_app.backends.transformers import load_reward_model

    assert config.reward_model is not None
    judge = load_reward_model(config.reward_model)

    def reward(prompts: list[Any], completions: list[Any], **_rest: Any) -> list[float]:
        return judge.score([[*asked, *said] for asked, said in zip(prompts, completions, strict=True)])

    return reward


def _watcher(run: RunDir, config: PolicyConfig, resume: Resume) -> Any:
    """Return a callback that writes each step's figures, and saves and stops when the run is asked to."""
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **rest: Any) -> None:
            shown = {f"rl/{name}": float(logs[key]) for key, name in SHOWN.items() if key in logs}
            run.metric(resume.total_step + state.global_step - 1, **shown)

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            run.progress(state.global_step, config.hyper.rl_steps, "rl")
            if run.stopping:
                control.should_save = control.should_training_stop = True

    return Watcher()


def _checkpoints(folder: Any) -> list[str]:
    """Return TRL's whole checkpoints, the newest last; its state is what it writes last."""
    found = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return [str(path) for path in sorted(found, key=lambda path: int(path.name.split("-")[1]))]
