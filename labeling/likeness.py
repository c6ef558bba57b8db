"""Likeness: how much of what a rater wrote stands in another model's answer to the same prompt.

A signal for reviewers, never a verdict: a short, plain answer can only be given in so many ways.
"""

from collections.abc import Sequence

from labeling.models import Edit, Likeness, Response
from labeling.words import split

SHARE = 0.8  # from here on an answer counts as close
RUN = 4  # words in a row that say the same
FEWEST = 8  # added words; fewer say nothing
MODELS = (Response.Origin.SAMPLED, Response.Origin.IMPORTED)


def measure(edit_id: int) -> Likeness | None:
    """Keep the model's answer that an edit is closest to, where one is close; safe to run twice.

    Compared are the answers of models to the same prompt, except the original. Returns None, and forgets
    what was kept, when none has at least 80 % of the words that the rater added.
    """
    edit = Edit.objects.select_related("original", "edited").filter(pk=edit_id).first()
    if edit is None or edit.edited is None:
        return None
    others = Response.objects.filter(prompt=edit.edited.prompt_id, origin__in=MODELS)
    others = others.exclude(pk=edit.original_id).exclude(text_hash=edit.original.text_hash)
    shares = [
        (share_of(edit.original.text, edit.edited.text, text), pk)
        for pk, text in others.order_by("-pk").values_list("pk", "text")
    ]
    share, closest = max(shares, default=(0.0, 0))
    if share < SHARE:
        Likeness.objects.filter(edit=edit).delete()
        return None
    kept, _created = Likeness.objects.update_or_create(
        edit=edit, defaults={"response_id": closest, "share": share}
    )
    return kept


def share_of(original: str, edited: str, other: str) -> float:
    """Return the share, 0…1, of the words a rater added that stand in another answer.

    With runs of four words: an edited word was *added* when no run of the original covers it, and *stands*
    in the other answer when a run of that covers it; share = |added and standing| / |added|. So words
    that the rater left as they were count for nothing, however close the two models' answers were. Zero when
    fewer than eight words were added. Case and signs don't matter.
    """
    words = _words(edited)
    kept, standing = _covered(words, _words(original)), _covered(words, _words(other))
    added = [there for there, old in zip(standing, kept, strict=True) if not old]
    return sum(added) / len(added) if len(added) >= FEWEST else 0.0


def _words(text: str) -> list[str]:
    return [word for word in split(text.casefold()) if any(character.isalnum() for character in word)]


def _covered(words: Sequence[str], text: Sequence[str]) -> list[bool]:
    """Tell of each word whether a run of words around it stands in a text, too."""
    length = min(RUN, len(words), len(text))
    covered = [False] * len(words)
    if length == 0:
        return covered
    runs = {tuple(text[i : i + length]) for i in range(len(text) - length + 1)}
    for i in range(len(words) - length + 1):
        if tuple(words[i : i + length]) in runs:
            covered[i : i + length] = [True] * length
    return covered
