"""Suites that several implementations of one port must pass; each implementation's test subclasses them."""

import pytest

pytest.register_assert_rewrite("tests.contracts.audience", "tests.contracts.store")
