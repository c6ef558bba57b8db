"""Where a model comes from and what became of it: rows to read, and their places in a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models_app.models import ModelVersion
from training.models import Run

MOST = 3  # ancestors in the picture; all are in the rows
CHILDREN = 6  # in the picture
LETTERS = 18  # of a name in its box
WIDTH, HEIGHT, ACROSS, DOWN = 152, 46, 32, 26  # of a box, and between boxes
EDGE = 4  # around the picture


@dataclass(frozen=True)
class Relative:
    """A model of the line with the run that made it, if it was trained here; `how` it is related."""

    version: ModelVersion
    how: str  # "ancestor", "self", "child" (made from it) or "chosen" (by it as a reward model)
    parent: ModelVersion | None
    run: Run | None  # with its round, snapshot and reward model; without its result and config


def read(version: ModelVersion) -> list[Relative]:
    """Return a model's line in two queries: its ancestors, the oldest first, itself, what was made of it."""
    family = {each.pk: each for each in ModelVersion.objects.filter(family=version.family)}
    made = Run.objects.filter(produced__family=version.family).select_related(
        "round", "snapshot", "reward_model"
    )
    made = made.defer("result", "config", "progress", "error", "snapshot__filters")
    runs = {run.produced_id: run for run in made}

    def relative(each: ModelVersion, how: str) -> Relative:
        return Relative(each, how, family.get(each.parent_id or 0), runs.get(each.pk))

    ancestors = []
    parent = family.get(version.parent_id or 0)
    while parent is not None:
        ancestors.append(relative(parent, "ancestor"))
        parent = family.get(parent.parent_id or 0)
    children = [relative(each, "child") for each in family.values() if each.parent_id == version.pk]
    chosen = [
        relative(family[pk], "chosen")
        for pk, run in runs.items()
        if run.reward_model_id == version.pk and pk in family and family[pk].parent_id != version.pk
    ]
    later = sorted([*children, *chosen], key=lambda each: each.version.pk)
    return [*reversed(ancestors), relative(version, "self"), *later]


@dataclass(frozen=True)
class Box:
    """A box of the picture: what it shows and where it leads."""

    kind: str  # "model", "labels", "reward" or "more"
    x: int
    y: int
    name: str
    version: ModelVersion | None = None
    run: Run | None = None
    here: bool = False
    count: int = 0  # of those that "more" stands for

    @property
    def short(self) -> str:
        """Return the name as far as it fits."""
        return self.name if len(self.name) <= LETTERS else self.name[: LETTERS - 1] + "…"

    @property
    def middle(self) -> int:
        return self.x + WIDTH // 2

    @property
    def below(self) -> int:
        return self.y + HEIGHT


def draw(line: Sequence[Relative]) -> dict[str, Any]:
    """Place a line: models from left to right, above each its labels, below it the reward model.

    Lengths are in units of the picture's view; `arrows` are (from x, from y, to x, to y).
    """
    before = [each for each in line if each.how in {"ancestor", "self"}]
    after = [each for each in line if each.how not in {"ancestor", "self"}]
    boxes: list[Box] = []
    arrows: list[tuple[int, int, int, int]] = []
    lane = EDGE + HEIGHT + DOWN
    left: Box | None = None
    column = 0
    if len(before) > MOST + 1:
        left = Box("more", EDGE, lane, "", before[-MOST - 2].version, count=len(before) - MOST - 1)
        boxes.append(left)
        column = 1
    for each in before[-MOST - 1 :]:
        x = EDGE + column * (WIDTH + ACROSS)
        box = Box("model", x, lane, each.version.name, each.version, each.run, each.how == "self")
        boxes.append(box)
        if left is not None:
            arrows.append(_across(left, box))
        _add_makers(box, boxes, arrows)
        left, column = box, column + 1
    shown = after[:CHILDREN]
    for number, each in enumerate(shown):
        at = EDGE + column * (WIDTH + ACROSS), lane + number * (HEIGHT + DOWN // 2)
        boxes.append(Box("model", *at, each.version.name, each.version, each.run))
        if left is not None:
            arrows.append(_across(left, boxes[-1]))
    return {
        "boxes": boxes,
        "arrows": [_spell(arrow) for arrow in arrows],
        "left_out": len(after) - len(shown),
        "width": max(box.x for box in boxes) + WIDTH + EDGE,
        "height": max(box.below for box in boxes) + EDGE,
        "box": (WIDTH, HEIGHT),
    }


def _add_makers(box: Box, boxes: list[Box], arrows: list[tuple[int, int, int, int]]) -> None:
    """Put what made a model above and below it."""
    if box.run is None:
        return
    labels = Box("labels", box.x, EDGE, str(box.run.snapshot), run=box.run)
    boxes.append(labels)
    arrows.append((labels.middle, labels.below, box.middle, box.y))
    reward = box.run.reward_model
    if reward is not None:
        chooser = Box("reward", box.x, box.below + DOWN, reward.name, reward)
        boxes.append(chooser)
        arrows.append((chooser.middle, chooser.y, box.middle, box.below))


def _across(left: Box, right: Box) -> tuple[int, int, int, int]:
    return left.x + WIDTH, left.y + HEIGHT // 2, right.x, right.y + HEIGHT // 2


def _spell(arrow: tuple[int, int, int, int]) -> dict[str, str]:
    """Write an arrow's line and its head as SVG does."""
    x1, y1, x2, y2 = arrow
    if x1 == x2:
        back = 6 if y2 < y1 else -6
        head = f"{x2},{y2} {x2 - 4},{y2 + back} {x2 + 4},{y2 + back}"
        return {"line": f"M{x1} {y1}V{y2}", "head": head}
    half = (x1 + x2) // 2
    head = f"{x2},{y2} {x2 - 6},{y2 - 4} {x2 - 6},{y2 + 4}"
    return {"line": f"M{x1} {y1}C{half} {y1} {half} {y2} {x2} {y2}", "head": head}
