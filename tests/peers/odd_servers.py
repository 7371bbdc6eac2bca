# SPDX-License-Identifier: GPL-3.0-or-later
# Odd listeners for belfry init, on those of the given ports that are free: one that refuses HEAD, one that is broken, one
# that says nothing, one that speaks something else. Prints "port kind" for each, then "ready".
import http.server, socket, sys, threading


class NoHead(http.server.BaseHTTPRequestHandler):
    status = 204

    def do_GET(self):
        self.send_response(self.status if self.headers["Host"] == "127.0.0.1:%d" % self.server.server_port else 421)
        self.end_headers()

    def do_HEAD(self):
        self.send_response(405)
        self.end_headers()

    def log_message(self, *args):
        pass


class Broken(NoHead):
    status = 503


def web(handler):
    def serve(listener):
        server = http.server.HTTPServer(listener.getsockname(), handler, bind_and_activate=False)
        server.socket = listener
        server.server_port = listener.getsockname()[1]
        server.serve_forever()

    return serve


def talk(bytes_):
    def serve(listener):
        kept = []
        while True:
            peer, _ = listener.accept()
            kept.append(peer)
            peer.sendall(bytes_)

    return serve


kinds = [("nohead", web(NoHead)), ("broken", web(Broken)), ("silent", talk(b"")), ("other", talk(b"220 mail\r\n"))]
for port in sys.argv[1:]:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", int(port)))
    except OSError:
        continue
    listener.listen(8)
    name, serve = kinds.pop(0)
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    print(port, name, flush=True)
    if not kinds:
        break
print("ready", flush=True)
threading.Event().wait()
