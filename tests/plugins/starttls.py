#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""starttls - servers that speak a protocol and then TLS, and some that won't; one port each on loopback.

usage: starttls.py CERTIFICATE KEY

Prints "MODE PORT" lines and then "ready 0", and serves until its standard input ends.
"""
import socket
import ssl
import sys
import threading
import time

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain(sys.argv[1], sys.argv[2])


def lines(greeting, *exchanges, tail=b''):
    """Says the greeting; for each (beginning of a line, answer) waits for that line and answers."""
    def speak(sock):
        sock.sendall(greeting)
        for begin, answer in exchanges:
            got = b''
            while not got.endswith(b'\n'):
                byte = sock.recv(1)
                if not byte:
                    return False
                got += byte
            assert got.startswith(begin), got
            sock.sendall(answer)
        return True
    return speak


def exact(sock, size):
    got = b''
    while len(got) < size:
        more = sock.recv(size - len(got))
        if not more:
            raise EOFError
        got += more
    return got


def ldap(answer):
    def speak(sock):
        request = exact(sock, 31)
        assert request == b'\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037', request
        sock.sendall(answer)
        return True
    return speak


def mysql_greeting(abilities):
    body = (b'\x0a10.11.19-MariaDB\0' + b'\x01\0\0\0' + b'saltsalt\0' + abilities.to_bytes(2, 'little')
            + b'\x2d\x02\0\xff\x81\x15' + b'\0' * 10 + b'saltsaltsalt\0mysql_native_password\0')
    return len(body).to_bytes(3, 'little') + b'\0' + body


def mysql(abilities):
    def speak(sock):
        sock.sendall(mysql_greeting(abilities))
        request = exact(sock, 36)
        assert request[:4] == b'\x20\0\0\x01' and request[5] & 8, request
        return True
    return speak


def mysql_blocked(sock):
    body = b'\xff\x69\x04Host is blocked because of many connection errors'
    sock.sendall(len(body).to_bytes(3, 'little') + b'\0' + body)
    return False


def postgres(answer):
    def speak(sock):
        assert exact(sock, 8) == b'\0\0\0\x08\x04\xd2\x16\x2f'
        sock.sendall(answer)
        return answer == b'S'
    return speak


EHLO = b'250-mail.example\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 HELP\r\n'
OK = b'220 go ahead\r\n'


def stall(sock):
    sock.recv(65536)
    time.sleep(60)
    return False


def slow(sock):
    for byte in b'220 ' + b'x' * 4000:
        sock.sendall(bytes([byte]))
        time.sleep(0.1)
    return False


def flood(sock):
    while True:
        sock.sendall(b'220-' + b'x' * 1000 + b'\r\n')


MODES = {
    'smtp': lines(b'220-mail.example\r\n220 ready\r\n', (b'EHLO ', EHLO), (b'STARTTLS', OK)),
    'smtp-without': lines(b'220 ready\r\n', (b'EHLO ', b'250-mail.example\r\n250 HELP\r\n')),
    'smtp-refuses': lines(b'220 ready\r\n', (b'EHLO ', EHLO), (b'STARTTLS', b'454 TLS not available\r\n')),
    'smtp-injected': lines(b'220 ready\r\n', (b'EHLO ', EHLO), (b'STARTTLS', OK + b'250 also this\r\n')),
    'smtp-busy': lines(b'421 too busy\r\n'),
    'smtp-stall': stall,
    'smtp-slow': slow,
    'smtp-flood': flood,
    'imap': lines(b'* OK ready\r\n', (b'a STARTTLS', b'* CAPABILITY IMAP4\r\na OK begin\r\n')),
    'imap-refuses': lines(b'* OK ready\r\n', (b'a STARTTLS', b'a NO not now\r\n')),
    'imap-bye': lines(b'* BYE overloaded\r\n'),
    'pop3': lines(b'+OK ready\r\n', (b'STLS', b'+OK begin\r\n')),
    'pop3-refuses': lines(b'+OK ready\r\n', (b'STLS', b'-ERR no\r\n')),
    'ftp': lines(b'220-hello\r\nfree text\r\n220 ready\r\n', (b'AUTH TLS', b'234 begin\r\n')),
    'ftp-refuses': lines(b'220 ready\r\n', (b'AUTH TLS', b'502 no\r\n')),
    'ldap': ldap(b'\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00'),
    'ldap-long': ldap(b'\x30\x84\0\0\0\x10\x02\x01\x01\x78\x84\0\0\0\x07\x0a\x01\x00\x04\x00\x04\x00'),
    'ldap-refuses': ldap(b'\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00'),
    'ldap-garbage': ldap(b'HTTP/1.1 400 Bad Request\r\n\r\n'),
    'mysql': mysql(0xffff),
    'mysql-without': mysql(0xf7ff),
    'mysql-blocked': mysql_blocked,
    'postgres': postgres(b'S'),
    'postgres-without': postgres(b'N'),
    'postgres-error': postgres(b'E'),
    'starts-then-stalls': lambda sock: lines(b'220 ready\r\n', (b'EHLO ', EHLO), (b'STARTTLS', OK))(sock) and stall(sock),
}


def serve(sock, speak):
    try:
        if speak(sock):
            tls = CONTEXT.wrap_socket(sock, server_side=True)
            tls.recv(1)
            tls.close()
        else:
            time.sleep(0.2)
    except (OSError, EOFError, AssertionError):
        pass
    sock.close()


def listen(server, speak):
    while True:
        sock, _ = server.accept()
        threading.Thread(target=serve, args=(sock, speak), daemon=True).start()


for name, function in MODES.items():
    listener = socket.create_server(('127.0.0.1', 0), backlog=16)
    threading.Thread(target=listen, args=(listener, function), daemon=True).start()
    print(name, listener.getsockname()[1])
print('ready 0', flush=True)
sys.stdin.read()
