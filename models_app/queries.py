"""What is sent to be scored, read and checked: in the form of remote reward models that trainers know."""

from typing import Any

from django.utils.translation import gettext as _

from models_app.backends import Conversation

MOST = 4096  # texts of one request


class QueryError(Exception):
    """What is sent to a model can't be read, or is too much; `field` names what."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def read(sent: Any, most: int = MOST) -> list[Conversation | str]:
    """Return the texts of `{"query": […], "prompts": …, "labels": …}`; raises QueryError.

    Each is a string (a conversation with its answer, in the model's chat template), a list of messages, or
    {"prompt": a string or messages, "response": a string}. Prompts and labels are not needed to score.
    """
    if not isinstance(sent, dict):
        raise QueryError("detail", _("Send a JSON object with a list “query”."))
    queries = sent.get("query")
    if not isinstance(queries, list):
        raise QueryError("query", _("Send a list of texts to score."))
    if len(queries) > most:
        raise QueryError("query", _("At most %(most)s texts fit into one request.") % {"most": most})
    for field in ("prompts", "labels"):
        beside = sent.get(field)
        if beside is not None and (not isinstance(beside, list) or len(beside) != len(queries)):
            raise QueryError(field, _("Send as many as there are texts in “query”, or none."))
    return [_query(place, query) for place, query in enumerate(queries)]


def _query(place: int, query: Any) -> Conversation | str:
    if isinstance(query, str):
        if not query.strip():
            raise QueryError(f"query[{place}]", _("There is nothing to score."))
        return query
    if isinstance(query, list):
        return _messages(f"query[{place}]", query)
    if isinstance(query, dict) and {"prompt", "response"} <= set(query):
        prompt, response = query["prompt"], query["response"]
        asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        if not isinstance(response, str):
            raise QueryError(f"query[{place}].response", _("This must be a text."))
        answered = [*asked, {"role": "assistant", "content": response}] if isinstance(asked, list) else asked
        return _messages(f"query[{place}].prompt", answered)
    raise QueryError(
        f"query[{place}]",
        _("This must be a text, a list of messages, or an object with “prompt” and “response”."),
    )


def _messages(field: str, messages: Any) -> Conversation:
    good = isinstance(messages, list) and messages
    if not good or not all(
        isinstance(m, dict) and isinstance(m.get("role"), str) and isinstance(m.get("content"), str)
        for m in messages
    ):
        raise QueryError(field, _("This must be a list of messages, each with a “role” and a “content”."))
    if messages[-1]["role"] != "assistant":
        raise QueryError(field, _("The last message must be the assistant's: the answer to score."))
    return [{"role": m["role"], "content": m["content"]} for m in messages]
