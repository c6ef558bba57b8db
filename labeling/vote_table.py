"""A campaign's comparisons as arrays, the way preferences reads them; a million votes fit into a worker."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db import connection

from labeling.judgments import verdicts
from labeling.models import Campaign, Prompt, Response
from preferences.flags import Reading
from preferences.intervals import Floats
from preferences.ordinal import Votes, grade_verdicts

Ints = npt.NDArray[np.int64]
CHUNK = 20_000
LETTERS = 6  # of a word with its space; texts in scripts without spaces have as many words

# Gold tasks are in it: what many said about one pair tells most about each of them. Repeats aren't: they say
# a thing twice.
VOTES = """
SELECT said.rater_id, lhs.response_id, rhs.response_id, said.verdict, coalesce(said.active_ms, 0),
    task.prompt_id
FROM labeling_judgment said JOIN labeling_task task ON task.id = said.task_id
    JOIN labeling_taskresponse lhs ON lhs.task_id = task.id AND lhs.position = said.order_shown[1]
    JOIN labeling_taskresponse rhs ON rhs.task_id = task.id AND rhs.position = said.order_shown[2]
WHERE task.campaign_id = %s AND task.kind = 'compare' AND task.repeats_id IS NULL
    AND said.verdict IS NOT NULL AND NOT said.extra AND NOT said.withdrawn
    AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = said.id)
ORDER BY said.id
"""


@dataclass(frozen=True, eq=False)
class Table:
    """Hold votes in time order; `raters` and `answers` are the keys that their codes stand for.

    `words` counts each answer's words, and `lengths` is its logarithm, standardised.
    """

    votes: Votes
    raters: Ints
    answers: Ints
    words: Ints
    lengths: Floats
    reading: Reading


def read(campaign: Campaign) -> Table:
    """Read the comparisons of a campaign that count, gold tasks among them, repeats left out."""
    rows = np.concatenate([np.zeros((0, 6), np.int64), *_rows(campaign)])
    raters, rater_codes = np.unique(rows[:, 0], return_inverse=True)
    answers, codes = np.unique(rows[:, 1:3], return_inverse=True)
    codes = codes.reshape(-1, 2)
    used = np.unique(rows[:, 3])
    scale = sorted({*used, *-used}) if np.any(used) else verdicts(campaign)
    texts = Response.objects.filter(prompt__campaign=campaign).values_list("pk", "text")
    words = _count(answers, ((pk, len(text), text.split()) for pk, text in texts.iterator(CHUNK // 10)))
    logs = np.log1p(words)
    prompts, prompt_codes = np.unique(rows[:, 5], return_inverse=True)
    asked = Prompt.objects.filter(campaign=campaign).values_list("pk", "messages")
    said = ((pk, " ".join(m["content"] for m in messages)) for pk, messages in asked.iterator(CHUNK // 10))
    asked_words = _count(prompts, ((pk, len(text), text.split()) for pk, text in said))
    return Table(
        votes=Votes(
            left=codes[:, 0],
            right=codes[:, 1],
            raters=rater_codes,
            grades=grade_verdicts(rows[:, 3], [int(v) for v in scale]),
            points=len(scale),
            n_raters=len(raters),
        ),
        raters=raters,
        answers=answers,
        words=words,
        lengths=(logs - logs.mean()) / (logs.std() or 1.0) if len(logs) else logs,
        reading=Reading(asked_words[prompt_codes] + words[codes].sum(axis=1), rows[:, 4]),
    )


def _rows(campaign: Campaign) -> Iterator[Ints]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(VOTES, [campaign.pk])
        while chunk := cursor.fetchmany(CHUNK):
            yield np.array(chunk, dtype=np.int64)


def _count(keys: Ints, texts: Iterator[tuple[int, int, list[str]]]) -> Ints:
    """Count the words of the texts that some keys (sorted) name."""
    words = np.zeros(len(keys), np.int64)
    for pk, letters, split in texts:
        place = int(np.searchsorted(keys, pk))
        if place < len(keys) and keys[place] == pk:
            words[place] = max(len(split), letters // LETTERS)
    return words
