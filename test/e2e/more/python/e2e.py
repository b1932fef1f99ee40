"""The official Python library against the binary; ends with a traceback at the first surprise."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import pusher
from pusher.errors import PusherBadAuth, PusherBadRequest

from server import APP_ID, DEADLINE, EVENTS, KEY, SECRET, Server, Socket

MASTER_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def client(server, **changes):
    options = {"app_id": APP_ID, "key": KEY, "secret": SECRET, **changes}
    return pusher.Pusher(ssl=False, host="127.0.0.1", port=server.port, encryption_master_key_base64=MASTER_KEY, **options)


def check(what, got, want):
    assert got == want, "%s: got %r, want %r" % (what, got, want)
    print("ok - " + what)


def refused(what, error, call):
    try:
        call()
    except error as e:
        print("ok - %s" % what)
        return str(e)
    raise AssertionError("%s: accepted" % what)


def trigger(server, backend):
    left, right = Socket(server), Socket(server)
    for socket in (left, right):
        socket.subscribe("python")
    check("trigger answers an empty object", backend.trigger("python", "event", {"text": "ä"}), {})
    check("an event arrives", json.loads(left.wait("event")["data"]), {"text": "ä"})
    check("several channels", backend.trigger(["python", "python-other"], "several", "text"), {})
    check("a string arrives unchanged", right.wait("several")["data"], "text")

    backend.trigger("python", "skipped", "1", socket_id=left.id)
    batch = [{"channel": "python", "name": name, "data": {"n": 1}} for name in ("first", "second")]
    check("a batch answers an empty object", backend.trigger_batch(batch), {})
    left.wait("second")
    right.wait("second")
    check("the excluded socket is left out", (left.heard("skipped"), right.heard("skipped")), (False, True))
    check("a batch is delivered", left.heard("first"), True)


def encrypted(server, backend):
    socket = Socket(server)
    name = "private-encrypted-python"
    check("an encrypted channel is subscribed", socket.subscribe(name, backend.authenticate(name, socket.id)), {})
    backend.trigger(name, "letter", {"text": "geheim"})
    check("the ciphertext arrives", sorted(json.loads(socket.wait("letter")["data"])), ["ciphertext", "nonce"])


def state(server, backend):
    sockets = [Socket(server) for _ in range(3)]
    room = "presence-python"
    for socket, user in zip(sockets, ("1", "1", "2")):
        socket.subscribe(room, backend.authenticate(room, socket.id, {"user_id": user, "user_info": {"name": user}}))
    check("channels are listed", backend.channels_info("presence-python", ["user_count"]),
          {"channels": {room: {"user_count": 2}}})
    check("channels are listed without attributes", backend.channels_info(), {"channels": {
        name: {} for name in backend.channels_info()["channels"]}})
    check("a channel tells its counts", backend.channel_info(room, ["user_count", "subscription_count"]),
          {"occupied": True, "user_count": 2, "subscription_count": 3})
    check("an empty channel is not missing", backend.channel_info("python-empty"), {"occupied": False})
    check("users are listed", sorted(u["id"] for u in backend.users_info(room)["users"]), ["1", "2"])

    sockets[0].send("client-hello", {"n": 1}, channel=room)
    frame = sockets[2].wait("client-hello")
    check("a client event names its sender", (json.loads(frame["data"]), frame["user_id"]), ({"n": 1}, "1"))
    for socket in sockets:
        socket.close()


def users(server, backend):
    socket = Socket(server)
    socket.send("pusher:signin", backend.authenticate_user(socket.id, {"id": "python-user", "user_info": {"n": 1}}))
    socket.wait("pusher:signin_success")
    check("the user's own channel is subscribed", socket.subscribe("#server-to-user-python-user"), {})
    # The library posts to a path without the app id.
    check("terminate answers an empty object", backend.terminate_user_connections("python-user"), {})
    check("the connection is told why", socket.wait("pusher:error")["data"]["code"], 4009)


def refusals(server, backend):
    refused("a wrong secret", PusherBadAuth, lambda: client(server, secret="guess").trigger("a", "e", "1"))
    message = refused("a reserved event name", PusherBadRequest, lambda: backend.trigger("a", "pusher:no", "1"))
    check("the refusal says why", "reserved for internal usage" in message, True)


def webhooks(server, backend):
    room, seen = "presence-python", []
    while "channel_vacated" not in seen:
        headers, body = server.hooks.get(timeout=DEADLINE)
        data = backend.validate_webhook(headers["X-Pusher-Key"], headers["X-Pusher-Signature"], body)
        assert data is not None, "not valid: %s" % body
        assert backend.validate_webhook(headers["X-Pusher-Key"], headers["X-Pusher-Signature"], body + " ") is None
        seen += [event["name"] for event in data["events"] if event["channel"] == room]
    check("webhooks are valid and complete", seen, [
        "channel_occupied", "member_added", "member_added", "client_event", "member_removed", "member_removed",
        "channel_vacated"])


HARD_TEXTS = ["", '{"a":1}', '"quoted"', 'back\\slash \\" \\u0041', "line\nfeed\r\ttab", "\0\x01\x1f\x7f", "äöü Ελληνικά 中文",
              "😀👩‍👩‍👧\u2028\ufeff", "😀" * (10240 // 4)]

HARD_OBJECT = {"ü": ["😀", None]}


def every_webhook(server, backend):
    """Everything that the server can tell, in batches."""
    client, room = Socket(server), "presence-cache-every"
    client.subscribe("cache-every")
    client.subscribe(room, backend.authenticate(room, client.id, {"user_id": "Zoë 😀", "user_info": {}}))
    for text in HARD_TEXTS:
        client.send("client-ü", text, channel=room)
    client.send("client-object", HARD_OBJECT, channel=room)
    client.wait("pusher:cache_miss")
    client.close()
    genuine, names, texts, vacated = [], set(), [], set()
    while not {"cache-every", room} <= vacated:
        headers, body = server.batches.get(timeout=DEADLINE)
        data = backend.validate_webhook(headers["X-Pusher-Key"], headers["X-Pusher-Signature"], body)
        assert data is not None, "not valid: %s" % body
        genuine.append((headers, body))
        names |= {event["name"] for event in data["events"]}
        texts += [event["data"] for event in data["events"] if event["name"] == "client_event" and event["channel"] == room]
        vacated |= {event["channel"] for event in data["events"] if event["name"] == "channel_vacated"}
    check("batches with every type of event are valid", names, set(EVENTS))
    check("every text arrives as it was sent", texts, HARD_TEXTS + [json.dumps(HARD_OBJECT)])
    documented(genuine)


def documented(genuine):
    """The program of docs/webhooks.md with this library takes what is genuine and nothing else."""
    page = os.path.join(os.path.dirname(__file__), "../../../../docs/webhooks.md")
    with open(page, encoding="utf-8") as file:
        [text] = re.findall(r"```python\n(# library\.py\n.*?)```", file.read(), re.DOTALL)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.NamedTemporaryFile("w", suffix=".py", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        program = subprocess.Popen([sys.executable, file.name], env={**os.environ, "PORT": str(port), "PYTHONUTF8": "1"},
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
        try:
            wait_for(port)
            for headers, body in genuine:
                check("the documented program takes a webhook", post(port, headers, body), 204)
                check("and no other body", post(port, headers, body + " "), 401)
        finally:
            program.terminate()
            output, _ = program.communicate(timeout=DEADLINE)
    check("the documented program tells of it", " member_added presence-cache-every" in output, True)


def wait_for(port):
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise AssertionError("nobody listens")


def post(port, headers, body):
    names = ("Content-Type", "X-Pusher-Key", "X-Pusher-Signature")
    request = urllib.request.Request("http://127.0.0.1:%d/" % port, body.encode(), {name: headers[name] for name in names})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def main():
    with Server() as server:
        backend = client(server)
        for part in (trigger, encrypted, state, users, refusals, webhooks, every_webhook):
            part(server, backend)


if __name__ == "__main__":
    main()
