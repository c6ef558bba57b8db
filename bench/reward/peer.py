"""Train a reward model with TRL from a run directory: python -m bench.reward.peer RUN_DIR

The same pairs.parquet and config.json that the engine reads, and the same tokens. TRL as tuned as its
documentation lets one: bfloat16 where the processor has it, examples of similar lengths in one batch, ids
made beforehand, nothing logged or saved on the way, no pair dropped for its length.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any


def train(folder: Path) -> None:
    """Fit on the pairs of split train, save model/ and write result.json with the accuracy on split test."""
    import torch
    from datasets import Dataset, disable_progress_bars
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
    from trl import RewardConfig, RewardTrainer

    from training.engine.data import Encoder, read_pairs
    from training.engine.reward_model import PLAIN_TEMPLATE

    disable_progress_bars()
    config = json.loads((folder / "config.json").read_text())
    hyper = config["hyper"]
    torch.set_num_threads(config["threads"])
    torch.manual_seed(config["seed"])
    tokenizer = AutoTokenizer.from_pretrained(config["trunk"])
    tokenizer.chat_template = PLAIN_TEMPLATE
    # a BERT tokenizer has none, and TRL asks for one
    tokenizer.eos_token = tokenizer.eos_token or tokenizer.sep_token
    model = AutoModelForSequenceClassification.from_pretrained(
        config["trunk"], num_labels=1, dtype=torch.float32, attn_implementation=config["peer"]["attention"]
    )
    encoder = Encoder(tokenizer, hyper["max_length"])
    data: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for pair in read_pairs(folder):
        sides = [
            encoder.conversation(before, text)
            for before, text in ((pair.before_chosen, pair.chosen), (pair.before_rejected, pair.rejected))
        ]
        row = {"chosen_ids": sides[0], "rejected_ids": sides[1], "length": max(map(len, sides))}
        data[pair.split].append(row)

    class Progress(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            content = {"done": state.global_step, "total": state.max_steps, "stage": "reward"}
            (folder / "progress.json.new").write_text(json.dumps(content))
            (folder / "progress.json.new").replace(folder / "progress.json")

    how = RewardConfig(
        output_dir=str(folder / "checkpoint"),
        per_device_train_batch_size=hyper["batch_size"],
        per_device_eval_batch_size=64,
        num_train_epochs=hyper["epochs"],
        learning_rate=hyper["learning_rate"],
        warmup_steps=hyper["warmup"],
        weight_decay=hyper["weight_decay"],
        max_grad_norm=hyper["clip"],
        center_rewards_coefficient=hyper["centre"]
        / 4,  # of the squared sum of a pair's rewards, not the mean
        max_length=hyper["max_length"],
        eos_token=tokenizer.eos_token,
        bf16=config["peer"]["bf16"],
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        train_sampling_strategy="group_by_length",
        remove_unused_columns=False,  # the lengths would be among them
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        seed=config["seed"],
    )
    trainer = RewardTrainer(
        model=model,
        args=how,
        train_dataset=Dataset.from_list(data["train"]),
        eval_dataset=Dataset.from_list(data["test"]),
        processing_class=tokenizer,
        callbacks=[Progress()],
    )
    assert len(trainer.train_dataset) == len(data["train"]), "TRL dropped pairs"
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    found = trainer.evaluate()
    trainer.save_model(str(folder / "model"))
    tokenizer.save_pretrained(folder / "model")
    (folder / "result.json").write_text(
        json.dumps({"test": {"accuracy": found["eval_accuracy"]}, "train_seconds": seconds})
    )


if __name__ == "__main__":
    train(Path(sys.argv[1]))
