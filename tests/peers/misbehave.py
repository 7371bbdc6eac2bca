#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""misbehave - good servers of every protocol that turn bad at a certain point of the conversation.

usage: misbehave.py [--tls CERTIFICATES] [--sockets FOLDER] [NAME=PORT ...]

Each NAME=PORT is a good server (a stand-in or a real one) and a relay stands before it; http, redis, line, smtp, mysqls
and https are good servers of its own. For each a port per POINT and FAULT: "http.head.stall" relays faithfully until the
first bytes of the answer are through, and then stalls. Points (see POINTS) are where in the conversation, counted in
turns: a turn begins when the client speaks after the server has. Faults are what happens then (see FAULTS). Besides:
NAME.ODD, the answers of tests/plugins/peer.py that are odd in one protocol only (see ODD). "tls+NAME..." is the same
inside TLS (CERTIFICATES: of certs.sh); "NAME..." of --sockets is also a Unix socket of that name in FOLDER. Of no
protocol: refuse (nobody listens) and blackhole (SYNs are dropped, because the queue is full).

Prints "MODE PORT" lines and then "ready 0", and serves until its standard input ends.
"""
import argparse
import asyncio
import os
import resource
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'plugins'))
import peer  # noqa: E402

BLANK = b'\r\n\r\n'
# where: (turn, how many bytes of the server's in it get through; BLANK: its headers and one byte more)
POINTS = {
    'accept': (0, 0),    # nothing is ever said
    'greeting': (0, 5),  # amid what the server says first
    'request': (1, 0),   # the client has asked
    'head': (1, 5),      # amid the answer's first line
    'body': (1, BLANK),  # amid its body
    'second': (2, 0),    # the client has asked once more
    'third': (3, 3),     # amid the answer to its third question
}
HTTP = 'request head body second third'.split()
# name: which points it has, and how peer.py names what is odd in its protocol only
SHAPES = {
    'http': HTTP[:3], 'docker': HTTP, 'shop': HTTP, 'panel': HTTP, 'cloudflare': HTTP, 'redis': ['request', 'head', 'second'],
    'line': ['request'], 'smtp': ['greeting', 'request', 'head', 'second'], 'https': ['request', 'head'],
    'mysql': ['greeting', 'request', 'head', 'second', 'third'], 'mysqls': ['request'],
}
HTTP_ODD = ('endless-headers endless-continue endless-body endless-chunked endless-trailers huge-header bad-chunk huge-chunk '
            'short-body negative-length drip-headers drip-body http09').split()
ODD = {'http': HTTP_ODD, 'docker': HTTP_ODD, 'shop': HTTP_ODD, 'panel': HTTP_ODD, 'cloudflare': HTTP_ODD,
       'redis': 'r-array-huge r-nested r-bulk-negative r-bulk-flood r-info-huge r-info-close'.split(),
       'https': ['tls-garbage-alert']}


# ---- good servers

async def web(reader, writer):
    while await peer.head(reader):
        await peer.send(writer, b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"good":true}')


async def line(reader, writer):
    while await reader.read(4096):
        await peer.send(writer, b'ready\r\n')


async def smtp(reader, writer):
    await peer.send(writer, b'220 mail.example.net ready\r\n')
    while await reader.readline():
        await peer.send(writer, b'250-mail.example.net\r\n250 STARTTLS\r\n')


async def mysqls(reader, writer):
    """Says that it can do TLS."""
    hello = (b'\x0a5.5.5-10.11.19-MariaDB\0\x07\0\0\0abcdefgh\0' + b'\x0d\xaa' + b'\x2d\x02\0' + b'\x8f\0' + b'\x15' +
             b'\0' * 10 + b'ijklmnopqrst\0mysql_native_password\0')
    await peer.send(writer, len(hello).to_bytes(3, 'little') + b'\0' + hello)
    await peer.stall(reader)


GOOD = {'http': web, 'redis': peer.reply(b'+PONG\r\n', peer.bulk(b'redis_version:7.0.15\r\nrole:master\r\n')),
        'line': line, 'smtp': smtp, 'mysqls': mysqls}


# ---- faults: what happens at the point. rest() gives what the good server still says.

async def stall(reader, writer, rest):
    await peer.forever()


async def close(reader, writer, rest):
    pass


async def reset(reader, writer, rest):
    peer.reset(writer)


async def garbage(reader, writer, rest):
    await peer.garbage(reader, writer)
    await peer.forever()


async def flood(reader, writer, rest):
    await peer.flood(reader, writer)


async def drip(reader, writer, rest):
    """A byte a second; when the good server has said everything, for ever."""
    while True:
        for byte in await rest() or b'x':
            await peer.send(writer, bytes([byte]))
            await asyncio.sleep(1)


FAULTS = {'stall': stall, 'close': close, 'reset': reset, 'garbage': garbage, 'flood': flood, 'drip': drip}


# ---- relaying up to the point

class Conversation:
    """Relays between a client and a good server until a point of POINTS is reached."""

    def __init__(self, point, client, server):
        self.turn_wanted, self.quota = POINTS[point]
        self.client, self.server = client, server
        self.turn, self.answered, self.said = 0, True, b''
        self.reached, self.left = asyncio.Event(), b''

    def through(self, data):
        """How much of data belongs before the point."""
        if self.turn < self.turn_wanted:
            return len(data)
        before = len(self.said)
        self.said += data
        if self.quota == BLANK:
            end = self.said.find(BLANK)
            return len(data) if end < 0 else max(0, end + 5 - before)
        return max(0, self.quota - before)

    async def up(self):
        while data := await self.client[0].read(65536):
            if self.answered:
                self.turn, self.answered = self.turn + 1, False
                if self.turn == self.turn_wanted and self.quota == 0:
                    self.reached.set()
            self.server[1].write(data)

    async def down(self):
        while not self.reached.is_set():
            data = await self.server[0].read(65536)
            if not data:
                return
            if self.reached.is_set():
                self.left = data
                return
            self.answered = True
            size = self.through(data)
            await peer.send(self.client[1], data[:size])
            if size < len(data) or (self.quota != BLANK and self.turn == self.turn_wanted and len(self.said) >= self.quota):
                self.left = data[size:]
                self.reached.set()

    async def rest(self):
        data, self.left = self.left, b''
        return data


def relay(port, point, fault):
    async def handler(reader, writer):
        if point == 'accept':
            await FAULTS[fault](reader, writer, nothing)
            return
        server = await asyncio.open_connection('127.0.0.1', port)
        talk = Conversation(point, (reader, writer), server)
        up, down = asyncio.create_task(talk.up()), asyncio.create_task(talk.down())
        reached = asyncio.create_task(talk.reached.wait())
        await asyncio.wait([up, down, reached], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([down, reached], timeout=1, return_when=asyncio.FIRST_COMPLETED)
        if talk.reached.is_set():
            await FAULTS[fault](reader, writer, talk.rest)
        for task in (up, down, reached):
            task.cancel()
        server[1].close()
    return handler


async def nothing():
    return b''


# ---- where they listen

def refused():
    """Bound and not listening: nobody else gets the port."""
    return peer.at_loopback()


async def listen(name, handler, context, sockets):
    guarded = peer.guarded(handler)
    server = await asyncio.start_server(guarded, '127.0.0.1', 0, ssl=context)
    peer.PORTS[name] = server.sockets[0].getsockname()[1]
    if sockets and not context:
        await asyncio.start_unix_server(guarded, os.path.join(sockets, name))


def full_socket(path):
    """A Unix socket whose queue is full."""
    sock, filler = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen(0)
    filler.connect(path)
    return sock, filler


async def serve(name, port, context, sockets):
    head = 'tls+' if context else ''
    for point in ['accept'] + SHAPES[name]:
        for fault in FAULTS:
            # inside TLS a few; and what happens before TLS stands is the matter of https
            if not context or (point != 'accept' and fault in ('stall', 'close', 'flood')):
                await listen('%s%s.%s.%s' % (head, name, point, fault), relay(port, point, fault), context, sockets)
    for odd in [] if context else ODD.get(name, []):
        await listen('%s%s.%s' % (head, name, odd), peer.MODES[odd], context, sockets)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--tls')
    parser.add_argument('--sockets')
    parser.add_argument('good', nargs='*')
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    context = None
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(args.tls, 'good.pem'))
    good = {name: int(port) for name, port in (one.split('=') for one in args.good)}
    for name, handler in GOOD.items():
        if name not in good:
            good[name] = (await asyncio.start_server(peer.guarded(handler), '127.0.0.1', 0)).sockets[0].getsockname()[1]
    if context:
        server = await asyncio.start_server(peer.guarded(web), '127.0.0.1', 0, ssl=context)
        good['https'] = server.sockets[0].getsockname()[1]
    for name, port in good.items():
        await serve(name, port, None, args.sockets)
        if context and name not in ('https', 'smtp', 'mysql', 'mysqls'):
            await serve(name, port, context, None)
    dead, full = refused(), peer.unaccepted()
    peer.PORTS['refuse'], peer.PORTS['blackhole'] = dead.getsockname()[1], full[0].getsockname()[1]
    if args.sockets:
        socket.socket(socket.AF_UNIX).bind(os.path.join(args.sockets, 'refuse'))
        full.extend(full_socket(os.path.join(args.sockets, 'blackhole')))
    for name, number in peer.PORTS.items():
        print(name, number)
    print('ready 0', flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
