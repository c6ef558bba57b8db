"""The formats of exports: what each is called, what it holds, and which files it can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from training import projections
from training.formats import Row

# The kinds of columns; a list of one holds many of it, a dict is an object.
TEXT, NUMBER, WHOLE, TRUTH = "text", "number", "whole", "truth"
MESSAGE = {"role": TEXT, "content": TEXT}
MESSAGES = [MESSAGE]
_SAID = {"from": TEXT, "value": TEXT}
_PAIR = {"prompt": MESSAGES, "chosen": MESSAGES, "rejected": MESSAGES}
# The columns that preferences come from, as Parquet spells them; the rest of the rows isn't read for them.
_PREFERENCES = (
    "prompt", "consensus", "edits", "split",
    *(f"responses.list.element.{name}" for name in ("id", "text", "turns")),
    *(f"judgments.list.element.{name}" for name in ("counted", "ranking")),
)  # fmt: skip
_LINES = ("jsonl", "jsonl.gz", "jsonl.zst", "parquet")


@dataclass(frozen=True)
class Format:
    """Say what an export holds: its projection, its columns, and which files it can be, the usual one first.

    `of` tells whether tasks or prompts are projected; `beside` returns further files by name, as JSON, of an
    export's name and its data files by split. `reads` are the columns that the projection needs, if not all.
    """

    title: str
    project: Callable[[Row], Iterator[Row | None]]
    columns: Row | None  # None: the snapshot's own
    files: tuple[str, ...] = _LINES
    of: str = "tasks"
    reads: tuple[str, ...] | None = None
    beside: Callable[[str, dict[str, str]], dict[str, Any]] = field(default=lambda name, files: {})


def _dataset_info(columns: Row, **how: Any) -> Callable[[str, dict[str, str]], dict[str, Any]]:
    """Describe the files for LLaMA-Factory, whose dataset_dir is then the export's folder."""

    def beside(name: str, files: dict[str, str]) -> dict[str, Any]:
        told = {
            f"{name}_{split}": {"file_name": file, **how, "columns": columns} for split, file in files.items()
        }
        return {"dataset_info.json": told}

    return beside


_FLAT = (*_LINES, "csv")
FORMATS = {
    "canonical-parquet": Format("Canonical rows, Parquet", projections.canonical, None, ("parquet",)),
    "canonical-jsonl": Format(
        "Canonical rows, JSON lines", projections.canonical, None, ("jsonl", "jsonl.gz", "jsonl.zst")
    ),
    "trl-preference": Format(
        "TRL preference (RewardTrainer, DPOTrainer)", projections.trl_preference, _PAIR, reads=_PREFERENCES
    ),
    "trl-margin": Format(
        "TRL preference with margins",
        projections.with_margin,
        {**_PAIR, "margin": NUMBER},
        reads=_PREFERENCES,
    ),
    "trl-implicit": Format(
        "TRL preference, prompt implied",
        projections.trl_implicit,
        {"chosen": MESSAGES, "rejected": MESSAGES},
        reads=_PREFERENCES,
    ),
    "trl-kto": Format(
        "TRL KTO (KTOTrainer)",
        projections.trl_kto,
        {"prompt": MESSAGES, "completion": MESSAGES, "label": TRUTH},
    ),
    "trl-sft": Format("TRL SFT (SFTTrainer)", projections.trl_sft, {"messages": MESSAGES}),
    "trl-completion": Format(
        "TRL SFT, prompt and completion",
        projections.trl_completion,
        {"prompt": MESSAGES, "completion": MESSAGES},
    ),
    "trl-prompt": Format(
        "TRL prompts (GRPOTrainer, RLOOTrainer)", projections.trl_prompt, {"prompt": MESSAGES}, of="prompts"
    ),
    "axolotl-dpo": Format(
        "axolotl DPO (chat_template.default)",
        projections.axolotl_dpo,
        {"messages": MESSAGES, "chosen": MESSAGE, "rejected": MESSAGE},
    ),
    "axolotl-user-defined": Format(
        "axolotl DPO (user_defined)",
        projections.axolotl_user_defined,
        {"system": TEXT, "prompt": TEXT, "chosen": TEXT, "rejected": TEXT},
        _FLAT,
    ),
    "axolotl-rm": Format(
        "axolotl reward model (bradley_terry)",
        projections.axolotl_rm,
        {"system": TEXT, "input": TEXT, "chosen": TEXT, "rejected": TEXT},
        _FLAT,
    ),
    "llama-factory-alpaca": Format(
        "LLaMA-Factory, alpaca preferences",
        projections.llama_factory_alpaca,
        {
            "instruction": TEXT,
            "input": TEXT,
            "system": TEXT,
            "history": [[TEXT]],
            "chosen": TEXT,
            "rejected": TEXT,
        },
        beside=_dataset_info(
            {
                "prompt": "instruction",
                "query": "input",
                "system": "system",
                "history": "history",
                "chosen": "chosen",
                "rejected": "rejected",
            },
            ranking=True,
        ),
    ),
    "llama-factory-sharegpt": Format(
        "LLaMA-Factory, sharegpt preferences",
        projections.llama_factory_sharegpt,
        {"conversations": [_SAID], "chosen": _SAID, "rejected": _SAID},
        beside=_dataset_info(
            {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
            formatting="sharegpt",
            ranking=True,
        ),
    ),
    "llama-factory-kto": Format(
        "LLaMA-Factory KTO",
        projections.llama_factory_kto,
        {"conversations": [_SAID], "kto_tag": TRUTH},
        beside=_dataset_info({"messages": "conversations", "kto_tag": "kto_tag"}, formatting="sharegpt"),
    ),
    "openrlhf": Format(
        "OpenRLHF preferences",
        projections.with_margin,
        {**_PAIR, "margin": NUMBER},
        reads=_PREFERENCES,
    ),
    "verl-rm": Format(
        "verl reward model",
        projections.verl_rm,
        {"prompt": TEXT, "chosen": TEXT, "rejected": TEXT},
        ("parquet",),
    ),
    "verl-rl": Format(
        "verl prompts",
        projections.verl_rl,
        {
            "data_source": TEXT,
            "prompt": MESSAGES,
            "ability": TEXT,
            "reward_model": {"style": TEXT, "ground_truth": TEXT},
            "extra_info": {"split": TEXT, "prompt_id": TEXT},
        },
        ("parquet",),
        of="prompts",
    ),
    "nemo-rl": Format(
        "NeMo-RL preferences",
        projections.nemo_rl,
        {"context": MESSAGES, "completions": [{"rank": WHOLE, "completion": MESSAGES}], "task_name": TEXT},
    ),
    "hh-rlhf": Format("hh-rlhf transcripts", projections.hh_rlhf, {"chosen": TEXT, "rejected": TEXT}, _FLAT),
    "helpsteer3": Format(
        "HelpSteer3 preferences",
        projections.helpsteer3,
        {
            "domain": TEXT,
            "language": TEXT,
            "context": MESSAGES,
            "response1": TEXT,
            "response2": TEXT,
            "overall_preference": WHOLE,
            "individual_preference": [{"score": WHOLE, "reasoning": TEXT}],
        },
    ),
    "helpsteer3-edit": Format(
        "HelpSteer3 edits",
        projections.helpsteer3_edit,
        {
            "domain": TEXT,
            "language": TEXT,
            "context": MESSAGES,
            "original_response": TEXT,
            "edited_response": TEXT,
            "feedback": [TEXT],
            "change_summary": TEXT,
        },
    ),
    "arena": Format(
        "Arena battles",
        projections.arena,
        {
            "question_id": TEXT,
            "model_a": TEXT,
            "model_b": TEXT,
            "winner": TEXT,
            "judge": TEXT,
            "conversation_a": MESSAGES,
            "conversation_b": MESSAGES,
            "turn": WHOLE,
            "language": TEXT,
        },
    ),
}
