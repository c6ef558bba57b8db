"""Import prompts, answers, past judgments and edits from a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.models import User
from labeling.import_formats import FORMATS, guess_format
from labeling.import_loading import ImportReport
from labeling.imports import import_records
from labeling.models import Campaign


class Command(BaseCommand):
    """Import a file into a campaign: all of it, or nothing."""

    help = "Import prompts, answers, past judgments and edits into a campaign: all of a file, or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", help="the campaign's short name, as in its address")
        parser.add_argument("file", type=Path, help="JSONL or CSV, gzip or not")
        parser.add_argument("--format", choices=list(FORMATS), help="guessed from the file if left out")
        parser.add_argument("--by", metavar="USERNAME", help="the person on whose behalf this happens")
        parser.add_argument("--dry-run", action="store_true", help="check and count, keep nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        campaign = Campaign.objects.filter(slug=options["campaign"]).first()
        if campaign is None:
            known = ", ".join(Campaign.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no campaign “{options['campaign']}”. There are: {known}.")
        by = User.objects.filter(username=options["by"]).first() if options["by"] else None
        if options["by"] and by is None:
            raise CommandError(f"There is no user “{options['by']}”.")
        try:
            with path.open("rb") as source, tqdm(unit="B", unit_scale=True, disable=None) as bar:

                def show(done: int, total: int) -> None:
                    bar.total = total
                    bar.update(done - bar.n)

                report = import_records(
                    campaign,
                    source,
                    format=options["format"] or guess_format(source),
                    by=by,
                    filename=path.name,
                    dry_run=options["dry_run"],
                    progress=show,
                )
        except KeyboardInterrupt as stop:
            raise CommandError("Stopped. Nothing was imported.", returncode=130) from stop
        except OSError as error:
            raise CommandError(f"{path} can't be read: {error.strerror}") from error
        if report.errors:
            raise CommandError(_complain(path, report))
        self.stdout.write(_tell(report, options["dry_run"]))


def _complain(path: Path, report: ImportReport) -> str:
    lines = [
        ": ".join(part for part in (f"{path.name}, line {e.line}", e.field, e.message) if part)
        for e in report.errors
    ]
    if report.errors_total > len(report.errors):
        lines.append(f"… and {report.errors_total - len(report.errors)} more")
    return "Nothing was imported.\n" + "\n".join(lines)


def _tell(report: ImportReport, dry_run: bool) -> str:
    verb = "Would add" if dry_run else "Added"
    return (
        f"{verb} {report.prompts_added} prompts ({report.prompts_known} known), "
        f"{report.responses_added} answers, {report.tasks_added} tasks, {report.judgments_added} judgments, "
        f"{report.edits_added} edits and {report.raters_added} raters. The file has {report.identical_pairs} "
        f"identical pairs, {report.empty_responses} empty answers and {report.empty_edits} empty edits."
    )
