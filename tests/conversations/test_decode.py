"""Records of an event broker become events, or say why they cannot."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations.ingest.decode import (
    TEXT_LENGTH,
    DecodedEvent,
    Undecodable,
    _canonical,
    _decode,
    _encode,
    decode,
    rank,
)
from tests.conversations.events import action, bot, event, raw, slot, user


def decoded(one: dict) -> DecodedEvent:
    return decode(raw(one)[0])


def refusal(data: bytes) -> str:
    with pytest.raises(Undecodable) as caught:
        decode(data)
    return str(caught.value)


def test_a_user_message_gives_what_lists_and_filters_need():
    one = decoded(user("a table please", 12.5, intent="book_table", confidence=0.81, channel="socketio"))
    assert (one.kind, one.text, one.name, one.confidence) == ("user", "a table please", "book_table", 0.81)
    assert (one.sender_id, one.timestamp, one.model_id, one.channel) == ("anna", 12.5, "m-1", "socketio")


def test_an_action_gives_its_name_policy_and_confidence():
    one = decoded(action("utter_greet", 12.5, "MemoizationPolicy"))
    assert (one.name, one.policy, one.confidence, one.text) == ("utter_greet", "MemoizationPolicy", 1.0, "")


def test_the_entities_of_a_message_are_known_by_their_names():
    found = [{"entity": "day"}, {"entity": "city"}, {"entity": "day"}, {"entity": ""}, {"entity": 3}, "city"]
    assert decoded(user("hi", 1.0, entities=found)).entities == ["city", "day"]
    assert decoded(event("entities", 1.0, entities=found)).entities == ["city", "day"]
    assert decoded(user("hi", 1.0, entities=None)).entities == []
    assert decoded(bot("hi", 1.0, entities=found)).entities is None


def test_a_predicted_bot_text_of_an_action_is_its_text():
    assert decoded(action("hi there", 1.0) | {"action_text": "hi there"}).text == "hi there"


def test_kinds_that_nobody_knows_are_kept():
    one = decoded(event("flow_started", 3.0, flow_id="pay"))
    assert one.kind == "flow_started"
    assert json.loads(one.payload)["flow_id"] == "pay"


def test_the_payload_is_whole_but_for_the_sender():
    given_event = user("hi", 1.0)
    kept = json.loads(decoded(given_event).payload)
    assert kept == {key: value for key, value in given_event.items() if key != "sender_id"}


def test_spacing_order_and_escaping_of_the_json_do_not_change_the_identity():
    one = user("grüezi ☕", 1.5)
    spellings = [
        json.dumps(one).encode(),
        json.dumps(dict(reversed(one.items())), ensure_ascii=False, indent=3).encode(),
    ]
    assert len({decode(spelling).digest for spelling in spellings}) == 1


def test_the_sender_is_no_part_of_the_identity():
    assert decoded(slot("day", 1, 2.0, sender="a")).digest == decoded(slot("day", 1, 2.0, sender="b")).digest


@pytest.mark.parametrize("change", [{"timestamp": 1.0000001}, {"event": "bot"}, {"text": "ho"}])
def test_another_time_kind_or_content_is_another_event(change: dict):
    one = user("hi", 1.0)
    assert decoded(one).digest != decoded(one | change).digest


def test_a_seventh_decimal_of_the_time_is_kept():
    assert decoded(bot("x", 1763812345.1234567)).timestamp == 1763812345.1234567


def test_numbers_beyond_64_bits_stay_exact():
    assert f"{10**30 + 1}" in decoded(slot("big", 10**30 + 1, 1.0)).payload


def test_nan_lone_surrogates_and_nul_are_kept_in_the_payload_and_replaced_in_columns():
    one = decoded(user("a\x00b\ud800c", 1.0, confidence=math.nan))
    assert one.text == "a\ufffdb\ufffdc"
    assert one.confidence is None
    assert "\\u0000" in one.payload and "\\ud800" in one.payload and "NaN" in one.payload
    assert one.payload.isascii()


def test_long_texts_are_cut_in_the_column_only():
    one = decoded(bot("x" * (TEXT_LENGTH + 5), 1.0))
    assert len(one.text) == TEXT_LENGTH
    assert len(one.payload) > TEXT_LENGTH + 5


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Not JSON"),
        (b"{", "Not JSON"),
        (b"\xff\xfe\xfa", "Not JSON"),
        (b"[1]", "Not a JSON object"),
        (b'{"event": "user", "timestamp": 1}', "No sender_id"),
        (b'{"sender_id": 7, "event": "user", "timestamp": 1}', "No sender_id"),
        (b'{"sender_id": "a", "timestamp": 1}', "No kind"),
        (b'{"sender_id": "a", "event": null, "timestamp": 1}', "No kind"),
        (b'{"sender_id": "a", "event": "user"}', "No timestamp"),
        (b'{"sender_id": "a", "event": "user", "timestamp": "1"}', "No timestamp"),
        (b'{"sender_id": "a", "event": "user", "timestamp": true}', "No timestamp"),
        (b'{"sender_id": "a", "event": "user", "timestamp": NaN}', "outside the years"),
        (b'{"sender_id": "a", "event": "user", "timestamp": 1e400}', "outside the years"),
        (b'{"sender_id": "a", "event": "user", "timestamp": 253402300800}', "outside the years"),
        (b'{"sender_id": "a", "event": "user", "timestamp": 1' + b"0" * 400 + b"}", "outside the years"),
        (b'{"sender_id": "a", "event": "user", "timestamp": 1, "x": ' + b"[" * 9000 + b"]" * 9000 + b"}", "deep"),
    ],
)
def test_what_can_never_be_an_event_says_why(data: bytes, reason: str):
    assert reason in refusal(data)


@pytest.mark.parametrize("depth", range(900, 1100, 7))
def test_every_depth_is_either_read_or_refused(depth: int):
    data = b'{"sender_id": "a", "event": "slot", "timestamp": 1, "value": ' + b"[" * depth + b"]" * depth + b"}"
    try:
        decode(data)
    except Undecodable as error:
        assert "deep" in str(error)


@pytest.mark.parametrize("oddity", [None, 3, "x", [], {"intent": None}, {"intent": {"name": 5, "confidence": "high"}}])
def test_oddly_shaped_parts_are_kept_and_leave_columns_empty(oddity: object):
    one = decoded(user("hi", 1.0) | {"parse_data": oddity, "metadata": oddity, "input_channel": oddity})
    assert (one.name, one.confidence, one.model_id) == ("", None, "")


def test_a_turn_within_one_instant_stays_in_the_order_rasa_means():
    turn = [
        ("action", "action_session_start"),
        ("session_started", ""),
        ("user", "greet"),
        ("user_featurization", ""),
        ("action", "utter_greet"),
        ("slot", "day"),
        ("bot", ""),
        ("action", "action_listen"),
    ]
    assert sorted(turn, key=lambda one: rank(*one)) == turn


# The first use of hypothesis's tables of characters is slow, and so is a busy machine.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@unhurried
@given(st.dictionaries(st.sampled_from(["text", "value", "metadata", "parse_data", "name", "policy"]), json_values))
def test_any_json_is_read_again_to_the_same_event(fields: dict):
    one = decoded(event("slot", 5.0) | fields)
    again = decode(json.dumps(json.loads(one.payload) | {"sender_id": "anna"}).encode())
    assert again == one
    for column in (one.kind, one.payload, one.text, one.name, one.policy, one.model_id, one.channel):
        column.encode()
        assert "\x00" not in column


floats = st.floats(allow_nan=False, allow_infinity=False)
read_by_orjson = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | floats | st.floats(0, 1e-3) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(read_by_orjson)
def test_the_canonical_form_is_the_same_whichever_library_writes_it(value: object):
    assert _canonical(value) == _encode(value)


@pytest.mark.parametrize(
    "value", [1e-5, 9.9e-5, 1e-4, 1e15, 1e16, 1e17, 1.7e308, 5e-324, -0.0, 2**64 - 1, "\x7f", "😀é"]
)
def test_what_the_two_libraries_write_differently_is_written_one_way(value: object):
    assert _canonical({"x": value, "X": [value]}) == json.dumps({"X": [value], "x": value}, separators=(",", ":"))


@unhurried
@given(st.dictionaries(st.text(max_size=4), read_by_orjson, max_size=4))
def test_the_identity_is_the_same_whichever_library_reads_and_writes(fields: dict):
    one = fields | {"sender_id": "anna", "event": "slot", "timestamp": 5.0}
    slowly = _decode(json.loads(json.dumps(one)), _encode)
    assert decode(json.dumps(one, ensure_ascii=False).encode()) == slowly


@unhurried
@given(st.binary(max_size=200))
def test_no_bytes_at_all_make_it_fail_in_another_way(data: bytes):
    try:
        decode(data)
    except Undecodable as error:
        assert str(error)
