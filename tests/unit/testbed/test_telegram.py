from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest
from ansible_collections.onebox.stack.tests.testbed.telegram import CONFLICT, Server

TOKEN = "42:secret"
Answer = tuple[int, dict[str, Any]]
Ask = Callable[..., Answer]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(server: Server) -> Ask:
    def request(method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=5)
        raw = None if body is None else json.dumps(body)
        connection.request(method, path, raw, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.status, json.loads(response.read())
        connection.close()
        return answer

    return request


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def poll(ask: Ask, offset: int = 0, timeout: float = 0, token: str = TOKEN) -> Answer:
    return ask("POST", f"/bot{token}/getUpdates", {"offset": offset, "timeout": timeout})


def write(ask: Ask, text: str) -> Answer:
    return ask("POST", "/control/message", {"token": TOKEN, "text": text})


def waiting_poll(server: Server, pool: ThreadPoolExecutor, ask: Ask, token: str = TOKEN) -> Future[Answer]:
    """A long poll that has reached the server."""
    future = pool.submit(poll, ask, timeout=5, token=token)
    wait_until(lambda: token in server.telegram.conflicts())
    return future


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 3
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_bot_learns_who_it_is(ask: Ask) -> None:
    status, body = ask("GET", f"/bot{TOKEN}/getMe")
    assert (status, body["ok"], body["result"]["id"], body["result"]["is_bot"]) == (200, True, 42, True)


def test_a_malformed_token_is_unauthorized(ask: Ask) -> None:
    assert ask("GET", "/botnonsense/getMe") == (
        401,
        {"ok": False, "error_code": 401, "description": "Unauthorized"},
    )


def test_an_unknown_method_is_not_found(ask: Ask) -> None:
    assert ask("GET", f"/bot{TOKEN}/getMoon")[0] == 404


def test_a_message_comes_again_until_a_higher_offset_confirms_it(ask: Ask) -> None:
    write(ask, "one")
    write(ask, "two")
    texts = [update["message"]["text"] for update in poll(ask)[1]["result"]]
    assert texts == ["one", "two"]
    assert [update["update_id"] for update in poll(ask)[1]["result"]] == [1, 2]
    assert [update["update_id"] for update in poll(ask, offset=2)[1]["result"]] == [2]
    assert poll(ask, offset=3)[1]["result"] == []


def test_parameters_may_stand_in_the_query(ask: Ask) -> None:
    write(ask, "one")
    assert ask("GET", f"/bot{TOKEN}/getUpdates?offset=2&timeout=0")[1]["result"] == []


def test_a_long_poll_ends_with_the_message_that_arrives(server: Server, pool: ThreadPoolExecutor, ask: Ask) -> None:
    waiting = waiting_poll(server, pool, ask)
    write(ask, "hello")
    assert [update["message"]["text"] for update in waiting.result()[1]["result"]] == ["hello"]


def test_a_long_poll_without_messages_ends_empty_after_its_timeout(ask: Ask) -> None:
    begun = time.monotonic()
    assert poll(ask, timeout=0.05)[1] == {"ok": True, "result": []}
    assert time.monotonic() - begun >= 0.05


def test_a_second_poller_of_the_same_token_ends_the_first_with_409(
    server: Server, pool: ThreadPoolExecutor, ask: Ask
) -> None:
    first = waiting_poll(server, pool, ask)
    assert poll(ask)[0] == 200
    assert first.result() == (409, {"ok": False, "error_code": 409, "description": CONFLICT})
    assert ask("GET", "/control/conflicts")[1]["result"] == {TOKEN: 1}


def test_pollers_of_different_tokens_leave_each_other_alone(server: Server, pool: ThreadPoolExecutor, ask: Ask) -> None:
    first = waiting_poll(server, pool, ask)
    assert poll(ask, token="43:other")[0] == 200
    write(ask, "still here")
    assert first.result()[0] == 200


def test_a_poller_that_hung_up_is_no_conflict(server: Server, ask: Ask) -> None:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    connection.request("GET", f"/bot{TOKEN}/getUpdates?timeout=5")
    wait_until(lambda: TOKEN in server.telegram.conflicts())
    connection.close()
    assert poll(ask)[0] == 200
    assert server.telegram.conflicts() == {TOKEN: 0}


def test_what_a_bot_sends_can_be_read_by_the_test(ask: Ask) -> None:
    status, body = ask("POST", f"/bot{TOKEN}/sendMessage", {"chat_id": 7, "text": "hi"})
    assert (status, body["result"]["text"], body["result"]["chat"]["id"]) == (200, "hi", 7)
    (sent,) = ask("GET", "/control/sent")[1]["result"]
    assert (sent["token"], sent["chat_id"], sent["text"]) == (TOKEN, 7, "hi")


def test_an_empty_message_is_refused(ask: Ask) -> None:
    status, body = ask("POST", f"/bot{TOKEN}/sendMessage", {"chat_id": 7, "text": ""})
    assert (status, body["description"]) == (400, "Bad Request: message text is empty")


def test_a_control_message_without_a_token_is_refused(ask: Ask) -> None:
    assert ask("POST", "/control/message", {"text": "hi"})[0] == 400
