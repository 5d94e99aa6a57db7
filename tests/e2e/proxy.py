"""A small reverse proxy: python proxy.py LISTEN_HOST PORT UPSTREAM. Each visitor says who it is in X-Test-Visitor."""

import http.client
import http.server
import sys

UPSTREAM = sys.argv[3]


class Proxy(http.server.BaseHTTPRequestHandler):
    def forward(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        dropped = {"x-test-visitor", "connection", "content-length"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        visitor = self.headers.get("x-test-visitor", self.client_address[0])
        known = self.headers.get("x-forwarded-for")
        headers["X-Forwarded-For"] = f"{known}, {visitor}" if known else visitor
        headers["X-Forwarded-Proto"] = "https"
        upstream = http.client.HTTPConnection(UPSTREAM, timeout=20)
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = forward

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Proxy).serve_forever()
