"""Policies behind any server that speaks the chat-completions protocol."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import httpx

from models_app.backends import BackendError, Conversation, SamplingParams

ATTEMPTS = 4
FIRST_PAUSE = 0.5
CONCURRENCY = 8
TIMEOUT = httpx.Timeout(120.0, connect=5.0)


class OpenAICompatiblePolicy:
    """A policy that another server runs; `base_url` ends before /chat/completions."""

    def __init__(self, base_url: str, model: str, api_key: str = "") -> None:
        self.url = base_url.rstrip("/") + "/chat/completions"
        self.model = model
        self.headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def generate(
        self, conversations: Sequence[Conversation], params: SamplingParams
    ) -> Iterator[tuple[int, str]]:
        """Yield (index, answer) as answers arrive; raise BackendError for a dead or odd server."""
        try:
            client = httpx.Client(headers=self.headers, timeout=TIMEOUT)
        except (ValueError, httpx.InvalidURL) as error:
            raise BackendError(f"{self.url} cannot be asked: {error}") from error
        with client, ThreadPoolExecutor(CONCURRENCY) as pool:
            jobs = {
                pool.submit(self._ask, client, conversation, params, index): index
                for index, conversation in enumerate(conversations)
            }
            try:
                for job in as_completed(jobs):
                    yield jobs[job], job.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def stream(self, conversation: Conversation, params: SamplingParams) -> Iterator[str]:
        """Yield one answer in pieces as they are sent; raise BackendError, also for half an answer."""
        body = {**self._body(conversation, params, 0), "stream": True}
        try:
            with (
                httpx.Client(headers=self.headers, timeout=TIMEOUT) as client,
                client.stream("POST", self.url, json=body) as response,
            ):
                if response.status_code != 200:
                    response.read()
                    self._read(response)
                yield from _trimmed(self._pieces(response))
        except (ValueError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise BackendError(f"{self.url} cannot be asked: {error}") from error
        except httpx.TransportError as error:
            raise BackendError(f"{self.url} breaks off or cannot be reached: {error}") from error

    def _pieces(self, response: httpx.Response) -> Iterator[str]:
        """Read the events of a streamed answer."""
        for line in response.iter_lines():
            event = line.removeprefix("data:").strip()
            if not line.startswith("data:") or not event:
                continue
            if event == "[DONE]":
                return
            try:
                choices = json.loads(event)["choices"]
                piece = choices[0]["delta"].get("content") if choices else None
            except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
                raise BackendError(
                    f"{self.url} does not stream as chat completions do: {event[:100]!r}"
                ) from error
            if isinstance(piece, str):
                yield piece
        raise BackendError(f"{self.url} breaks off in the middle of an answer.")

    def _ask(
        self, client: httpx.Client, conversation: Conversation, params: SamplingParams, index: int
    ) -> str:
        return self._read(self._post(client, self._body(conversation, params, index)))

    def _body(self, conversation: Conversation, params: SamplingParams, index: int) -> dict[str, object]:
        return {
            "model": self.model,
            "messages": conversation,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "max_tokens": params.max_new_tokens,
            "seed": (params.seed * 1_000_003 + index) % 2**31,
        }

    def _post(self, client: httpx.Client, body: dict[str, object]) -> httpx.Response:
        """Post, trying again after a pause when the server is busy or out of reach."""
        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
            try:
                response = client.post(self.url, json=body)
            except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
                raise BackendError(f"{self.url} is not a web address: {error}") from error
            except httpx.TimeoutException:
                problem = "does not answer in time"
            except httpx.TransportError as error:
                problem = f"cannot be reached: {error}"
            else:
                if response.status_code != 429 and response.status_code < 500:
                    return response
                problem = f"answers with status {response.status_code}"
        raise BackendError(f"{self.url} {problem}. Is the server running?")

    def _read(self, response: httpx.Response) -> str:
        if response.status_code != 200:
            raise BackendError(f"{self.url} refuses with {response.status_code}: {response.text[:200]}")
        try:
            content = response.json()["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            said = response.text[:100]
            raise BackendError(f"{self.url} does not answer as chat completions do: {said!r}") from error
        if not isinstance(content, str):
            raise BackendError(f"{self.url} gives an answer that is not text: {content!r:.100}")
        return content.strip()


def _trimmed(pieces: Iterator[str]) -> Iterator[str]:
    """Leave out white space at the beginning and at the end."""
    held, begun = "", False
    for piece in pieces:
        held += piece
        text = held.rstrip() if begun else held.strip()
        if text:
            yield text
            held, begun = held[len(held.rstrip()) :], True
