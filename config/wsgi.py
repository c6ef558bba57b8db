"""The WSGI entry point."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
# the server forks its workers from here: what is loaded now is theirs together until they write to it
get_resolver().url_patterns  # noqa: B018
gc.collect()
gc.freeze()
# what a request leaves behind is small: to look for cycles after each some 700 objects takes longer
gc.set_threshold(10_000, 20, 20)
