"""Every address, page and API."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView


class SchemaView(SpectacularAPIView):
    """The API's OpenAPI document, for anybody signed in."""

    action_for = {"*": "own_account"}


# TODO(lead): plain includes once every part has landed
def optional(prefix: str, module: str) -> list[URLPattern | URLResolver]:
    return [path(prefix, include(module))] if find_spec(module) else []


urlpatterns = [
    path("admin/", admin.site.urls),
    *optional("", "accounts.urls"),
    *optional("", "labeling.urls"),
    *optional("campaigns/", "labeling.manage_urls"),
    *optional("models/", "models_app.urls"),
    *optional("", "training.urls"),
    path("api/v1/schema/", SchemaView.as_view(), name="api-schema"),
    *optional("api/v1/", "accounts.api_urls"),
    *optional("api/v1/", "labeling.api_urls"),
    *optional("api/v1/", "models_app.api_urls"),
    *optional("api/v1/", "training.api_urls"),
]
