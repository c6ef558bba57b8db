"""Import prompts, answers, past judgments and edits from a file or a dataset's folder."""

import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.models import User
from labeling import hub
from labeling.import_failures import Failures
from labeling.import_fields import FieldError
from labeling.import_formats import FORMATS, guess_format
from labeling.import_mapping import check
from labeling.import_report import ImportReport
from labeling.imports import import_records, quick_turns
from labeling.models import Campaign


class Command(BaseCommand):
    """Import a file, or the data files of a folder, into a campaign: all of it, or nothing."""

    help = "Import prompts, answers, past judgments and edits into a campaign: all of a file, or nothing."
    requires_system_checks = ()  # they load every page's code, for a second in which nothing is read

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", help="the campaign's short name, as in its address")
        parser.add_argument(
            "file", help="CSV, JSONL, JSON or Parquet, gzip or not; the folder of a dataset; hf:OWNER/NAME"
        )
        parser.add_argument("--split", default="", help="of a dataset; train if left out, where there is one")
        parser.add_argument("--format", choices=list(FORMATS), help="guessed from the file if left out")
        parser.add_argument(
            "--map", nargs="+", metavar="FIELD=COLUMN", default=[], help="which column is what, path.in.JSON"
        )
        parser.add_argument("--by", metavar="USERNAME", help="the person on whose behalf this happens")
        parser.add_argument("--dry-run", action="store_true", help="check and count, keep nothing")
        parser.add_argument(
            "--keep-good", action="store_true", help="import the lines without errors even if others fail"
        )
        parser.add_argument("--errors", type=Path, metavar="CSV", help="where to write all errors")
        parser.add_argument("--failed", type=Path, metavar="FILE", help="where to write the rows that failed")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(slug=options["campaign"]).first()
        if campaign is None:
            known = ", ".join(Campaign.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no campaign “{options['campaign']}”. There are: {known}.")
        by = User.objects.filter(username=options["by"]).first() if options["by"] else None
        if options["by"] and by is None:
            raise CommandError(f"There is no user “{options['by']}”.")
        for path in (options["errors"], options["failed"]):
            if path is not None and path.exists():
                raise CommandError(f"{path} is there already.")
        name = Path(options["file"]).name
        try:
            report = self._import(campaign, by, name, options)
        except KeyboardInterrupt as stop:
            raise CommandError("Stopped. Nothing was imported.", returncode=130) from stop
        except OSError as error:
            raise CommandError(
                f"{error.filename or options['file']} can't be read: {error.strerror}"
            ) from error
        except (hub.HubError, FieldError) as error:
            raise CommandError(str(error)) from error
        if report.refused:
            raise CommandError(_complain(name, report))
        if report.errors:
            self.stderr.write(_list(name, report))
        self.stdout.write(_tell(report, options["dry_run"]))

    def _import(
        self, campaign: Campaign, by: User | None, name: str, options: dict[str, Any]
    ) -> ImportReport:
        mapping = check(dict(_pair(said) for said in options["map"]))
        with (
            _opened(options["file"], options["split"]) as source,
            tqdm(unit="B", unit_scale=True, disable=None) as bar,
            Failures() as failures,
            quick_turns(),
        ):

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            report = import_records(
                campaign,
                source,
                format=options["format"] or ("columns" if mapping else guess_format(source)),
                by=by,
                filename=name,
                dry_run=options["dry_run"],
                progress=show,
                mapping=mapping,
                keep_good=options["keep_good"],
                failures=failures,
            )
            if failures.total and (options["errors"] or options["failed"]):
                with tempfile.TemporaryDirectory() as folder:
                    spare = Path(folder)
                    table, rows = options["errors"] or spare / "errors", options["failed"] or spare / "failed"
                    failures.write(source, table, rows)
        return report


@contextmanager
def _opened(where: str, split: str) -> Iterator[BinaryIO]:
    """Open a file; of a dataset, a folder or hf:OWNER/NAME, all its rows as one."""
    path = Path(where)
    if not where.startswith("hf:") and not path.is_dir():
        with path.open("rb") as source:
            yield source
        return
    with tempfile.TemporaryFile() as gathered:
        if where.startswith("hf:"):
            hub.fetch(where.removeprefix("hf:"), split, gathered)
        else:
            hub.gather(path, split, gathered)
        gathered.seek(0)
        yield gathered


def _pair(said: str) -> tuple[str, str]:
    field, equals, path = said.partition("=")
    if not equals:
        raise CommandError(f"“{said}” is not of the form FIELD=COLUMN.")
    return field, path


def _complain(name: str, report: ImportReport) -> str:
    return "Nothing was imported.\n" + _list(name, report)


def _list(name: str, report: ImportReport) -> str:
    lines = [
        ": ".join(part for part in (f"{name}, line {e.line}", e.field, e.message) if part)
        for e in report.errors
    ]
    if report.errors_total > len(report.errors):
        lines.append(f"… and {report.errors_total - len(report.errors)} more")
    return "\n".join(lines)


def _tell(report: ImportReport, dry_run: bool) -> str:
    verb = "Would add" if dry_run else "Added"
    return (
        f"{verb} {report.prompts_added} prompts ({report.prompts_known} known), "
        f"{report.responses_added} answers, {report.tasks_added} tasks, {report.judgments_added} judgments, "
        f"{report.edits_added} edits and {report.raters_added} raters. The file has {report.identical_pairs} "
        f"identical pairs, {report.empty_responses} empty answers and {report.empty_edits} empty edits."
    )
