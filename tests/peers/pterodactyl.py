#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""pterodactyl - a stand-in for a Pterodactyl or Pelican panel and for Wings, as their interfaces are described.

usage: pterodactyl.py

Prints "panel PORT", "wings PORT", "sftp PORT" and "ready 0" and serves until its standard input ends. The first piece of
a path is the scene: http://127.0.0.1:PORT/SCENE is a panel's address (or Wings'). A scene changes what the good panel
says: see SCENES. GET /SCENE/calls says which paths were asked of the panel in this scene.
"""
import json
import socket
import threading
import time
import urllib.parse

import standin

PORTS = {}
CALLS = {}
LOGIN = b'<html><head><title>Pterodactyl</title></head><script>window.SiteConfiguration = {}</script></html>'
HTML = b'<!doctype html><html><head><title>Just a moment...</title></head><body>checking</body></html>'
TOKEN = 'w' * 64
JSON = 'application/json'


def iso(ago):
    return time.strftime('%Y-%m-%dT%H:%M:%S+00:00', time.gmtime(time.time() - ago))


def error(status, code, detail, **headers):
    body = {'errors': [{'code': code, 'status': str(status), 'detail': detail}]}
    return status, headers, body


def uuid(number):
    return '%08x-1111-4222-8333-444455556666' % number


def node(number, name, **more):
    return {'id': number, 'uuid': uuid(number), 'public': True, 'name': name, 'description': None, 'location_id': 1,
            'fqdn': '127.0.0.1', 'scheme': 'http', 'behind_proxy': False, 'maintenance_mode': False, 'memory': 65536,
            'memory_overallocate': 0, 'disk': 900000, 'disk_overallocate': 20, 'upload_size': 100,
            'daemon_listen': PORTS['wings'], 'daemon_sftp': PORTS['sftp'], 'daemon_base': '/var/lib/pterodactyl/volumes',
            'created_at': iso(9e6), 'updated_at': iso(9e5), 'allocated_resources': {'memory': 49152, 'disk': 300000},
            **more}


def server(number, **more):
    return {'id': number, 'external_id': None, 'uuid': uuid(number), 'identifier': '%08x' % number,
            'name': 'Server %d' % number, 'description': 'a "quoted"\nline', 'status': None, 'suspended': False,
            'limits': {'memory': 1024, 'swap': -1, 'disk': 2048, 'io': 500, 'cpu': 0, 'threads': None,
                       'oom_disabled': True},
            'feature_limits': {'databases': 0, 'allocations': None, 'backups': 2}, 'user': 1, 'node': 1,
            'allocation': number, 'nest': 1, 'egg': 1,
            'container': {'startup_command': 'run', 'image': 'i', 'installed': 1, 'environment': {'SECRET': 'hunter2'}},
            'updated_at': iso(86400), 'created_at': iso(9e6),
            'relationships': {'transfer': {'object': 'null_resource', 'attributes': None}}, **more}


def backup(ago, good=True, running=False, **more):
    return {'uuid': uuid(int(ago)), 'is_successful': good and not running, 'is_locked': False, 'name': 'nightly',
            'ignored_files': [], 'checksum': 'sha1:0' if good else None, 'bytes': 1, 'created_at': iso(ago + 60),
            'completed_at': None if running else iso(ago), **more}


def schedule(number, **more):
    return {'id': number, 'name': 'restart', 'cron': {'minute': '0'}, 'is_active': True, 'is_processing': False,
            'only_when_online': False, 'last_run_at': iso(3600), 'next_run_at': iso(-3600), 'created_at': iso(9e6),
            'updated_at': iso(3600), 'relationships': {'tasks': {'object': 'list', 'data': [
                {'object': 'schedule_task', 'attributes': {'id': 1, 'time_offset': '60', 'action': 'power'}}]}}, **more}


class World:
    """What a panel and its Wings know; a scene changes it."""

    def __init__(self):
        self.nodes = [node(1, 'fra-01'), node(2, 'fra-02', maintenance_mode=True)]
        self.servers = [server(i) for i in range(1, 121)]
        self.free = 42
        self.backups = [backup(3600)]
        self.schedules = [schedule(1)]
        self.limit, self.left = 240, 200
        self.wings = None  # the servers on Wings; None: as the panel has them
        self.version = '1.11.13'
        self.state = 'running'
        self.resource = 'running'
        self.override = {}  # the end of a path: an answer, or a function of (world, query) that makes one


def paged(name, items, query):
    size, page = int(query.get('per_page', ['50'])[0]), int(query.get('page', ['1'])[0])
    some = items[(page - 1) * size:page * size]
    pages = max(1, -(-len(items) // size))
    return 200, {}, {'object': 'list', 'data': [{'object': name, 'attributes': i} for i in some],
                     'meta': {'pagination': {'total': len(items), 'count': len(some), 'per_page': size,
                                             'current_page': page, 'total_pages': pages, 'links': {}}}}


def wings_servers(world):
    if world.wings is not None:
        return world.wings
    return [{'state': world.state, 'is_suspended': s['status'] == 'suspended',
             'utilization': {'memory_bytes': 536870912, 'disk_bytes': 1073741824, 'state': world.state},
             'configuration': {'uuid': s['uuid'], 'environment': {'SECRET': 'hunter2'}}}
            for s in world.servers if str(s['node']) == '1']


def panel(world, path, query, key):
    for end, answer in world.override.items():
        if path.endswith(end):
            return answer(world, query) if callable(answer) else answer
    if path in ('/auth/login', '/login'):
        return 200, {'Content-Type': 'text/html'}, LOGIN
    if not path.startswith('/api/'):
        return 200, {'Content-Type': 'text/html'}, LOGIN  # the panel's one page
    if not key.startswith(('ptla_good', 'ptlc_good', 'papp_good', 'pacc_good')):
        return error(401, 'AuthenticationException', 'Unauthenticated.')
    if path.startswith('/api/client') and key.startswith(('ptla_', 'papp_')):
        return error(403, 'AccessDeniedHttpException', 'This action is unauthorized.')
    if path == '/api/application/nodes':
        return paged('node', world.nodes, query)
    if path == '/api/application/servers':
        return paged('server', world.servers, query)
    if path == '/api/application/nodes/deployable':
        return error(400, 'NoViableNodeException', 'No nodes satisfying the requirements specified for automatic '
                     'deployment could be found.') if int(query['memory'][0]) > 8192 else \
            (200, {}, {'object': 'list', 'data': [{'object': 'node', 'attributes': {'id': 1, 'sum_memory': '49152'}}]})
    if path.endswith('/allocations'):
        answer = paged('allocation', [{'id': 1, 'assigned': False}], query)
        answer[2]['meta']['pagination']['total'] = world.free
        return answer
    if path.endswith('/backups'):
        return paged('backup', world.backups, query)
    if path.endswith('/schedules'):
        return 200, {}, {'object': 'list', 'data': [{'object': 'server_schedule', 'attributes': s}
                                                    for s in world.schedules]}
    if path.endswith('/resources'):
        return 200, {}, {'object': 'stats', 'attributes': {
            'current_state': world.resource, 'is_suspended': False,
            'resources': {'memory_bytes': '588701696', 'cpu_absolute': 23.4, 'disk_bytes': 130156361, 'uptime': 7532000}}}
    return error(404, 'NotFoundHttpException', 'The requested resource could not be found on the server.')


def wings(world, path, query, key):
    for end, answer in world.override.items():
        if ('wings:' + path).endswith(end) and end.startswith('wings:'):
            return answer(world, query) if callable(answer) else answer
    if not key:
        return 401, {'WWW-Authenticate': 'Bearer'}, {'error': 'The required authorization heads were not present in '
                                                     'the request.'}
    if key != TOKEN:
        return 403, {}, {'error': 'You are not authorized to access this endpoint.'}
    if path == '/api/system':
        return 200, {}, {'version': world.version, 'docker': {'version': '26.1.0', 'containers': {
            'total': 120, 'running': 118}}, 'system': {'os_type': 'linux'}}
    if path == '/api/servers':
        return 200, {}, wings_servers(world)
    return 404, {'Content-Type': 'text/plain'}, b'404 page not found'


# ---- scenes -------------------------------------------------------------------------------------------------------

SCENES = {}


def scene(function):
    SCENES[function.__name__.rstrip('_').replace('_', '-')] = function
    return function


def override(name, **answers):
    """A scene in which a path answers otherwise; '__' is '/'."""
    SCENES[name] = lambda w: w.override.update({k.replace('__', '/'): v for k, v in answers.items()})


@scene
def good(w):
    pass


@scene
def strings(w):
    """Numbers as strings, and what isn't known as null."""
    for n in w.nodes:
        n.update(id=str(n['id']), memory='65536', disk='900000', disk_overallocate=None,
                 allocated_resources={'memory': '49152', 'disk': '300000'}, daemon_listen=str(n['daemon_listen']),
                 daemon_sftp=str(n['daemon_sftp']), maintenance_mode='1' if n['maintenance_mode'] else '0')
    for s in w.servers:
        s.update(id=str(s['id']), node=str(s['node']), description=None, relationships=None)
    w.free = '42'


@scene
def nulls(w):
    w.nodes[0].update(memory=None, allocated_resources=None)


@scene
def pelican(w):
    for n in w.nodes:
        n.update(daemon_connect=n['daemon_listen'], daemon_listen=1, cpu=400, cpu_overallocate=0, tags=[], memory=0)
        n['allocated_resources']['cpu'] = 100
    w.version = '1.0.0-beta29'


@scene
def full(w):
    w.nodes[0]['allocated_resources'] = {'memory': 65000, 'disk': 1000000}
    w.free = 1


@scene
def no_nodes(w):
    w.nodes = []


@scene
def many_nodes(w):
    w.nodes = [node(i, 'n-%02d' % i) for i in range(1, 61)]


@scene
def huge(w):
    """More than a run may read."""
    w.servers = [server(i) for i in range(1, 4001)]
    for s in w.servers:
        s['container']['environment']['MORE'] = 'x' * 2000


@scene
def large(w):
    w.servers = [server(i) for i in range(1, 3001)]


@scene
def no_sftp(w):
    w.nodes[0]['daemon_sftp'] = 1


@scene
def odd_sftp(w):
    w.nodes[0]['daemon_sftp'] = PORTS['panel']


@scene
def evil_name(w):
    w.nodes[0].update(fqdn='evil.example/@127.0.0.1', name='a\nb\x1b[31m|x')


@scene
def states(w):
    w.servers[2].update(status='installing', updated_at=iso(3000))
    w.servers[3].update(status='install_failed', updated_at=iso(600))
    w.servers[4].update(status='suspended', suspended=True)
    w.servers[5].update(status='restoring_backup', updated_at=iso(60))
    w.servers[6].update(status='some_new_state')


@scene
def suspended(w):
    w.servers[4].update(status='suspended', suspended=True)


@scene
def failing(w):
    for s in w.servers[:7]:
        s.update(status='install_failed')


@scene
def installing(w):
    w.servers[2].update(status='installing', updated_at=iso(3))


@scene
def offline(w):
    w.state = w.resource = 'offline'


@scene
def moving(w):
    w.servers[6]['relationships']['transfer'] = {'object': 'server_transfer', 'attributes': {
        'id': 1, 'server_id': 7, 'old_node': 1, 'new_node': 2, 'successful': None, 'created_at': iso(7200)}}


@scene
def moved(w):
    w.servers[6]['node'] = 2


@scene
def old_wings(w):
    w.version = '1.11.3'


@scene
def develop(w):
    w.version = 'develop'


@scene
def drift(w):
    w.wings = wings_servers(w)[1:]
    w.wings[3]['is_suspended'] = True
    w.wings.append({'state': 'running', 'configuration': {'uuid': uuid(0xdeadbeef)}})


@scene
def half_wings(w):
    w.wings = [{'state': None, 'configuration': None}, 7, None]


@scene
def no_backup(w):
    w.backups = [backup(600, good=False), backup(60, running=True)]


@scene
def old_backup(w):
    w.backups = [backup(600, good=False)] + [backup(100000 + i) for i in range(3)]


@scene
def schedules_bad(w):
    w.schedules = [schedule(1, next_run_at=iso(4000)), schedule(2, is_processing=True, updated_at=iso(5000)),
                   schedule(3, is_active=False, next_run_at=iso(90000)), schedule(4, next_run_at=None)]


@scene
def low(w):
    w.left = 30


@scene
def nearly_out(w):
    w.left = 5


@scene
def other_page(w):
    """The second page is the first again."""
    w.override['/servers'] = lambda w, q: paged('server', w.servers, {**q, 'page': ['1']})


@scene
def empty_page(w):
    def answer(w, q):
        status, headers, body = paged('server', w.servers, q)
        if q.get('page') == ['2']:
            body['data'] = []
        body['meta']['pagination']['total_pages'] = 9
        return status, headers, body
    w.override['/servers'] = answer


@scene
def endless_pages(w):
    def answer(w, q):
        status, headers, body = paged('server', w.servers[:100], {**q, 'page': ['1']})
        body['meta']['pagination'].update(current_page=int(q['page'][0]), total_pages=10**9)
        return status, headers, body
    w.override['/servers'] = answer


@scene
def second_page_html(w):
    w.override['/servers'] = lambda w, q: paged('server', w.servers, q) if q['page'] == ['1'] else \
        (200, {'Content-Type': 'text/html'}, HTML)


@scene
def second_page_429(w):
    w.override['/servers'] = lambda w, q: paged('server', w.servers, q) if q['page'] == ['1'] else \
        error(429, 'ThrottleRequestsException', 'Too Many Attempts.', **{'Retry-After': '37'})


@scene
def debug(w):
    answer = error(500, 'RuntimeException', 'boom')
    answer[2]['errors'][0]['meta'] = {'trace': ['/var/www']}
    w.override['/servers'] = answer


override('login-html', __auth__login=(200, {'Content-Type': 'text/html'}, HTML))
override('login-500', __auth__login=(500, {'Content-Type': 'text/html'}, HTML))
override('down', __auth__login=(503, {'Content-Type': 'text/html'}, HTML))
override('api-down', __nodes=error(503, 'HttpException', 'Service Unavailable'))
override('api-500', __nodes=error(500, 'QueryException', 'An unexpected error was encountered.'))
override('api-html', __nodes=(200, {'Content-Type': 'text/html'}, HTML))
override('api-redirect', __nodes=(302, {'Location': 'https://panel.example.net/auth/login'}, b''))
override('api-403-html', __nodes=(403, {'Content-Type': 'text/html'}, HTML))
override('api-429', __nodes=error(429, 'ThrottleRequestsException', 'Too Many Attempts.', **{'Retry-After': '37'}))
override('api-429-date', __nodes=error(429, 'ThrottleRequestsException', 'Too Many Attempts.'))
override('api-2fa', __nodes=error(400, 'TwoFactorAuthRequiredException', 'Two-factor is required.'))
override('api-scope', __nodes=error(403, 'AccessDeniedHttpException', 'This action is unauthorized.'))
override('api-ip', __nodes=error(403, 'AccessDeniedHttpException', 'This IP address (192.0.2.1) does not have '
                                 'permission to access the API using these credentials.'))
override('api-no-admin', __nodes=error(403, 'AccessDeniedHttpException', 'This account does not have permission to '
                                       'access the API.'))
override('api-array', __nodes=(200, {}, []))
override('api-object', __nodes=(200, {}, {'object': 'list', 'data': {}}))
override('api-empty', __nodes=(200, {}, b''))
override('api-plain', __nodes=(200, {'Content-Type': 'text/plain'}, b'OK'))
override('api-truncated', __nodes=(200, {}, b'{"object":"list","data":[{"object":"node","attri'))
override('api-short', __nodes='short')
override('api-enormous', __nodes='enormous')
override('api-slow', __nodes='slow')
override('api-silent', __nodes='silent')
override('servers-scope', __servers=error(403, 'AccessDeniedHttpException', 'This action is unauthorized.'))
override('servers-enormous', __servers='enormous')
override('servers-slow', __servers='slow')
override('ports-scope', __allocations=error(403, 'AccessDeniedHttpException', 'This action is unauthorized.'))
override('ports-null', __allocations=(200, {}, {'object': 'list', 'data': [], 'meta': None}))
override('backups-409', __backups=error(409, 'ServerStateConflictException', 'suspended'))
override('backups-404', __backups=error(404, 'NotFoundHttpException', 'not found'))
override('backups-html', __backups=(200, {'Content-Type': 'text/html'}, HTML))
override('backups-nulls', __backups=(200, {}, {'object': 'list', 'data': [None, {'attributes': None}], 'meta': None}))
override('state-504', __resources=error(504, 'DaemonConnectionException', 'Could not establish a connection.'))
override('wings-500', **{'wings:__api__system': (500, {}, {'error': 'An unexpected error', 'request_id': 'x'})})
override('wings-html', **{'wings:__api__system': (200, {'Content-Type': 'text/html'}, HTML)})
override('wings-silent', **{'wings:__api__system': 'silent'})
override('wings-list-html', **{'wings:__api__servers': (200, {'Content-Type': 'text/html'}, HTML)})
override('wings-list-object', **{'wings:__api__servers': (200, {}, {})})
override('wings-list-enormous', **{'wings:__api__servers': 'enormous'})


# ---- serving ------------------------------------------------------------------------------------------------------

class Handler(standin.Handler):
    talk = None

    def do_GET(self):
        whole = urllib.parse.urlsplit(self.path)
        _, name, rest = (whole.path + '/').split('/', 2)
        if name not in SCENES:  # Wings is asked without a scene when the panel says where it is
            name, rest = 'good', whole.path[1:]
        path = '/' + rest.rstrip('/')
        query = urllib.parse.parse_qs(whole.query, keep_blank_values=True)
        key = self.headers.get('Authorization', '').removeprefix('Bearer ')
        if path == '/calls':
            answer = 200, {}, CALLS.get(name, [])
        else:
            world = World()
            SCENES[name](world)
            if self.talk is panel and path.startswith('/api'):
                CALLS.setdefault(name, []).append(self.path)
            answer = self.talk(world, path, query, key)
            if isinstance(answer, str):
                return self.misbehave(answer, b'{"object":"list","data":[')
        status, headers, body = answer
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        if 'application/json' not in self.headers.get('Accept', '') and status in (401, 403) and self.talk is panel:
            status, headers, body = 302, {'Location': '/auth/login'}, b''
        self.send_response(status)
        for key, value in {'Content-Type': JSON, **headers}.items():
            self.send_header(key, value)
        if self.talk is panel and path.startswith('/api') and path != '/calls':
            self.send_header('X-RateLimit-Limit', str(world.limit))
            self.send_header('X-RateLimit-Remaining', str(0 if status == 429 else world.left))
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class PanelHandler(Handler):
    talk = staticmethod(panel)


class WingsHandler(Handler):
    talk = staticmethod(wings)


def greet(listener):
    while True:
        connection, _ = listener.accept()
        connection.sendall(b'SSH-2.0-Go\r\n')
        connection.close()


def main():
    sftp = socket.create_server(('127.0.0.1', 0))
    PORTS['sftp'] = sftp.getsockname()[1]
    threading.Thread(target=greet, args=(sftp,), daemon=True).start()
    for name, handler in (('wings', WingsHandler), ('panel', PanelHandler)):
        PORTS[name] = standin.start(handler)
    for name, number in PORTS.items():
        print(name, number)
    print('ready', 0)
    standin.serve_until_end()


main()
