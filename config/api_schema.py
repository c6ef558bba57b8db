"""What every operation of the API may refuse, said once for the whole OpenAPI document."""

from typing import Any

Document = dict[str, Any]

SCHEMAS: Document = {
    "Refusal": {
        "type": "object",
        "description": "Why nothing was done, in a sentence.",
        "properties": {"detail": {"type": "string"}},
        "required": ["detail"],
    },
    "Invalid": {
        "type": "object",
        "description": "What is wrong with the request: sentences by field; `detail` is about all of it.",
        "additionalProperties": {},
    },
}
BODIES = {"post", "put", "patch"}
# what is read but for its state: a dispute that isn't decided, an upload that isn't kept any more
BLIND, GONE_MEANWHILE = "/disputes/{id}/", "/imports/{id}/preview/"


def describe_refusals(result: Document, **_: Any) -> Document:
    """Add to each operation the answers that authentication, permissions, parsers and look-ups may give."""
    result["components"].setdefault("schemas", {}).update(SCHEMAS)
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            _describe(path, method, operation)
    return result


def _describe(path: str, method: str, operation: Document) -> None:
    found: Document = operation["responses"]
    queried = [p for p in operation.get("parameters", []) if p["in"] == "query"]
    if "requestBody" in operation or queried or method in BODIES or path.endswith(BLIND):
        _add(found, "400", "Invalid", "Something in the request is wrong.")
    _add(found, "401", "Refusal", "Nobody is signed in, or the token is unknown, revoked or over.")
    _add(found, "403", "Refusal", "The role, or the token's scope, does not allow it.")
    _add(found, "404", "Refusal", "There is no such thing, or one may not know of it.")
    _add(found, "406", "Refusal", "The answer can't come in the form that was asked for.")
    if method != "get" or path.endswith(GONE_MEANWHILE):
        _add(found, "409", "Refusal", "Something is in another state than the request takes for granted.")
    if "/snapshots/" in path or "/runs/" in path:
        _add(found, "410", "Refusal", "It holds data that was withdrawn, and isn't given out any more.")
    if method in BODIES:
        _add(found, "415", "Refusal", "The body comes in a form that isn't read.")
    _add(found, "429", "Refusal", "Too many requests; Retry-After says in how many seconds to go on.")
    seconds: Document = {"schema": {"type": "integer", "minimum": 1}, "required": True}
    found["429"]["headers"] = {"Retry-After": seconds}


def _add(found: Document, status: str, name: str, words: str) -> None:
    """Describe an answer; where a view describes one itself, either may come."""
    schema: Document = {"$ref": f"#/components/schemas/{name}"}
    own = found.get(status, {}).get("content", {}).get("application/json", {}).get("schema")
    if own is not None:
        schema = {"anyOf": [own, schema]}
    description = found.get(status, {}).get("description") or words
    found[status] = {"content": {"application/json": {"schema": schema}}, "description": description}
