# SPDX-License-Identifier: GPL-3.0-or-later
"""standin - what the stand-ins of hosted services share: a quiet HTTP handler, a listener on a free port of this machine,
and serving until standard input ends."""
import http.server
import os
import sys
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True  # or an answer, head and body by themselves, takes the 40 ms of a delayed acknowledgement

    def log_message(self, *args):
        pass

    def address_string(self):
        return '-'

    def send(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def misbehave(self, how, begin):
        """how: silent, short (begin, and no more of what was promised), enormous, or slow (a byte at a time)."""
        self.close_connection = True
        if how == 'silent':
            time.sleep(30)
            return
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(10**9))
        self.end_headers()
        if how == 'short':
            self.wfile.write(begin)
        while how == 'enormous':
            self.wfile.write(b'[' * 65536)
        while how == 'slow':
            self.wfile.write(b' ')
            self.wfile.flush()
            time.sleep(0.05)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


def start(handler, wrap=None):
    """The port. wrap(server): what is done with the server before it serves."""
    server = Server(('127.0.0.1', 0), handler)
    if wrap:
        wrap(server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def serve_until_end():
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)
