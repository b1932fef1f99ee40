"""The binary under test with a receiver of its webhooks, and a plain WebSocket client."""

import http.server
import json
import os
import queue
import re
import subprocess
import tempfile
import threading

import websocket

APP_ID, KEY, SECRET = "1001", "app-key", "app-secret"
DEADLINE = 15
READY = re.compile(r"pipesocketd ready: public=http://127\.0\.0\.1:(\d+) ops=")
EVENTS = ["channel_occupied", "channel_vacated", "member_added", "member_removed", "client_event", "cache_miss",
          "subscription_count"]


class Server:
    """Starts the binary and stops it gracefully; hooks and batches hold (headers, body) of every webhook."""

    def __enter__(self):
        self.hooks, self.batches = queue.Queue(), queue.Queue()
        self._receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._receiver.serve_forever, daemon=True).start()
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            json.dump(self._configuration(), file)
        self._log = tempfile.TemporaryFile("w+")
        # The server takes every variable of its prefix for a setting.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PIPESOCKETD_")}
        self._process = subprocess.Popen(
            [os.environ["PIPESOCKETD_BINARY"], "--config", file.name], env=environment,
            stdout=subprocess.PIPE, stderr=self._log, text=True)
        for line in self._process.stdout:
            match = READY.match(line)
            if match:
                self.port = int(match.group(1))
                os.unlink(file.name)
                return self
        raise RuntimeError("the server ended before it was ready")

    def _handler(self):
        queues = {"/hook": self.hooks, "/batches": self.batches}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                queues[self.path].put((dict(self.headers), body.decode("utf-8")))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler

    def _configuration(self):
        receiver = "http://127.0.0.1:%d" % self._receiver.server_port
        return {
            "listen": "127.0.0.1:0",
            "ops": {"listen": "127.0.0.1:0"},
            "drain_window": "100ms",
            "webhooks": {"allow_addresses": ["127.0.0.0/8"], "grace_delay": "300ms"},
            "apps": [{
                "id": APP_ID, "keys": [{"key": KEY, "secret": SECRET}], "client_events": True,
                "subscription_count": True,
                "webhooks": [
                    {"url": receiver + "/hook", "events": EVENTS},
                    {"url": receiver + "/batches", "events": EVENTS, "batching": True},
                ],
            }],
        }

    def __exit__(self, *_):
        self._process.terminate()
        try:
            status = self._process.wait(timeout=30)
        finally:
            self._process.kill()
            self._receiver.shutdown()
        self._log.seek(0)
        assert status == 0, "exit status %s\n%s" % (status, self._log.read())


class Socket:
    """One connection; frames that were passed over stay in seen."""

    def __init__(self, server):
        url = "ws://127.0.0.1:%d/app/%s?protocol=7&client=python-test&version=1.0" % (server.port, KEY)
        self._socket = websocket.create_connection(url, timeout=DEADLINE)
        self.seen = []
        self.id = json.loads(self.wait("pusher:connection_established")["data"])["socket_id"]

    def send(self, event, data, **fields):
        self._socket.send(json.dumps({"event": event, "data": data, **fields}))

    def wait(self, event):
        while True:
            text = self._socket.recv()
            assert text, "closed while waiting for %s after %s" % (event, self.seen)
            frame = json.loads(text)
            self.seen.append(frame)
            if frame["event"] == event:
                return frame

    def heard(self, event):
        return any(frame["event"] == event for frame in self.seen)

    def subscribe(self, channel, signed=None):
        data = dict(signed or {}, channel=channel)
        data.pop("shared_secret", None)
        self.send("pusher:subscribe", data)
        return json.loads(self.wait("pusher_internal:subscription_succeeded")["data"])

    def close(self):
        self._socket.close()
