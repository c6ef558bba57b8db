"""Who may do what: datasets, runs, leaderboards, watches and the rest of the loop."""

from typing import Any

from tests.permissions.columns import (
    ADMINISTER_CHANGE,
    API_ADMINISTER_CREATE,
    API_LIST,
    API_LOOK,
    API_MANAGE,
    CHANGE,
    LIST,
    LOGIN,
    LOOK,
    MANAGE,
    Table,
)
from tests.permissions.world import World

TABLE: Table = {
    "leaderboard": {"GET": LOOK},
    "leaderboard_live": {"GET": LOOK},
    "leaderboard_csv": {"GET": LOOK},
    "leaderboards": {"GET": LIST},
    "api_leaderboard": {"GET": API_LOOK},
    "api_leaderboards": {"GET": API_LIST},
    "judges": {"GET": LOOK, "POST": MANAGE},  # nobody has judged
    "judges_live": {"GET": LOOK},
    "judges_csv": {"GET": (LOGIN, 403, 403, 404, 404)},  # there is none
    "api_judges": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 409)},  # nobody has judged
    "targets": {"GET": LOOK, "POST": MANAGE},  # no policy can answer
    "change_target": {"POST": (LOGIN, 403, 403, 403, 404)},  # there is none
    "target_csv": {"GET": (LOGIN, 403, 403, 404, 404)},
    "api_targets": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 409)},
    "api_target": {"GET": (401, 403, 403, 404, 404), "PATCH": (401, 403, 403, 403, 404)},
    "watch": {"GET": LOOK, "POST": CHANGE},
    "watch_live": {"GET": LOOK},
    "watch_csv": {"GET": (LOGIN, 403, 403, 404, 404)},  # there is none
    "api_watches": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 409)},  # there is no reward model
    "alarms": {"GET": LOOK, "POST": CHANGE},
    "resume_alarms": {"POST": CHANGE},
    "alarms_csv": {"GET": LOOK},
    "api_alarms": {"GET": API_LOOK, "PATCH": API_MANAGE, "POST": API_MANAGE},
    "snapshots": {"GET": LIST},
    "withdrawals": {"GET": LIST, "POST": ADMINISTER_CHANGE},
    "withdrawals_seen": {"POST": (LOGIN, 403, 403, 302, 302, 302, 302, 302)},
    "datasheet": {"GET": LOOK},
    "datasheet_md": {"GET": LOOK},
    "statement": {"GET": MANAGE, "POST": CHANGE},
    "api_withdrawals": {"GET": API_LIST, "POST": API_ADMINISTER_CREATE},
    "api_datasheet": {"GET": API_LOOK},
    "snapshot": {"GET": LOOK},
    "cut_snapshot": {"POST": (LOGIN, 403, 403, 302, 302)},
    "snapshot_difference": {"GET": (LOGIN, 403, 403, 200, 200)},
    "api_snapshot_difference": {"GET": (401, 403, 403, 200, 200)},
    "count_snapshot": {"GET": (LOGIN, 403, 403, 200, 200)},
    "api_snapshot_count": {"POST": (401, 403, 403, 200, 200)},
    "download": {"GET": LOOK},
    "start_run": {"POST": CHANGE},
    "run": {"GET": LOOK},
    "run_live": {"GET": LOOK},
    "run_plot_csv": {"GET": LOOK},
    "run_log": {"GET": LOOK},
    "api_run_plots": {"GET": API_LOOK},
    "api_run_plot": {"GET": API_LOOK},
    "api_run_log": {"GET": API_LOOK},
    "cancel_run": {"POST": CHANGE},
    "retry_run": {"POST": CHANGE},
    "api_snapshots": {"GET": API_LOOK, "POST": (401, 403, 403, 201, 201)},
    "api_snapshot": {"GET": API_LOOK},
    "api_found_snapshots": {"GET": API_LIST},
    "api_download": {"GET": API_LOOK},
    "snapshot_files": {"GET": LOOK},
    "snapshot_cuts": {"GET": LOOK},
    "signed_download": {"GET": (404,) * 8},  # a false token
    "make_link": {"POST": (LOGIN, 403, 403, 302, 302)},
    "revoke_link": {"POST": (LOGIN, 403, 403, 404, 404)},  # there is none
    "api_links": {"GET": API_LOOK, "POST": (401, 403, 403, 201, 201)},
    "api_link": {"DELETE": (401, 403, 403, 404, 404)},
    "api_preparation": {"GET": (401, 403, 403, 404, 404)},
    "api_runs": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 409)},  # there is no policy with a checkpoint
    "api_run": {"GET": API_LOOK},
    "api_metrics": {"GET": API_LOOK},
    "api_cancel_run": {"POST": API_MANAGE},
    "api_retry_run": {"POST": (401, 403, 403, 403, 409)},  # it is queued
    "api_statement": {"GET": API_MANAGE, "PATCH": API_MANAGE},
    "api_notices": {"GET": API_LIST, "POST": (401, 403, 403, 204, 204, 204, 204, 204)},
}


def args(w: World) -> dict[str, dict[str, Any]]:
    """Return what fills the addresses, by their names."""
    return {
        "leaderboard_csv": {**w.in_campaign, "table": "policies"},
        "cut_snapshot": w.in_campaign,
        "count_snapshot": w.in_campaign,
        "api_snapshot_count": w.in_campaign,
        "watch_csv": {**w.in_campaign, "pk": 1},
        "judges_csv": {**w.in_campaign, "pk": 1},
        "change_target": {**w.in_campaign, "pk": 1},
        "target_csv": {**w.in_campaign, "pk": 1},
        "api_target": {**w.in_campaign, "pk": 1},
        "start_run": {"pk": w.snapshot.pk},
        "datasheet": {"pk": w.snapshot.pk},
        "datasheet_md": {"pk": w.snapshot.pk},
        "api_datasheet": {"pk": w.snapshot.pk},
        "snapshot_difference": {"first": w.snapshot.pk, "second": w.snapshot.pk},
        "api_snapshot_difference": {"first": w.snapshot.pk, "second": w.snapshot.pk},
        "download": {"pk": w.snapshot.pk, "format": "trl-preference"},
        "api_download": {"pk": w.snapshot.pk},
        "snapshot_files": {"pk": w.snapshot.pk},
        "snapshot_cuts": w.in_campaign,
        "signed_download": {"token": "1.false"},
        "make_link": {"pk": w.snapshot.pk},
        "revoke_link": {"pk": 1},
        "api_links": {"pk": w.snapshot.pk},
        "api_link": {"pk": 1},
        "api_preparation": {"pk": 1},
        "api_metrics": {"pk": w.run.pk},
        **{name: {"pk": w.run.pk, "key": "sft/loss"} for name in ("run_plot_csv", "api_run_plot")},
        **{name: {"pk": w.run.pk} for name in ("run_log", "api_run_plots", "api_run_log")},
        "api_retry_run": {"pk": w.run.pk},
    }


def bodies(w: World) -> dict[str, dict[str, Any]]:
    """Return what is sent to the addresses."""
    return {
        "alarms": {"low-length": "0.5", "high-length": "2"},
        "resume_alarms": {"reason": "It is the taste."},
        "api_alarms": {"bands": {"length": [0.5, 2]}, "reason": "It is the taste."},
        "judges": {"judge": w.policy.pk, "tasks": 5, "template": "{conversation} {a} {b}"},
        "api_judges": {"judge": w.policy.pk, "tasks": 5},
        "targets": w.target,
        "api_targets": w.target,
        "withdrawals": {"what": "rater", "name": w.outsider.username, "reason": "Asked for it."},
        "api_withdrawals": {"what": "rater", "name": w.outsider.username, "reason": "Asked for it."},
        "statement": {"licence": "cc-by-4.0"},
        "api_statement": {"licence": "cc-by-4.0"},
        "watch": {"prompts": 8},
        "api_watches": {"prompts": 8},
        "api_runs": {"kind": "policy", "snapshot": w.snapshot.pk},
        "make_link": {"export": "trl-preference jsonl", "days": 7},
        "api_links": {"format": "trl-preference", "days": 7},
    }
