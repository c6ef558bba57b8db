"""Train a policy with TRL from a run directory: python -m bench.policy.peer RUN_DIR

What the engine reads, and the same tokens, batches, their order, optimiser and learning rate. TRL as tuned
as its documentation lets one: bfloat16 where the processor has it, ids made beforehand, nothing saved on the
way. The loss of each step is written, as the engine's is.
"""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any


def train(folder: Path) -> None:
    """Train by the run's one stage, sft or dpo, and write the loss of each step to metrics.jsonl."""
    import torch
    from datasets import Dataset, disable_progress_bars
    from torch.utils.data import SequentialSampler
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    from training.engine.optimisation import _schedule, autocast

    disable_progress_bars()
    config = json.loads((folder / "config.json").read_text())
    hyper, stage, peer = config["hyper"], config["stages"][0], json.loads((folder / "peer.json").read_text())
    torch.set_num_threads(config["threads"])
    tokenizer = AutoTokenizer.from_pretrained(config["parent"])
    model = AutoModelForCausalLM.from_pretrained(
        config["parent"], dtype=torch.float32, attn_implementation=peer["attention"]
    )
    rows = examples(folder, tokenizer, stage, hyper, config["seed"])
    steps = len(rows) // hyper["batch_size"]
    trainer_class, arguments = (SFTTrainer, SFTConfig) if stage == "sft" else (DPOTrainer, DPOConfig)
    options: dict[str, Any] = {
        "beta": hyper["dpo_beta"], "precompute_ref_log_probs": peer["precompute"], "max_length": None,
    } if stage == "dpo" else {"completion_only_loss": True, "max_length": None}  # fmt: skip

    class Watcher(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            content = {"done": state.global_step, "total": steps, "stage": stage}
            (folder / "progress.json.new").write_text(json.dumps(content))
            (folder / "progress.json.new").replace(folder / "progress.json")

    class InOrder(trainer_class):  # type: ignore[misc, valid-type]
        def _get_train_sampler(self, *_args: Any, **_rest: Any) -> Any:
            return SequentialSampler(self.train_dataset)

        def _prepare_dataset(self, dataset: Any, *rest: Any, **how: Any) -> Any:
            # of pairs TRL would take nothing but texts
            return dataset if stage == "dpo" else super()._prepare_dataset(dataset, *rest, **how)

    how = arguments(
        output_dir=str(folder / "checkpoint"),
        per_device_train_batch_size=hyper["batch_size"],
        num_train_epochs=1,
        max_grad_norm=hyper["clip"],
        bf16=not isinstance(autocast(), nullcontext),
        use_cpu=True,
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        seed=config["seed"],
        **options,
    )
    rate = hyper[f"{stage}_learning_rate"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0, fused=True)
    falling = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _schedule(step, steps, hyper["warmup"]) if step < steps else 0.0
    )
    trainer = InOrder(
        model=model,
        args=how,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[Watcher()],
        optimizers=(optimizer, falling),
    )
    assert len(trainer.train_dataset) == len(rows), "TRL dropped examples"
    if stage == "dpo" and peer["precompute"]:
        (folder / "progress.json").write_text('{"done": 0, "total": 1, "stage": "dpo reference"}')
    trainer.train()
    lines = [
        json.dumps({"step": i, "name": f"{stage}/loss", "value": row["loss"]})
        for i, row in enumerate(row for row in trainer.state.log_history if "loss" in row)
    ]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")


def examples(
    folder: Path, tokenizer: Any, stage: str, hyper: dict[str, Any], seed: int
) -> list[dict[str, Any]]:
    """Return the examples as tokens in the order in which the engine takes them."""
    from training.engine.data import Encoder, batches, read_demonstrations, read_pairs

    encoder = Encoder(tokenizer, hyper["max_length"])
    rows: list[dict[str, Any]] = []
    if stage == "sft":
        replies = [encoder.reply(row.messages, row.completion) for row in read_demonstrations(folder)]
        lengths = [len(row.prompt) + len(row.reply) for row in replies]
        rows = [
            {
                "input_ids": row.prompt + row.reply,
                "completion_mask": [0] * len(row.prompt) + [1] * len(row.reply),
            }
            for row in replies
        ]
    else:
        lengths = []
        for pair in read_pairs(folder):
            chosen, rejected = (encoder.reply(pair.messages, text) for text in (pair.chosen, pair.rejected))
            assert chosen.prompt == rejected.prompt, "a prompt was cut for one of its answers"
            rows.append(
                {"prompt_ids": chosen.prompt, "chosen_ids": chosen.reply, "rejected_ids": rejected.reply}
            )
            lengths.append(len(chosen.prompt) + max(len(chosen.reply), len(rejected.reply)))
    return [rows[i] for batch in batches(lengths, hyper["batch_size"], seed, 0) for i in batch]


if __name__ == "__main__":
    train(Path(sys.argv[1]))
