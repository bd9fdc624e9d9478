from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from scenes import BrightSquares, scene
from servers import (
    BROKEN,
    HELD,
    PATIENCE,
    Client,
    encode,
    end_of,
    picture,
    received,
    serving,
    wait_until,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus

from faceattr.serving import running, streams
from faceattr.serving.models import StreamAnswer, StreamError
from faceattr.serving.options import Limits


@pytest.fixture(scope="module")
def squares() -> Iterator[Client]:
    """A client of a server that finds bright squares."""
    with serving(detector=BrightSquares()) as one:
        yield one


def choose(*actions: str) -> str:
    return json.dumps({"actions": actions})


def test_each_frame_is_answered_with_tracked_faces(squares: Client) -> None:
    with squares.stream() as websocket:
        websocket.send(choose("brightness"))
        for number in range(4):
            websocket.send(encode(scene((5 * number, 10), (130 - 5 * number, 60))))
            answer = StreamAnswer.model_validate(received(websocket))
            assert answer.frame == number
            assert [face.track_id for face in answer.faces] == [1, 2]
            assert [*answer.faces[0].attributes] == ["brightness"]
            assert 0 <= answer.seconds < PATIENCE
            height, width = scene().shape[:2]
            assert (answer.width, answer.height) == (width, height)


def test_analyzers_can_be_switched_while_tracks_go_on(squares: Client) -> None:
    data = encode(scene((10, 10)))
    with squares.stream() as websocket:
        websocket.send(data)
        assert received(websocket)["faces"][0]["attributes"].keys() == {
            "brightness",
            "light",
            "held",
        }
        for actions in (["light"], ["Light", "brightness"], []):
            websocket.send(choose(*actions))
            websocket.send(data)
            (face,) = received(websocket)["faces"]
            assert face["track_id"] == 1
            assert list(face["attributes"]) == sorted(name.lower() for name in actions)


def test_streams_have_tracks_of_their_own_and_share_what_is_loaded(squares: Client) -> None:
    loaded = squares.service.reader.pipeline._loaded
    with squares.stream() as first, squares.stream() as second:
        for websocket in (first, first, second):
            websocket.send(encode(scene((10, 10))))
            assert received(websocket)["faces"][0]["track_id"] == 1
        second.send(encode(scene((100, 60))))
        assert [face["track_id"] for face in received(second)["faces"]] != [1]
    assert squares.service.reader.pipeline._loaded is loaded


def num_dropped(client: Client) -> float:
    """Return how many frames gave way to newer ones, as the figures say."""
    found = re.search(
        r'faceattr_frames_total\{outcome="dropped"\} (.*)', client.get("/metrics").text
    )
    return float(found[1]) if found else 0


def test_of_frames_that_wait_the_newest_is_answered(client: Client) -> None:
    client.holdable.go.clear()
    before = num_dropped(client)
    with client.stream() as websocket:
        websocket.send(picture(HELD))
        assert client.holdable.waiting.acquire(timeout=PATIENCE)
        for level in range(20, 70):
            websocket.send(picture(level))
        wait_until(lambda: num_dropped(client) == before + 49)
        client.holdable.go.set()
        answers = [received(websocket), received(websocket)]
        assert [answer["frame"] for answer in answers] == [0, 50]
        level = answers[1]["faces"][0]["attributes"]["brightness"]["value"]
        assert 20 < level < 69  # an average over the frames that were seen


def test_a_frame_that_cannot_be_read_is_answered_with_an_error(client: Client) -> None:
    with client.stream() as websocket:
        for data in (b"", b"\x89PNG", b"/etc/passwd", picture(BROKEN)):
            websocket.send(data)
        errors: list[StreamError] = []
        while not errors or errors[-1].frame != 3:
            errors.append(StreamError.model_validate(received(websocket)))
        assert errors[-1].code == "analysis_failed"
        assert "secret" not in errors[-1].error
        websocket.send(b"GIF89a")
        assert received(websocket) == {
            "frame": 4,
            "error": "the picture cannot be read: truncated GIF: it ends within its header",
            "code": "bad_picture",
        }
        websocket.send(picture(1))
        assert received(websocket)["frame"] == 5


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", '"x"', '{"actions": "x"}', '{"action": []}', "[" * 4000]
)
def test_a_message_of_another_form_is_answered_with_an_error(client: Client, text: str) -> None:
    with client.stream() as websocket:
        websocket.send(text)
        assert received(websocket)["code"] == "bad_message"
        websocket.send(choose("lihgt"))
        answer = received(websocket)
        assert answer["code"] == "bad_option"
        assert "unknown analyzer 'lihgt'" in answer["error"]
        websocket.send(picture(1))
        assert received(websocket)["frame"] == 0


def test_a_frame_that_is_too_large_ends_the_stream(client: Client) -> None:
    for message in (bytes(5_000_001), [bytes(1_000_000)] * 6):  # the second in fragments
        with client.stream() as websocket:
            with suppress(ConnectionClosed):  # before it is sent
                websocket.send(message)
            assert end_of(websocket) in (1009, None)
    assert client.send(picture(1)).ok


def test_a_text_that_is_too_long_ends_the_stream(client: Client) -> None:
    with client.stream() as websocket:
        websocket.send(" " * 5000)
        assert end_of(websocket) == 1009


def test_a_flood_of_messages_ends_the_stream(client: Client) -> None:
    with client.stream() as websocket:
        with suppress(ConnectionClosed):
            for _ in range(2000):
                websocket.send(b"x")
        assert end_of(websocket) in (1008, None)
    wait_until(lambda: not client.service.streams)
    assert client.send(picture(1)).ok


def test_a_silent_stream_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(limits=Limits(idle_timeout=0.1)) as one:
        with one.stream() as websocket:
            websocket.send(picture(1))
            assert end_of(websocket) == 1008
        monkeypatch.setattr(streams, "FIRST_SECONDS", 0.1)
        with one.stream() as websocket:
            assert end_of(websocket) == 1008


def test_a_stream_outlives_the_time_in_which_a_request_must_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "HEAD_SECONDS", 0.5)
    with serving() as one, one.stream() as websocket:
        time.sleep(1)
        websocket.send(picture(50))
        assert received(websocket)["frame"] == 0


def test_no_more_streams_than_allowed_are_open() -> None:
    with serving(limits=Limits(max_streams=2)) as one:
        with one.stream() as first, one.stream():
            with pytest.raises(InvalidStatus) as refused, one.stream():
                pass
            assert refused.value.response.status_code == 503
            assert json.loads(refused.value.response.body)["code"] == "too_many_streams"
            first.send(picture(1))
            assert received(first)["frame"] == 0
        wait_until(lambda: not one.service.streams)
        with one.stream() as again:
            again.send(picture(1))
            assert received(again)["frame"] == 0


def test_a_client_that_goes_leaves_nothing_behind(client: Client) -> None:
    for _ in range(20):
        with client.stream() as websocket:
            websocket.send(picture(1))
    with client.stream() as websocket:
        websocket.send(picture(1))
        websocket.socket.close()  # without a farewell
    wait_until(lambda: not client.service.streams)
    wait_until(lambda: client.service.pool.num_running == 0)


def test_streams_and_requests_are_served_side_by_side(client: Client) -> None:
    with client.stream() as websocket:
        for number in range(10):
            websocket.send(picture(100))
            assert client.send(picture(50)).ok
            assert received(websocket)["frame"] == number


def test_a_stream_reads_a_real_face(astronaut: Path) -> None:
    with serving(actions="emotion,age", detector="yunet") as one, one.stream() as websocket:
        for number in range(6):
            websocket.send(astronaut.read_bytes())
            answer = StreamAnswer.model_validate(received(websocket))
            assert answer.frame == number
            assert [face.track_id for face in answer.faces] == [1]
        assert answer.faces[0].attributes.keys() == {"emotion", "age"}
        assert 0 < answer.faces[0].frozen["age"] <= 1


def test_frames_may_change_their_size(squares: Client) -> None:
    with squares.stream() as websocket:
        for image in (scene((10, 10)), np.kron(scene((10, 10)), np.ones((2, 2, 1), np.uint8))):
            websocket.send(encode(image))
            assert received(websocket)["faces"][0]["track_id"] == 1
