"""The page of the audit log, and the same as CSV."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import audit, audit_names
from accounts.forms import AuditForm
from accounts.roles import require, signed_in_user

PAGE = 100


@require_safe
@require("manage")
def show(request: HttpRequest) -> HttpResponse:
    """Show who changed what, newest first; who manages single campaigns sees what concerns these.

    `before` is the number of the event that the page before ended with.
    """
    form = AuditForm(request.GET)
    told = form.cleaned_data if form.is_valid() else {}
    visible = audit.visible_to(signed_in_user(request))
    events = audit.chosen(visible, told).order_by("-pk")
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 19:
        events = events.filter(pk__lt=int(before))
    rows = list(events[: PAGE + 1])
    kept = request.GET.copy()
    kept.pop("before", None)
    context = {
        "form": form,
        "events": rows[:PAGE],
        "told": [(event, audit_names.called(event), audit_names.told(event)) for event in rows[:PAGE]],
        "older": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "newer": bool(before),
        "query": kept.urlencode(),
        "section": "audit",
    }
    return render(request, "accounts/audit.html", context, status=400 if form.errors else 200)


@require_safe
@require("manage")
def download(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Give what the page shows as CSV, all of it."""
    form = AuditForm(request.GET)
    if not form.is_valid():
        said = " ".join(f"{form[name].label}: {' '.join(map(str, e))}" for name, e in form.errors.items())
        return HttpResponse(said, status=400, content_type="text/plain; charset=utf-8")
    events = audit.chosen(audit.visible_to(signed_in_user(request)), form.cleaned_data).order_by("-pk")
    answer = StreamingHttpResponse(
        audit.as_csv(events.iterator(2000)), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return answer
