"""What a rater's page shows of a claimed task: nothing says which model wrote what."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from django.http.request import QueryDict
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from labeling import chats, examples, guidelines
from labeling.models import Draft, Flag, Guideline, Judgment, Task
from labeling.rendering import MAX_LENGTH, render_many, render_plain
from labeling.verdict_scale import actions, points, say
from labeling.views.places import as_places, cards
from models_app.backends import Conversation

TEMPLATES = {
    Task.Kind.COMPARE: "labeling/_comparison.html",
    Task.Kind.EDIT: "labeling/_edit.html",
    Task.Kind.CHAT: "labeling/_chat.html",
    Task.Kind.RANK: "labeling/_ranking.html",
}
NAMES = "ABCDEFGHI"
DRAFT_FIELDS = (
    "verdict", "comment", "display_rate", "text", "instruction", "already_good", "signals",
    "message", "goes_on",
)  # fmt: skip
BOTH_BAD = "both_bad"


@dataclass(frozen=True)
class Side:
    """An answer as displayed."""

    name: str
    html: SafeString
    text: str
    source: SafeString  # empty where `html` shows the text as it was written already
    reasons: list[tuple[str, bool]]  # what may be ticked about it, and whether it is
    turns: list[dict[str, Any]]  # of a whole conversation: who said what; empty for a plain answer

    @property
    def label(self) -> str:
        """Name it in the reader's language."""
        return _("Answer %(name)s") % {"name": self.name}


def shown(
    slot: Any, campaign: Any, said: dict[str, Any] | None, talk: chats.Talk | None = None
) -> dict[str, Any]:
    """Return what the page of a slot (from assignment) shows, filled in with `said` or else its draft.

    `talk` is its conversation, where that isn't to be read from the rows.
    """
    if talk is None and slot.task.kind == Task.Kind.CHAT:
        talk = chats.read(slot)
    if talk is not None:
        hold_draft(slot, talk)
    values = said or slot.draft_data or {}
    answers_shown = (
        [{"text": text, "turns": []} for text in talk.to_judge]
        if talk
        else [slot.answers[position] for position in slot.order_shown]
    )
    conversation = talk.messages if talk else slot.prompt_messages
    html = rendered(conversation, answers_shown)
    sides = [make_side(number, answer, html, campaign, values) for number, answer in enumerate(answers_shown)]
    graded = grades(campaign, values, sides)
    return {
        "slot": slot,
        "kind": slot.task.kind,
        "task_template": TEMPLATES[slot.task.kind],
        "turns": as_turns(conversation, html),
        "sides": sides,
        "look": None if values else look(campaign),
        "points": partial(points, campaign, values.get("verdict", "")),
        "both_bad": campaign.allow_ties,
        "grades": graded,
        "cards": cards(sides, graded, values) if slot.task.kind == Task.Kind.RANK else [],
        "flags": lambda: [(flag, flag in values.get("flag", [])) for flag in Flag],
        "offered": partial(actions, campaign, slot.task.kind),
        "values": values,
        "text": values.get("text", sides[0].text if sides else ""),
        "idempotency_key": uuid4(),
        **(talk_shown(talk, campaign) if talk else {}),
    }


def look(campaign: Any) -> str:
    """Name everything that the page of a comparison without a draft shows of its campaign."""
    shown = (campaign.slug, campaign.scale, campaign.allow_ties, campaign.graded, campaign.reasons)
    clocks = (campaign.lease_minutes, campaign.display_rate)
    return repr((shown, campaign.guideline_number, campaign.guideline_read, clocks))


def hold_draft(slot: Any, talk: chats.Talk) -> None:
    """Let a conversation's page keep, while its rater picks, the draft of that pick."""
    if talk.pick is not None:
        kept = Draft.objects.filter(task=talk.pick.task_id, rater=talk.pick.rater_id).first()
        slot.draft_data, slot.draft_at = (kept.data, kept.updated_at) if kept else (None, None)


def talk_shown(talk: chats.Talk, campaign: Any) -> dict[str, Any]:
    """Return what the page of a live conversation shows besides."""
    return {
        "talk": talk,
        "growing": list(zip(NAMES, talk.answers, strict=False)),
        "last_turn": talk.number >= campaign.chat_turns,
        "turns_left": talk.number <= campaign.chat_turns,
    }


def rendered(conversation: Conversation, answers: list[dict[str, Any]]) -> dict[str, SafeString]:
    """Return the HTML of everything that is said, by its text."""
    said = [*conversation, *(message for answer in answers for message in answer["turns"])]
    texts = list({message["content"] for message in said} | {answer["text"] for answer in answers})
    return dict(zip(texts, render_many(texts), strict=True))


def as_turns(conversation: Conversation, html: dict[str, SafeString]) -> list[dict[str, Any]]:
    """Return who said what."""
    return [{"role": message["role"], "html": html[message["content"]]} for message in conversation]


def transcript(turns: Conversation) -> str:
    """Return a whole conversation as one text."""
    names = {"user": _("User"), "assistant": _("Assistant"), "system": _("System")}
    return "\n\n".join(f"{names.get(m['role'], m['role'])}: {m['content']}" for m in turns)


def make_side(
    number: int, answer: dict[str, Any], html: dict[str, SafeString], campaign: Any, values: dict[str, Any]
) -> Side:
    """Return an answer as displayed, with the reasons ticked so far."""
    text = transcript(answer["turns"]) if answer["turns"] else answer["text"]
    ticked = values.get(f"reason-{number}", [])
    return Side(
        NAMES[number],
        html[answer["text"]],
        text,
        render_plain(text) if len(text) <= MAX_LENGTH else SafeString(""),
        [(reason, reason in ticked) for reason in campaign.reasons],
        as_turns(answer["turns"], html),
    )


def grades(campaign: Any, values: dict[str, Any], sides: list[Side]) -> list[dict[str, Any]]:
    """Return a campaign's criteria with the grades given so far to each side."""
    return [
        {
            **criterion,
            "sides": [
                {
                    "name": side.name,
                    "field": f"grade-{criterion['key']}-{number}",
                    "steps": [
                        (step, values.get(f"grade-{criterion['key']}-{number}") == str(step))
                        for step in range(1, criterion["points"] + 1)
                    ],
                }
                for number, side in enumerate(sides)
            ],
        }
        for criterion in campaign.graded
    ]


def guideline_shown(campaign: Any, newest: Guideline | None, read: Guideline | None) -> dict[str, Any]:
    """Return what the page of a guideline shows to somebody who has read another version, or none."""
    cases = guidelines.edge_cases(campaign)
    texts = [newest.text if newest else ""]
    for case in cases:
        texts += [examples.explain(case), *case.answers, *(message["content"] for message in case.messages)]
    htmls = iter(render_many(texts))
    changed = newest is not None and read is not None and read.number < newest.number
    return {
        "campaign": campaign,
        "guideline": newest,
        "html": next(htmls),
        "read": read,
        "changes": guidelines.changes_since(read.text, newest.text) if changed and read and newest else [],
        "cases": [
            {
                "verdict": say(campaign, case.verdict),
                "explanation": next(htmls),
                "answers": [(name, next(htmls)) for name in NAMES[:2]],
                "turns": [{"role": message["role"], "html": next(htmls)} for message in case.messages],
            }
            for case in cases
        ],
    }


def typed(said: QueryDict) -> dict[str, Any]:
    """Return those of a form's values that are worth keeping; reasons and flags are lists."""
    kept: dict[str, Any] = {
        name: said.get(name, "")
        for name in said
        if name in DRAFT_FIELDS or name.startswith(("grade-", "rank-"))
    }
    return kept | {name: said.getlist(name) for name in said if name == "flag" or name.startswith("reason-")}


def as_draft(said: Any) -> dict[str, Any]:
    """Return a stored judgment or edit as the values of its form."""
    values: dict[str, Any] = {"flag": said.flags}
    if isinstance(said, Judgment):
        verdict = {"verdict": BOTH_BAD if said.both_bad else str(said.verdict)}
        values |= verdict if said.ranking is None else as_places(said)
        values |= {
            "comment": said.comment,
            "display_rate": str(said.display_rate),
            "signals": json.dumps(said.meta["typing"]) if "typing" in said.meta else "",
        }
        if "goes_on" in said.meta:
            values["goes_on"] = str(said.order_shown.index(said.meta["goes_on"]))
        for side, position in enumerate(said.order_shown if said.reasons else []):
            values[f"reason-{side}"] = said.reasons[position]
        for key, given in said.criteria.items():
            for side, position in enumerate(said.order_shown):
                if given[position] is not None:
                    values[f"grade-{key}-{side}"] = str(given[position])
        return values
    good = {"already_good": "on"} if said.edited is None else {"text": said.edited.text}
    return {**values, "instruction": said.instruction, "signals": json.dumps(said.signals), **good}
