"""manage.py export_snapshot"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import Campaign
from training import exports, snapshots, withdrawal
from training.export_formats import FORMATS
from training.exports import ExportError
from training.models import Download, Snapshot
from training.snapshots import SnapshotError
from training.withdrawal import WithdrawnError


class Command(BaseCommand):
    """Write a snapshot of a campaign to a folder."""

    help = "Cut a snapshot of a campaign, or take an earlier one, and write it as trainers read it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", help="the campaign's short name, as in its address")
        parser.add_argument("folder", type=Path, help="a folder that is empty or not there yet")
        parser.add_argument("--format", choices=list(FORMATS), default="canonical-parquet")
        parser.add_argument(
            "--file", default="", help="jsonl, jsonl.gz, jsonl.zst, parquet or csv, as the format has"
        )
        parser.add_argument("--digest", help="the beginning of an earlier snapshot's digest")
        parser.add_argument("--campaigns", nargs="+", help="take these campaigns together with it")
        parser.add_argument("--rounds", type=int, nargs="+", help="take these rounds only")
        parser.add_argument(
            "--withdrawn", action="store_true", help="write it even where it holds withdrawn data"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(slug=options["campaign"]).first()
        if campaign is None:
            raise CommandError(f"There is no campaign “{options['campaign']}”.")
        try:
            snapshot = self._snapshot(campaign, options)
            if not options["withdrawn"]:
                withdrawal.refuse(snapshot, None)
            files = exports.write(snapshot, options["format"], options["folder"], options["file"])
        except (SnapshotError, ExportError, WithdrawnError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{options['folder']} cannot be written: {error.strerror}.") from error
        _, file = exports.chosen(options["format"], options["file"])
        Download.objects.create(snapshot=snapshot, format=options["format"], file=file, via="command")
        self.stdout.write(f"Snapshot {snapshot.digest}: {len(files)} files in {options['folder']}.")

    def _snapshot(self, campaign: Campaign, options: dict[str, Any]) -> Snapshot:
        if not options["digest"]:
            filters = {name: options[name] for name in ("campaigns", "rounds") if options[name]}
            return snapshots.cut(campaign, filters=filters)
        found = list(Snapshot.objects.filter(campaign=campaign, digest__startswith=options["digest"])[:2])
        if len(found) != 1:
            raise CommandError(
                f"{'No' if not found else 'More than one'} snapshot begins with {options['digest']}."
            )
        return found[0]
