"""Lists of people to invite, pasted or from a CSV file: name, e-mail address, languages; and their mail."""

import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import StringIO
from smtplib import SMTPException

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.validators import validate_email
from django.db import transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from accounts import skills
from accounts.models import Pool, User
from labeling import invitations
from labeling.models import Campaign, Invitation

logger = logging.getLogger(__name__)
MOST = 500
HEADS = {
    "name": "name", "username": "name", "user name": "name", "email": "email", "e-mail": "email",
    "mail": "email", "language": "skills", "languages": "skills", "skills": "skills",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """Somebody on a list: where they stand in it, and what is known of them."""

    number: int
    name: str
    email: str
    skills: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """What is wrong with a line."""

    number: int
    text: str
    says: str


@dataclass(frozen=True)
class Invited:
    """Somebody with the token of their link."""

    invitation: Invitation
    token: str


def read(text: str) -> tuple[list[Line], list[Problem]]:
    """Read a list; columns are found by a first line that names them, or by what they hold.

    Tabs, semicolons and commas part columns; spaces and slashes part languages.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    mark = next((mark for mark in "\t;" if mark in text), ",")
    rows = [
        (number, [field.strip() for field in row])
        for number, row in enumerate(csv.reader(StringIO(text), delimiter=mark, skipinitialspace=True), 1)
    ]
    rows = [(number, row) for number, row in rows if any(row)]
    heads: list[str] = []
    if rows and all(field.lower() in HEADS for field in rows[0][1] if field):
        heads = [HEADS.get(field.lower(), "") for field in rows.pop(0)[1]]
    if not rows:
        return [], [Problem(1, "", _("Name at least one person."))]
    if len(rows) > MOST:
        return [], [Problem(rows[MOST][0], "", _("Invite at most %(most)s at once.") % {"most": MOST})]
    lines, problems = [], []
    for number, row in rows:
        line = _named(number, row, heads) if heads else _guessed(number, row)
        try:
            lines.append(_checked(line))
        except ValidationError as error:
            problems.append(Problem(number, mark.join(row)[:200], " ".join(error.messages)))
    return lines, sorted(problems + _twice(lines), key=lambda problem: problem.number)


def _named(number: int, row: Sequence[str], heads: Sequence[str]) -> Line:
    values = dict(zip(heads, row, strict=False))
    names = values.get("skills", "").replace("/", " ").replace(",", " ").split()
    return Line(number, values.get("name", ""), values.get("email", ""), tuple(names))


def _guessed(number: int, row: Sequence[str]) -> Line:
    email = next((field for field in row if "@" in field), "")
    others = [field for field in row if field and field != email]
    names = " ".join(others[1:]).replace("/", " ").split()
    return Line(number, others[0] if others else "", email, tuple(names))


def _checked(line: Line) -> Line:
    if not line.name and not line.email:
        raise ValidationError(_("Neither a name nor an e-mail address."))
    if len(line.name) > 150:
        raise ValidationError(_("This name is longer than 150 characters."))
    if line.email:
        validate_email(line.email)
    return replace(line, skills=tuple(skills.check(line.skills)))


def _twice(lines: Sequence[Line]) -> list[Problem]:
    """Find who stands on the list twice, or is here already."""
    addresses = [line.email.lower() for line in lines if line.email]
    users = User.objects.annotate(address=Lower("email")).filter(address__in=addresses)
    here = dict(users.values_list("address", "username"))
    found = []
    for position, line in enumerate(line for line in lines if line.email):
        address = line.email.lower()
        if address in addresses[:position]:
            found.append(Problem(line.number, line.email, _("This address is on the list twice.")))
        elif address in here:
            says = _("This is %(name)s, who is here already: add them by their user name.")
            found.append(Problem(line.number, line.email, says % {"name": here[address]}))
    return found


def invite(
    by: User,
    text: str,
    *,
    campaign: Campaign | None,
    role: str,
    pool: Pool | None = None,
    days: int = invitations.DAYS,
) -> list[Invited]:
    """Make a link for each person on a list, or none; ValidationError names the lines that are wrong."""
    lines, problems = read(text)
    if problems:
        says = [_("Line %(number)s: %(says)s") % {"number": p.number, "says": p.says} for p in problems]
        raise ValidationError({"people": says})
    with transaction.atomic():
        return [
            Invited(
                *invitations.offer(
                    by, campaign=campaign, role=role, pool=pool, skills=line.skills, days=days,
                    name=line.name, email=line.email,
                )
            )
            for line in lines
        ]  # fmt: skip


def can_mail() -> bool:
    """Tell whether a mail server is set up."""
    return bool(settings.EMAIL_HOST)


def send(letters: Sequence[tuple[str, str]], campaign: Campaign | None) -> list[str]:
    """Mail people their links, given as (address, link); return the addresses that didn't take it."""
    failed = []
    # a name with a line break, which the API lets through, would be refused as a forged header
    subject = _("You are invited to rate in %(name)s") % {"name": campaign.name if campaign else "Touchstone"}
    subject = " ".join(subject.split())
    body = _(
        "Somebody invites you to Touchstone, where people compare the answers of language models.\n\n"
        "Open this link to begin; it is yours alone:\n\n%(link)s\n"
    )
    try:
        with get_connection() as connection:
            for address, link in letters:
                letter = EmailMessage(subject, body % {"link": link}, to=[address], connection=connection)
                try:
                    letter.send()
                except (OSError, SMTPException) as error:
                    logger.warning("An invitation could not be mailed: %s", error)
                    failed.append(address)
    except (OSError, SMTPException) as error:
        logger.warning("The mail server can't be reached: %s", error)
        return [address for address, _link in letters]
    return failed
