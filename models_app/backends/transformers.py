"""Policies and reward models that run here, from a Hugging Face folder or hub id."""

import inspect
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DynamicCache,
)

from models_app.backends import (
    BackendError,
    Conversation,
    SamplingParams,
    decoding,
    mean_pooled,  # noqa: F401  (registers its kind of checkpoint)
)

BATCH = 128
SCORE_TOKENS = 16_384
NO_PADDING = -1  # no token's number: a model without a padding token reads its last position
_ANSWERING_HEADS = ("CausalLM", "LMHeadModel", "ConditionalGeneration")
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


class TransformersPolicy:
    """A causal language model and its tokenizer; samples in batches with a key-value cache."""

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = BATCH) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters

    def generate(
        self, conversations: Sequence[Conversation], params: SamplingParams
    ) -> Iterator[tuple[int, str]]:
        """Yield (index, answer) batch by batch.

        Each answer has its own random numbers, from its seed, so it hardly depends on its neighbours.
        A prompt that leaves no room for the answer loses its beginning.
        """
        prompts = self._prompts(conversations, params)
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        parts = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        with _samplers(self.model.device) as samplers:
            jobs = {samplers.submit(self._sample, prompts, chosen, params): chosen for chosen in parts}
            for job in as_completed(jobs):
                for index, ids in zip(jobs[job], job.result(), strict=True):
                    yield index, self.tokenizer.decode(ids, skip_special_tokens=True).strip()

    def stream(self, conversation: Conversation, params: SamplingParams) -> Iterator[str]:
        """Yield one answer in pieces, token by token: together what `generate` gives for it alone."""
        ids: list[int] = []
        said = ""
        for _rows, tokens in self._steps(self._prompts([conversation], params), [0], params):
            ids += tokens.tolist()
            text = self.tokenizer.decode(ids, skip_special_tokens=True).strip()
            # half a character becomes whole with the next token
            if text != said and text.startswith(said) and not text.endswith("\ufffd"):
                yield text[len(said) :]
                said = text
        rest = self.tokenizer.decode(ids, skip_special_tokens=True).strip()[len(said) :]
        if rest:
            yield rest

    def _prompts(self, conversations: Sequence[Conversation], params: SamplingParams) -> list[list[int]]:
        room = _context(self.model.config) - params.max_new_tokens
        if room < 1:
            raise BackendError(f"max_new_tokens is {params.max_new_tokens}, more than the model can read.")
        return [_encode(self.tokenizer, talk, add_generation_prompt=True)[-room:] for talk in conversations]

    def _stop_ids(self) -> list[int]:
        ends = self.model.generation_config.eos_token_id
        ends = list(ends) if isinstance(ends, list) else [ends]
        return [end for end in {*ends, self.tokenizer.eos_token_id} if end is not None]

    def _sample(self, prompts: list[list[int]], chosen: list[int], params: SamplingParams) -> list[list[int]]:
        """Sample one batch to its end."""
        answers = torch.full((len(chosen), params.max_new_tokens), -1, device=self.model.device)
        for step, (rows, tokens) in enumerate(self._steps(prompts, chosen, params)):
            answers[rows, step] = tokens
        return [[token for token in row if token >= 0] for row in answers.tolist()]

    @torch.inference_mode()
    def _steps(
        self, prompts: list[list[int]], chosen: list[int], params: SamplingParams
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield (rows that go on, their next tokens); rows that ended leave once half of the batch has."""
        device = self.model.device
        stop = torch.tensor(self._stop_ids(), device=device)
        draws = np.stack([_draws(params, index) for index in chosen])
        uniform = torch.from_numpy(draws).to(device)
        ids, mask = _pad([prompts[index] for index in chosen], self._pad_id(), left=True)
        ids, mask = ids.to(device), mask.to(device)
        rows = torch.arange(len(chosen), device=device)
        alive = torch.ones(len(chosen), dtype=torch.bool, device=device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        cache = DynamicCache(config=self.model.config)
        for step in range(params.max_new_tokens):
            extra = {"position_ids": positions} if self._takes_positions else {}
            logits = self.model(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
                **extra,
            ).logits[:, -1]
            token = _pick(logits, uniform[rows, step], params)
            alive = alive & ~torch.isin(token, stop)
            left = int(alive.sum())
            if left == 0:
                break
            yield rows[alive], token[alive]
            ids, positions = token[:, None], positions[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], 1)
            if 2 * left <= len(rows):
                keep = alive.nonzero()[:, 0]
                cache.batch_select_indices(keep)
                ids, positions, mask, rows = ids[keep], positions[keep], mask[keep], rows[keep]
                alive = alive[keep]

    def _pad_id(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self._stop_ids()[0])


@contextmanager
def _samplers(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """Give threads that sample a batch each: on a processor as many as torch has, with one of its own each.

    Steps of decoding are too small to share: two batches side by side give 1.7 times the tokens of one, and
    one batch on two threads 1.2 times.
    """
    threads = torch.get_num_threads()
    side_by_side = threads if device.type == "cpu" else 1
    pool = ThreadPoolExecutor(
        side_by_side, initializer=partial(torch.set_num_threads, threads // side_by_side)
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # MKL's own number is the whole process's


class TransformersRewardModel:
    """A sequence classifier with one label, read as the reward of a conversation's last answer."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.room = min(_context(model.config), tokenizer.model_max_length)
        self._ending = _ending(tokenizer)

    def score(self, conversations: Sequence[Conversation]) -> list[float]:
        """Give one reward each; order, padding and neighbours make no difference beyond rounding."""
        return self.read(conversations)[0]

    def read(self, conversations: Sequence[Conversation]) -> tuple[list[float], np.ndarray[Any, Any]]:
        """Give one reward each, and the features that the head made it from: float32, conversations × width.

        The width is 0 where the head doesn't end in a linear layer.
        """
        return self.read_tokens([self.tokens(talk) for talk in conversations])

    def tokens(self, query: Conversation | str) -> list[int]:
        """Turn a conversation, or one written out in the model's chat template, into the tokens it reads.

        Of a written-out one the padding and the end are made what the template writes. What is longer than
        the model can read loses its beginning, but for the first token, which an encoder's head may read.
        """
        if isinstance(query, str):
            text = self._strip(query) + self._ending
            ids = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        else:
            ids = _encode(self.tokenizer, query)
        return ids if len(ids) <= self.room else ids[:1] + ids[len(ids) - self.room + 1 :]

    def _strip(self, text: str) -> str:
        marks = [self._ending.strip(), self.tokenizer.pad_token, self.tokenizer.eos_token]
        while text != (text := _without(text.rstrip(), [m for m in marks if m])):
            continue
        pad = self.tokenizer.pad_token
        while pad and text.startswith(pad):
            text = text.removeprefix(pad)
        return text

    @torch.inference_mode()
    def read_tokens(self, texts: Sequence[list[int]]) -> tuple[list[float], np.ndarray[Any, Any]]:
        """Give of token rows what `read` gives of conversations."""
        head = _reward_head(self.model)
        features = np.zeros((len(texts), head.in_features if head else 0), np.float32)
        given: list[torch.Tensor] = []
        hook = head.register_forward_pre_hook(lambda _head, read: given.append(read[0])) if head else None
        scores = [0.0] * len(texts)
        device, pad = self.model.device, self.model.config.pad_token_id
        try:
            for chosen in self._batches(texts):
                ids, mask = _pad([texts[index] for index in chosen], pad, left=False)
                ids = ids.to(device)
                logits = self.model(input_ids=ids, attention_mask=mask.to(device)).logits
                for index, value in zip(chosen, logits[:, 0].float().tolist(), strict=True):
                    scores[index] = value
                if head is not None:
                    read = given.pop()
                    # a causal trunk's head reads every token; the reward is that of the last but padding
                    last = ((ids != pad) * torch.arange(ids.shape[1], device=device)).argmax(1)
                    read = read if read.dim() == 2 else read[torch.arange(len(chosen)), last]
                    features[chosen] = read.float().cpu().numpy()
        finally:
            if hook is not None:
                hook.remove()
        return scores, features

    def _batches(self, texts: Sequence[list[int]]) -> Iterator[list[int]]:
        """Yield the places of texts of similar lengths, or of equal ones where nothing can pad."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        start = 0
        while start < len(order):
            least, end = len(texts[order[start]]), start + 1
            while end < len(order) and (length := len(texts[order[end]])) * (end + 1 - start) <= SCORE_TOKENS:
                if self.model.config.pad_token_id == NO_PADDING and length != least:
                    break
                end += 1
            yield order[start:end]
            start = end


def load_policy(location: str) -> TransformersPolicy:
    """Load a causal language model with a chat template from a folder or hub id; raise BackendError."""
    config, tokenizer = _open(location)
    heads = config.architectures or []
    if not any(part in head for head in heads for part in _ANSWERING_HEADS):
        raise BackendError(f"{location} holds {_named(heads)}, which is not a language model.")
    model = _load(AutoModelForCausalLM, location, "auto" if torch.cuda.is_available() else torch.float32)
    decoding.prefer(model)
    return TransformersPolicy(model, tokenizer)


def load_reward_model(location: str) -> TransformersRewardModel:
    """Load a sequence classifier with one label from a folder or hub id; raise BackendError."""
    config, tokenizer = _open(location)
    heads = config.architectures or []
    if not any("SequenceClassification" in head for head in heads):
        raise BackendError(f"{location} holds {_named(heads)}, which is not a reward model.")
    if config.num_labels != 1:
        raise BackendError(f"{location} has {config.num_labels} labels, but a reward model has one.")
    # in half precision a score would change with its neighbours by far more than rounding
    model = _load(AutoModelForSequenceClassification, location, torch.float32)
    if model.config.pad_token_id is None:
        pad = tokenizer.pad_token_id
        model.config.pad_token_id = NO_PADDING if pad is None else pad
    return TransformersRewardModel(model, tokenizer)


def _open(location: str) -> tuple[Any, Any]:
    if not os.path.isdir(location) and not _HUB_ID.fullmatch(location):
        raise BackendError(f"There is no folder {location}.")
    try:
        config = AutoConfig.from_pretrained(location)
        tokenizer = AutoTokenizer.from_pretrained(location)
    except (OSError, ValueError, KeyError) as error:
        raise BackendError(f"{location} cannot be read as a model: {_first_line(error)}") from error
    if not tokenizer.chat_template:
        raise BackendError(f"The tokenizer of {location} has no chat template.")
    return config, tokenizer


def _load(kind: Any, location: str, dtype: Any) -> Any:
    try:
        model, info = kind.from_pretrained(location, dtype=dtype, output_loading_info=True)
    except Exception as error:
        raise BackendError(f"{location} cannot be loaded: {_first_line(error)}") from error
    if info["missing_keys"]:
        missing = ", ".join(sorted(info["missing_keys"])[:3])
        raise BackendError(f"{location} lacks the weights {missing}.")
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _named(heads: Sequence[str]) -> str:
    return " and ".join(heads) or "a model of unknown kind"


def _context(config: Any) -> int:
    return int(getattr(config, "max_position_embeddings", None) or 1 << 20)


def _encode(tokenizer: Any, conversation: Conversation, add_generation_prompt: bool = False) -> list[int]:
    text = tokenizer.apply_chat_template(
        conversation, tokenize=False, add_generation_prompt=add_generation_prompt
    )
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _ending(tokenizer: Any) -> str:
    """Return what a chat template writes after an answer."""
    mark = "an answer"
    talk = [{"role": "user", "content": "a question"}, {"role": "assistant", "content": mark}]
    text: str = tokenizer.apply_chat_template(talk, tokenize=False)
    return text.rpartition(mark)[2]


def _without(text: str, marks: Sequence[str]) -> str:
    for mark in marks:
        text = text.removesuffix(mark)
    return text


def _reward_head(model: Any) -> torch.nn.Linear | None:
    """Return the linear layer that says the reward: the last one with a single output."""
    ends = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == 1]
    return ends[-1] if ends else None


def _pad(rows: list[list[int]], pad: int, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Give (ids, mask), both [rows, longest row], padded on one side."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for i, row in enumerate(rows):
        place = slice(longest - len(row), longest) if left else slice(0, len(row))
        ids[i, place] = torch.tensor(row, dtype=torch.long)
        mask[i, place] = 1
    return ids, mask


def _draws(params: SamplingParams, index: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    seed = params.seeds[index] if params.seeds else (params.seed, index)
    return np.random.default_rng(seed).random(params.max_new_tokens, dtype=np.float32)


def _pick(logits: torch.Tensor, uniform: torch.Tensor, params: SamplingParams) -> torch.Tensor:
    """Pick one token a row [rows] from logits [rows, vocabulary] by inverting the cumulative distribution."""
    if params.temperature == 0:
        return logits.argmax(-1)
    chances = torch.softmax(logits.float() / params.temperature, -1)
    if params.top_p >= 1:
        return _invert(chances, uniform)
    ranked, tokens = chances.sort(-1, descending=True)
    ranked[ranked.cumsum(-1) - ranked >= params.top_p] = 0
    return tokens.gather(-1, _invert(ranked, uniform)[:, None])[:, 0]


def _invert(chances: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    sums = chances.cumsum(-1)
    found = torch.searchsorted(sums, (uniform * sums[:, -1])[:, None], right=True)[:, 0]
    return found.clamp(max=chances.shape[-1] - 1)
