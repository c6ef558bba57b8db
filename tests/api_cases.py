"""Requests to the API, generated from its OpenAPI document, and what is wrong with the answers."""

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
TURNS = ["manager", "nobody", "manager", "researcher", "manager", "member", "manager"]
RATERS_OWN = ("/api/v1/rate/", "/api/v1/history/", "/api/v1/feedback/")


@dataclass
class Tried:
    """What came of the requests: `findings` in words, one for each operation, role and kind of mistake."""

    operations: int = 0
    cases: int = 0
    broken: int = 0
    undescribed: int = 0
    statuses: list[int] = field(default_factory=list)
    findings: dict[tuple[str, str], str] = field(default_factory=dict)


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
    for role in ("manager", "researcher", "member"):
        headers[role] = {"Authorization": f"Token {tokens.issue(world['people'][role], role)}"}
    tried = Tried()
    for operation in operations() if some is None else some:
        tried.operations += 1
        raters_own = operation.path.startswith(RATERS_OWN)
        turns = ["member" if raters_own and role == "manager" else role for role in TURNS]
        senders = [headers[role] for role in turns]
        known = existing(world, operation)
        modes = [(mode, path) for path in (known, None) for mode in schemathesis.GenerationMode]
        for turn, (mode, path_parameters) in enumerate(modes):
            send(tried, operation, mode, path_parameters, senders, -(-(each - turn) // 4), number)
    return tried


def existing(world: dict[str, Any], operation: Any) -> dict[str, str] | None:
    """Return path parameters of a thing that is there, or None where the address names nothing."""
    names = [parameter.name for parameter in operation.path_parameters]
    if not names:
        return None
    number = {parameter.name for parameter in operation.path_parameters if is_number(parameter)}
    dummy = {name: "1" if name in number else "x" for name in names}
    route = resolve(operation.path.format(**dummy)).url_name or ""
    known = world["args"].get(route)
    if known is None and names == ["pk"]:
        thing = route.removeprefix("api_").split("_")[-1]
        known = {"pk": world["pks"].get("run" if route.endswith("_run") else thing, 1)}
    return {name: str(value) for name, value in (known or world["in_campaign"]).items()}


def is_number(parameter: Any) -> bool:
    """Tell whether a parameter of an address is a number."""
    return bool(parameter.definition.get("schema", {}).get("type") == "integer")


def send(
    tried: Tried,
    operation: Any,
    mode: Any,
    path_parameters: dict[str, str] | None,
    people: list[dict[str, str]],
    most: int,
    number: int,
) -> None:
    """Send generated requests, by everybody in turn, and note what is wrong with the answers."""
    if most < 1:
        return
    given_path = {"path_parameters": path_parameters} if path_parameters else {}

    @seed(number)
    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode, **given_path))
    def look(case: Any) -> None:
        headers = people[tried.cases % len(people)]
        tried.cases += 1
        with connected(), transaction.atomic():
            response = case.call(headers=headers)
            transaction.set_rollback(True)
        tried.statuses.append(response.status_code)
        try:
            case.validate_response(response, checks=CHECKS)
        except (Failure, FailureGroup) as failure:
            note(tried, case, response, failure)

    with suppress(Unsatisfiable):  # no request is wrong where everything is right
        look()


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
