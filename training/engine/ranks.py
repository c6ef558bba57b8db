"""The processes that fit one model together, as `accelerate launch` or `torchrun` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import distributed

from training.engine.config import EngineError

SHARDED = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")


def join() -> None:
    """Meet the other processes, if there are any; raises EngineError for a launch that cuts models up."""
    if count() == 1:
        return
    if any(os.environ.get(name, "").lower() == "true" for name in SHARDED):
        raise EngineError(
            "The launch asks for a model in pieces (FSDP or DeepSpeed); here every process holds all of it. "
            'Launch with --multi_gpu; "tuning": "lora" or "top" leaves room for larger models.'
        )
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available())


def count() -> int:
    """Return how many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return this process's number; 0 is the one that writes."""
    return int(os.environ.get("RANK", "0"))


@contextmanager
def first_goes_first() -> Iterator[None]:
    """Let process 0 do something before the others do, who then find it done."""
    if count() > 1 and rank() > 0:
        distributed.barrier()
    yield
    if count() > 1 and rank() == 0:
        distributed.barrier()


def any_of(flag: bool) -> bool:
    """Say whether the flag is up in any process."""
    return flag if count() == 1 else any(_gather(flag))


def sums(figures: dict[str, float]) -> dict[str, float]:
    """Add figures up over all processes; one may lack some."""
    if count() == 1:
        return figures
    totals: dict[str, float] = {}
    for found in _gather(figures):
        for name, value in found.items():
            totals[name] = totals.get(name, 0.0) + value
    return totals


def add_up(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Add an array up over all processes."""
    return array if count() == 1 else np.sum(_gather(array), axis=0)


def add_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Add gradients up over all processes, in place."""
    if count() == 1:
        return
    waiting = []
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        waiting.append(distributed.all_reduce(parameter.grad, async_op=True))
    for work in waiting:
        work.wait()


def agree(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Give every process the weights of process 0."""
    if count() > 1:
        for parameter in parameters:
            distributed.broadcast(parameter.data, 0)


def _gather(value: Any) -> list[Any]:
    found: list[Any] = [None] * count()
    distributed.all_gather_object(found, value)
    return found
