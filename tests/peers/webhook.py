#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""webhook.py FOLDER - a stand-in for the webhooks of Discord and Slack, for http and (with FOLDER/good.pem) https.

Each request is a line of FOLDER/posts: {"path", "query", "agent", "body"}. Its path says how it is answered; with a number
at its end (/busy/2) only so many times, and then it is taken."""
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
import standin  # noqa: E402

folder = sys.argv[1]
lock, asked = threading.Lock(), {}


class Webhook(standin.Handler):
    def discord(self, body):
        """As strict as Discord about what it was sent."""
        agent = self.headers.get('User-Agent', '')
        if not agent.startswith('DiscordBot (') or not 0 < len(body.get('content', '')) <= 2000 or body['allowed_mentions'] != {'parse': []}:
            return self.send(400, {}, b'{"message": "Cannot send an empty message", "code": 50006}')
        if 'wait=true' not in self.path:
            return self.send(204, {}, b'')
        self.send(200, {'Content-Type': 'application/json'}, json.dumps({'id': '1', 'content': body['content']}).encode())

    def take(self, path, body):
        if path.startswith('/discord'):
            self.discord(body)
        elif path.startswith('/slack'):
            self.send(200, {}, b'ok' if 'text' in body else b'no_text')
        else:
            self.send(200, {}, b'thank you')

    def refuse(self, path):
        words = path.split('/')
        if words[1] == 'busy':
            self.send(429, {'Retry-After': '1'}, b'{"message": "You are being rate limited.", "retry_after": 0.57, "global": false}')
        elif words[1] == 'later':
            self.send(429, {'Retry-After': '3000'}, b'')
        elif words[1] == 'status':
            self.send(int(words[2]), {'Location': '/json'}, b'the path ' + path.encode() + b' is not here')
        elif words[1] == 'word':
            self.send(404, {}, b'no_service')
        elif words[1] == 'quiet':
            self.send(200, {}, b'invalid_payload')
        elif words[1] == 'reset':
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            self.close_connection = True
            self.connection.close()
        elif words[1] == 'stall':
            time.sleep(30)
        else:
            self.misbehave(words[1], b'')

    def do_POST(self):
        path, _, query = self.path.partition('?')
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        with lock, open(folder + '/posts', 'a') as f:
            asked[path] = asked.get(path, 0) + 1
            json.dump({'path': path, 'query': query, 'agent': self.headers.get('User-Agent'), 'body': body}, f)
            f.write('\n')
        last = path.rsplit('/', 1)[1]
        times = int(last) if last.isdigit() and len(last) == 1 else 1000
        if path.split('/')[1] in ('json', 'discord', 'slack') or asked[path] > times:
            self.take(path, body)
        else:
            self.refuse(path)


def wrap(server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + '/good.pem')
    server.socket = context.wrap_socket(server.socket, server_side=True)


print('http', standin.start(Webhook))
print('https', standin.start(Webhook, wrap if os.path.exists(folder + '/good.pem') else None))
print('ready', 0)
standin.serve_until_end()
