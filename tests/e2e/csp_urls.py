"""The program's addresses, and one to which browsers report what its content policy has stopped."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from config.urls import urlpatterns as program

reports: list[str] = []


@csrf_exempt
@login_not_required
def report(request: HttpRequest) -> HttpResponse:
    """Keep a browser's report."""
    reports.append(request.body.decode())
    return HttpResponse(status=204)


urlpatterns = [path("csp-reports/", report), *program]
