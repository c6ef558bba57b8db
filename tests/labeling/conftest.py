"""Who most of a campaign's pages are looked at by."""

from typing import Any

import pytest
from django.test import Client


@pytest.fixture
def manager(db: None) -> Any:
    from tests.cast import make_user  # models can be loaded only now

    return make_user("manager", username="mara")


@pytest.fixture
def mara(manager: Any) -> Client:
    """The manager's browser."""
    client = Client()
    client.force_login(manager)
    return client
