"""A stand-in for the Telegram Bot API: long polling, answers, and the 409 that a second poller causes.

Bots:  /bot<token>/getMe, getUpdates, sendMessage
Tests: POST /control/message {"token", "text", "chat_id"?}, GET /control/sent, GET /control/conflicts

    python3 telegram.py [--host 0.0.0.0] [--port 8081]
"""

from __future__ import annotations

import argparse
import json
import re
import select
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MAX_TIMEOUT = 50.0
SLICE = 0.2  # how often a waiting poll looks whether its client is still there
TOKEN = re.compile(r"\d+:[\w-]+")
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"

Json = dict[str, Any]


class ApiError(Exception):
    """An answer with ok=false."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass
class Mailbox:
    """What Telegram keeps for one token."""

    updates: list[Json] = field(default_factory=list)
    last_update: int = 0
    poll: int = 0  # the number of the newest poll: an older one that still waits is terminated
    conflicts: int = 0


class Telegram:
    """The state of all bots, shared by the threads of the server."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._boxes: dict[str, Mailbox] = defaultdict(Mailbox)
        self._sent: list[Json] = []

    def get_updates(self, token: str, offset: int, timeout: float, gone: Callable[[], bool]) -> list[Json]:
        """Wait for updates from offset on. A newer poll of the same token ends this one, as Telegram does it."""
        deadline = time.monotonic() + min(max(timeout, 0.0), MAX_TIMEOUT)
        with self._changed:
            box = self._boxes[token]
            box.poll += 1
            mine = box.poll
            self._changed.notify_all()
            box.updates = [update for update in box.updates if update["update_id"] >= offset]
            while box.poll == mine and not box.updates and not gone():
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, SLICE))
            if box.poll == mine:
                return box.updates[:100]
            # Nobody is told, and nothing is counted, when the older poller had hung up before.
            if not gone():
                box.conflicts += 1
        raise ApiError(409, CONFLICT)

    def send_message(self, token: str, chat_id: int, text: str) -> Json:
        if not text:
            raise ApiError(400, "Bad Request: message text is empty")
        with self._changed:
            self._sent.append({"token": token, "chat_id": chat_id, "text": text, "time": time.time()})
            number = len(self._sent)
        return {"message_id": number, "date": int(time.time()), "chat": chat(chat_id), "from": bot(token), "text": text}

    def receive(self, token: str, text: str, chat_id: int) -> Json:
        """A person writes to the bot."""
        with self._changed:
            box = self._boxes[token]
            box.last_update += 1
            sender = {"id": chat_id, "is_bot": False, "first_name": "Test"}
            message = {
                "message_id": box.last_update,
                "date": int(time.time()),
                "chat": chat(chat_id),
                "from": sender,
                "text": text,
            }
            update = {"update_id": box.last_update, "message": message}
            box.updates.append(update)
            self._changed.notify_all()
        return update

    def sent(self) -> list[Json]:
        with self._changed:
            return list(self._sent)

    def conflicts(self) -> dict[str, int]:
        with self._changed:
            return {token: box.conflicts for token, box in self._boxes.items()}


def chat(chat_id: int) -> Json:
    return {"id": chat_id, "type": "private"}


def bot(token: str) -> Json:
    return {"id": int(token.partition(":")[0]), "is_bot": True, "first_name": "Stand-in", "username": "standin_bot"}


class Handler(BaseHTTPRequestHandler):
    """One request: the path says whether a bot or a test is asking."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class gives it
        """Say nothing: the path holds the token."""

    def _answer(self) -> None:
        status = 200
        body: Json = {"ok": True}
        try:
            body["result"] = self._result()
        except ApiError as error:
            status = error.code
            body = {"ok": False, "error_code": error.code, "description": error.description}
        except (KeyError, TypeError, ValueError) as error:
            status = 400
            body = {"ok": False, "error_code": 400, "description": f"Bad Request: {error!r}"}
        self._send(status, body)

    def _result(self) -> Any:
        url = urlsplit(self.path)
        parameters = self._parameters(url.query)
        if url.path.startswith("/control/"):
            return self._control(url.path.removeprefix("/control/"), parameters)
        token, _, method = url.path.removeprefix("/bot").partition("/")
        if not url.path.startswith("/bot") or not TOKEN.fullmatch(token):
            raise ApiError(401, "Unauthorized")
        return self._call(token, method, parameters)

    def _call(self, token: str, method: str, parameters: Mapping[str, Any]) -> Any:
        match method.lower():
            case "getme":
                return bot(token)
            case "getupdates":
                offset, timeout = int(parameters.get("offset", 0)), float(parameters.get("timeout", 0))
                return self.server.telegram.get_updates(token, offset, timeout, self._gone)
            case "sendmessage":
                text = str(parameters.get("text", ""))
                return self.server.telegram.send_message(token, int(parameters["chat_id"]), text)
        raise ApiError(404, "Not Found: method not found")

    def _control(self, what: str, parameters: Mapping[str, Any]) -> Any:
        telegram = self.server.telegram
        match self.command, what:
            case "POST", "message":
                return telegram.receive(
                    str(parameters["token"]), str(parameters["text"]), int(parameters.get("chat_id", 1))
                )
            case "GET", "sent":
                return telegram.sent()
            case "GET", "conflicts":
                return telegram.conflicts()
        raise ApiError(404, "Not Found")

    def _parameters(self, query: str) -> Json:
        """Telegram takes parameters from the query, from a form and from JSON."""
        parameters: Json = dict(parse_qsl(query))
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        is_json = raw and "json" in self.headers.get("Content-Type", "")
        parameters.update(json.loads(raw) if is_json else parse_qsl(raw))
        return parameters

    def _gone(self) -> bool:
        """Whether the client closed the connection, so that a bot that stopped is no second poller."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _send(self, status: int, body: Json) -> None:
        raw = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
        except OSError:
            self.close_connection = True


class Server(ThreadingHTTPServer):
    """The HTTP server around one Telegram."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, Handler)
        self.telegram = Telegram()


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for the Telegram Bot API")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8081)
    options = parser.parse_args()
    with Server((options.host, options.port)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
