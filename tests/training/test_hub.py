"""A pulled folder goes to a hub by the client's command, word for word, and a refusal is a sentence."""

import os
import subprocess
import sys

import pytest

from tests import cast
from tests.training import cast as labels
from tests.training.hub import Hub, hub
from training import exports, snapshots

pytestmark = pytest.mark.django_db


def push(to: Hub, token: str, folder, tmp_path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "HF_ENDPOINT": to.url,
        "HF_TOKEN": token,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    command = [sys.executable, "-m", "touchstone", "hub-push", str(folder), "somebody/kitchen"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_a_folder_is_pushed_whole(folders, tmp_path):
    campaign = cast.make_campaign(slug="kitchen")
    labels.judge(labels.make_task(cast.make_round(campaign), ("tea", "coffee")), cast.make_user(), 2)
    folder = tmp_path / "out"
    files = exports.write(snapshots.cut(campaign), "trl-preference", folder, "parquet")
    with hub("hf_right") as to:
        refused = push(to, "hf_wrong", folder, tmp_path)
        assert (refused.returncode, to.files) == (1, {})
        assert refused.stderr.startswith("touchstone: The hub did not take somebody/kitchen")
        assert "hf auth login" in refused.stderr
        done = push(to, "hf_right", folder, tmp_path)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    assert done.stdout.strip() == f"{to.url}/datasets/somebody/kitchen"
    assert to.repositories["somebody/kitchen"]["visibility"] == "private"
    assert to.commits == ["Push a snapshot of Touchstone"]
    assert to.files == {str(file.relative_to(folder)): file.read_bytes() for file in files}
