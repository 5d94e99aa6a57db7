"""A far end of a wire: a real HTTP server on loopback whose answers the test writes."""

import http.server
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict = field(default_factory=dict)


class Site:
    """Answers what `pages` says (path → Answer or a function of the request), and remembers what was asked."""

    def __init__(self):
        site = self
        self.pages, self.requests = {}, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                length = int(self.headers.get("content-length") or 0)
                self.body = self.rfile.read(length)
                site.requests.append((self.command, self.path, dict(self.headers), self.body))
                answer = site.pages.get(self.path.partition("?")[0], Answer(b"nothing here", 404))
                answer = answer(self) if callable(answer) else answer
                if answer is None:
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status != 304:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if answer.status != 304:
                    self.wfile.write(answer.body)

            do_POST = do_GET

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiver(behave, context=None, *, speaks_first=False):
    """A server that leaves each connection to `behave`, once something was asked unless it speaks first; its address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection):
        try:
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            if not speaks_first:
                connection.recv(65_536)
            behave(connection)
        except OSError:
            pass
        finally:
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{listening.getsockname()[1]}/hook"
    finally:
        listening.close()


def drips_headers(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(600):
        connection.sendall(b"x")
        time.sleep(0.1)
