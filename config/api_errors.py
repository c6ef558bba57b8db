"""What the API answers when a domain function refuses: 409 where something is in another state, else 400."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from accounts.webhooks import DeliveryError, WebhookError
from labeling.assignment import LeaseError
from labeling.campaigns import CampaignError
from labeling.import_source import SourceError
from labeling.rounds import StateError
from labeling.submissions import SubmissionError
from models_app.queries import QueryError
from models_app.registry import ModelError
from training.exports import ExportError
from training.links import LinkError
from training.runs import RunError
from training.snapshots import SnapshotError, WrongFilterError
from training.withdrawal import WithdrawnError


class Conflict(exceptions.APIException):
    """Nothing was changed, because something is in another state than the request takes for granted."""

    status_code = 409


class Gone(exceptions.APIException):
    """It was there, and isn't given out any more."""

    status_code = 410


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for an address that doesn't exist: as JSON where a program asked."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": _("There is no such address.")}, status=404)
    return defaults.page_not_found(request, exception)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an API request that raised `error`; None lets it become a 500."""
    return exception_handler(translate(error), context)


def translate(error: Exception) -> Exception:
    """Turn a refusal of the domain into the API's; other errors stay as they are."""
    match error:
        # a body that is no object; of many rows each has an object of its own
        case exceptions.ValidationError(detail=[str(), *_] as sentences):
            return exceptions.ValidationError({"detail": " ".join(map(str, sentences))})
        case CampaignError() | SubmissionError() | QueryError():
            return exceptions.ValidationError({error.field: [str(error)]})
        case WebhookError():
            return exceptions.ValidationError({error.field: [str(error)]})
        case DjangoValidationError():
            problems = error.message_dict if hasattr(error, "error_dict") else {"detail": error.messages}
            return exceptions.ValidationError(problems)
        case LinkError():
            return exceptions.ValidationError({error.field: [str(error)]})
        case WithdrawnError():
            return Gone(str(error))
        case ExportError():
            return exceptions.ValidationError({"format": [str(error)]})
        case WrongFilterError():
            return exceptions.ValidationError({"filters": [str(error)]})
        case ModelError() | SourceError():
            return exceptions.ValidationError({"detail": [str(error)]})
        case StateError() | RunError() | LeaseError() | SnapshotError() | DeliveryError():
            return Conflict(str(error))
    return error
