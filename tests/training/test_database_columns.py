"""Columns are read the same by a worker and by the web server, whose cursors are others."""

import pyarrow as pa
import pytest
from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor

from labeling.models import Campaign
from tests.cast import make_campaign
from training.database_columns import fetch


@pytest.mark.django_db
def test_columns_are_read_where_values_are_left_to_the_database(monkeypatch):
    campaign = make_campaign(name="It's 100 %")
    found = Campaign.objects.filter(name="It's 100 %", created_at__lte=campaign.created_at)
    monkeypatch.setattr(connection.connection, "cursor_factory", ServerBindingCursor)
    assert fetch(found, {"slug": pa.string()}).to_pydict() == {"slug": [campaign.slug]}
