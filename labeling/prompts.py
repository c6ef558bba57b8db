"""What makes two prompts or two answers the same, and which split a prompt belongs to."""

import hashlib
from collections.abc import Sequence
from json.encoder import encode_basestring

from labeling.models import Prompt

# Shares of train, validation and test. Test is the larger of the held-out two because every round's
# reward model is reported on it, from the first few hundred labels on.
TRAIN, VALIDATION = 0.75, 0.05
# an enum's own look-up takes longer than the rest
_TRAIN, _VALIDATION, _TEST = (
    split.value for split in (Prompt.Split.TRAIN, Prompt.Split.VALIDATION, Prompt.Split.TEST)
)


Spelt = Sequence[tuple[str, str]]  # a conversation's roles and texts, each as JSON has it


def spell(messages: Sequence[dict[str, str]]) -> Spelt:
    """Return a conversation's roles and texts as JSON has them."""
    return [(encode_basestring(m["role"]), encode_basestring(m["content"])) for m in messages]


def content_hash(messages: Sequence[dict[str, str]]) -> str:
    """Return the SHA-256 of a conversation's roles and texts, as hex."""
    return hash_of(spell(messages))


def hash_of(spelt: Spelt) -> str:
    """Return the content hash of a conversation that is spelt already."""
    # as json.dumps would write it, without what that costs a million times
    said = ", ".join([f"[{role}, {content}]" for role, content in spelt])
    return hashlib.sha256(f"[{said}]".encode()).hexdigest()


def text_hash(text: str, turns: Sequence[dict[str, str]] = ()) -> str:
    """Return the first half of the SHA-256 of an answer's text, or of all turns of a conversation, as hex.

    It tells apart what a campaign's models said, in an index that an import writes to for every answer.
    """
    return (content_hash(turns) if turns else hashlib.sha256(text.encode()).hexdigest())[:32]


def split_of(hash_: str, purpose: str = "") -> str:
    """Return the split of a prompt by its content hash: the same in every campaign, round and snapshot.

    What is kept for a purpose is held out, whatever its hash.
    """
    if purpose:
        return _TEST
    share = int(hash_[:8], 16) / 16**8
    if share < TRAIN:
        return _TRAIN
    return _VALIDATION if share < TRAIN + VALIDATION else _TEST
