"""Requests to the API, generated from its OpenAPI document, and what is wrong with the answers."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.urls import resolve
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import just, sampled_from, sets
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts import tokens
from config.urls import document

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

# Who sends, in turn; most requests are by somebody who isn't refused for who they are.
TURNS = [
    "manager", "campaign manager", "manager", "nobody", "manager", "researcher", "campaign manager",
    "manager", "campaign researcher", "manager", "member", "campaign manager", "neighbour",
]  # fmt: skip
RATERS_OWN = ("/api/v1/rate/", "/api/v1/history/", "/api/v1/feedback/")
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
Known = dict[str, Any]


@dataclass
class Tried:
    """What came of the requests: `findings` in words, one for each operation and kind of mistake."""

    broken: int = 0
    undescribed: int = 0
    statuses: dict[str, Counter[int]] = field(default_factory=dict)  # by operation
    findings: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """Count the requests."""
        return sum(each.total() for each in self.statuses.values())

    def never(self) -> list[str]:
        """Name the operations that never did what they are for."""
        return [label for label, found in self.statuses.items() if not any(200 <= s < 300 for s in found)]


@cache
def operations() -> list[Any]:
    """Return every operation of the API's document."""
    schema = schemathesis.openapi.from_dict(deepcopy(document()))
    schema.config.analysis.constants.enabled = False  # what a seed gives would hang on what is imported
    schema.app = get_wsgi_application()
    found = list(schema.get_all_operations())
    assert all(isinstance(each, Ok) for each in found), found
    return [each.ok() for each in found if isinstance(each, Ok)]


def try_out(world: dict[str, Any], each: int, number: int, some: list[Any] | None = None) -> Tried:
    """Send `each` requests to all or `some` operations and check the answers; `number` decides which."""
    headers: dict[str, dict[str, str]] = {"nobody": {}}
    for role, person in world["people"].items():
        headers[role] = {"Authorization": f"Token {tokens.issue(person, role)}"}
    tried = Tried()
    for operation in operations() if some is None else some:
        tried.statuses[operation.label] = Counter()
        raters_own = operation.path.startswith(RATERS_OWN)
        turns = ["member" if raters_own and role == "manager" else role for role in TURNS]
        senders = [headers[role] for role in turns]
        route = route_of(operation)
        there = existing(world, operation, route)
        sent = {"body": world["body"].get(route, {}), "query": world["query"].get(route, {})}
        ways: list[tuple[Any, Known | None, Known]] = [
            (POSITIVE, there, sent), (NEGATIVE, there, {}), (POSITIVE, there, sent), (POSITIVE, there, {}),
            (POSITIVE, None, {}), (NEGATIVE, None, {}),
        ]  # fmt: skip
        for turn, (mode, path_parameters, true) in enumerate(ways):
            most = -(-(each - turn) // len(ways))
            send(tried, operation, mode, path_parameters, true, senders, most, number + turn)
    return tried


def route_of(operation: Any) -> str:
    """Return the name of an operation's address."""
    number = {parameter.name for parameter in operation.path_parameters if is_number(parameter)}
    names = [parameter.name for parameter in operation.path_parameters]
    dummy = {name: "1" if name in number else "x" for name in names}
    return resolve(operation.path.format(**dummy)).url_name or ""


def existing(world: dict[str, Any], operation: Any, route: str) -> dict[str, str] | None:
    """Return path parameters of a thing that is there, or None where the address names nothing."""
    names = [parameter.name for parameter in operation.path_parameters]
    if not names:
        return None
    known = world["args"].get(route)
    if known is None and names in (["pk"], ["id"]):
        thing = route.removeprefix("api_").split("_")[-1]
        known = {"pk": world["pks"].get("run" if route.endswith("_run") else thing, 1)}
    known = known or world["in_campaign"]
    return {"id" if name == "pk" and "id" in names else name: str(each) for name, each in known.items()}


def is_number(parameter: Any) -> bool:
    """Tell whether a parameter of an address is a number."""
    return bool(parameter.definition.get("schema", {}).get("type") == "integer")


def send(
    tried: Tried,
    operation: Any,
    mode: Any,
    path_parameters: dict[str, str] | None,
    given_values: Known,
    people: list[dict[str, str]],
    most: int,
    number: int,
) -> None:
    """Send generated requests, by everybody in turn, and note what is wrong with the answers.

    Of `given_values`, which are true of what is there, each request has some or all in its body and query.
    """
    if most < 1:
        return
    given_path = {"path_parameters": path_parameters} if path_parameters else {}
    statuses = tried.statuses[operation.label]
    names = sorted({name for values in given_values.values() for name in values})
    some = sets(sampled_from(names)) if names else just(set())

    @seed(number)
    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode, **given_path), kept=just(set(names)) | some)
    def look(case: Any, kept: set[str]) -> None:
        fill(case, given_values, kept)
        headers = people[statuses.total() % len(people)]
        with connected(), transaction.atomic():
            response = case.call(headers=headers)
            transaction.set_rollback(True)
        statuses[response.status_code] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except (Failure, FailureGroup) as failure:
            note(tried, case, response, failure)

    with suppress(Unsatisfiable):  # no request is wrong where everything is right
        look()


def fill(case: Any, given_values: Known, kept: set[str]) -> None:
    """Put given values into a generated request."""
    for part, values in given_values.items():
        wanted = {name: value for name, value in values.items() if name in kept}
        generated = getattr(case, part)
        if wanted and isinstance(generated, dict):
            setattr(case, part, {**generated, **wanted})
        elif wanted and isinstance(generated, type(NOT_SET)) and part == "query":
            case.query = wanted


@contextmanager
def connected() -> Iterator[None]:
    """Let no request close the connection whose transaction it is in."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


def note(tried: Tried, case: Any, response: Any, failure: Any) -> None:
    """Keep the first finding of its kind of an operation."""
    if response.status_code >= 500:
        tried.broken += 1
    else:
        tried.undescribed += 1
    kinds = getattr(failure, "exceptions", [failure])
    for each in kinds:
        key = (case.operation.label, f"{type(each).__name__} {response.status_code}")
        body = "" if isinstance(case.body, type(NOT_SET)) else repr(case.body)[:300]
        said = response.content[:200].decode(errors="replace")
        tried.findings.setdefault(
            key,
            f"{case.operation.label} {response.status_code} {type(each).__name__}: {str(each)[:600]}\n"
            f"    path {case.path_parameters} query {case.query} body {body}\n    answer {said}",
        )
