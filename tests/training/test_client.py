"""The client, against a live server."""

import json
import os
import socket
import stat
import threading

import datasets
import pytest

import touchstone
from accounts import tokens
from accounts.models import Role
from labeling.models import Prompt
from tests import cast
from tests.training import cast as labels
from touchstone.__main__ import main
from training import archives, snapshots
from training.models import Download

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_folders(settings, tmp_path, monkeypatch):
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"
    settings.UPLOADS_DIR = tmp_path / "uploads"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("TOUCHSTONE_URL", "TOUCHSTONE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(touchstone, "PAUSE", 0.01)


@pytest.fixture
def campaign():
    return labels.make_split_campaign()


@pytest.fixture
def client(live_server, campaign) -> touchstone.Client:
    token = tokens.issue(cast.make_user(Role.MANAGER, "mara"), "test")
    return touchstone.Client(live_server.url, token, quiet=True)


class Cutter:
    """A wire to the server that is cut again and again, after some bytes of each answer."""

    def __init__(self, server: str, after: int) -> None:
        self.host, port = server.removeprefix("http://").split(":")
        self.port, self.after, self.cuts = int(port), after, 0
        self.ear = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.ear.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                near, _address = self.ear.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=[near], daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.create_connection((self.host, self.port)) as far:
            threading.Thread(target=self._pass, args=[near, far], daemon=True).start()
            left = self.after
            while left and (data := far.recv(min(left, 1000))):
                near.sendall(data)
                left -= len(data)
            self.cuts += not left
            for side in (near, far):
                side.shutdown(socket.SHUT_RDWR)  # whoever reads there in another thread would hold it open

    @staticmethod
    def _pass(near: socket.socket, far: socket.socket) -> None:
        try:
            while data := near.recv(65536):
                far.sendall(data)
        except OSError:
            pass


def test_a_pull_that_is_cut_off_again_and_again_ends_with_the_right_bytes(
    live_server, campaign, tmp_path, settings
):
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
    snapshot = snapshots.cut(campaign)
    size = archives.make(snapshot, "trl-preference", "").bytes
    wire = Cutter(live_server.url, after=4000)
    token = tokens.issue(cast.make_user(Role.RESEARCHER), "test")
    client = touchstone.Client(wire.url, token, quiet=True)
    folder = client.pull(snapshot.digest[:12], tmp_path / "kitchen")
    assert wire.cuts >= size // 4000
    assert Download.objects.count() == 1  # one download, in many ranges
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 1, "validation": 1, "test": 1}
    assert not list(tmp_path.glob(".kitchen*"))
    wire.ear.close()


def test_a_half_downloaded_file_is_gone_on_with_and_a_false_one_thrown_away(client, campaign, tmp_path):
    snapshot = snapshots.cut(campaign)
    archive = archives.make(snapshot, "trl-preference", "")
    half, tag = tmp_path / ".out.part", tmp_path / ".out.part.tag"
    half.write_bytes(archive.path.read_bytes()[:1000])
    tag.write_text(f'"{archive.sha256}"')
    client.pull("kitchen", tmp_path / "out")
    assert not Download.objects.exists()  # it had begun before
    half, tag = tmp_path / ".false.part", tmp_path / ".false.part.tag"
    half.write_bytes(b"x" * 1000)
    tag.write_text(f'"{archive.sha256}"')
    with pytest.raises(touchstone.TouchstoneError, match="not what was sent"):
        client.pull("kitchen", tmp_path / "false")
    assert client.pull("kitchen", tmp_path / "false").exists()


def test_pull_takes_a_campaigns_newest_snapshot_or_cuts_one(client, campaign, tmp_path):
    with pytest.raises(touchstone.TouchstoneError, match="no snapshot yet"):
        client.pull("kitchen", tmp_path / "none")
    folder = client.pull("kitchen", tmp_path / "out", format="canonical-parquet", cut=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["digest"] == snapshots.cut(campaign).digest
    touchstone.verify(folder)
    (folder / "data" / "train.parquet").write_bytes(b"changed")
    with pytest.raises(touchstone.TouchstoneError, match=r"train\.parquet is not what"):
        touchstone.verify(folder)
    with pytest.raises(touchstone.TouchstoneError, match="is not empty"):
        client.pull("kitchen", folder)
    with pytest.raises(touchstone.TouchstoneError, match="format: There is no format 'parchment'"):
        client.pull("kitchen", tmp_path / "new", format="parchment")


def test_the_command_signs_in_pushes_says_how_it_is_and_pulls(
    live_server, campaign, tmp_path, monkeypatch, capsys
):
    token = tokens.issue(cast.make_user(Role.MANAGER, "mara"), "test")
    with pytest.raises(SystemExit, match="login ADDRESS"):
        main(["status"])
    monkeypatch.setenv("TOUCHSTONE_TOKEN", token)
    main(["login", live_server.url])
    monkeypatch.delenv("TOUCHSTONE_TOKEN")
    kept = touchstone.keeping()
    assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"prompt": "Why?"}\n{"prompt": 7}\n')
    with pytest.raises(SystemExit, match="Nothing was imported"):
        main(["--quiet", "push", "kitchen", str(wrong)])
    assert f"{wrong}:2: prompt:" in capsys.readouterr().err
    assert not Prompt.objects.filter(messages__0__content="Why?").exists()
    wrong.write_text('{"prompt": "Why?"}\n')
    main(["--quiet", "push", "kitchen", str(wrong)])
    assert "prompts added 1" in capsys.readouterr().out
    assert Prompt.objects.filter(messages__0__content="Why?").exists()
    main(["--quiet", "pull", "--cut", "kitchen", str(tmp_path / "out")])
    main(["--quiet", "status"])
    main(["--quiet", "status", "kitchen"])
    out = capsys.readouterr().out
    assert "3 judgments" in out
    assert snapshots.cut(campaign).digest in out
    with pytest.raises(SystemExit, match="hub"):
        main(["hub-push", str(tmp_path / "out"), "not a name"])
