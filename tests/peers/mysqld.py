#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""mysqld - servers that speak the MySQL protocol and misbehave, or are of a kind that is not at hand (MySQL 8).

Prints "MODE PORT" lines and then "ready 0", and serves until its standard input ends. Anybody may log in. What a
mode answers to a statement stands in answer(); everything else is common to all.
"""
import asyncio
import sys

MARIADB, MYSQL = b'5.5.5-10.11.19-MariaDB', b'8.0.36'
CAPABILITIES = 0x008FA20D & ~0x800 & ~0x20 | 0x80000  # no TLS, no compression; plugin authentication
STATUS = {
    'Uptime': 5000, 'Uptime_since_flush_status': 5000, 'Threads_connected': 10, 'Max_used_connections': 40,
    'Threads_running': 2, 'Questions': 1000, 'Slow_queries': 3, 'Connection_errors_max_connections': 0,
}
VARIABLES = {'version': '8.0.36', 'max_connections': 100, 'read_only': 'OFF'}
MARIADB_SOURCE = {
    'Connection_name': '', 'Slave_IO_Running': 'Yes', 'Slave_SQL_Running': 'Yes', 'Master_Host': '10.0.0.1',
    'Master_Port': 3306, 'Seconds_Behind_Master': 0, 'SQL_Delay': 0, 'Last_IO_Errno': 0, 'Last_IO_Error': '',
    'Last_SQL_Errno': 0, 'Last_SQL_Error': '',
}
MYSQL_SOURCE = {
    'Replica_IO_Running': 'Yes', 'Replica_SQL_Running': 'No', 'Source_Host': '10.0.0.1', 'Source_Port': 3306,
    'Seconds_Behind_Source': None, 'SQL_Delay': 0, 'Last_IO_Errno': 0, 'Last_IO_Error': '', 'Last_SQL_Errno': 1062,
    'Last_SQL_Error': "Duplicate entry '1'", 'Channel_Name': 'billing', 'Relay_Log_Space': 1234,
}
WSREP = {
    'wsrep_ready': 'ON', 'wsrep_connected': 'ON', 'wsrep_cluster_status': 'Primary', 'wsrep_cluster_size': 3,
    'wsrep_local_state': 4, 'wsrep_local_state_comment': 'Synced', 'wsrep_flow_control_paused_ns': 0,
    'wsrep_local_recv_queue_avg': '0.1', 'wsrep_local_send_queue_avg': '0.0',
}


def lenenc(data):
    if data is None:
        return b'\xfb'
    data = data if isinstance(data, bytes) else str(data).encode()
    size = len(data)
    head = bytes([size]) if size < 251 else b'\xfc' + size.to_bytes(2, 'little') if size < 65536 else \
        b'\xfd' + size.to_bytes(3, 'little')
    return head + data


class Packets:
    def __init__(self, writer):
        self.writer, self.sequence, self.more, self.failed = writer, 0, False, False

    def put(self, payload):
        self.writer.write(len(payload).to_bytes(3, 'little') + bytes([self.sequence]) + payload)
        self.sequence = (self.sequence + 1) & 255

    def okay(self):
        self.put(b'\0\0\0' + self.flags() + b'\0\0')

    def flags(self):  # autocommit, and more answers to come
        return b'\x0a\0' if self.more else b'\x02\0'

    def error(self, code, text, state=b'42000'):
        self.failed = True
        self.put(b'\xff' + code.to_bytes(2, 'little') + b'#' + state + text.encode())

    def head(self, names):
        self.put(bytes([len(names)]))
        for name in names:
            self.put(lenenc('def') + lenenc('') * 3 + lenenc(name) + lenenc('') + b'\x0c\x2d\0\0\1\0\0\xfd\0\0\0\0\0')
        self.eof()

    def eof(self):
        self.put(b'\xfe\0\0' + self.flags())

    def rows(self, names, rows):
        self.head(names)
        for row in rows:
            self.put(b''.join(lenenc(cell) for cell in row))
        self.eof()

    def one(self, row):
        self.rows(list(row), [list(row.values())])

    def pairs(self, table):
        self.rows(['Variable_name', 'Value'], list(table.items()))


def greeting(version):
    return (b'\x0a' + version + b'\0' + (7).to_bytes(4, 'little') + b'abcdefgh\0' +
            (CAPABILITIES & 0xffff).to_bytes(2, 'little') + b'\x2d\x02\0' + (CAPABILITIES >> 16).to_bytes(2, 'little') +
            b'\x15' + b'\0' * 10 + b'ijklmnopqrst\0' + b'mysql_native_password\0')


def of_status(mode):
    table = dict(STATUS)
    if mode.startswith('galera'):
        table.update(WSREP)
    table.update({
        'galera-donor': {'wsrep_local_state': 2, 'wsrep_local_state_comment': 'Donor/Desynced'},
        'galera-alone': {'wsrep_cluster_status': 'non-Primary', 'wsrep_ready': 'OFF', 'wsrep_cluster_size': 1},
        'galera-cut': {'wsrep_connected': 'OFF', 'wsrep_cluster_status': 'disconnected', 'wsrep_local_state': 0},
        'blocked-rows': {'Innodb_row_lock_current_waits': 3, 'Threads_running': 20},
        'mysql8-blocked': {'Innodb_row_lock_current_waits': 3},
        'mysql8-denied': {'Innodb_row_lock_current_waits': 3},
        'crowded': {'Threads_connected': 95},
        'words': {name: 'lots' for name in STATUS},
        'nulls': {name: None for name in STATUS},
    }.get(mode, {}))
    return table


def of_variables(mode):
    table = dict(VARIABLES)
    if mode.startswith('galera'):
        table['wsrep_on'] = 'ON'
    table.update({'forced': {'innodb_force_recovery': 3}}.get(mode, {}))
    return table


def of_replication(mode, sql, out):
    if mode == 'mysql57':
        if 'REPLICA' in sql:
            out.error(1064, 'You have an error in your SQL syntax')
        else:
            out.one({**MARIADB_SOURCE, 'Seconds_Behind_Master': 45, 'Channel_Name': ''})
    elif mode.startswith('mysql8'):
        out.one(MYSQL_SOURCE)
    elif mode == 'new-lag':
        out.one({**MARIADB_SOURCE, 'Connection_name': 'x', 'Seconds_Behind_Master': 4, 'Master_Slave_time_diff': 7})
    elif mode == 'null-lag':
        out.one({**MARIADB_SOURCE, 'Seconds_Behind_Master': None})
    elif mode == 'threadless':
        out.one({'Connection_name': 'x'})
    elif mode == 'multi':
        row = {**MARIADB_SOURCE, 'Connection_name': 'east'}
        rows = [row, {**row, 'Connection_name': 'west', 'Slave_IO_Running': 'Connecting', 'Last_IO_Errno': 2003,
                      'Last_IO_Error': 'error connecting to master', 'Seconds_Behind_Master': None},
                {**row, 'Connection_name': 'late', 'Seconds_Behind_Master': 3620, 'SQL_Delay': 3600}]
        out.rows(list(row), [list(r.values()) for r in rows])
    else:
        out.rows(list(MARIADB_SOURCE), [])


async def answer(mode, sql, out):
    if sql.startswith('SET'):
        out.okay()
    elif 'GLOBAL STATUS' in sql:
        if mode == 'stall':
            await asyncio.Event().wait()
        if mode == 'cut':
            out.head(['Variable_name', 'Value'])
            out.put(lenenc('Uptime') + lenenc('1'))
            return False
        if mode == 'denied':
            out.error(1227, 'Access denied; you need something')
        elif mode == 'empty':
            out.pairs({})
        elif mode == 'okay':
            out.okay()
        elif mode == 'endless':
            out.head(['Variable_name', 'Value'])
            while True:
                out.put(lenenc('x') + lenenc('y' * 100))
                await out.writer.drain()
        elif mode == 'huge':
            out.head(['Variable_name', 'Value'])
            out.writer.write(b'\xff\xff\xff' + bytes([out.sequence]))
            while True:
                out.writer.write(b'z' * 65536)
                await out.writer.drain()
        elif mode == 'drip':
            out.head(['Variable_name', 'Value'])
            while True:
                out.put(lenenc('x') + lenenc('y'))
                await out.writer.drain()
                await asyncio.sleep(0.1)
        else:
            out.pairs(of_status(mode))
    elif 'GLOBAL VARIABLES' in sql:
        out.pairs(of_variables(mode))
    elif 'LOCK_WAITS' in sql or 'data_lock_waits' in sql:
        if mode == 'mysql8-denied':
            out.error(1142, "SELECT command denied to user 'x'@'y' for table 'data_lock_waits'")
        elif ('data_lock_waits' in sql) != mode.startswith('mysql'):
            out.error(1109, "Unknown table 'INNODB_LOCK_WAITS' in information_schema")
        else:
            out.one({'thread': 7, 'user': 'app', 'host': '10.0.0.2:1234', 'command': 'Sleep', 'idle': 130, 'blocked': 3,
                     'waited': 100, 'age': 131})
    elif 'PROCESSLIST' in sql:
        out.one({'state': 'Waiting for table metadata lock', 'threads': 20})
    elif 'INNODB_TRX' in sql:
        out.one({'open': 1, 'age': 700 if mode == 'long' else 0})
    elif 'SLAVE' in sql or 'REPLICA' in sql:
        of_replication(mode, sql, out)
    else:
        out.error(1146, 'no such table')
    return True


async def answer_all(mode, statements, out):
    for i, sql in enumerate(statements):
        out.more, out.failed = i + 1 < len(statements), False
        if not await answer(mode, sql, out):
            return False
        if out.failed:
            break
    out.more = False
    return True


async def converse(mode, reader, writer):
    out = Packets(writer)
    early = {'full': (1040, 'Too many connections'), 'blocked': (1129, "Host is blocked"),
             'stranger': (1130, 'Host is not allowed to connect'), 'closing': (1053, 'Server shutdown in progress')}
    if mode in early:
        out.error(*early[mode], state=b'08004')
        return
    out.put(greeting(MYSQL if mode.startswith('mysql') else MARIADB))
    await log_in(mode, reader, out)
    while True:
        head = await reader.readexactly(4)
        payload = await reader.readexactly(int.from_bytes(head[:3], 'little'))
        out.sequence = 1
        if payload[:1] == b'\x1b':  # one statement at a time from now on
            out.eof()
        elif payload[:1] != b'\x03' or not await answer_all(mode, payload[1:].decode().split(';'), out):
            return
        await writer.drain()


async def log_in(mode, reader, out):
    if mode == 'silent-login':
        await asyncio.Event().wait()
    head = await reader.readexactly(4)
    await reader.readexactly(int.from_bytes(head[:3], 'little'))
    out.sequence = head[3] + 1
    if mode in ('clear', 'terminal'):
        name = {'clear': b'mysql_clear_password', 'terminal': b'dialog'}[mode]
        out.put(b'\xfe' + name + b'\0')
        stolen = await reader.read(4096)
        if b'secret' in stolen:
            print('STOLEN', file=sys.stderr, flush=True)
    elif mode == 'expired':
        out.error(1862, 'Your password has expired')
    else:
        out.okay()


MODES = ('full blocked stranger closing silent-login clear terminal expired mysql8 mysql57 multi null-lag threadless stall cut '
         'denied empty okay endless huge drip words nulls crowded forced long galera galera-donor galera-alone '
         'galera-cut mysql8-blocked mysql8-denied blocked-rows new-lag').split()


async def main():
    def serve(mode):
        async def handle(reader, writer):
            try:
                await converse(mode, reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass
            writer.close()
        return asyncio.start_server(handle, '127.0.0.1', 0)
    servers = [(mode, await serve(mode)) for mode in MODES]
    for mode, server in servers:
        print(mode, server.sockets[0].getsockname()[1])
    print('ready 0', flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
