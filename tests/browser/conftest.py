"""The same servers as tests/services uses."""

from tests.services.conftest import first_start, stack

__all__ = ["first_start", "stack"]
