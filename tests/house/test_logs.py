"""What is logged has one format, and no secret in it."""

import json
import logging

import pytest
import structlog

from studio import logs


def lines_of(capsys: pytest.CaptureFixture[str], *, as_json: bool, write) -> str:
    handler = logging.StreamHandler()
    handler.setFormatter(logs.formatter(json=as_json))
    logger = logging.getLogger("tests.house.logs")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        write(structlog.get_logger("tests.house.logs"), logger)
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
    return capsys.readouterr().err


@pytest.mark.parametrize("as_json", [False, True])
def test_secrets_are_taken_out_of_our_lines_of_others_and_of_tracebacks(capsys, as_json):
    def write(ours, theirs):
        ours.warning("poll refused", url="/api/models/tags/x?token=s3cret-1")
        theirs.warning("GET %s", "/s?api_token=s3cret-2")
        try:
            raise ValueError("Bearer s3cret-3")
        except ValueError:
            ours.exception("failed")

    written = lines_of(capsys, as_json=as_json, write=write)
    assert "s3cret" not in written
    assert "poll refused" in written
    assert "/s?api_token=..." in written
    assert "ValueError: Bearer ..." in written


def test_json_lines_are_json(capsys):
    line = lines_of(capsys, as_json=True, write=lambda ours, _: ours.warning("ready", port=8000))
    assert json.loads(line)["port"] == 8000
