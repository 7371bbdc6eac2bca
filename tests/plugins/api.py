#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""api - a server for tests/system/plugin-api.test whose answers are awkward by path. Prints its port and serves until
its standard input ends. usage: api.py [UNIX-SOCKET]"""
import http.server
import json
import os
import socketserver
import sys
import threading
import time

SEEN = set()
VALUES = {'text': 'a "b"', 'whole': 9223372036854771712, 'string': '42.5', 'null': None, 'yes': '1', 'no': False,
          'real': 0.1, 'word': 'nan', 'list': [{'name': 'x'}, 7], 'empty': '', 'hex': '0x10',
          'zoned': '2026-11-21T10:31:07.123456789+01:00', 'zulu': '2026-11-21T10:31:07Z', 'plain': '2026-11-21 10:31:07',
          'never': '0001-01-01T00:00:00Z', 'broken': '2026-13-21T10:31:07Z', 'epoch': '1763719200'}
LOGIN = b'<!DOCTYPE html><html><head><title>Login</title></head></html>'
# path: status, headers, body
FIXED = {
    '/values': (200, {}, json.dumps(VALUES).encode()),
    '/html': (200, {'Content-Type': 'text/html'}, LOGIN),
    '/nothing': (200, {}, b''),
    '/truncated': (200, {}, b'{"data": [1, 2'),
    '/login': (302, {'Location': 'https://panel.example.net/auth/login?next=secret'}, b''),
    '/401': (401, {}, b'{"message":"Unauthenticated."}'),
    '/403': (403, {'Content-Type': 'text/html'}, b'<html><title>Forbidden</title></html>'),
    '/404': (404, {}, b'{"errors":[{"detail":"no such thing"}]}'),
    '/429': (429, {'Retry-After': '30', 'X-RateLimit-Limit': '240', 'X-RateLimit-Remaining': '0'}, b'{}'),
    '/429-date': (429, {'Retry-After': 'Wed, 21 Oct 2015 07:28:00 GMT', 'Ratelimit': '"default";r=3;t=30',
                        'Ratelimit-Policy': '"default";q=100;w=300'}, b'{}'),
    '/500': (500, {}, b'{"error":"boom"}'),
    '/503': (503, {}, b''),
    '/418': (418, {}, b''),
    '/notlist': (200, {}, b'{"data": {"a": 1}}'),
    '/array0': (200, {}, b'{"data": []}'),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def address_string(self):
        return '-'

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in {'Content-Type': 'application/json', **headers}.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        self.answer(200, {}, json.dumps({'got': body.decode(), 'type': self.headers['Content-Type']}).encode())

    def do_GET(self):
        path, _, query = self.path.partition('?')
        if path in FIXED:
            self.answer(*FIXED[path])
        elif path == '/me':
            self.answer(200, {}, json.dumps({'bearer': self.headers['Authorization'], 'query': query}).encode())
        elif path == '/connections':  # how many connections were used so far
            SEEN.add(id(self.connection))
            self.answer(200, {}, json.dumps({'n': len(SEEN)}).encode())
        elif path in ('/pages', '/bad-page'):
            page = int(query.split('page=')[1].split('&')[0])
            if path == '/bad-page' and page == 2:
                self.answer(200, {'Content-Type': 'text/html'}, LOGIN)
            else:
                items = [{'id': page}] * (2 if page < 3 else 1 if page == 3 else 0)
                self.answer(200, {}, json.dumps({'data': items, 'meta': {'pages': '3'}}).encode())
        elif path == '/enormous':
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            while True:
                self.wfile.write(b'[' * 65536)
        elif path == '/slow':
            self.send_response(200)
            self.send_header('Content-Length', '1000')
            self.end_headers()
            for _ in range(1000):
                self.wfile.write(b' ')
                time.sleep(0.1)
        elif path == '/late':
            time.sleep(0.3)
            self.answer(200, {}, b'{}')
        elif path == '/short':
            self.send_response(200)
            self.send_header('Content-Length', '1000')
            self.end_headers()
            self.wfile.write(b'{"a":1}')
            self.close_connection = True


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()


tcp = Server(('127.0.0.1', 0), Handler)
serve(tcp)
if len(sys.argv) > 1:
    serve(UnixServer(sys.argv[1], Handler))
print(tcp.server_address[1], flush=True)
sys.stdin.read()
os._exit(0)
