"""The whole program with one command: `python -m config.stack`, which is what `make run` does."""

import argparse
import fcntl
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from config import local_services
from config.embedded_server import ServiceError
from config.local_services import LocalServices
from config.processes import Child, Supervisor, end_leftovers, keep_log_small, stop_event

QUEUES = {"default": 2, "sample": 1, "chat": 1, "train": 1}  # processes per worker
REFUSAL = "Touchstone cannot start. "
OLDEST_POSTGRES = 15
OLDEST_REDIS = (6, 2)
READY_SECONDS = 180.0  # for a machine that is busy with other things


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m config.stack", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        default="run",
        choices=["run", "services", "prepare"],
        help="run everything (the default); the embedded PostgreSQL and Redis alone; or bring the database, "
        "the static files and the demo campaign up to date",
    )
    try:
        {"run": run, "services": run_services, "prepare": prepare}[parser.parse_args().what]()
    except ServiceError as error:
        sys.exit(f"{REFUSAL}{error}")


def run() -> None:
    """Serve until Ctrl-C or SIGTERM. Raise ServiceError before anything starts that could not go on."""
    began = time.monotonic()
    var, host, port = local_services.var_dir(), os.environ.get("HOST", "127.0.0.1"), chosen_port()
    with only_one(var, f"http://{_display(host)}:{port}"):
        end_leftovers(var)
        check_port(host, port)
        services, stopping = embedded_services(), stop_event()
        try:
            services.start()
            demo = _prepared()
            supervisor = Supervisor(var, [web(var, host, port), workers_child(var)], services, _say)
            try:
                _greet(host, port, demo, began, stopping, supervisor)
                while not stopping.wait(0.5):
                    supervisor.tend()
                _say("Stopping …")
            finally:
                supervisor.stop()
        finally:
            services.release()
    _say("Stopped.")


def run_services() -> None:
    """Keep the embedded PostgreSQL and Redis running until Ctrl-C or SIGTERM."""
    var, services, stopping = local_services.var_dir(), embedded_services(), stop_event()
    services.start()
    try:
        _say(f"DATABASE_URL={local_services.database_url(var)}\nREDIS_URL={local_services.redis_url(var)}")
        while not stopping.wait(2):
            services.revive()
    finally:
        services.release()


def prepare() -> None:
    """Bring the database, the static files and the demo campaign up to date; needs running services."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django
    from django.conf import settings
    from django.core.management import call_command

    check_versions(local_services.var_dir())
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    if settings.EMBEDDED_DATABASE:
        call_command("load_demo")
    else:
        # anybody may know the demo's password, so its people do not belong on a server of one's own
        print("The demo stays out of a database of your own. First person: manage.py createsuperuser")


@contextmanager
def workers(*, beat: bool = True, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Keep one worker per queue, and beat, alive for as long as the block runs; the services must run.

    Django must be set up. environment is added to the children's. Raises ServiceError when they don't answer.
    """
    var = local_services.var_dir()
    end_leftovers(var)
    child = workers_child(var, beat, environment)
    supervisor = Supervisor(var, [child], None, lambda sentence: print(sentence, file=sys.stderr))
    done = threading.Event()

    def keep() -> None:
        supervisor.tend()
        while not done.wait(0.5):
            supervisor.tend()

    keeper = threading.Thread(target=keep, name="supervisor")
    try:
        with _sigterm_as_exit():
            keeper.start()
            _await_workers()
            yield
    finally:
        done.set()
        keeper.join()
        supervisor.stop()


def web(var: Path, host: str, port: int) -> Child:
    """Describe the web server."""
    command = [sys.executable, "-m", "config.web", "--host", host, "--port", str(port)]
    return _child(var, "web", command, {"TOUCHSTONE_POOL": "1", "MALLOC_ARENA_MAX": "2"})


def workers_child(var: Path, beat: bool = True, environment: Mapping[str, str] | None = None) -> Child:
    """Describe the process that one worker per queue, and beat, are forked from."""
    command = [sys.executable, "-m", "config.workers", *([] if beat else ["--no-beat"])]
    # torch's threads shall not spin while they have nothing to do
    return _child(var, "workers", command, {"OMP_WAIT_POLICY": "PASSIVE", **(environment or {})})


def embedded_services() -> LocalServices:
    """Return those embedded servers that the environment calls for."""
    postgres, redis_too = not os.environ.get("DATABASE_URL"), not os.environ.get("REDIS_URL")
    return LocalServices(local_services.var_dir(), postgres, redis_too)


def chosen_port() -> int:
    """Return the port of the web server. Raise ServiceError when PORT is not one."""
    text = os.environ.get("PORT") or "8000"
    if not re.fullmatch(r"\d{1,5}", text) or not 0 < int(text) < 65536:
        raise ServiceError(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def check_port(host: str, port: int) -> None:
    """Raise ServiceError when the web server could not listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise ServiceError(
                f"This user may not use port {port}; ports below 1024 are reserved."
            ) from error
        except OSError as error:
            if isinstance(error, socket.gaierror) or "assign" in str(error):
                raise ServiceError(f"HOST={host} is not an address of this machine.") from error
            raise ServiceError(
                f"Port {port} is in use by another program. End it, or choose another: PORT=8001 make run"
            ) from error


def check_versions(var: Path) -> None:
    """Raise ServiceError when PostgreSQL or Redis cannot be reached or is too old."""
    import psycopg  # not at the top: the supervisor stays small
    import redis

    url = os.environ.get("DATABASE_URL") or local_services.database_url(var)
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            found = connection.info.server_version // 10000
    except psycopg.Error as error:
        raise ServiceError(f"PostgreSQL does not answer at DATABASE_URL: {str(error).strip()}") from error
    if found < OLDEST_POSTGRES:
        raise ServiceError(
            f"Touchstone needs PostgreSQL {OLDEST_POSTGRES} or newer; DATABASE_URL has {found}."
        )
    try:
        with redis.from_url(os.environ.get("REDIS_URL") or local_services.redis_url(var)) as client:
            version = str(client.info("server")["redis_version"])
    except (redis.RedisError, ValueError) as error:
        raise ServiceError(f"Redis does not answer at REDIS_URL: {error}") from error
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        raise ServiceError(f"Touchstone needs Redis 6.2 or newer; REDIS_URL has {version}.")


@contextmanager
def only_one(var: Path, address: str) -> Iterator[None]:
    """Hold the folder for this process. Raise ServiceError when another one serves it."""
    with local_services.plain_errors(var):
        local_services.check_space(var)
        lock = (var / "stack.lock").open("a+")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise ServiceError(f"It already runs with the data in {var}: {lock.read().strip()}.") from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {address}")
        lock.flush()
        yield


def _child(var: Path, name: str, command: list[str], environment: Mapping[str, str]) -> Child:
    log = var / "log" / f"{name}.log"
    keep_log_small(log)
    return Child(name, command, log, environment)


def _prepared() -> str:
    """Prepare in a process of its own, whose memory goes away, and return what it says of the demo."""
    command = [sys.executable, "-m", "config.stack", "prepare"]
    root = Path(__file__).resolve().parent.parent
    result = subprocess.run(command, capture_output=True, text=True, cwd=root, start_new_session=True)
    if result.stderr.startswith(REFUSAL):
        raise ServiceError(result.stderr.removeprefix(REFUSAL).strip())
    if result.returncode:
        raise ServiceError(f"The database could not be prepared:\n{(result.stderr or result.stdout).strip()}")
    return result.stdout.strip()


def _greet(
    host: str, port: int, demo: str, began: float, stopping: threading.Event, supervisor: Supervisor
) -> None:
    """Wait for the web server's first answer, then say where everything is."""
    deadline = time.monotonic() + READY_SECONDS
    while not stopping.is_set():
        supervisor.tend()
        connection = http.client.HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, port, timeout=10)  # noqa: S104
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/", headers={"Host": "localhost"})
            connection.getresponse()
            break
        if time.monotonic() > deadline:
            log = local_services.var_dir() / "log" / "web.log"
            raise ServiceError(f"The web server did not answer in {READY_SECONDS:.0f} s; see {log}.")
        stopping.wait(0.2)
    else:
        return
    seconds = time.monotonic() - began
    _say(f"Touchstone runs at http://{_display(host)}:{port} ({seconds:.0f} s). Ctrl-C ends it.\n{demo}")


def _await_workers() -> None:
    from config.celery import app

    deadline = time.monotonic() + READY_SECONDS
    answered: set[str] = set()
    while len(answered) < len(QUEUES):
        if time.monotonic() > deadline:
            missing = ", ".join(sorted(set(QUEUES) - answered))
            logs = local_services.var_dir() / "log"
            raise ServiceError(f"No worker answers for the queues {missing}; see {logs}/worker-*.log.")
        replies = app.control.ping(timeout=0.5)
        answered |= {name.partition("@")[0] for reply in replies or [] for name in reply}


@contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Let SIGTERM unwind the main thread, so that the children are ended too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _display(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    main()
