"""How much a server in trouble is asked, and when."""

import time
from email.utils import formatdate

import httpx
import pytest

from models_app.backends import BackendError, openai_compatible
from models_app.backends.openai_compatible import ATTEMPTS, PATIENCE, REFUSALS, BusyError, Pace


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time go by as the tests say, and pauses be as long as they are meant."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(openai_compatible, "_jittered", lambda seconds: seconds)
    return now


def take(pace: Pace, flying: int = 0) -> list[int]:
    """Take all that may be asked for at once."""
    found: list[int] = []
    while (index := pace.take(flying + len(found))) is not None:
        found.append(index)
    return found


def test_trouble_halves_what_is_asked_at_once_and_answers_bring_it_back(clock: list[float]) -> None:
    pace = Pace(100, 8)
    assert take(pace) == [*range(8)]
    clock[0] += 1
    for index in range(8):  # one burst is one trouble
        pace.failed(index, 100.0, BusyError("busy"))
    assert int(pace.limit) == 4
    assert take(pace) == [8, 9, 10, 11], "what failed waits a little"
    clock[0] += 1
    for _ in range(40):
        pace.answered()
    assert int(pace.limit) == 8
    assert take(pace) == [12, 13, 14, 15, 16, 17, 18, 19]


def test_a_server_is_left_alone_for_as_long_as_it_asks(clock: list[float]) -> None:
    pace = Pace(4, 2)
    take(pace)
    pace.failed(0, clock[0], BusyError("busy", after=7.0))
    assert take(pace, flying=1) == []
    assert pace.pause(0) == pytest.approx(7.0)
    clock[0] += 7.1
    assert take(pace) == [2], "one at once is half of two"


def test_nobody_there_is_soon_seen_and_a_bad_answer_costs_only_itself(clock: list[float]) -> None:
    pace = Pace(100, 4)
    for _ in range(PATIENCE):
        clock[0] += 100
        pace.failed(take(pace)[0], clock[0], BusyError("down"))
    assert pace.over
    assert pace.problem == "down Is the server running?"
    pace = Pace(100, 4)
    for _ in range(ATTEMPTS + 1):
        clock[0] += 100
        pace.failed(0, clock[0], BusyError("down"))
        pace.answered()
    assert not pace.over
    assert pace.problem.startswith("down")
    pace = Pace(100, 4)
    for index in range(REFUSALS):
        pace.failed(index, clock[0], BackendError("refused"))
    assert (pace.over, pace.problem, int(pace.limit)) == (True, "refused", 4)


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    def after(said: str) -> float:
        return openai_compatible._retry_after(httpx.Response(429, headers={"Retry-After": said}))

    assert [after(said) for said in ("3", "", "soon", "Wed, 21 Oct 2015 07:28:00 GMT")] == [
        3.0,
        0.0,
        0.0,
        0.0,
    ]
    assert after(formatdate(time.time() + 3600, usegmt=True)) > 3000
