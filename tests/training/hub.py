"""A small hub: as much of the Hugging Face hub's API as a push to a dataset repository needs, over HTTP."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OID = "0" * 39 + "1"


class Hub(ThreadingHTTPServer):
    """Keep the repositories that were made and the files that were committed to them."""

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.token = token
        self.repositories: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.commits: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answering(BaseHTTPRequestHandler):
    """Answer as the hub does; 401 without the token."""

    server: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self._say(401, {"error": "Invalid username or password."})
        match self.path.partition("?")[0].strip("/").split("/"):
            case ["api", "repos", "create"]:
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}"
                known = name in self.server.repositories
                self.server.repositories.setdefault(name, asked)
                said = {"url": f"{self.server.url}/datasets/{name}", "id": name, "name": name}
                return self._say(409 if known else 200, said)
            case ["api", "validate-yaml"]:
                return self._say(200, {"errors": [], "warnings": []})
            case ["api", "datasets", owner, name, "preupload", "main"]:
                files = [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                    for file in json.loads(body)["files"]
                ]
                known = f"{owner}/{name}" in self.server.repositories
                return self._say(200 if known else 404, {"files": files})
            case ["api", "datasets", owner, name, "commit", "main"]:
                lines = [json.loads(line) for line in body.splitlines()]
                return self._commit(f"{owner}/{name}", lines)
        return self._say(404, {"error": f"no {self.path}"})

    def do_GET(self) -> None:
        self._say(404, {"error": "Entry not found"})

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if line["key"] == "header":
                self.server.commits.append(line["value"]["summary"])
            else:
                assert line["key"] == "file"
                self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        url = f"{self.server.url}/datasets/{name}/commit/{OID}"
        self._say(200, {"success": True, "commitOid": OID, "commitUrl": url, "hookOutput": ""})

    def _say(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def hub(token: str) -> Iterator[Hub]:
    """Keep a hub for one test."""
    server = Hub(token)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
