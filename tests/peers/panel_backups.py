# SPDX-License-Identifier: GPL-3.0-or-later
"""panel_backups - a Pterodactyl panel that has backups to give, and the node that gives them. Usage: panel_backups.py FOLDER

Prints its port; serves until it is ended. Server 1a7ce997 has the files of FOLDER as backups, named as they are, the
newest by date; key "ptlc_good" may fetch them. Other servers give the newest one in a bad way, by their name in `ways`. A link is
good once. FOLDER/../asked gets a line for each request: method, path, which key."""
import hashlib
import json
import os
import sys
import threading
import time
import urllib.parse

import standin

FOLDER = sys.argv[1]
GOOD = '1a7ce997'
ways = {'bad00001': 'short', 'bad00002': 'checksum', 'bad00003': 'forbidden', 'bad00004': 'gone', 'bad00005': 'stall',
        'bad00006': 'size', 'bad00007': 'html', 'bad00008': 'none', 'bad00009': 'drop',
        'bad0000a': 'hole', 'bad0000b': 'head', 'bad0000c': 'rotten', 'bad0000d': 'silent'}
links, lock = {}, threading.Lock()


def spoil(way, body):
    """What is sent in place of it."""
    if way in ('short', 'stall', 'drop'):
        return body[:len(body) // 2]
    if way in ('hole', 'rotten'):
        return body[:len(body) // 2] + bytes(200000) + body[len(body) // 2 + 200000:]
    return bytes(64) + body[64:] if way == 'head' else body


def backups(server):
    way = ways.get(server)
    out = [{'uuid': '00000000-0000-0000-0000-000000000001', 'name': 'failed', 'is_successful': False, 'bytes': 0, 'checksum': None,
            'completed_at': '2036-01-01T00:00:00+00:00'},
           {'uuid': '00000000-0000-0000-0000-000000000002', 'name': 'running', 'is_successful': False, 'bytes': 0, 'checksum': None,
            'completed_at': None}]
    for name in [] if way == 'none' else sorted(os.listdir(FOLDER)):
        path = os.path.join(FOLDER, name)
        body = open(path, 'rb').read()
        stored = spoil(way, body) if way == 'rotten' else body + (b'x' if way == 'checksum' else b'')
        zone = time.gmtime(os.stat(path).st_mtime + 7200)
        out.append({'uuid': hashlib.md5(name.encode()).hexdigest(), 'name': name, 'is_successful': True,
                    'bytes': len(body) + (way == 'size'), 'is_locked': False, 'ignored_files': [],
                    'checksum': 'sha1:' + hashlib.sha1(stored).hexdigest(),
                    'completed_at': time.strftime('%Y-%m-%dT%H:%M:%S+02:00', zone)})
    return out


class Panel(standin.Handler):
    def answer(self, status, tree):
        self.send(status, {'Content-Type': 'application/json'}, json.dumps(tree).encode())

    def fail(self, status):
        self.answer(status, {'errors': [{'code': 'Exception', 'status': str(status), 'detail': 'no'}]})

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        key = self.headers.get('Authorization', '-')
        with lock, open(os.path.join(os.path.dirname(FOLDER), 'asked'), 'a', encoding='utf-8') as asked:
            asked.write(f'GET {url.path} {key}\n')
        parts = url.path.strip('/').split('/')
        if parts[0] == 'download':
            self.download(urllib.parse.parse_qs(url.query).get('token', [''])[0])
        elif key != 'Bearer ptlc_good':
            self.fail(401 if key == '-' else 403)
        elif parts[:3] != ['api', 'client', 'servers'] or (parts[3] != GOOD and parts[3] not in ways):
            self.fail(404)
        elif ways.get(parts[3]) == 'silent':
            time.sleep(300)
        elif ways.get(parts[3]) == 'html':
            self.send(200, {'Content-Type': 'text/html'}, b'<html>hello</html>')
        elif len(parts) == 5:
            self.list(backups(parts[3]), int(urllib.parse.parse_qs(url.query).get('page', ['1'])[0]))
        else:
            self.link(parts[3], parts[5])

    def list(self, found, page):  # two a page
        self.answer(200, {'object': 'list', 'data': [{'object': 'backup', 'attributes': one} for one in found[2 * page - 2:2 * page]],
                          'meta': {'pagination': {'total': len(found), 'count': 2, 'per_page': 2, 'current_page': page,
                                                  'total_pages': (len(found) + 1) // 2, 'links': {}}}})

    def link(self, server, uuid):
        token = os.urandom(8).hex()
        with lock:
            links[token] = (server, uuid)
        self.answer(200, {'object': 'signed_url', 'attributes': {'url': f'http://127.0.0.1:{port}/download/backup?token={token}'}})

    def download(self, token):
        with lock:
            server, uuid = links.pop(token, (None, None))
        way = ways.get(server)
        names = [n for n in os.listdir(FOLDER) if hashlib.md5(n.encode()).hexdigest() == uuid]
        if way == 'gone' or not names:
            return self.fail(404)
        if way == 'forbidden':
            return self.fail(403)
        body = open(os.path.join(FOLDER, names[0]), 'rb').read()
        self.close_connection = True
        self.send_response(200)
        if way != 'drop':
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(spoil(way, body))
        self.wfile.flush()
        if way == 'stall':
            time.sleep(60)


port = standin.start(Panel)
print(port, flush=True)
threading.Event().wait()
