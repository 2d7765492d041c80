from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving.parts import Reviewer
from workbench.settings import Project


@pytest.fixture
def reviewer(scoring: Project) -> Iterator[Reviewer]:
    """Somebody who has made version 5 champion."""
    from tests.scored import WITH_CONTRACT

    ada = Reviewer(scoring)
    ada.promote(WITH_CONTRACT)
    yield ada
    ada.close()
