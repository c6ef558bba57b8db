"""Letters to whoever downloaded what is withdrawn; the pages tell them as well, until they have seen it."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from training import withdrawal as withdrawal_
from training.models import Withdrawal, WithdrawalNotice

logger = logging.getLogger(__name__)


def mail(withdrawal_id: int) -> int:
    """Mail everybody who downloaded what was withdrawn, once each; return how many letters went out.

    Nobody is mailed where no mail server is named (EMAIL_HOST), nor who has given no address. Raises OSError
    or SMTPException when a letter could not be sent: it may be tried again.
    """
    if not settings.EMAIL_HOST:
        return 0
    due = WithdrawalNotice.objects.filter(withdrawal=withdrawal_id, mailed_at=None).exclude(user__email="")
    sent = 0
    for notice in due.select_related("user", "withdrawal__rater").order_by("pk"):
        # taken before it is sent, so that two workers send it once
        mine = WithdrawalNotice.objects.filter(pk=notice.pk, mailed_at=None)
        if not mine.update(mailed_at=timezone.now()):
            continue
        try:
            _send(notice)
        except (OSError, SMTPException):
            WithdrawalNotice.objects.filter(pk=notice.pk).update(mailed_at=None)
            raise
        sent += 1
    return sent


def _send(notice: WithdrawalNotice) -> None:
    found: Withdrawal = notice.withdrawal
    with translation.override(notice.user.language or settings.LANGUAGE_CODE):
        delete = (
            _("Delete the rows of rater %(name)s from what you downloaded.")
            if found.rater
            else _("Delete the rows of prompt %(name)s from what you downloaded.")
        ) % {"name": found.rater.pseudonym if found.rater else found.prompt}
        close = _("Touchstone's page of datasets asks you to say that you have.")
        subject = _("Data that you downloaded was withdrawn")
        body = "\n\n".join([withdrawal_.sentence(found), delete, close])
    send_mail(subject, body, None, [notice.user.email])
