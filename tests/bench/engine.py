#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""engine - a recorded Docker engine with many containers, fast enough to measure a client by: every answer is made before
it listens. engine.py SOCKET CONTAINERS; serves until its standard input ends."""
import asyncio
import json
import os
import sys

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'peers', 'docker', 'engine20')


def load(name):
    with open(os.path.join(FOLDER, name), encoding='utf-8') as file:
        return json.load(file)


def answer(body):
    body = json.dumps(body, separators=(',', ':')).encode() if not isinstance(body, bytes) else body
    return b'HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nServer: Docker/20.10.24 (linux)\r\nContent-Type: application/json\r\n' \
           b'Content-Length: %d\r\n\r\n' % len(body) + body


def make(count):
    entry, inspect, stats = load('list.json')[1], load('inspect-web.json'), load('stats-web.json')
    answers, entries = {'/_ping': answer(b'OK'), '/v1.41/events': answer(b''), '/v1.41/info': answer(load('info.json'))}, []
    for n in range(count):
        ident, name = '%064x' % (n + 1), '/c%04d' % n
        entries.append({**entry, 'Id': ident, 'Names': [name]})
        answers['/v1.41/containers/%s/json' % ident] = answer({**inspect, 'Id': ident, 'Name': name})
        answers['/v1.41/containers/%s/stats' % ident] = answer({**stats, 'id': ident, 'name': name})
    answers['/v1.41/containers/json'] = answer(entries)
    return answers


class Engine(asyncio.Protocol):
    def __init__(self, answers):
        self.answers, self.rest = answers, b''

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        *requests, self.rest = (self.rest + data).split(b'\r\n\r\n')
        for request in requests:
            path = request.split(b' ', 2)[1].partition(b'?')[0].decode()
            self.transport.write(self.answers.get(path, b'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'))


async def serve(socket, answers):
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: Engine(answers), socket, backlog=128)
    print('ready', flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(serve(sys.argv[1], make(int(sys.argv[2]))))
