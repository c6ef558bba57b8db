"""The command `touchstone`: each of the client's verbs, with sentences for errors."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from touchstone import Client, TouchstoneError, hub_push, keeping, login


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line asks for; errors are sentences, and exit with 1."""
    options = _parser().parse_args(arguments)
    try:
        options.do(options)
    except TouchstoneError as error:
        sys.exit(f"touchstone: {error}")
    except OSError as error:
        sys.exit(f"touchstone: {error.filename or 'It'}: {error.strerror or error}.")
    except KeyboardInterrupt:
        sys.exit("touchstone: Stopped. What is here stays: the same command goes on with it.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="touchstone", description="Touchstone from the command line.")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (do, help, arguments) in COMMANDS.items():
        command = commands.add_parser(name, help=help, description=help)
        command.set_defaults(do=do)
        for argument, how in arguments.items():
            command.add_argument(argument, **how)
    return parser


def _login(options: argparse.Namespace) -> None:
    token = os.environ.get("TOUCHSTONE_TOKEN") or getpass.getpass("Token: ")
    user = login(options.url, token.strip())
    print(f"Signed in to {options.url} as {user['username']}; kept in {keeping()}.")


def _pull(options: argparse.Namespace) -> None:
    client = Client(quiet=options.quiet)
    what = {"format": options.format, "file": options.file, "cut": options.cut}
    folder = client.pull(options.what, options.folder, **what)
    manifest = json.loads((folder / "manifest.json").read_text())
    rows = ", ".join(f"{split} {number}" for split, number in manifest["rows"].items())
    print(f"Snapshot {manifest['digest']} in {folder}: {rows} rows.")
    print(f'datasets.load_dataset("{folder}") reads it.')


def _push(options: argparse.Namespace) -> None:
    client = Client(quiet=options.quiet)
    report = client.push(options.campaign, options.file, format=options.format, dry_run=options.dry_run)
    if report["errors_total"]:
        for error in report["errors"]:
            print(f"{options.file}:{error['line']}: {error['field']}: {error['message']}", file=sys.stderr)
        raise TouchstoneError(f"Nothing was imported: {report['errors_total']} errors.")
    counts = ", ".join(
        f"{name.replace('_', ' ')} {number}"
        for name, number in report.items()
        if isinstance(number, int) and number and name != "errors_total"
    )
    print(f"{'It would be imported' if options.dry_run else 'Imported'}: {counts or 'nothing new'}.")


def _status(options: argparse.Namespace) -> None:
    found = Client(quiet=options.quiet).status(options.campaign)
    if options.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    elif not options.campaign:
        for campaign in found["results"]:
            print(f"{campaign['slug']:<30} {campaign['status']:<10} {campaign['name']}")
    else:
        campaign = found["campaign"]
        paused = ", its loop is paused" if campaign["loop_paused"] else ""
        print(f"{campaign['name']}: {campaign['status']}{paused}")
        for run in found["runs"]:
            print(f"  run {run['id']}: {run['kind']}, {run['status']} {run['error']}".rstrip())
        for snapshot in found["snapshots"]:
            said, edits = (snapshot["counts"][name] for name in ("judgments", "edits"))
            print(f"  snapshot {snapshot['digest'][:12]}: {said} judgments, {edits} edits")


def _hub_push(options: argparse.Namespace) -> None:
    print(hub_push(options.folder, options.repository, private=not options.public))


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], None], str, dict[str, dict[str, Any]]]] = {
    "login": (
        _login,
        "Keep the address and a token for later; the token is asked for.",
        {"url": {"help": "such as https://touchstone.example.org"}},
    ),
    "pull": (
        _pull,
        "Bring a snapshot into a folder; goes on where an earlier try stopped.",
        {
            "what": {"help": "a campaign (its newest snapshot), or the beginning of a digest"},
            "folder": {"type": Path, "help": "a folder that is empty or not there yet"},
            "--format": {"default": "trl-preference", "help": "trl-preference, canonical-parquet, …"},
            "--file": {"default": "", "help": "jsonl, jsonl.gz, jsonl.zst, parquet or csv"},
            "--cut": {"action": "store_true", "help": "cut a snapshot of the campaign now"},
        },
    ),
    "push": (
        _push,
        "Import a file of prompts, answers or preferences into a campaign.",
        {
            "campaign": {},
            "file": {"type": Path},
            "--format": {"default": "", "help": "what the file is in, if it can't be guessed"},
            "--dry-run": {"action": "store_true", "help": "only check it"},
        },
    ),
    "status": (
        _status,
        "Say how a campaign is doing, or list all.",
        {"campaign": {"nargs": "?", "default": ""}, "--json": {"action": "store_true"}},
    ),
    "hub-push": (
        _hub_push,
        "Push a pulled folder to a dataset repository of the hub.",
        {
            "folder": {"type": Path},
            "repository": {"help": "such as somebody/kitchen-preferences"},
            "--public": {"action": "store_true", "help": "for everybody to see"},
        },
    ),
}

if __name__ == "__main__":
    main()
