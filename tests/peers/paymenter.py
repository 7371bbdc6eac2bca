#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""paymenter - a stand-in for a Paymenter shop's admin API and for the panel behind it.

usage: paymenter.py [LOG]

Prints "port N", serves on loopback until its standard input ends. The first folder of the path is the mode:
http://127.0.0.1:N/MODE is a shop, http://127.0.0.1:N/panel-MODE a Pterodactyl panel. Lists behave as Paymenter's: 15 a
page unless asked, filters match substrings and commas mean or, sort, include, links.next that has lost everything but
the page. `good` is a healthy shop; what the other modes do stands in shop_data() and misbehave(). LOG gets the requests.
"""
import json
import sys
import threading
import time
from datetime import datetime, timezone
from urllib.parse import parse_qs, urlsplit

import standin

KEY = 'PAYM' + 'a' * 64
PANEL_KEY = 'ptla_' + 'b' * 43
MIN, HOUR, DAY = 60, 3600, 86400
LOG = open(sys.argv[1], 'w', buffering=1) if len(sys.argv) > 1 else None
COUNTS = {}


def when(ago):
    return datetime.fromtimestamp(time.time() - ago, timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.000000Z')


# ---- what is in the shop

class Shop:
    def __init__(self):
        self.users, self.orders, self.products, self.services, self.invoices, self.tickets = [], [], [], [], [], []

    def user(self, id, email):
        self.users.append(dict(id=id, first_name=None, last_name=None, email=email, email_verified_at=None,
                               updated_at=when(DAY), created_at=when(DAY)))

    def product(self, id, name, server_id):
        self.products.append(dict(id=id, name=name, description='<p>' + name + '</p>', stock=None, hidden=0,
                                  updated_at=when(DAY), created_at=when(DAY), _server_id=server_id))

    def service(self, id, status, created, updated=None, expires=-20 * DAY, product=1, user=7, invoices=()):
        self.services.append(dict(id=id, quantity=1, price='9.99', status=status, currency_code='EUR',
                                  expires_at=None if expires is None else when(expires),
                                  updated_at=when(created if updated is None else updated), created_at=when(created),
                                  _product=product, _user=user, _invoices=list(invoices)))

    def invoice(self, id, status, updated, due=-7 * DAY):
        self.invoices.append(dict(id=id, status=status, currency_code='EUR', due_at=when(due),
                                  updated_at=when(updated), created_at=when(updated + HOUR)))

    def ticket(self, id, status, updated):
        self.tickets.append(dict(id=id, subject='x', status=status, priority='normal', assigned_to=None,
                                 department=None, user_id=7, updated_at=when(updated), created_at=when(updated)))


def shop_data(mode):
    s = Shop()
    s.user(7, 'ann@example.org')
    s.user(8, 'joann@example.org')
    s.product(1, 'Game server', None if mode == 'no-servers' else 3)
    s.product(2, 'Advice', None)
    s.service(40, 'active', 90 * DAY, 20 * DAY)                             # long there
    s.service(41, 'active', 2 * HOUR, invoices=[91])
    s.service(42, 'active', 3 * HOUR, expires=None, product=2)              # nothing to provision
    s.service(43, 'pending', HOUR, expires=None, invoices=[92])             # waits for its money
    s.service(44, 'suspended', 40 * DAY, 3 * DAY, expires=5 * DAY)
    s.service(45, 'cancelled', 90 * DAY, 60 * DAY, expires=60 * DAY)
    s.service(46, 'active', 40 * DAY, 9 * DAY, expires=1 * DAY)             # a day over, not yet for the cron
    s.invoice(91, 'paid', 2 * HOUR)
    s.invoice(92, 'pending', HOUR)
    s.ticket(1, 'open', HOUR)
    s.ticket(2, 'closed', 30 * DAY)
    s.ticket(3, 'replied', 3 * DAY)
    if mode in ('paid', 'strings', 'ctype', 'same-page'):
        s.invoice(93, 'paid', 20 * MIN)
        s.service(50, 'pending', 30 * MIN, expires=None, invoices=[93])
        s.invoice(94, 'paid', 6 * MIN)
        s.service(51, 'pending', 10 * MIN, expires=None, invoices=[92, 94])
    if mode == 'fresh':                                                     # paid a minute ago: all is well
        s.invoice(93, 'paid', MIN)
        s.service(50, 'pending', 10 * MIN, expires=None, invoices=[93])
    if mode == 'many':                                                      # the one that is stuck is on page 3
        s.invoice(93, 'paid', 2 * HOUR)
        for i in range(240):
            s.service(1000 + i, 'pending', 2 * DAY - i, expires=None, invoices=[92])
        s.service(2000, 'pending', 2 * HOUR, expires=None, invoices=[93])
    if mode == 'endless':
        for i in range(1500):
            s.service(1000 + i, 'pending', 2 * DAY - i, expires=None)
    if mode == 'cron':
        for i in range(3):
            s.service(60 + i, 'active', 40 * DAY, 30 * DAY, expires=4 * DAY)
    if mode == 'cron-dead':
        for i in range(5):
            s.service(60 + i, 'active', 40 * DAY, 30 * DAY, expires=(4 + i) * DAY)
        s.service(70, 'suspended', 60 * DAY, 30 * DAY, expires=16 * DAY)
        s.service(71, 'pending', 9 * DAY, expires=None, invoices=[92])
    if mode == 'invoices':
        s.invoice(95, 'pending', 30 * DAY, due=23 * DAY)
    if mode == 'tickets':
        s.ticket(4, 'open', 13 * HOUR)
    if mode == 'tickets-old':
        s.ticket(4, 'open', 30 * HOUR)
    if mode == 'crowd':                                                     # 800 more that have their server
        for i in range(800):
            s.service(1000000 + i, 'active', 3 * DAY, DAY + i)
    if mode == 'ahead':                                                     # its clock is ahead of ours
        s.invoice(93, 'paid', -5 * MIN)
        s.service(50, 'pending', -6 * MIN, expires=None, invoices=[93])
        s.ticket(1, 'open', -5 * MIN)
    if mode == 'nobody':
        s.users = []
    if mode == 'nulls':
        for one in s.services + s.invoices + s.tickets + s.orders:
            for key in ('expires_at', 'due_at', 'price'):
                if key in one:
                    one[key] = None
    if mode == 'times':
        for one in s.services:
            one['created_at'] = 'yesterday'
    if mode == 'undated':
        for one in s.services:
            one['created_at'] = None
    s.orders = [dict(id=i + 1, currency_code='EUR', user_id=7, updated_at=o['created_at'], created_at=o['created_at'])
                for i, o in enumerate(s.services)]
    return s


# ---- Paymenter's lists

TYPES = {'users': 'users', 'orders': 'orders', 'products': 'products', 'services': 'services',
         'invoices': 'invoices', 'tickets': 'tickets'}
INCLUDES = {'services': {'product': ('products', '_product'), 'user': ('users', '_user'),
                         'invoices': ('invoices', '_invoices')}}


def item(kind, one):
    return {'id': str(one['id']), 'type': TYPES[kind],
            'attributes': {k: v for k, v in one.items() if not k.startswith('_')}}


def include(shop, kind, rows, names):
    data, included = [], {}
    for one in rows:
        out = item(kind, one)
        for name in names:
            other, key = INCLUDES[kind][name]
            ids = one[key] if isinstance(one[key], list) else [one[key]]
            links = []
            for target in getattr(shop, other):
                if target['id'] in ids:
                    links.append({'type': TYPES[other], 'id': str(target['id'])})
                    included[other, target['id']] = item(other, target)
            out.setdefault('relationships', {})[name] = {
                'data': links if isinstance(one[key], list) else (links[0] if links else None)}
        data.append(out)
    return data, list(included.values())


def matches(one, field, words):
    value = one.get('_' + field, one.get(field))
    return value is not None and any(w.lower() in str(value).lower() for w in words.split(','))


def listing(mode, kind, query, base):
    shop = shop_data(mode)
    rows = list(getattr(shop, kind))
    for key, value in query.items():
        if key.startswith('filter[') and mode != 'unfiltered':
            rows = [r for r in rows if matches(r, key[7:-1], value)]
    sort = query.get('sort', 'id')
    field = sort.lstrip('-')
    rows.sort(key=lambda r: (r[field] is not None, r[field] or 0), reverse=sort.startswith('-'))
    size, page = int(query.get('per_page', 15)), int(query.get('page', 1))
    if mode == 'same-page':
        size, page = 1, 1
    part = rows[(page - 1) * size:page * size]
    names = [n for n in query.get('include', '').split(',') if n]
    data, included = include(shop, kind, part, names)
    here = base + '/api/v1/admin/' + kind
    links = {'first': here + '?page=1'}
    if page > 1:
        links['prev'] = here + '?page=%d' % (page - 1)
    if page * size < len(rows):
        links['next'] = here + '?page=%d' % (page + 1)
    out = {'data': data, 'links': links,
           'meta': {'current_page': page, 'current_page_url': here + '?page=%d' % page, 'path': here,
                    'from': (page - 1) * size + 1 if part else None, 'to': (page - 1) * size + len(part) or None,
                    'per_page': query.get('per_page', 15)}}
    if names:
        out['included'] = included
    return out


def as_strings(value, key=None):
    """Numbers as strings, and ids as numbers."""
    if isinstance(value, dict):
        return {k: as_strings(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [as_strings(v) for v in value]
    if key == 'id' and isinstance(value, str):
        return int(value)
    return str(value) if isinstance(value, int) and key != 'id' else value


# ---- the servers

HTML = '<!DOCTYPE html><html><head><title>%s</title></head><body>%s</body></html>'
NEVER = threading.Event()


class Handler(standin.Handler):
    def answer(self, status, body, kind='application/json', headers=()):
        body = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send(status, {'Content-Type': kind, **dict(headers)}, body)

    def html(self, status, title, headers=()):
        self.answer(status, HTML % (title, title), 'text/html; charset=UTF-8', headers)

    def message(self, status, text, **more):
        self.answer(status, dict(message=text, **more))

    def do_POST(self):
        self.rfile.read(int(self.headers.get('Content-Length') or 0))
        mode, path = self.split()
        if path == '/extensions/stripe/webhook' and mode != 'no-webhook':
            self.answer(400, {'error': 'Invalid signature'})
        else:
            self.html(419, 'Page Expired')

    def do_GET(self):
        try:
            mode, path = self.split()
            if LOG:
                LOG.write('%s %s\n' % (self.command, self.path))
            if mode.startswith('panel-'):
                self.panel(mode[6:], path)
            else:
                self.shop(mode, path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def split(self):
        parts = urlsplit(self.path).path.split('/', 2)
        return parts[1], '/' + (parts[2] if len(parts) > 2 else '')

    # a shop

    def shop(self, mode, path):
        if mode == 'maintenance':
            return self.message(503, 'Service Unavailable')
        if mode == 'proxy-502':
            return self.html(502, '502 Bad Gateway')
        if mode == 'proxy-503':
            return self.html(503, 'Service Temporarily Unavailable')
        if not path.startswith('/api/'):
            return self.page(mode, path)
        if mode == 'old':
            return self.message(404, 'The route %s could not be found.' % path[1:])
        if mode == 'not-paymenter':
            return self.html(404, 'Not Found')
        if mode == 'open':
            return self.list(mode, path)
        key = self.headers.get('Authorization', '')
        if not key.startswith('Bearer ') or (mode == 'stripped'):
            return self.answer(401, {'error': 'The request is missing a valid bearer token.'})
        if mode == 'no-db':
            return self.message(500, 'Server Error')
        if key != 'Bearer ' + KEY:
            return self.message(401, 'The provided API key is invalid or has been disabled.')
        self.misbehave(mode, path)

    def page(self, mode, path):
        if mode == 'default-page':
            return self.html(200, 'Congratulations!')
        if mode == 'empty-page':
            return self.answer(200, '', 'text/html')
        if mode == 'home-login':
            return self.html(302, 'Redirecting', [('Location', '/login')])
        if mode == 'home-403':
            return self.html(403, 'Just a moment...')
        self.html(200, 'Example Hosting')

    def misbehave(self, mode, path):
        kind = path.split('/')[4] if path.count('/') >= 4 else ''
        if mode == 'address':
            return self.message(403, 'You do not have permission to access this resource.')
        if mode == 'firewall':
            return self.html(403, 'Attention Required! | Cloudflare')
        if mode == 'no-rights' or (mode == 'no-tickets' and kind == 'tickets'):
            return self.message(403, 'This action is unauthorized.')
        if mode == 'no-include' and 'include=invoices' in self.path:
            return self.message(400, 'Requested include(s) `invoices` are not allowed. Allowed include(s) are `order`.')
        if mode == 'no-sort' and 'sort=expires_at' in self.path:
            return self.message(400, 'Requested sort(s) `expires_at` is not allowed. Allowed sort(s) are `id`.')
        if mode == 'login':
            return self.html(302, 'Redirecting', [('Location', 'http://127.0.0.1/login')])
        if mode == 'html':
            return self.html(200, 'Login')
        if mode in ('429', '429-late'):
            if mode == '429' or kind == 'invoices':
                return self.html(429, 'Too Many Requests', [('Retry-After', '37')])
        if mode == '500-late' and kind == 'invoices':
            return self.message(500, 'Server Error')
        if mode == 'debug':
            return self.message(500, 'SQLSTATE[HY000]', exception='PDOException', file='/x.php', line=1, trace=[])
        if mode == 'no-data':
            return self.answer(200, {'data': None})
        if mode == 'scalar':
            return self.answer(200, '42')
        if mode == 'no-id':
            return self.answer(200, {'data': [{'type': 'users'}], 'links': {}, 'meta': {}})
        if mode in ('truncated', 'half-json', 'enormous', 'slow', 'stall') and kind == 'services':
            return self.bad_bytes(mode, path)
        self.list(mode, path)

    def bad_bytes(self, mode, path):
        body = json.dumps(listing(mode, 'services', {}, '')).encode()
        if mode == 'half-json':
            return self.answer(200, body[:len(body) // 2], 'application/vnd.api+json')
        self.send_response(200)
        self.send_header('Content-Type', 'application/vnd.api+json')
        self.send_header('Content-Length', str(1 << 30 if mode == 'enormous' else len(body)))
        self.end_headers()
        self.close_connection = True
        if mode == 'truncated':
            self.wfile.write(body[:len(body) // 2])
        elif mode == 'stall':
            self.wfile.write(body[:50])
            self.wfile.flush()
            NEVER.wait(30)
        elif mode == 'slow':
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.05)
        else:
            self.wfile.write(b'{"data":[')
            for _ in range(1024):
                self.wfile.write(b' ' * 65536)

    def list(self, mode, path):
        query = {k: v[-1] for k, v in parse_qs(urlsplit(self.path).query).items()}
        words = path.split('/')
        kind = words[4] if len(words) > 4 else ''
        if kind not in TYPES:
            return self.message(404, 'The route %s could not be found.' % path[1:])
        if len(words) > 5:
            return self.one(mode, kind, words[5])
        out = listing(mode, kind, query, 'http://%s/%s' % (self.headers['Host'], mode))
        if mode == 'strings':
            out = as_strings(out)
        self.answer(200, out, 'text/html' if mode == 'ctype' else 'application/vnd.api+json')

    def one(self, mode, kind, id):
        found = [o for o in getattr(shop_data(mode), kind) if str(o['id']) == id]
        if not found:
            return self.message(404, 'No query results for model [App\\Models\\Service] ' + id)
        self.answer(200, {'data': item(kind, found[0])}, 'application/vnd.api+json')

    # a panel

    def panel(self, mode, path):
        id = path.rsplit('/', 1)[-1]
        COUNTS[mode] = COUNTS.get(mode, 0) + 1
        if mode == 'login':
            return self.html(302, 'Redirecting', [('Location', '/auth/login')])
        if mode == 'html':
            return self.html(200, 'Pterodactyl')
        if mode == 'html-404':
            return self.html(404, 'Not Found')
        if mode == '429':
            return self.answer(429, {'errors': [{'code': 'ThrottleRequestsException', 'status': '429'}]},
                               headers=[('Retry-After', '21')])
        if mode == '502':
            return self.html(502, 'Bad Gateway')
        if mode == 'stall':
            NEVER.wait(30)
        if mode == 'key' or self.headers.get('Authorization') != 'Bearer ' + PANEL_KEY:
            return self.answer(403, {'errors': [{'code': 'AccessDeniedHttpException', 'status': '403'}]})
        if mode == 'missing' or (mode == 'later' and COUNTS[mode] == 1):
            return self.answer(404, {'errors': [{'code': 'NotFoundHttpException', 'status': '404', 'detail': 'The '
                                                 'requested resource could not be found on the server.'}]})
        status = {'installing': 'installing', 'failed': 'install_failed', 'suspended': 'suspended'}.get(mode)
        owner = 'joann@example.org' if mode == 'stranger' else 'Ann@Example.org'
        self.answer(200, {'object': 'server', 'attributes': {
            'id': 5, 'external_id': '999' if mode == 'other' else id, 'status': status,
            'relationships': {'user': {'object': 'user', 'attributes': {'id': 2, 'email': owner}}}}})


print('port %d' % standin.start(Handler))
standin.serve_until_end()
