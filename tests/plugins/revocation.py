#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""revocation - an HTTP server on loopback that answers OCSP requests and gives revocation lists, well and badly.

usage: revocation.py FOLDER

FOLDER is made by tls-matrix.sh and revocation.sh. Prints "revocation PORT", and serves until its standard input ends.
/ocsp/MODE is openssl's own responder, run once a request; /crl/FILE is a file of FOLDER; /odd/MODE is neither.
"""
import base64
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

FOLDER = sys.argv[1]
# name: (signer, more arguments of openssl ocsp, command before it)
RESPONDERS = {
    'good': ('int', ['-ndays', '1'], []),
    'get-only': ('int', ['-ndays', '1'], []),
    'post-only': ('int', ['-ndays', '1'], []),
    'delegated': ('delegate', ['-ndays', '1'], []),
    'delegate-expired': ('delegate-old', ['-ndays', '1'], []),
    'no-eku': ('no-eku', ['-ndays', '1'], []),
    'stranger': ('other', ['-ndays', '1'], []),
    'stale': ('int', ['-ndays', '3'], ['faketime', '-20 days']),
    'future': ('int', ['-ndays', '3'], ['faketime', '+2 days']),
    'undated': ('int', [], []),
    'undated-old': ('int', [], ['faketime', '-3 days']),
    'about-other': ('int', ['-ndays', '1'], []),
}
HANDED_OUT = threading.Semaphore(4)


def respond(mode, request):
    """The response of openssl's responder to a request in DER."""
    signer, more, before = RESPONDERS[mode]
    if mode == 'about-other':
        request = open(f'{FOLDER}/request.der', 'rb').read()
    with tempfile.NamedTemporaryFile() as asked, tempfile.NamedTemporaryFile() as answer, HANDED_OUT:
        asked.write(request)
        asked.flush()
        subprocess.run([*before, 'openssl', 'ocsp', '-index', 'index.txt', '-rsigner', f'{signer}.crt', '-rkey',
                        f'{signer}.key', '-CA', 'int.crt', '-reqin', asked.name, '-respout', answer.name, *more],
                       cwd=FOLDER, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return open(answer.name, 'rb').read()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def give(self, body, status=200):
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def odd(self, mode):
        if mode == 'garbage':
            self.give(b'<html><title>Welcome</title></html>')
        elif mode == 'empty':
            self.give(b'')
        elif mode == 'later':
            self.give(b'\x30\x03\x0a\x01\x03')
        elif mode == 'moved':
            self.send_response(302)
            self.send_header('Location', 'http://127.0.0.1:1/')
            self.end_headers()
        elif mode == 'huge':
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b'\x30' * 65536)
        elif mode == 'slow':
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b'\x30')
                time.sleep(0.2)
        elif mode == 'silent':
            time.sleep(60)
        else:
            self.give(b'no such thing', 404)

    def answer(self, request):
        kind, mode = self.path.split('/')[1:3]
        try:
            if kind == 'ocsp' and mode == ('post-only' if self.command == 'GET' else 'get-only'):
                self.give(b'', 405)
            elif kind == 'ocsp' and mode in RESPONDERS:
                self.give(respond(mode, request))
            elif kind == 'crl' and os.path.exists(f'{FOLDER}/{mode}'):
                self.give(open(f'{FOLDER}/{mode}', 'rb').read())
            else:
                self.odd(mode)
        except OSError:
            pass

    def do_GET(self):
        encoded = urllib.parse.unquote(self.path.split('/', 3)[3]) if self.path.count('/') > 2 else ''
        self.answer(base64.b64decode(encoded))

    def do_POST(self):
        request = self.rfile.read(int(self.headers['Content-Length']))
        if self.headers['Content-Type'] != 'application/ocsp-request':
            self.give(b'', 415)
        else:
            self.answer(request)


server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print('revocation', server.server_address[1], flush=True)
sys.stdin.read()
os._exit(0)
