"""JSON that programs send: read, and refused where PostgreSQL can't keep it."""

import math
from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

LARGEST = 2**63  # a number further from 0 fits no column
DEEPEST = 100


class JSONBody(JSONParser):
    """Parse a request's JSON, and refuse it where anything in it can't be kept."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return what was sent; raises ParseError."""
        try:
            data = super().parse(stream, media_type, parser_context)
            check(data)
        except RecursionError as error:
            raise ParseError(_("It is nested too deeply.")) from error
        except ValueError as error:
            raise ParseError(str(error)) from error
        return data


def check(value: Any, depth: int = 0) -> None:
    """Raise ValueError where a parsed JSON value, `depth` values deep, holds what can't be kept."""
    if depth > DEEPEST:
        raise ValueError(_("It is nested too deeply."))
    match value:
        case str():
            if "\x00" in value or not _whole(value):
                raise ValueError(_("The character U+0000 and halves of surrogate pairs can't be kept."))
        case dict():
            for name, each in value.items():
                check(name, depth)
                check(each, depth + 1)
        case list():
            for each in value:
                check(each, depth + 1)
        case int() if abs(value) >= LARGEST:
            raise ValueError(_("A number is too large."))
        case float() if not math.isfinite(value):
            raise ValueError(_("A number is too large."))


def _whole(text: str) -> bool:
    """Tell whether a text has no half of a surrogate pair, so that it can be written at all."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
