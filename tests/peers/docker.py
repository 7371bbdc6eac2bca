#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker - an engine that answers as newer, older and other engines do, and awkwardly; the first part of the path says
how: http://127.0.0.1:PORT/MODE/_ping; a path without MODE means plain. A mode that is a folder of tests/peers/docker
answers from its files. Prints its port and serves until its standard input ends."""
import json
import os
import time

import standin

NEVER = '0001-01-01T00:00:00Z'
HTML = b'<html><head><title>403 Forbidden</title></head><body>denied</body></html>'
ASKED = {}
BEGIN = time.time()

RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'docker')


def recorded(mode, name):
    with open(os.path.join(RECORDED, mode, name), 'rb') as file:
        return file.read()


def iso(ago):
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(BEGIN - ago)) + '.123456789Z'


def ident(n):
    return '%064x' % (n + 0xabcdef000000)


# name -> what its inspect says besides the usual
BOXES = {
    'web.1': {'health': 'healthy', 'labels': {'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'web',
                                             'tier': 'wéb "q"\nx'}},
    'db': {'labels': {'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'db'}, 'memory': 1 << 30},
    'run': {'labels': {'com.docker.compose.oneoff': 'True'}, 'state': 'exited', 'code': 1},
}
ODD = {
    'sick': {'health': 'unhealthy'}, 'slowstart': {'health': 'starting', 'age': 400}, 'paused': {'state': 'paused'},
    'dead': {'state': 'dead'}, 'made': {'state': 'created'}, 'odd': {'state': 'floating'},
    'job': {'state': 'exited', 'code': 0}, 'bad': {'state': 'exited', 'code': 127},
    'halted': {'state': 'exited', 'code': 0, 'policy': 'unless-stopped'}, 'gone': {'gone': True}, 'broken': {'broken': True},
}


LOOSE = {'HostConfig': {'Privileged': True, 'NetworkMode': 'host'}, 'Config': {'Image': 'host:5000/nginx', 'User': ''},
         'Mounts': [{'Source': '/var/lib/x'}, {'Source': '/var/run/docker.sock'}]}
TIGHT = {'HostConfig': {'Privileged': False, 'NetworkMode': 'shop_default', 'NanoCpus': 500000000, 'Memory': 1 << 26,
                        'RestartPolicy': {'Name': 'always'}},
         'Config': {'Image': 'host:5000/nginx:1.27', 'User': '1000:0'}, 'Mounts': [{'Source': '/run/secrets/docker.sock.txt'}]}
POLICY = {'loose': {'inspect': LOOSE}, 'tight': {'inspect': TIGHT}, 'ended': {'state': 'exited', 'inspect': LOOSE},
          'folder': {'inspect': {**TIGHT, 'Mounts': [{'Source': '/run'}],
                                 'Config': {'Image': 'nginx:latest', 'User': 'root:www'}}},
          'byid': {'inspect': {**TIGHT, 'Config': {'Image': 'nginx@sha256:00', 'User': 'rooty'}}}}


def boxes(mode):
    if mode in ('policy', 'noinfo', 'userns'):
        return POLICY
    if mode == 'strict':
        return {**BOXES, **ODD}
    if mode == 'odd':
        return ODD
    if mode == 'empty':
        return {}
    if mode == 'many':
        return {'c%03d' % n: {'health': 'healthy'} for n in range(200)}
    return BOXES


def status(box):
    suffix = {'starting': 'health: starting'}.get(box.get('health'), box.get('health'))
    return {'exited': 'Exited (%d) 2 hours ago' % box.get('code', 0), 'created': 'Created', 'dead': 'Dead'}.get(
        box.get('state'), 'Up 3 hours' + (' (%s)' % suffix if suffix else ''))


def entry(mode, n, name, box):
    state = box.get('state', 'running')
    one = {'Id': ident(n), 'Names': ['/other/' + name, '/' + name], 'Image': 'x', 'Created': 1, 'State': state,
           'Status': status(box), 'Labels': box.get('labels', {}), 'HostConfig': {}, 'Mounts': None}
    if mode == 'v152' and box.get('health'):
        one['Health'] = {'Status': box['health'], 'FailingStreak': 0}
    if mode == 'nulls':
        one.update(Labels=None, Status=None, Ports=None)
    return one


def inspect(mode, n, name, box):
    state = {'Status': box.get('state', 'running'), 'Running': True, 'ExitCode': box.get('code', 0), 'OOMKilled': False,
             'StartedAt': iso(box.get('age', 10000)), 'FinishedAt': NEVER}
    if box.get('health'):
        state['Health'] = {'Status': box['health'], 'FailingStreak': 3,
                           'Log': [{'ExitCode': 1, 'Output': 'curl: refused\nmore'}]}
    count = 0
    if mode == 'restarting' and ASKED[mode] > 2:  # the second run sees three more restarts
        count = 3
        state['StartedAt'] = iso(1)
    if mode == 'nulls':
        state.update(StartedAt=None, FinishedAt=None, Health=None)
    state['Running'] = state['Status'] in ('running', 'paused', 'restarting')
    told = {'Id': ident(n), 'Name': '/' + name, 'RestartCount': count, 'State': state,
            'Config': {'Healthcheck': {'Interval': 30000000000, 'Retries': 3}},
            'HostConfig': {'RestartPolicy': {'Name': box.get('policy', 'no')}, 'Memory': box.get('memory', 0)}}
    for part, values in box.get('inspect', {}).items():
        told[part] = {**told.get(part, {}), **values} if isinstance(values, dict) else values
    return told


def info(mode):
    step = ASKED['info ' + mode] = ASKED.get('info ' + mode, 0) + 1
    return {'DockerRootDir': '/', 'SecurityOptions': ['name=userns'] if mode == 'userns' else [],
            'Warnings': ['No swap limit support'] + (['IPv4 forwarding is disabled'] if step > 1 else [])}


def stats(mode, one_shot):
    step = ASKED['stats'] = ASKED.get('stats', 0) + 1
    cpu = {'cpu_usage': {'total_usage': 9000000000 + step * 1000000000}, 'system_cpu_usage': 4000000000000 + step * 8000000000,
           'online_cpus': 4, 'throttling_data': {'periods': 10, 'throttled_periods': 1}}
    zero = {'cpu_usage': {'total_usage': 0}, 'throttling_data': {}}
    before = {'cpu_usage': {'total_usage': cpu['cpu_usage']['total_usage'] - 1000000000},
              'system_cpu_usage': cpu['system_cpu_usage'] - 8000000000}
    memory = {'usage': 120000000, 'limit': 1073741824, 'failcnt': 0, 'stats': {'inactive_file': 20000000}}
    if mode == 'podman':
        memory['stats'] = None
    return {'cpu_stats': cpu, 'precpu_stats': zero if one_shot or mode == 'podman' else before, 'memory_stats': memory,
            'pids_stats': {'current': 12}}


def usage(mode):
    sums = {'TotalCount': 9, 'ActiveCount': 3, 'TotalSize': 5000, 'Reclaimable': 2000}
    if mode == 'v152':
        return {k + 'Usage': sums for k in ('Image', 'Container', 'Volume', 'BuildCache')}
    return {'LayersSize': 7000, 'Images': [{'Size': 5000, 'SharedSize': 1000, 'Containers': 0},
                                           {'Size': 3000, 'SharedSize': -1, 'Containers': 1}],
            'Containers': None, 'Volumes': [{'Name': 'v', 'UsageData': {'Size': 100, 'RefCount': 0}}], 'BuildCache': []}


class Handler(standin.Handler):
    def say(self, body, status=200, kind='application/json', **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        more = {name.replace('_', '-'): value for name, value in headers.items()}
        self.send(status, {'Content-Type': kind, **more}, body)

    def ping(self, mode):
        version = {'v152': '1.52', 'podman': '1.41', 'ancient': '1.39', 'minimum': '1.60', 'toonew': None}.get(mode, '1.44')
        headers = {'Api_Version': version} if version else {}
        if mode == 'podman':
            headers['Libpod_API_Version'] = '4.3.1'
        if mode == 'web':
            self.say(b'<html><title>Welcome</title></html>', kind='text/html')
        elif mode == 'login':
            self.say(b'', 302, Location='https://sso.example.net/?next=x')
        elif mode in ('proxy403', 'noping'):
            self.say(HTML, 403, 'text/html')
        elif mode == 'hung':
            time.sleep(30)
        else:
            self.say(b'OK', kind='text/plain', **headers)

    def record(self, mode, rest):
        headers = {name.replace('-', '_'): value for name, value in json.loads(recorded(mode, 'headers.json')).items()}
        version = json.loads(recorded(mode, 'version.json'))
        if rest in (['_ping'], ['version']):
            self.say(b'OK' if rest == ['_ping'] else recorded(mode, 'version.json'), **headers)
            return
        asked, least, most = (int(v.lstrip('v').split('.')[1]) for v in (rest[0], version['MinAPIVersion'], version['ApiVersion']))
        if not least <= asked <= most:
            self.say({'message': 'client version 1.%d is too %s. %s supported API version is 1.%d, please upgrade' % (
                (asked, 'old', 'Minimum', least) if asked < least else (asked, 'new', 'Maximum', most))}, 400, **headers)
            return
        names = {c['Id']: c['Names'][0][1:] for c in json.loads(recorded(mode, 'list.json'))}
        if rest[1] == 'containers' and rest[2] != 'json':
            name = '%s-%s.json' % ('stats' if rest[3] == 'stats' else 'inspect', names[rest[2]])
        else:
            name = {'containers': 'list', 'events': 'events', 'system': 'df', 'info': 'info'}[rest[1]] + '.json'
        self.say(recorded(mode, name), **headers)

    def do_GET(self):
        path, _, query = self.path.partition('?')
        if path == '/_ping' or path.startswith('/v1.'):
            path = '/plain' + path
        _, mode, *rest = path.split('/')
        if os.path.isdir(os.path.join(RECORDED, mode)):
            self.record(mode, rest)
            return
        if rest == ['version']:
            self.say({'ApiVersion': '1.44', 'Components': []}) if mode in ('noping', 'plain') else self.say(HTML, 403, 'text/html')
            return
        if rest == ['_ping']:
            self.ping(mode)
            return
        version, rest = rest[0], rest[1:]
        if mode == 'minimum' and version != 'v1.50':
            self.say({'message': 'client version %s is too old. Minimum supported API version is 1.50, please upgrade '
                                 'your client to a newer version' % version[1:]}, 400)
        elif mode == 'toonew' and version != 'v1.42':
            self.say({'message': 'client version %s is too new. Maximum supported API version is 1.42' % version[1:]}, 400)
        elif rest == ['containers', 'json']:
            self.list(mode)
        elif rest[0] == 'containers':
            self.container(mode, int(rest[1], 16) - 0xabcdef000000, rest[2], query)
        elif rest == ['events']:
            self.say(HTML, 403, 'text/html') if mode in ('noevents', 'strict') else self.events(mode)
        elif rest == ['info']:
            self.say(HTML, 403, 'text/html') if mode in ('noinfo', 'strict') else self.say(info(mode))
        elif rest == ['system', 'df']:
            self.say(HTML, 403, 'text/html') if mode in ('nosystem', 'strict') else self.say(usage(mode))
        else:
            self.say({'message': 'page not found'}, 404)

    def list(self, mode):
        if mode == 'proxylist':
            self.say(HTML, 403, 'text/html')
        elif mode == 'html':
            self.say(b'<html><title>Login</title></html>', kind='text/html')
        elif mode == 'cut':
            self.say(b'[{"Id":"aa')
        elif mode == 'object':
            self.say({'containers': []})
        elif mode == 'listnull':
            self.say(b'null')
        elif mode == '429':
            self.say({'message': 'slow down'}, 429, Retry_After='17')
        elif mode == '500':
            self.say({'message': 'layer does not exist'}, 500)
        elif mode == 'podman500':
            self.say({'cause': 'x', 'message': 'database is locked', 'response': 500}, 500)
        elif mode == 'junk':
            self.say([None, 7, 'x', {'Id': '../../etc'}, {'Id': None}, [], {'Id': ident(1), 'Names': [None, 5]}])
        else:
            self.say([entry(mode, n, name, box) for n, (name, box) in enumerate(boxes(mode).items())])

    def container(self, mode, n, what, query):
        name, box = list(boxes(mode).items())[n] if n < len(boxes(mode)) else ('?', {})
        if what == 'stats':
            self.say(HTML, 403, 'text/html') if mode in ('nostats', 'strict') else self.say(stats(mode, 'one-shot=1' in query))
            return
        ASKED[mode] = ASKED.get(mode, 0) + 1
        if box.get('gone'):
            self.say({'message': 'No such container: x'}, 404)
        elif box.get('broken') or mode == 'allbroken':
            self.say({'message': 'layer is locked'}, 500)
        elif mode in ('noinspect', 'strict'):
            self.say(HTML, 403, 'text/html')
        else:
            self.say(inspect(mode, n, name, box))

    def events(self, mode):
        one = {'Type': 'container', 'Action': 'die', 'Actor': {'ID': ident(0), 'Attributes': {'exitCode': '139'}}}
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        text = b''.join(sep + json.dumps(x).encode() for sep, x in (
            (b'', {'Action': 'oom', 'Actor': {'ID': ident(1)}}), (b'\n', one),
            (b'\x1e', {'Action': 'health_status', 'HealthStatus': 'unhealthy', 'Actor': {'ID': ident(0)}}))) + b'\n{"Act'
        if mode in ('policy', 'noinfo', 'userns'):
            text = b''
        for i in range(0, len(text), 70):  # lines are split, and the last is cut
            piece = text[i:i + 70]
            self.wfile.write(b'%x\r\n%s\r\n' % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b'0\r\n\r\n')


print(standin.start(Handler))
standin.serve_until_end()
