"""A delivery to two recipients, and the tokens that open its public pages."""

import pytest

from aftersend.web.services import Services
from tests.support.page_seed import Seeded, add_delivery, add_recipients


@pytest.fixture
def seeded(services: Services) -> Seeded:
    """Give a delivery to two recipients."""
    return add_delivery(services, add_recipients(services, ["John", "Marie"]))
