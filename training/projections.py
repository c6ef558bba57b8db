"""What trainers read of canonical rows: one pure projection per format (see docs/data-formats.md).

A preference comes from the consensus of a comparison (ties left out), from what a task's rankings say in the
mean of each pair of its answers, and from an edit, which is preferred to its original. A projection yields
None for what its format cannot say, so that an export can count what it leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.formats import Row, changed, counted, demonstrated, in_task_order, is_identical, preferences

EDIT_MARGIN = 3.0  # an edit is much better than its original
_HH = {"user": "Human", "assistant": "Assistant"}
_SHAREGPT = {"user": "human", "assistant": "gpt", "system": "system"}


@dataclass(frozen=True)
class Preferred:
    """One answer preferred to another, each as the messages after the prompt; `margin` is 0…3."""

    chosen: list[Row]
    rejected: list[Row]
    margin: float


def preferred(row: Row) -> Iterator[Preferred]:
    """Yield the preferences that a task's counted judgments and edits come to."""
    consensus = row["consensus"]
    if consensus and consensus["label"] and not is_identical(row):
        first, second = (_turns(response) for response in row["responses"])
        margin = abs(consensus.get("margin") or 0.0)
        yield Preferred(*((second, first) if consensus["label"] > 0 else (first, second)), margin)
    yield from _ranked(row)
    for edit, original in changed(row):
        yield Preferred([_answer(edit["edited"]["text"])], [_answer(original)], EDIT_MARGIN)


def _ranked(row: Row) -> Iterator[Preferred]:
    """Yield each pair of a ranked task by the mean of what its rankings say of it, without those that tie."""
    said: dict[tuple[str, str], tuple[Row, Row, list[int]]] = {}
    for judgment in counted(row["judgments"]):
        if judgment.get("ranking") is not None:
            for first, second, verdict in preferences(row, judgment):
                said.setdefault((first["id"], second["id"]), (first, second, []))[2].append(verdict)
    for first, second, verdicts in said.values():
        mean = sum(verdicts) / len(verdicts)
        if mean:
            better, worse = (second, first) if mean > 0 else (first, second)
            yield Preferred(_turns(better), _turns(worse), abs(mean))


def canonical(row: Row) -> Iterator[Row]:
    """Yield the row itself."""
    yield row


def trl_preference(row: Row) -> Iterator[Row]:
    """Yield prompt, chosen and rejected as messages (RewardTrainer, DPOTrainer)."""
    for pair in preferred(row):
        yield {"prompt": row["prompt"], "chosen": pair.chosen, "rejected": pair.rejected}


def with_margin(row: Row) -> Iterator[Row]:
    """Yield prompt, chosen, rejected and how much better chosen is, 0…3."""
    for pair in preferred(row):
        yield {
            "prompt": row["prompt"],
            "chosen": pair.chosen,
            "rejected": pair.rejected,
            "margin": pair.margin,
        }


def trl_implicit(row: Row) -> Iterator[Row]:
    """Yield whole conversations, chosen and rejected, that begin with the same prompt."""
    for pair in preferred(row):
        yield {"chosen": [*row["prompt"], *pair.chosen], "rejected": [*row["prompt"], *pair.rejected]}


def trl_kto(row: Row) -> Iterator[Row]:
    """Yield answers with whether they are wanted; where most said that both are bad, neither is."""
    for answer, wanted in _wanted(row):
        yield {"prompt": row["prompt"], "completion": answer, "label": wanted}


def trl_sft(row: Row) -> Iterator[Row]:
    """Yield what people wrote, or called good already, as whole conversations."""
    for text in demonstrated(row):
        yield {"messages": [*row["prompt"], _answer(text)]}


def trl_completion(row: Row) -> Iterator[Row]:
    """Yield what people wrote, or called good already, apart from its prompt."""
    for text in demonstrated(row):
        yield {"prompt": row["prompt"], "completion": [_answer(text)]}


def trl_prompt(prompt: Row) -> Iterator[Row]:
    """Yield a prompt (GRPO, RLOO and other online trainers)."""
    yield {"prompt": prompt["prompt"]}


def axolotl_dpo(row: Row) -> Iterator[Row | None]:
    """Yield messages with one chosen and one rejected message (chat_template.default)."""
    for pair in preferred(row):
        alone = len(pair.chosen) == len(pair.rejected) == 1
        yield (
            {"messages": row["prompt"], "chosen": pair.chosen[0], "rejected": pair.rejected[0]}
            if alone
            else None
        )


def axolotl_user_defined(row: Row) -> Iterator[Row | None]:
    """Yield system, prompt, chosen and rejected as texts; single-turn."""
    yield from _as_texts(row, "prompt")


def axolotl_rm(row: Row) -> Iterator[Row | None]:
    """Yield system, input, chosen and rejected as texts (bradley_terry.chat_template); single-turn."""
    yield from _as_texts(row, "input")


def llama_factory_alpaca(row: Row) -> Iterator[Row | None]:
    """Yield instruction, input, system, history, chosen and rejected (alpaca, ranking)."""
    system, turns = _system(row["prompt"])
    asks, replies = turns[:-1:2], turns[1::2]
    alternate = all(m["role"] == "user" for m in turns[::2]) and all(
        m["role"] == "assistant" for m in replies
    )
    for pair in preferred(row):
        chosen, rejected = _text(pair.chosen), _text(pair.rejected)
        if chosen is None or rejected is None or not alternate or len(turns) % 2 == 0:
            yield None
            continue
        yield {
            "instruction": turns[-1]["content"],
            "input": "",
            "system": system,
            "history": [[a["content"], b["content"]] for a, b in zip(asks, replies, strict=True)],
            "chosen": chosen,
            "rejected": rejected,
        }


def llama_factory_sharegpt(row: Row) -> Iterator[Row | None]:
    """Yield conversations with one chosen and one rejected message (sharegpt, ranking)."""
    for pair in preferred(row):
        alone = len(pair.chosen) == len(pair.rejected) == 1
        yield (
            {
                "conversations": _sharegpt(row["prompt"]),
                "chosen": _sharegpt(pair.chosen)[0],
                "rejected": _sharegpt(pair.rejected)[0],
            }
            if alone
            else None
        )


def llama_factory_kto(row: Row) -> Iterator[Row]:
    """Yield whole conversations with whether their end is wanted (sharegpt, kto_tag)."""
    for answer, wanted in _wanted(row):
        yield {"conversations": _sharegpt([*row["prompt"], *answer]), "kto_tag": wanted}


def verl_rm(row: Row) -> Iterator[Row | None]:
    """Yield prompt, chosen and rejected as texts; single-turn, without a system message."""
    for texts in _as_texts(row, "prompt"):
        if texts is None or texts.pop("system"):
            yield None
        else:
            yield texts


def verl_rl(prompt: Row) -> Iterator[Row]:
    """Yield a prompt as verl's reinforcement learning reads it; a reward model is to score the answers."""
    yield {
        "data_source": "touchstone",
        "prompt": prompt["prompt"],
        "ability": "preference",
        "reward_model": {"style": "model", "ground_truth": ""},
        "extra_info": {"split": prompt["split"], "prompt_id": prompt["prompt_id"]},
    }


def nemo_rl(row: Row) -> Iterator[Row]:
    """Yield a context with its completions by rank; the lower rank wins."""
    for pair in preferred(row):
        completions = [{"rank": 0, "completion": pair.chosen}, {"rank": 1, "completion": pair.rejected}]
        yield {"context": row["prompt"], "completions": completions, "task_name": row["campaign"]}


def hh_rlhf(row: Row) -> Iterator[Row | None]:
    """Yield chosen and rejected transcripts; they have no place for a system message."""
    for pair in preferred(row):
        said = [[*row["prompt"], *side] for side in (pair.chosen, pair.rejected)]
        if any(message["role"] not in _HH for side in said for message in side):
            yield None
            continue
        chosen, rejected = ("".join(f"\n\n{_HH[m['role']]}: {m['content']}" for m in side) for side in said)
        yield {"chosen": chosen, "rejected": rejected}


def helpsteer3(row: Row) -> Iterator[Row | None]:
    """Yield a comparison with its verdicts, −3 the first answer is much better … 3 the second."""
    judgments = [j for j in counted(row["judgments"]) if j.get("ranking") is None]
    if row["consensus"] is None or not judgments:
        return
    answers = [_text(_turns(response)) for response in row["responses"]]
    if None in answers:
        yield None
        return
    yield {
        **_steered(row),
        "response1": answers[0],
        "response2": answers[1],
        "overall_preference": -round(row["consensus"].get("margin") or 0.0),
        "individual_preference": [
            {"score": in_task_order(j), "reasoning": j.get("comment") or ""} for j in judgments
        ],
    }


def helpsteer3_edit(row: Row) -> Iterator[Row]:
    """Yield an answer with its rewrite; what the rater said about it is the summary."""
    for edit, original in changed(row):
        yield {
            **_steered(row),
            "original_response": original,
            "edited_response": edit["edited"]["text"],
            "feedback": [],
            "change_summary": edit.get("instruction") or "",
        }


def arena(row: Row) -> Iterator[Row]:
    """Yield each counted judgment of a comparison as a battle, its answers as the rater saw them."""
    for judgment in counted(row["judgments"]):
        if judgment.get("ranking") is not None:
            continue
        left, right = (row["responses"][place] for place in judgment["order_shown"])
        verdict = judgment["verdict"]
        tie = "tie (bothbad)" if judgment.get("both_bad") else "tie"
        yield {
            "question_id": row["task"]["id"],
            "model_a": left.get("policy") or "",
            "model_b": right.get("policy") or "",
            "winner": tie if not verdict else "model_a" if verdict < 0 else "model_b",
            "judge": judgment["rater"],
            "conversation_a": [*row["prompt"], *_turns(left)],
            "conversation_b": [*row["prompt"], *_turns(right)],
            "turn": sum(message["role"] == "user" for message in [*row["prompt"], *_turns(left)]),
            "language": row.get("language") or "",
        }


def _as_texts(row: Row, asked: str) -> Iterator[Row | None]:
    system, turns = _system(row["prompt"])
    for pair in preferred(row):
        chosen, rejected = _text(pair.chosen), _text(pair.rejected)
        if len(turns) != 1 or chosen is None or rejected is None:
            yield None
        else:
            yield {"system": system, asked: turns[0]["content"], "chosen": chosen, "rejected": rejected}


def _wanted(row: Row) -> Iterator[tuple[list[Row], bool]]:
    bad = [bool(j.get("both_bad")) for j in counted(row["judgments"])]
    if 2 * sum(bad) > len(bad):
        for response in row["responses"]:
            yield _turns(response), False
        return
    for pair in preferred(row):
        yield pair.chosen, True
        yield pair.rejected, False


def _steered(row: Row) -> Row:
    domain = next(iter(row.get("tags") or []), "general")
    return {"domain": domain, "language": row.get("language") or "", "context": row["prompt"]}


def _system(messages: Sequence[Row]) -> tuple[str, list[Row]]:
    """Part a conversation into its system message, "" where it has none, and the rest."""
    if messages[0]["role"] == "system":
        return messages[0]["content"], list(messages[1:])
    return "", list(messages)


def _sharegpt(messages: Sequence[Row]) -> list[Row]:
    return [{"from": _SHAREGPT[message["role"]], "value": message["content"]} for message in messages]


def _turns(response: Row) -> list[Row]:
    return response.get("turns") or [_answer(response["text"])]


def _text(turns: Sequence[Row]) -> str | None:
    """Return an answer that is a single message, None for a whole conversation."""
    return turns[0]["content"] if len(turns) == 1 else None


def _answer(text: str) -> Row:
    return {"role": "assistant", "content": text}
