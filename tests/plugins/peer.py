#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""peer - servers that misbehave in every way we could think of, one port each on loopback.

usage: peer.py [CERTIFICATES]

Prints "MODE PORT" lines and then "ready 0", and serves until its standard input ends. CERTIFICATES is a folder made by
certs.sh; without it there are no TLS modes.
"""
import asyncio
import os
import socket
import ssl
import struct
import sys
import time
import zlib

PORTS = {}
MODES = {}
TLS_MODES = {}


def mode(name, tls=None):
    def register(function):
        (TLS_MODES if tls else MODES)[name] = (function, tls) if tls else function
        return function
    return register


async def head(reader):
    """Reads a request's head; gives it back as bytes."""
    try:
        return await reader.readuntil(b'\r\n\r\n')
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return b''


async def send(writer, data):
    writer.write(data)
    await writer.drain()
    await asyncio.sleep(0)  # inside TLS drain() need not let anybody know that the connection is gone


async def stall(reader):
    """Until the other side goes."""
    while await reader.read(65536):
        pass
    await asyncio.sleep(0)


async def forever():
    await asyncio.Event().wait()


def reset(writer):
    sock = writer.get_extra_info('socket')
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    writer.transport.abort()


# ---- any protocol

@mode('silent')
async def silent(reader, writer):
    await stall(reader)


@mode('close')
async def close(reader, writer):
    pass


@mode('reset')
async def reset_at_once(reader, writer):
    reset(writer)


@mode('reset-later')
async def reset_later(reader, writer):
    await reader.read(1)
    reset(writer)


@mode('drip')
async def drip(reader, writer):
    while True:
        await send(writer, b'x')
        await asyncio.sleep(0.1)


@mode('garbage')
async def garbage(reader, writer):
    await send(writer, bytes((i * 7919 >> 3) & 255 for i in range(4000)))


@mode('escape')
async def escape(reader, writer):
    await send(writer, b'\x1b[31mred\x07\x01')


@mode('flood')
async def flood(reader, writer):
    while True:
        await send(writer, b'\0' * 65536)


@mode('greeting')
async def greeting(reader, writer):
    await send(writer, b'220 mail.example.net ready\r\n')
    line = await reader.readline()
    if line:
        await send(writer, b'250 heard ' + line)
    await stall(reader)


@mode('half-greeting')
async def half_greeting(reader, writer):
    await send(writer, b'22')
    await stall(reader)


@mode('split-greeting')
async def split_greeting(reader, writer):
    for byte in b'220 ready\r\n':
        await send(writer, bytes([byte]))
        await asyncio.sleep(0.01)
    await stall(reader)


# ---- HTTP

def simple(status, body=b'hello world', extra=b''):
    async def handler(reader, writer):
        await head(reader)
        await send(writer, b'HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n%s'
                   % (status, len(body), extra, body))
    return handler


for name, status in {'200': b'200 OK', '201': b'201 Created', '403': b'403 Forbidden', '404': b'404 Not Found',
                     '429': b'429 Too Many Requests', '500': b'500 Internal Server Error',
                     '503': b'503 Service Unavailable'}.items():
    MODES[name] = simple(status)
MODES['204'] = simple(b'204 No Content', b'')


def redirect(target):
    async def handler(reader, writer):
        await head(reader)
        where = target() if callable(target) else target
        await send(writer, b'HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n' % where.encode())
    return handler


MODES['redirect-loop'] = redirect('/again')
MODES['redirect-file'] = redirect('file:///etc/passwd')
MODES['redirect-gopher'] = redirect('gopher://127.0.0.1:70/')
MODES['redirect-empty'] = redirect('')
MODES['redirect-200'] = redirect(lambda: 'http://localhost:%d/' % PORTS['200'])
MODES['redirect-dead'] = redirect(lambda: 'http://127.0.0.1:%d/' % PORTS['refused'])
MODES['redirect-silent'] = redirect(lambda: 'http://127.0.0.1:%d/' % PORTS['silent'])
MODES['redirect-echo'] = redirect(lambda: 'http://127.0.0.1:%d/' % PORTS['echo'])


@mode('echo')
async def echo(reader, writer):
    body = await head(reader)
    length = [int(line[15:]) for line in body.split(b'\r\n') if line.lower().startswith(b'content-length:')]
    if length:
        body += await reader.readexactly(length[0])
    await send(writer, b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(body), body))


@mode('redirect-self-echo')
async def redirect_self_echo(reader, writer):
    request = await head(reader)
    if request.startswith(b'GET /end '):
        await send(writer, b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(request), request))
    else:
        await send(writer, b'HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n')


@mode('endless-headers')
async def endless_headers(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\n')
    while True:
        await send(writer, b'X-Filler: ' + b'y' * 1000 + b'\r\n')


@mode('endless-continue')
async def endless_continue(reader, writer):
    await head(reader)
    while True:
        await send(writer, b'HTTP/1.1 100 Continue\r\n\r\n' * 100)


@mode('huge-header')
async def huge_header(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nX-Huge: ' + b'z' * 1000000 + b'\r\n\r\n')


@mode('endless-body')
async def endless_body(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\n\r\n')
    while True:
        await send(writer, b'b' * 65536)


@mode('endless-chunked')
async def endless_chunked(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    while True:
        await send(writer, b'1000\r\n' + b'c' * 4096 + b'\r\n')


@mode('endless-trailers')
async def endless_trailers(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n')
    while True:
        await send(writer, b'X-Trailer: ' + b't' * 1000 + b'\r\n')


@mode('bad-chunk')
async def bad_chunk(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n')


@mode('huge-chunk')
async def huge_chunk(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx\r\n')


@mode('short-body')
async def short_body(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this')


@mode('stalled-body')
async def stalled_body(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this')
    await stall(reader)


@mode('stalled-headers')
async def stalled_headers(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nContent-Le')
    await stall(reader)


@mode('drip-headers')
async def drip_headers(reader, writer):
    await head(reader)
    for byte in b'HTTP/1.1 200 OK\r\n' + b'X-Slow: y\r\n' * 1000:
        await send(writer, bytes([byte]))
        await asyncio.sleep(0.1)


@mode('drip-body')
async def drip_body(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\n\r\n')
    await drip(reader, writer)


@mode('negative-length')
async def negative_length(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello')


@mode('two-lengths')
async def two_lengths(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello')


@mode('http09')
async def http09(reader, writer):
    await head(reader)
    await send(writer, b'<html>no status line</html>')


@mode('bad-status')
async def bad_status(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 abc OK\r\n\r\n')


@mode('nul-header')
async def nul_header(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 2\r\n\r\nok')


@mode('gzip-bomb')
async def gzip_bomb(reader, writer):
    await head(reader)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b''.join(packer.compress(b'\0' * 1048576) for _ in range(64)) + packer.flush()
    await send(writer, b'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n' % len(bomb) + bomb)


@mode('big-body')
async def big_body(reader, writer):
    await head(reader)
    await send(writer, b'HTTP/1.1 200 OK\r\nContent-Length: 3000009\r\n\r\n' + b'a' * 3000000 + b'the end\r\n')


@mode('late')
async def late(reader, writer):
    await head(reader)
    await asyncio.sleep(0.3)
    await send(writer, b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')


# ---- Redis

def reply(*answers):
    """Answers the n-th command with the n-th answer, and from then on with the last."""
    async def handler(reader, writer):
        count = 0
        while await reader.read(65536):
            await send(writer, answers[min(count, len(answers) - 1)])
            count += 1
    return handler


def bulk(text):
    return b'$%d\r\n%s\r\n' % (len(text), text)


MODES['r-pang'] = reply(b'+PANG\r\n')
MODES['r-integer'] = reply(b':42\r\n')
MODES['r-nil'] = reply(b'$-1\r\n')
MODES['r-array'] = reply(b'*2\r\n+PONG\r\n+PONG\r\n')
MODES['r-array-huge'] = reply(b'*2147483647\r\n')
MODES['r-nested'] = reply(b'*1\r\n' * 10000)
MODES['r-bulk-negative'] = reply(b'$-5\r\n')
MODES['r-info-status'] = reply(b'+PONG\r\n', b'+hello\r\n')
MODES['r-info-close'] = reply(b'+PONG\r\n', b'')
MODES['r-info-empty'] = reply(b'+PONG\r\n', bulk(b''))
MODES['r-info-huge'] = reply(b'+PONG\r\n', bulk(b'x' * 2000000))
MODES['r-info-long-value'] = reply(b'+PONG\r\n', bulk(b'run_id:' + b'r' * 900000 + b'\r\n'))
MODES['r-info-noise'] = reply(b'+PONG\r\n', bulk(
    b'\r\n:\r\nuptime_in_seconds:1e400\r\nused_memory:nan\r\nmaxmemory:-1\r\nconnected_clients:99999999999999999999999\r\n'
    b'rdb_last_save_time:-9e99\r\nconnected_slaves:2147483647\r\nslave0:\r\nslave1:ip=\r\ndb0:keys=zz\r\n# Keyspace'))
MODES['r-loading'] = reply(b'-LOADING Redis is loading the dataset in memory\r\n')
MODES['r-busy'] = reply(b'-BUSY Redis is busy running a script.\r\n')
MODES['r-misconf'] = reply(b'-MISCONF Redis is configured to save RDB snapshots\r\n',
                           bulk(b'redis_version:7.0.15\r\nrole:master\r\nrdb_last_bgsave_status:err\r\n'))
MODES['r-masterdown'] = reply(b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
                              bulk(b'redis_version:7.0.15\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n'
                                   b'master_link_status:down\r\nmaster_link_down_since_seconds:77\r\n'))
MODES['r-valkey'] = reply(b'+PONG\r\n', bulk(
    b'# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\nrole:master\r\n'
    b'connected_slaves:2\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=90,lag=1\r\n'
    b'slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0\r\nmaster_repl_offset:100\r\n'
    b'used_memory:800\r\nmaxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\nmaxclients:10\r\nconnected_clients:9\r\n'))


OK_INFO = b'# Server\r\nredis_version:7.0.15\r\nrole:master\r\n'


def redis(text, **answers):
    """Answers each command by its name, and PING, INFO and AUTH by themselves; None stalls, b'' closes."""
    known = {'ping': b'+PONG\r\n', 'info': bulk(text), 'auth': b'+OK\r\n', **answers}

    async def handler(reader, writer):
        while head := await reader.readline():
            words = []
            for _ in range(int(head[1:])):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2].decode())
            name = words[0].lower()
            name = name if name in known else '_'.join(words[:2]).lower()
            answer = known.get(name, b'-ERR what\r\n')
            if answer is None:
                await stall(reader)
            if not answer:
                return
            await send(writer, answer)
    return handler


def array(*items):
    """A reply of strings, integers and lists."""
    out = b'*%d\r\n' % len(items)
    for item in items:
        out += array(*item) if isinstance(item, list) else b':%d\r\n' % item if isinstance(item, int) else bulk(item)
    return out


MODES['r-aof'] = redis(OK_INFO + b'aof_last_write_status:err\r\naof_last_bgrewrite_status:err\r\n',
                       ping=b'-MISCONF Errors writing to the AOF file: No space left on device\r\n')
MODES['r-noauth'] = redis(OK_INFO, ping=b'-NOAUTH Authentication required.\r\n')
MODES['r-no-user'] = redis(OK_INFO, auth=b"-ERR wrong number of arguments for 'auth' command\r\n")
MODES['r-echo'] = redis(OK_INFO, auth=b'-ERR unknown command `AUTH`, with args beginning with: `geheim`, \r\n')
MODES['r-renamed'] = redis(OK_INFO, info=b"-ERR unknown command 'INFO', with args beginning with: \r\n")
MODES['r-info-noperm'] = redis(OK_INFO, info=b"-NOPERM User watcher has no permissions to run the 'info' command\r\n")
MODES['r-slow-close'] = redis(OK_INFO, slowlog=b'')
MODES['r-slow-stall'] = redis(OK_INFO, xlen=None)
MODES['r-slow-huge'] = redis(OK_INFO, slowlog=b'*2147483647\r\n')
MODES['r-slow-nested'] = redis(OK_INFO, slowlog=b'*1\r\n' * 10000)
MODES['r-slow-text'] = redis(OK_INFO, slowlog=b'+OK\r\n')
MODES['r-slow-renamed'] = redis(OK_INFO, slowlog=b"-ERR unknown command 'SLOWLOG', with args beginning with: 'GET' '1' \r\n")
MODES['r-stream6'] = redis(OK_INFO, xlen=b':5\r\n', xinfo=array(
    [b'name', b'billing', b'consumers', 1, b'pending', 2, b'last-delivered-id', b'5-0']),
    xpending=array([b'1-1', b'worker-1', 7200000, 9]))
MODES['r-stream-odd'] = redis(OK_INFO, xlen=b':5\r\n', xinfo=array(7, [], [b'name'], [b'name', 9, b'pending', b'many'], [[], []]))
MODES['r-cluster-odd'] = redis(
    OK_INFO + b'cluster_enabled:1\r\n',
    cluster_info=bulk(b'cluster_state:fail\r\ncluster_slots_assigned:15011\r\ncluster_slots_pfail:0\r\n'
                      b'cluster_slots_fail:11\r\ncluster_known_nodes:6\r\n'),
    cluster_nodes=bulk(b'\n'.join([
        b'a' * 40 + b' 10.0.0.1:6379@16379,one.example,,shard-id=x myself,master - 0 0 1 connected 0-14998 15000 [16000-<-' + b'b' * 40 + b']',
        b'b' * 40 + b' 10.0.0.2:6379@16379 slave,fail? ' + b'a' * 40 + b' 0 0 1 connected',
        b'e' * 40 + b' 10.0.0.5:6379 handshake - 0 0 1 connected',
        b'c' * 40 + b' :0@0 slave,noaddr - 0 0 1 disconnected',
        b'd' * 40 + b' ::1:7000@17000 master,fail - 0 0 3 disconnected 16000-16010 99999 7-3 x',
        b'half a line', b''])))
MODES['r-cluster-minority'] = redis(
    OK_INFO + b'cluster_enabled:1\r\nconnected_slaves:1\r\nslave0:ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0,lag=0\r\n',
    cluster_info=bulk(b'cluster_state:fail\r\ncluster_slots_assigned:16384\r\ncluster_slots_pfail:10922\r\n'
                      b'cluster_slots_fail:0\r\ncluster_known_nodes:1\r\n'),
    cluster_nodes=bulk(b'a' * 40 + b' 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-5461\n'))
MODES['r-sentinel-odd'] = redis(b'redis_version:7.0.15\r\nredis_mode:sentinel\r\nsentinel_tilt:1\r\n', sentinel_masters=array(
    [b'name', b'main', b'ip', b'10.0.0.1', b'port', b'6379', b'flags', b'master,failover_in_progress', b'num-slaves', b'x'],
    [b'flags'], 5, [b'name', b'other', b'flags', b'slave']), sentinel_ckquorum=b'+what\r\n', sentinel_replicas=array(),
    sentinel_sentinels=array(*[[b'ip', b'10.0.0.%d' % i, b'port', b'1', b'flags', b's_down,sentinel'] for i in range(6)], 3))
MODES['r-sentinel-none'] = redis(b'redis_version:7.0.15\r\nredis_mode:sentinel\r\n', sentinel_masters=array())
MODES['r-never-linked'] = redis(b'redis_version:6.0.16\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nuptime_in_seconds:50\r\n'
                                b'master_link_status:down\r\nmaster_link_down_since_seconds:1732000000\r\n')


@mode('r-old')
async def r_old(reader, writer):
    await redis(OK_INFO + b'rdb_last_bgsave_time_sec:-1\r\naof_enabled:1\r\nrdb_changes_since_last_save:5\r\n'
                b'rdb_last_save_time:%d\r\naof_rewrite_in_progress:1\r\naof_current_rewrite_time_sec:700\r\n' % (time.time() - 1800)
                + b'used_memory:900000000\r\nmem_fragmentation_ratio:3.00\r\nlatest_fork_usec:250000\r\n')(reader, writer)


MODES['r-small'] = redis(OK_INFO + b'used_memory:1000000\r\nmem_fragmentation_ratio:9.00\r\n')


@mode('r-maxclients')
async def r_maxclients(reader, writer):
    await send(writer, b'-ERR max number of clients reached\r\n')


@mode('r-denied')
async def r_denied(reader, writer):
    await send(writer, b'-DENIED Redis is running in protected mode because protected mode is enabled\r\n')


@mode('r-bulk-flood')
async def r_bulk_flood(reader, writer):
    await send(writer, b'$2147483647\r\n')
    while True:
        await send(writer, b'f' * 65536)


# ---- TLS

for name in ('good', 'soon', 'expired', 'not-yet', 'wrong-host', 'self-signed'):
    TLS_MODES['tls-' + name] = (MODES['200'], name)


@mode('tls-then-stall', tls='good')
async def tls_then_stall(reader, writer):
    await stall(reader)


@mode('tls-then-close', tls='good')
async def tls_then_close(reader, writer):
    await head(reader)


MODES['tls-garbage-alert'] = reply(b'\x15\x03\x03\x00\x02\x02\x28')
TLS_MODES['tls-redirect-plain'] = (redirect(lambda: 'http://127.0.0.1:%d/' % PORTS['echo']), 'good')


# ---- running them

def guarded(handler):
    async def guard(reader, writer):
        try:
            await handler(reader, writer)
            if writer.can_write_eof():
                writer.write_eof()
                await asyncio.wait_for(reader.read(1), 2)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()
    return guard


def at_loopback(listen=None):
    sock = socket.socket()
    sock.bind(('127.0.0.1', 0))
    if listen is not None:
        sock.listen(listen)
    return sock


def unaccepted():
    """A port whose queue is full, so that further connects get no answer."""
    sock = at_loopback(0)
    fillers = []
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(sock.getsockname())
        fillers.append(filler)
    return [sock] + fillers


async def start(name, handler, context=None):
    server = await asyncio.start_server(guarded(handler), '127.0.0.1', 0, ssl=context)
    PORTS[name] = server.sockets[0].getsockname()[1]


async def main():
    refused, full = at_loopback(), unaccepted()
    PORTS['refused'], PORTS['unaccepted'] = refused.getsockname()[1], full[0].getsockname()[1]
    for name, handler in MODES.items():
        await start(name, handler)
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    for name, (handler, certificate) in TLS_MODES.items():
        file = os.path.join(folder, certificate + '.pem') if folder else ''
        if os.path.exists(file):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(file)
            await start(name, handler, context)
    for name, port in PORTS.items():
        print(name, port)
    print('ready 0', flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == '__main__':
    asyncio.run(main())
