"""Policies behind any server that speaks the chat-completions protocol."""

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

    def _ask(
        self, client: httpx.Client, conversation: Conversation, params: SamplingParams, index: int
    ) -> str:
        body = {
            "model": self.model,
            "messages": conversation,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "max_tokens": params.max_new_tokens,
            "seed": (params.seed * 1_000_003 + index) % 2**31,
        }
        return self._read(self._post(client, body))

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
