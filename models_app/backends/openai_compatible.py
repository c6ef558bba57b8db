"""Policies behind any server that speaks the chat-completions protocol."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from heapq import heappop, heappush

import httpx

from models_app.backends import BackendError, Conversation, SamplingParams

ATTEMPTS = 4  # at one answer
PATIENCE = 6  # failures in a row, of requests begun one after the other, until nobody is asked any more
REFUSALS = 8  # answers in a row that the server refuses
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
CONCURRENCY = 8  # requests at once, unless the model version says otherwise
TIMEOUT = httpx.Timeout(120.0, connect=5.0)
MOST_BYTES = 4 * 1024 * 1024  # of an answer that is asked for once
_AGAIN = frozenset({408, 425, 429})


class BusyError(BackendError):
    """The server may answer later; `after` are the seconds that it asks to be left alone."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class Pace:
    """Which answers a server is asked for next, how many at once, and when.

    A request that fails for a while halves how many there may be at once, one time for all that were under
    way then; every answer adds a little again, up to `most`. A second failure in a row holds everything back,
    each time for twice as long.
    """

    def __init__(self, answers: int, most: int) -> None:
        self.most, self.limit = most, float(most)
        self.problem = ""  # the first one that cost an answer
        self._waiting = [(0.0, index) for index in range(answers)]  # a heap: when to ask at the earliest
        self._tries: Counter[int] = Counter()
        self._failures = self._refusals = 0  # in a row
        self._ready_at = self._cut_at = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing more is to be asked: all is, or nobody seems to be there."""
        return not self._waiting or self._failures >= PATIENCE or self._refusals >= REFUSALS

    def take(self, flying: int) -> int | None:
        """Return the number of an answer that may be asked for now, beside so many others."""
        if self.over or flying >= int(self.limit) or self._wait() > 0:
            return None
        return heappop(self._waiting)[1]

    def pause(self, flying: int) -> float | None:
        """Return the seconds until `take` may have something; None when an answer must come first."""
        return None if self.over or flying >= int(self.limit) else max(self._wait(), 0.0)

    def _wait(self) -> float:
        return max(self._waiting[0][0], self._ready_at) - time.monotonic()

    def answered(self) -> None:
        """Note an answer."""
        self._failures = self._refusals = 0
        self.limit = min(self.most, self.limit + 1 / self.limit)

    def failed(self, index: int, began: float, error: BackendError) -> None:
        """Note that a request begun then failed: its answer is asked for again, or given up."""
        if not isinstance(error, BusyError):
            self._refusals += 1
            self.problem = self.problem or str(error)
            return
        now = time.monotonic()
        if error.after:
            self._ready_at = max(self._ready_at, now + min(error.after, LONGEST_PAUSE))
        again = now + _jittered(FIRST_PAUSE)
        if began >= self._cut_at:  # what was under way at the last failure is no news
            self._cut_at = now
            self._tries[index] += 1
            self._failures += 1
            self.limit = max(1.0, self.limit / 2)
            again = now + _jittered(min(FIRST_PAUSE * 2 ** (self._failures - 1), LONGEST_PAUSE))
            if self._failures > 1:
                self._ready_at = max(self._ready_at, again)
        if self._tries[index] < ATTEMPTS:
            heappush(self._waiting, (again, index))
        if self._tries[index] >= ATTEMPTS or self.over:
            self.problem = self.problem or f"{error} Is the server running?"


def _jittered(seconds: float) -> float:
    """Spread pauses, so that those who were refused together don't come back together."""
    return seconds * random.uniform(0.5, 1.5)


class OpenAICompatiblePolicy:
    """A policy that another server runs; `base_url` ends before /chat/completions.

    `stream` asks for answers in pieces, so that no proxy takes a slow answer for a dead connection.
    """

    def __init__(
        self, base_url: str, model: str, api_key: str = "", concurrency: int = 0, stream: bool = False
    ) -> None:
        self.url = base_url.rstrip("/") + "/chat/completions"
        self.model = model
        self.headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.concurrency = concurrency or CONCURRENCY
        self.in_pieces = stream

    def generate(
        self, conversations: Sequence[Conversation], params: SamplingParams
    ) -> Iterator[tuple[int, str]]:
        """Yield (index, answer) as answers arrive.

        What fails for a while is asked again; what fails for good costs nothing but itself. BackendError with
        the first reason comes after all that could be had.
        """
        many = httpx.Limits(max_connections=self.concurrency, max_keepalive_connections=self.concurrency)
        try:
            client = httpx.Client(headers=self.headers, timeout=TIMEOUT, limits=many)
        except (ValueError, httpx.InvalidURL) as error:
            raise BackendError(f"{self.url} cannot be asked: {error}") from error
        pace = Pace(len(conversations), self.concurrency)
        flying: dict[Future[str], tuple[int, float]] = {}
        with client, ThreadPoolExecutor(self.concurrency) as pool:
            try:
                while flying or not pace.over:
                    while (index := pace.take(len(flying))) is not None:
                        job = pool.submit(self._ask, client, conversations[index], params, index)
                        flying[job] = index, time.monotonic()
                    for job in _landed(flying, pace.pause(len(flying))):
                        index, began = flying.pop(job)
                        try:
                            text = job.result()
                        except BackendError as error:
                            pace.failed(index, began, error)
                        else:
                            pace.answered()
                            yield index, text
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        if pace.problem:
            raise BackendError(pace.problem)

    def stream(self, conversation: Conversation, params: SamplingParams) -> Iterator[str]:
        """Yield one answer in pieces as they are sent; raise BackendError, also for half an answer."""
        with httpx.Client(headers=self.headers, timeout=TIMEOUT) as client:
            yield from _trimmed(self._stream(client, self._body(conversation, params, 0)))

    def answer_once(
        self, conversation: Conversation, params: SamplingParams, seconds: float
    ) -> tuple[str, int | None]:
        """Ask once and wait so long at most; return the answer and its tokens, where the server counts them.

        Raises BackendError, BusyError when the time is up.
        """
        until = time.monotonic() + seconds
        late = BusyError(f"{self.url} does not answer within {seconds:g} seconds.")
        patience = httpx.Timeout(seconds, connect=min(5.0, seconds))
        whole = bytearray()
        try:
            with (
                httpx.Client(headers=self.headers, timeout=patience) as client,
                client.stream("POST", self.url, json=self._body(conversation, params, 0)) as response,
            ):
                # a server that sends a byte now and then never lets a read time out
                for piece in response.iter_bytes():
                    whole += piece
                    if time.monotonic() > until:
                        raise late
                    if len(whole) > MOST_BYTES:
                        raise BackendError(f"{self.url} gives an answer that doesn't end.")
                answer = httpx.Response(response.status_code, content=bytes(whole))
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, ValueError) as error:
            raise BackendError(f"{self.url} cannot be asked: {error}") from error
        except httpx.ConnectTimeout as error:
            raise BusyError(f"{self.url} cannot be reached.") from error
        except httpx.TimeoutException as error:
            raise late from error
        except httpx.RequestError as error:
            raise BusyError(f"{self.url} cannot be reached: {error}.") from error
        text = self._read(answer)
        counted = (answer.json().get("usage") or {}).get("completion_tokens")
        return text, counted if isinstance(counted, int) else None

    def _stream(self, client: httpx.Client, body: dict[str, object]) -> Iterator[str]:
        try:
            with client.stream("POST", self.url, json={**body, "stream": True}) as response:
                if response.status_code != 200:
                    response.read()
                self._check(response)
                yield from self._pieces(response)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, ValueError) as error:
            raise BackendError(f"{self.url} cannot be asked: {error}") from error
        except httpx.RequestError as error:
            raise BusyError(f"{self.url} breaks off or cannot be reached: {error}.") from error

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
        raise BusyError(f"{self.url} breaks off in the middle of an answer.")

    def _ask(
        self, client: httpx.Client, conversation: Conversation, params: SamplingParams, index: int
    ) -> str:
        body = self._body(conversation, params, index)
        if self.in_pieces:
            return "".join(self._stream(client, body)).strip()
        return self._read(self._post(client, body))

    def _body(self, conversation: Conversation, params: SamplingParams, index: int) -> dict[str, object]:
        seed = params.seeds[index] if params.seeds else params.seed * 1_000_003 + index
        return {
            "model": self.model,
            "messages": conversation,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "max_tokens": params.max_new_tokens,
            "seed": seed % 2**31,
        }

    def _post(self, client: httpx.Client, body: dict[str, object]) -> httpx.Response:
        try:
            return client.post(self.url, json=body)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise BackendError(f"{self.url} is not a web address: {error}") from error
        except httpx.TimeoutException as error:
            raise BusyError(f"{self.url} does not answer in time.") from error
        except httpx.RequestError as error:
            raise BusyError(f"{self.url} cannot be reached: {error}.") from error

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in _AGAIN or status >= 500:
            raise BusyError(f"{self.url} answers with status {status}.", _retry_after(response))
        if status != 200:
            raise BackendError(f"{self.url} refuses with {status}: {response.text[:200]}")

    def _read(self, response: httpx.Response) -> str:
        self._check(response)
        try:
            content = response.json()["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            said = response.text[:100]
            raise BackendError(f"{self.url} does not answer as chat completions do: {said!r}") from error
        if not isinstance(content, str):
            raise BackendError(f"{self.url} gives an answer that is not text: {content!r:.100}")
        return content.strip()


def _landed(flying: dict[Future[str], tuple[int, float]], pause: float | None) -> Iterator[Future[str]]:
    """Wait until something has come, or for a pause; return what has come."""
    if not flying:
        time.sleep(pause or 0.0)
        return iter(())
    return iter(wait(flying, pause, return_when=FIRST_COMPLETED).done)


def _retry_after(response: httpx.Response) -> float:
    """Return the seconds for which a server wants to be left alone, a number or a date; 0 for none."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _trimmed(pieces: Iterator[str]) -> Iterator[str]:
    """Leave out white space at the beginning and at the end."""
    held, begun = "", False
    for piece in pieces:
        held += piece
        text = held.rstrip() if begun else held.strip()
        if text:
            yield text
            held, begun = held[len(held.rstrip()) :], True
