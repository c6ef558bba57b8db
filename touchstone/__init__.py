"""Touchstone's client: pull datasets, push prompts and preferences, see how a campaign is doing.

As a command, `touchstone --help`; in a program:

    import touchstone
    folder = touchstone.Client("https://touchstone.example.org", "tst_…").pull("kitchen", "kitchen-data")
    rows = datasets.load_dataset(str(folder))

The address and the token come from TOUCHSTONE_URL and TOUCHSTONE_TOKEN, or from `touchstone login`, which
keeps them where only you can read them. It needs httpx and tqdm, and nothing else of Touchstone.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import httpx
from tqdm import tqdm

TRIES = 8  # in a row that bring nothing, before a download is given up
PAUSE = 1.0  # seconds between two questions whether something is ready
LONGEST_PAUSE = 30.0  # seconds
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
OVER = {"done", "refused", "cancelled", "failed"}
NOBODY = "Run `touchstone login ADDRESS` first, or set TOUCHSTONE_URL and TOUCHSTONE_TOKEN."
HUB_HINT = "Log in with `hf auth login`, or set HF_TOKEN, and see that the machine can reach the hub."


class TouchstoneError(Exception):
    """Say in plain sentences what went wrong."""


class Client:
    """Talk to one installation of Touchstone as the user whom the token belongs to."""

    def __init__(self, url: str = "", token: str = "", *, quiet: bool = False) -> None:
        """Take what isn't given from the environment, or from what `login` kept."""
        kept = _kept()
        self.url = (url or os.environ.get("TOUCHSTONE_URL") or kept.get("url", "")).rstrip("/")
        token = token or os.environ.get("TOUCHSTONE_TOKEN") or kept.get("token", "")
        if not self.url or not token:
            raise TouchstoneError(NOBODY)
        self.quiet = quiet
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1/", headers={"Authorization": f"Token {token}"}, timeout=TIMEOUT
        )

    def whoami(self) -> dict[str, Any]:
        """Return the user whom the token belongs to."""
        return self._json("GET", "me/")

    def snapshot(self, what: str, *, cut: bool = False) -> dict[str, Any]:
        """Find a snapshot by the beginning of its digest (8 digits at least), or a campaign's newest.

        With `cut`, `what` is a campaign, whose labels are cut now.
        """
        if cut:
            return self._cut(what)
        if len(what) >= 8 and all(digit in "0123456789abcdef" for digit in what):
            found = self._json("GET", "snapshots/", params={"digest": what})["results"]
            if len(found) == 1:
                return dict(found[0])
            if found:
                raise TouchstoneError(f"More than one snapshot begins with {what}.")
        rows = self._json("GET", f"campaigns/{what}/snapshots/", params={"limit": 1})["results"]
        if not rows:
            raise TouchstoneError(f"The campaign “{what}” has no snapshot yet; --cut makes one.")
        return dict(rows[0])

    def pull(
        self,
        what: str,
        folder: str | Path,
        *,
        format: str = "trl-preference",
        file: str = "",
        cut: bool = False,
    ) -> Path:
        """Bring an export of a snapshot into a folder, and return the folder.

        What was cut off goes on where it stopped. Nothing is unpacked before the SHA-256 of the whole is
        right, and afterwards that of each data file is held against manifest.json.
        """
        folder = Path(folder)
        part = folder.parent / f".{folder.name}.part"
        if folder.exists() and any(folder.iterdir()):
            raise TouchstoneError(f"The folder {folder} is not empty.")
        snapshot = self.snapshot(what, cut=cut)
        wanted = {"format": format, **({"file": file} if file else {})}
        part.parent.mkdir(parents=True, exist_ok=True)
        sha256 = self._download(f"snapshots/{snapshot['id']}/download/", wanted, part)
        with part.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != sha256:
                part.unlink()
                raise TouchstoneError("What came is not what was sent. It is thrown away; pull again.")
        with zipfile.ZipFile(part) as archive:
            archive.extractall(folder)  # it keeps every member inside the folder
        verify(folder)
        part.unlink()
        _tag(part).unlink(missing_ok=True)
        return folder

    def push(
        self, campaign: str, file: str | Path, *, format: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """Import a file of prompts, answers or preferences, and return the report.

        Nothing is kept of a file with errors: the report has them by line.
        """
        file = Path(file)
        data = {"dry_run": "true" if dry_run else "false", **({"format": format} if format else {})}
        address, long = f"campaigns/{campaign}/imports/", httpx.Timeout(600.0, connect=10.0)
        with self._bar(file.name, file.stat().st_size) as bar, _Watched(file) as reading:
            reading.on_read = bar.update
            answer = self._ask("POST", address, data=data, files={"file": (file.name, reading)}, timeout=long)
        said = answer.json()
        if answer.status_code == 400 and "errors" in said:
            return dict(said)
        self._check(answer)
        if answer.status_code != 202:
            return dict(said)
        said = self._follow("importing", f"{address}{said['id']}/", said, 100, "percent")
        if said["status"] not in ("done", "refused"):
            raise TouchstoneError(said["error"] or f"The import was {said['status']}.")
        return dict(said["report"])

    def status(self, campaign: str = "") -> dict[str, Any]:
        """Return a campaign's settings and its newest runs and snapshots; without one, all campaigns."""
        if not campaign:
            return {"results": self._all("campaigns/")}
        newest = {"limit": 5}
        return {
            "campaign": self._json("GET", f"campaigns/{campaign}/"),
            "runs": self._json("GET", f"campaigns/{campaign}/runs/", params=newest)["results"],
            "snapshots": self._json("GET", f"campaigns/{campaign}/snapshots/", params=newest)["results"],
        }

    def _cut(self, campaign: str) -> dict[str, Any]:
        answer = self._check(self._ask("POST", f"campaigns/{campaign}/snapshots/", json={}))
        said = answer.json()
        if answer.status_code == 202:
            said = self._json("GET", f"snapshots/{self._prepared(said)['snapshot']}/")
        return dict(said)

    def _prepared(self, said: dict[str, Any]) -> dict[str, Any]:
        """Wait until a worker has prepared something."""
        said = self._follow("preparing", f"preparations/{said['id']}/", said, said["expected"], "done")
        if said["status"] != "done":
            raise TouchstoneError(said["error"])
        return said

    def _follow(
        self, name: str, address: str, said: dict[str, Any], whole: int, field: str
    ) -> dict[str, Any]:
        with self._bar(name, whole, unit="") as bar:
            while said["status"] not in OVER:
                time.sleep(PAUSE)
                said = self._json("GET", address)
                bar.update(said[field] - bar.n)
        return said

    def _download(self, address: str, wanted: dict[str, str], part: Path) -> str:
        """Bring a file, going on where an earlier try stopped; returns the SHA-256 that it must have."""
        tries = 0
        while True:
            have = part.stat().st_size if part.exists() else 0
            try:
                return self._go_on(address, wanted, part)
            except (httpx.TransportError, _CutOff) as error:
                more = (part.stat().st_size if part.exists() else 0) > have
                tries = 0 if more else tries + 1
                if tries == TRIES:
                    lost = f"The connection to {self.url} was lost ({error})."
                    raise TouchstoneError(f"{lost} Pull again: it goes on where it stopped.") from error
                time.sleep(min(LONGEST_PAUSE, PAUSE * 2**tries))

    def _go_on(self, address: str, wanted: dict[str, str], part: Path) -> str:
        have = part.stat().st_size if part.exists() else 0
        tag = _tag(part).read_text() if _tag(part).exists() else ""
        asked = {"Range": f"bytes={have}-", "If-Range": tag} if have and tag else {}
        with self._http.stream("GET", address, params=wanted, headers=asked) as answer:
            if answer.status_code == 202:
                answer.read()
                self._prepared(answer.json())
                return self._go_on(address, wanted, part)
            if answer.status_code == 503:  # the server is being restarted
                raise _CutOff("the server is busy")
            if answer.status_code == 416:  # all of it is here, or the file has become another
                if answer.headers.get("Content-Range") == f"bytes */{have}" and answer.headers["ETag"] == tag:
                    return tag.strip('"')
                part.unlink()
                raise _CutOff("the file has become another")
            if answer.status_code not in (200, 206):
                answer.read()
                self._check(answer)
            _tag(part).write_text(answer.headers["ETag"])
            more = answer.status_code == 206
            self._receive(answer, part, have if more else 0)
            return str(answer.headers["ETag"]).strip('"')

    def _receive(self, answer: httpx.Response, part: Path, have: int) -> None:
        whole = have + int(answer.headers["Content-Length"])
        with self._bar(part.name.strip("."), whole, have) as bar, part.open("ab" if have else "wb") as out:
            for chunk in answer.iter_bytes():  # as it comes: what is held back is lost with the connection
                out.write(chunk)
                bar.update(len(chunk))
        if part.stat().st_size < whole:
            raise _CutOff("it ended early")

    def _bar(self, name: str, whole: int, done: int = 0, unit: str = "B") -> Any:
        return tqdm(
            desc=name,
            total=whole,
            initial=done,
            unit=unit,
            unit_scale=unit == "B",
            disable=self.quiet or None,
        )

    def _json(self, method: str, address: str, **what: Any) -> dict[str, Any]:
        return dict(self._check(self._ask(method, address, **what)).json())

    def _all(self, address: str) -> list[dict[str, Any]]:
        page = self._json("GET", address, params={"limit": 500})
        rows = list(page["results"])
        while page["next"]:
            page = self._json("GET", address, params=httpx.URL(page["next"]).params)
            rows += page["results"]
        return rows

    def _ask(self, method: str, address: str, **what: Any) -> httpx.Response:
        try:
            return self._http.request(method, address, **what)
        except httpx.TransportError as error:
            raise TouchstoneError(f"{self.url} does not answer ({error}).") from error

    def _check(self, answer: httpx.Response) -> httpx.Response:
        """Return an answer that is good; TouchstoneError says what the server said of another."""
        if answer.is_success:
            return answer
        try:
            said = answer.json()
        except ValueError:
            said = {}
        sentences = [
            f"{'' if field == 'detail' else f'{field}: '}{text}"
            for field, texts in (said.items() if isinstance(said, dict) else ())
            for text in (texts if isinstance(texts, list) else [texts])
        ]
        raise TouchstoneError(" ".join(sentences) or f"{answer.url} says {answer.status_code}.")


class _CutOff(Exception):
    """The rest of a download didn't come."""


class _Watched(FileIO):
    """A file whose reading is watched."""

    on_read: Callable[[int], Any]

    def read(self, size: int | None = -1) -> bytes:
        """Read on, and tell how much it was."""
        data = super().read(-1 if size is None else size) or b""
        self.on_read(len(data))
        return data


def verify(folder: str | Path) -> None:
    """Hold the data files of a pulled folder against its manifest; TouchstoneError names one that differs."""
    folder = Path(folder)
    for name, sha256 in json.loads((folder / "manifest.json").read_text()).get("sha256", {}).items():
        with (folder / name).open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != sha256:
                raise TouchstoneError(f"{folder / name} is not what the manifest says.")


def login(url: str, token: str) -> dict[str, Any]:
    """Keep an address and a token in a file that only you can read; returns whom the token belongs to."""
    user = Client(url, token).whoami()
    file = keeping()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # made anew, so that nobody who has an older file open reads along
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump({"url": url.rstrip("/"), "token": token}, out)
    draft.replace(file)
    return user


def hub_push(folder: str | Path, repository: str, *, private: bool = True) -> str:
    """Push a pulled folder to a dataset repository of the Hugging Face hub; returns its address."""
    folder = Path(folder)
    if not (folder / "README.md").exists():
        raise TouchstoneError(f"{folder} is no pulled folder: it has no README.md.")
    verify(folder)
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
    except ImportError as error:
        raise TouchstoneError(
            "Pushing to the hub needs huggingface_hub: pip install huggingface_hub"
        ) from error
    hub = HfApi(library_name="touchstone")
    try:
        hub.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=repository,
            repo_type="dataset",
            folder_path=folder,
            commit_message="Push a snapshot of Touchstone",
        )
    except (HFValidationError, LocalTokenNotFoundError) as error:
        raise TouchstoneError(f"{error} {HUB_HINT}") from error
    except (HfHubHTTPError, OSError, httpx.HTTPError) as error:
        raise TouchstoneError(f"The hub did not take {repository}: {error} {HUB_HINT}") from error
    return f"{hub.endpoint}/datasets/{repository}"


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


def keeping() -> Path:
    """Return the file that keeps what `login` was told."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "touchstone" / "login.json"


def _kept() -> dict[str, str]:
    file = keeping()
    return dict(json.loads(file.read_text())) if file.exists() else {}
