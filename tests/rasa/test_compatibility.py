import pytest

from studio.rasa.compatibility import can_load


@pytest.mark.parametrize("trained", ["3.6.21", "3.6.100", "3.10.0", "4.0"])
def test_a_model_at_or_above_the_minimum_can_be_loaded(trained):
    assert can_load(trained, "3.6.21") is True


@pytest.mark.parametrize("trained", ["3.6.20", "3.6.3", "3.5.17", "2.8.34", "3.6.21rc1"])
def test_a_model_below_the_minimum_cannot(trained):
    assert can_load(trained, "3.6.21") is False


def test_what_is_no_version_is_not_decided():
    assert can_load("newest", "3.6.21") is None
    assert can_load("3.6.21", "") is None
