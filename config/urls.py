"""Every address, page and API."""

from functools import cache
from typing import Any

from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from config.apart import apart
from labeling import webhook_urls

handler404 = "config.api_errors.not_found"
handler429 = "accounts.limits.too_many"  # asked for by django-allauth


@cache
def document() -> Any:
    """Return the API's OpenAPI document, which takes seconds to write, and is the same for everybody."""
    with translation.override("en"):
        return SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]


@cache
def written(form: Any) -> bytes:
    """Return the document as a kind of renderer writes it; YAML takes another half second."""

    def write() -> bytes:
        renderer: BaseRenderer = form()
        text: str | bytes = renderer.render(document(), renderer_context={})
        return text.encode() if isinstance(text, str) else text

    return apart(write)  # to describe all of the API takes 20 MB more than its description


class SchemaView(SpectacularAPIView):
    """The API's OpenAPI document, for anybody signed in."""

    action_for = {"GET": "own_account"}

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        form: Any = type(request.accepted_renderer)
        return HttpResponse(written(form), content_type=form.media_type)


urlpatterns = [
    path("", include("labeling.urls")),  # first, as raters wait for theirs
    path("admin/", admin.site.urls),
    path("", include("accounts.urls")),
    path("", include("labeling.people_urls")),
    path("", include(webhook_urls.pages)),
    path("campaigns/", include("labeling.manage_urls")),
    path("models/", include("models_app.urls")),
    path("", include("training.urls")),
    path("api/v1/schema/", SchemaView.as_view(), name="api-schema"),
    path("api/v1/", include("accounts.api_urls")),
    path("api/v1/", include("labeling.people_api_urls")),
    path("api/v1/", include("labeling.api_urls")),
    path("api/v1/", include(webhook_urls.in_api)),
    path("api/v1/", include("models_app.api_urls")),
    path("api/v1/", include("training.api_urls")),
]
