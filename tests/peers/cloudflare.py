#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudflare - a stand-in for Cloudflare's API v4, as it is described, and for origins behind it.

usage: cloudflare.py [PEM]

Prints "api PORT", "open PORT" (an origin that serves a page), "STATUS PORT" for origins that answer so, "tls PORT" (with
PEM, a certificate and its key: an origin that serves a page to the SNI and Host www.example.com and 404 to others) and
"ready 0", and serves until its standard input ends. The first piece of a path is the scene:
http://127.0.0.1:PORT/SCENE is the API's address. A scene changes what the good account says: see SCENES.
GET /SCENE/calls says which paths were asked in this scene, and forgets them.
"""
import json
import ssl
import sys
import time
import urllib.parse

import standin

CALLS = {}
SEEN = {}  # what a scene's "first time" has been used for
HTML = b'<!doctype html><html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>'
ACCOUNT = '023e105f4ecef8ad9ca31a8372d0c353'
TUNNEL = 'f70ff985-a4ef-4643-bbbc-4a0ed4fc8415'
MANAGED = 'efb7b8c949ac4650a09736fc376e9aee'
FREE = '77454fe2d30c4220b5701f6fdfb893ba'
JSON = 'application/json'


def iso(ago, digits=''):
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(time.time() - ago)) + digits + 'Z'


def days(number):
    return iso(-number * 86400 - 3600)


def good(result, **info):
    body = {'success': True, 'errors': [], 'messages': [{'code': 10000, 'message': 'fine', 'type': None}], 'result': result}
    if info:
        body['result_info'] = info
    return 200, {}, body


def bad(status, code, message, headers=None, **more):
    return status, headers or {}, {'success': False, 'errors': [{'code': code, 'message': message, **more}], 'result': None}


def zone_id(number):
    return '%032x' % (0xa0000000000000000000000000000000 + number)


def zone(number, name, **more):
    return {'id': zone_id(number), 'name': name, 'status': 'active', 'paused': False, 'type': 'full',
            'development_mode': 0, 'activated_on': iso(9e6, '.123456'), 'original_registrar': None,
            'account': {'id': ACCOUNT, 'name': 'Shop'}, 'modified_on': iso(9e5), **more}


def record(kind, name, content, proxied=True, **more):
    return {'id': '372e67954025e0ba6aaa6d586b9e0b59', 'type': kind, 'name': name, 'content': content, 'proxied': proxied,
            'proxiable': kind in ('A', 'AAAA', 'CNAME'), 'ttl': 1, 'settings': {}, 'comment': None, 'tags': [], 'meta': {},
            **more}


def pack(kind='universal', hosts=('example.com', '*.example.com'), left=60, life=90, status='active', certificates=None):
    return {'id': '3822ff90-ea29-44df-9e55-21300bb9419b', 'type': kind, 'hosts': list(hosts), 'status': status,
            'validity_days': life, 'validation_method': 'txt', 'certificate_authority': 'lets_encrypt',
            'certificates': certificates if certificates is not None else
            [certificate(left, 'ECDSAWithSHA384'), certificate(left + 1, 'SHA256WithRSA')], 'validation_records': []}


def certificate(left, signature, **more):
    return {'id': '7e7b8deba8538af625850b7b2530034c', 'hosts': ['example.com'], 'issuer': 'LetsEncrypt', 'status': 'active',
            'expires_on': days(left), 'signature': signature, **more}


def rule(ruleset=MANAGED, **more):
    return {'id': '1', 'action': 'execute', 'enabled': True, 'expression': 'true',
            'action_parameters': {'id': ruleset, **more.pop('parameters', {})}, **more}


def skip_rule(**more):
    return {'id': '2', 'action': 'skip', 'enabled': True, 'expression': 'true', 'action_parameters': more}


def tunnel(name, status='healthy', number=TUNNEL, **more):
    return {'id': number, 'name': name, 'status': status, 'config_src': 'cloudflare', 'conns_active_at': iso(9e5),
            'conns_inactive_at': None, 'deleted_at': None, 'created_at': iso(9e6), 'connections': [], **more}


def app(name, domain, policies=None, **more):
    return {'id': '1', 'type': 'self_hosted', 'name': name, 'domain': domain, 'policies': policies if policies is not None
            else [{'id': 'p', 'decision': 'allow', 'include': [{'email_domain': {'domain': 'example.com'}}]}], **more}


BYPASS = [{'id': 'p', 'decision': 'bypass', 'include': [{'everyone': {}}]}]


class World:
    """What the account is; a scene changes it."""

    def __init__(self):
        self.zones = [zone(1, 'example.com')]
        self.settings = {'ssl': 'strict', 'always_use_https': 'on', 'min_tls_version': '1.2', 'tls_1_3': 'on',
                         'security_level': 'medium', 'browser_check': 'on', '0rtt': 'off',
                         'security_header': {'strict_transport_security': {'enabled': True, 'max_age': 31536000}}}
        self.modified = {}
        self.editable = True
        self.records = [record('A', 'www.example.com', '127.0.0.1'), record('A', 'example.com', '127.0.0.1'),
                        record('CNAME', 'app.example.com', TUNNEL + '.cfargotunnel.com'),
                        record('A', '*.wild.example.com', '127.0.0.1'),
                        record('MX', 'example.com', 'mx.example.net', proxied=False),
                        record('TXT', 'example.com', 'v=spf1 ip4:192.0.2.1 -all', proxied=False)]
        self.packs = [pack()]
        self.managed = [rule()]
        self.custom = None
        self.config = None
        self.rulesets = [MANAGED, FREE]
        self.allow = [{'mode': 'whitelist', 'configuration': {'target': 'ip', 'value': '192.0.2.1'}, 'notes': ''}]
        self.dnssec = {'status': 'active', 'ds': None}
        self.token = {'id': '0f', 'status': 'active', 'expires_on': days(90)}
        self.tunnels = [tunnel('web'), tunnel('web', 'down', 'e70ff985-a4ef-4643-bbbc-4a0ed4fc8415', deleted_at=iso(9e5))]
        self.apps = [app('Admin', 'app.example.com/admin', type='self_hosted'), app('Launcher', '', type='app_launcher')]
        self.service_tokens = [{'name': 'ci', 'client_id': 'x', 'enabled': True, 'expires_at': days(200)}]
        self.statuses = {200: 9000, 404: 100, 502: 10}
        self.registration = {'domain_name': 'example.com', 'expires_at': days(200), 'auto_renew': True, 'locked': True,
                             'status': 'active'}
        self.quota, self.left = 1200, 1000
        self.ranges = ['173.245.48.0/20', '127.0.0.0/8'], ['2400:cb00::/32', '::/1']
        self.override = {}  # the end of a path: an answer, or a function of (world, query) that makes one


def paged(items, query, total=True):
    size, page = int(query.get('per_page', ['20'])[0]), int(query.get('page', ['1'])[0])
    some = items[(page - 1) * size:page * size]
    info = {'page': page, 'per_page': size, 'count': len(some)}
    if total:
        info.update(total_count=len(items), total_pages=max(1, -(-len(items) // size)))
    return good(some, **info)


def entrypoint(rules):
    if rules is None:
        return bad(404, 10003, 'could not find entrypoint ruleset in the phase')
    return good({'id': 'r', 'kind': 'zone', 'version': '7', 'rules': rules})


def one_setting(w, name):
    if name not in w.settings:
        return bad(400, 1006, 'Unrecognized zone setting name')
    return good({'id': name, 'value': w.settings[name], 'editable': w.editable, 'modified_on': w.modified.get(name)})


def traffic(w):
    groups = [{'count': n, 'dimensions': {'edgeResponseStatus': s}} for s, n in w.statuses.items()]
    return 200, {}, {'data': {'viewer': {'zones': [{'five': groups, 'fifteen': groups}]}}, 'errors': None}


def of_zone(w, rest, query):
    table = {
        'dns_records': lambda: paged(w.records, query),
        'ssl/certificate_packs': lambda: good(w.packs, page=1, per_page=50, count=len(w.packs), total_pages=1),
        'ssl/universal/settings': lambda: good({'enabled': False}),
        'rulesets/phases/http_request_firewall_managed/entrypoint': lambda: entrypoint(w.managed),
        'rulesets/phases/http_request_firewall_custom/entrypoint': lambda: entrypoint(w.custom),
        'rulesets/phases/http_config_settings/entrypoint': lambda: entrypoint(w.config),
        'rulesets': lambda: good([{'id': i, 'kind': 'managed', 'phase': 'http_request_firewall_managed', 'name': 'x'}
                                  for i in w.rulesets]),
        'firewall/access_rules/rules': lambda: paged(w.allow, query),
        'dnssec': lambda: good(w.dnssec),
    }
    if rest.startswith('settings/'):
        return one_setting(w, rest[9:])
    if rest in table:
        return table[rest]()
    return bad(400, 7003, 'Could not route to %s, perhaps your object identifier is invalid?' % rest)


def of_account(w, rest, query):
    if rest == 'tokens/verify':
        return good(w.token)
    if rest == 'cfd_tunnel':
        return paged(w.tunnels, query)
    if rest.endswith('/connections'):
        return good([{'id': 'c', 'version': '2026.8.0', 'conns': [{'id': '1', 'is_pending_reconnect': False},
                                                                  {'id': '2', 'is_pending_reconnect': True}]}])
    if rest == 'access/apps':
        return paged(w.apps, query)
    if rest == 'access/service_tokens':
        return paged(w.service_tokens, query)
    if rest.startswith('registrar/registrations/'):
        return good(w.registration) if w.registration else bad(404, 10404, 'domain not found')
    return bad(404, 7003, 'Could not route')


def api(w, path, query, token):
    for end, answer in w.override.items():
        if path.endswith(end):
            return answer(w, query) if callable(answer) else answer
    if path == '/ips':
        return good({'ipv4_cidrs': w.ranges[0], 'ipv6_cidrs': w.ranges[1], 'etag': 'x'})
    if not token:
        return bad(400, 9106, 'Missing X-Auth-Key, X-Auth-Email or Authorization headers')
    if path == '/user/tokens/verify':
        return good(w.token) if token in ('cfut_good', 'good') else bad(401, 1000, 'Invalid API Token')
    if token not in ('cfut_good', 'cfat_good', 'good', 'oldaccount'):
        return bad(403, 9109, 'Invalid access token')
    if path == '/zones':
        name = query.get('name', [None])[0]
        return paged([z for z in w.zones if name is None or (z and z.get('name') == name)], query)
    if path == '/graphql':
        return traffic(w)
    pieces = path.split('/', 3)
    if len(pieces) == 4 and pieces[1] == 'zones' and any(z and z['id'] == pieces[2] for z in w.zones):
        return of_zone(w, pieces[3], query)
    if len(pieces) == 4 and pieces[1] == 'accounts' and pieces[2] == ACCOUNT:
        return of_account(w, pieces[3], query)
    return bad(404, 7003, 'Could not route to %s, perhaps your object identifier is invalid?' % path, error_chain=[])


# ---- scenes -------------------------------------------------------------------------------------------------------

SCENES = {'good': lambda w: None}


def scene(function):
    SCENES[function.__name__.replace('_', '-')] = function
    return function


def override(name, end, answer):
    """A scene in which every path with that end is answered so."""
    SCENES[name] = lambda w: w.override.update({end: answer})


def change(name, **what):
    """A scene in which members of the world are others."""
    def apply(w):
        for key, value in what.items():
            setattr(w, key, value() if callable(value) else value)
    SCENES[name] = apply


def setting(name, **what):
    SCENES[name] = lambda w: w.settings.update(what)


def records(name, *more, drop=()):
    def apply(w):
        w.records = [r for r in w.records if r['name'] not in drop] + list(more)
    SCENES[name] = apply


RATE = bad(429, 971, 'Please wait and consider throttling your request speed', {'Retry-After': '37'})
SCOPE_A = bad(403, 9109, 'Unauthorized to access requested resource')
SCOPE_B = bad(403, 10000, 'Authentication error')
AWKWARD = {'html': (502, {'Content-Type': 'text/html'}, HTML), 'html200': (200, {'Content-Type': 'text/html'}, HTML),
           'redirect': (302, {'Location': 'https://sso.example.net/login?next=1'}, b''), '429': RATE,
           '500': bad(500, 1, 'Internal error'), '503': (503, {}, b''), 'empty': (200, {}, b''), 'array': (200, {}, []),
           'truncated': (200, {}, b'{"success":true,"errors":[],"result":{"sta'),
           'null': (200, {}, {'success': True, 'errors': [], 'messages': [], 'result': None}),
           'bare': (200, {}, {'result': {'status': 'active'}}), 'no': bad(200, 1234, 'a "new" error\nof theirs'),
           'plain': (200, {'Content-Type': 'text/plain'}, b'OK'), 'short': 'short', 'enormous': 'enormous',
           'slow': 'slow', 'silent': 'silent', 'scope-a': SCOPE_A, 'scope-b': SCOPE_B,
           'route': bad(404, 7003, 'Could not route to /x, perhaps your object identifier is invalid?'),
           'type': good({'status': 17, 'value': None})}
PLACES = {'verify': '/tokens/verify', 'zones': '/zones', 'ssl': '/settings/ssl', 'dnssec': '/dnssec', 'records': '/dns_records',
          'packs': '/certificate_packs', 'managed': 'firewall_managed/entrypoint', 'custom': 'firewall_custom/entrypoint',
          'config': 'http_config_settings/entrypoint', 'allow': '/access_rules/rules', 'tunnels': '/cfd_tunnel',
          'apps': '/access/apps', 'services': '/access/service_tokens', 'ips': '/ips', 'graphql': '/graphql',
          'registration': '/registrations/example.com'}
for _place, _end in PLACES.items():
    for _how, _answer in AWKWARD.items():
        override('%s-%s' % (_place, _how), _end, _answer)

override('token-format', '/tokens/verify', bad(400, 6003, 'Invalid request headers', error_chain=[
    {'code': 6111, 'message': 'Invalid format for Authorization header'}]))
override('token-location', '/tokens/verify', bad(403, 9109, 'Cannot use the access token from location: 192.0.2.7'))
override('token-echo', '/tokens/verify', bad(401, 1000, 'Invalid API Token cfut_good'))
change('token-disabled', token={'id': '0f', 'status': 'disabled'})
change('token-expired', token=lambda: {'id': '0f', 'status': 'expired', 'expires_on': iso(86400)})
change('token-future', token=lambda: {'id': '0f', 'status': 'active', 'not_before': iso(-86400)})
change('token-late', token=lambda: {'id': '0f', 'status': 'active', 'expires_on': iso(3600)})
change('token-soon', token=lambda: {'id': '0f', 'status': 'active', 'expires_on': days(5)})
change('token-endless', token={'id': '0f', 'status': 'active'})
change('token-odd', token={'id': '0f', 'status': 'active', 'expires_on': 'soon'})
change('token-null', token={'id': None, 'status': None, 'expires_on': None})
change('no-zones', zones=[])
change('seventy', zones=[zone(i, 'z%02d.example' % i) for i in range(70)])
change('low', left=100)
change('lowest', left=30)
change('pending', zones=[zone(1, 'example.com', status='pending')])
change('moved', zones=[zone(1, 'example.com', status='moved')])
change('paused', zones=[zone(1, 'example.com', paused=True)])
change('zone-nulls', zones=[zone(1, 'example.com', status=None, paused=None, development_mode=None, account=None)])
change('zone-broken', zones=[{'id': '../x', 'name': 'example.com'}, None, zone(1, 'example.com')])
change('development', zones=[zone(1, 'example.com', development_mode=3600)])
change('developed', zones=[zone(1, 'example.com', development_mode=-500000)])
change('inner', zones=[zone(1, 'example.com'), zone(2, 'www.example.com')])
setting('ssl-off', ssl='off')
setting('ssl-flexible', ssl='flexible')
setting('ssl-full', ssl='full')
setting('ssl-pull', ssl='origin_pull')
setting('plain', always_use_https='off')
setting('no-value', always_use_https=None)
setting('tls10', min_tls_version='1.0')
setting('tls11', min_tls_version='1.1')
setting('tls13off', tls_1_3='off')
setting('level-off', security_level='off')
setting('attack', security_level='under_attack')
setting('zrt', tls_1_3='zrt')
change('fixed', settings=lambda: {**World().settings, 'ssl': 'flexible'}, editable=False)
change('changed', modified={'security_level': iso(600, '.5')})
change('dnssec-off', dnssec={'status': 'disabled'})
change('dnssec-pending', dnssec=lambda: {'status': 'pending', 'modified_on': iso(100000)})
change('dnssec-waits', dnssec={'status': 'pending', 'modified_on': None})
change('dnssec-error', dnssec={'status': 'error'})
records('unproxied', record('A', 'www.example.com', '198.51.100.7', False), drop=['www.example.com'])
records('half', record('AAAA', 'www.example.com', '2001:db8::9', False))
records('proxied-null', record('A', 'www.example.com', '198.51.100.7', None), drop=['www.example.com'])
records('private', record('A', 'www.example.com', '10.0.0.1', False, proxiable=False), drop=['www.example.com'])
records('direct', record('A', 'direct.example.com', '127.0.0.1', False))
records('mx', record('MX', 'example.com', 'mail.example.com', False), record('A', 'mail.example.com', '127.0.0.1', False))
records('spf', record('TXT', 'example.com', '"v=spf1 a ip4:127.0.0.1/32 -all"', False))
records('spf-near', record('TXT', 'example.com', 'v=spf1 ip4:127.0.0.10 ip4: ip6:: ip4:%s -all' % ('1' * 90), False))
records('wild', record('A', '*.example.com', '198.51.100.7', False))
records('twin', record('AAAA', 'shop.example.com', '2001:db8::9', False), record('A', 'shop.example.com', '192.0.2.9'))
records('lost-tunnel', record('CNAME', 'app.example.com', 'ffffffff-a4ef-4643-bbbc-4a0ed4fc8415.cfargotunnel.com'),
        drop=['app.example.com'])
records('record-nulls', None, {'type': None, 'name': None, 'content': None, 'proxied': None}, 7)
records('deep', record('A', 'a.b.example.com', '127.0.0.1'))
records('local', record('A', 'localhost', '127.0.0.1'))
records('upper', record('A', 'WWW.Example.COM', '127.0.0.1'), drop=['www.example.com'])
change('localhost', zones=[zone(1, 'localhost')], records=[record('A', 'localhost', '127.0.0.1')],
       packs=[pack(hosts=['localhost'])])
change('elsewhere', zones=[zone(1, 'localhost')], records=[record('A', 'localhost', '127.0.0.1')],
       packs=[pack(hosts=['localhost'])], ranges=(['173.245.48.0/20', 'x', '127.0.0.1'], ['2400:cb00::/32']))
change('three-pages', records=[record('A', 'h%04d.example.com' % i, '192.0.2.9') for i in range(2500)] + World().records)
change('endless-records', records=[record('A', 'h%05d.example.com' % i, '192.0.2.9') for i in range(10500)])
change('txt-flood', records=[record('TXT', 'example.com', 'ip4:192.0.2.9 ' * 12, False) for i in range(3000)]
       + [record('A', 'h%05d.example.com' % i, '192.0.2.%d' % (i % 200)) for i in range(3000)])
change('cert-soon', packs=lambda: [pack(left=10)])
change('cert-expired', packs=lambda: [pack(certificates=[certificate(-2, 'ECDSAWithSHA384')])])
change('cert-one-old', packs=lambda: [pack(certificates=[certificate(-2, 'ECDSAWithSHA384'),
                                                         certificate(50, 'ECDSAWithSHA384')])])
change('cert-old-last', packs=lambda: [pack(certificates=[certificate(50, 'ECDSAWithSHA384'),
                                                          certificate(-2, 'ECDSAWithSHA384')])])
change('cert-rsa-old', packs=lambda: [pack(certificates=[certificate(-2, 'SHA256WithRSA'),
                                                         certificate(50, 'ECDSAWithSHA384')])])
change('cert-short', packs=lambda: [pack(left=7, life=14)])
change('cert-backup', packs=lambda: [pack(), pack(kind='universal', left=-5, status='backup_issued')])
change('cert-go', packs=lambda: [pack(certificates=[{'expires_on': '2034-01-01 05:20:00 +0000 UTC', 'signature': None}])])
change('cert-nulls', packs=[{'id': None, 'status': 'active', 'hosts': None, 'type': None, 'validity_days': None,
                             'certificates': [{'expires_on': None}]}, None])
change('cert-pending', packs=lambda: [pack(), {**pack('advanced', ['shop.example.com'], status='pending_validation'),
                                               'validation_errors': [{'message': 'no TXT record'}]}])
change('cert-timeout', packs=lambda: [pack(status='validation_timed_out')])
change('cert-none', packs=[])
change('cert-odd', packs=lambda: [pack(status='dancing')])
change('waf-none', managed=None)
change('waf-empty', managed=[])
change('waf-free', managed=None, rulesets=[FREE])
change('waf-off', managed=[rule(enabled=False)])
change('waf-override', managed=[rule(parameters={'overrides': {'enabled': False}})])
change('waf-nulls', managed=[rule(enabled=None), rule(FREE), None])
change('waf-log', managed=[rule(parameters={'overrides': {'action': 'log'}})])
change('waf-part', managed=[rule(expression='(http.host eq "shop.example.com")')])
change('waf-host', managed=[rule(expression='(http.host in {"www.example.com"})')])
change('waf-but', managed=[rule(expression='not http.host in {"www.example.com"}')])
change('waf-skip', managed=[skip_rule(ruleset='current'), rule()])
change('waf-skip-custom', custom=[skip_rule(phases=['http_ratelimit', 'http_request_firewall_managed'])])
change('waf-skip-off', managed=[dict(skip_rule(ruleset='current'), enabled=False), rule()])
change('config-flexible', config=[{'enabled': True, 'action': 'set_config', 'expression': 'http.host eq "old.example.com"',
                                   'action_parameters': {'ssl': 'flexible'}}])
change('config-off', config=[{'enabled': False, 'action_parameters': {'ssl': 'flexible'}},
                             {'enabled': True, 'action_parameters': {'bic': True}}, None])
change('allow-wide', allow=[{'mode': 'whitelist', 'configuration': {'target': 'ip_range', 'value': '198.51.0.0/16'}},
                            {'mode': 'whitelist', 'configuration': {'target': 'country', 'value': 'DE'}},
                            {'mode': 'whitelist', 'configuration': {'target': 'ip_range', 'value': '192.0.2.0/24'}},
                            {'mode': 'block', 'configuration': {'target': 'asn', 'value': 'AS64496'}}, None])
change('tunnel-down', tunnels=lambda: [tunnel('web', 'down', conns_inactive_at=iso(500, '.12345'))])
change('tunnel-lost', tunnels=lambda: [tunnel('web', 'down')])
change('tunnel-degraded', tunnels=[tunnel('web', 'degraded')])
change('tunnel-inactive', tunnels=[tunnel('web', 'inactive', conns_active_at=None)])
change('tunnel-stopped', tunnels=[tunnel('web', 'inactive')])
change('tunnel-odd', tunnels=[tunnel('web', None)])
change('tunnel-twins', tunnels=[tunnel('web'), tunnel('web', number='d70ff985-a4ef-4643-bbbc-4a0ed4fc8415')])
change('app-empty', apps=[app('Admin', 'app.example.com/admin', [])])
change('app-bypass', apps=[app('Admin', 'app.example.com/admin', BYPASS)])
change('app-nulls', apps=[app('Admin', 'app.example.com/admin'), {'type': 'self_hosted', 'name': None, 'policies': None}, None])
change('app-longest', apps=[app('All', 'app.example.com'), app('Open', None, BYPASS, destinations=[
    {'type': 'private', 'cidr': '10.0.0.0/8'}, {'type': 'public', 'uri': 'app.example.com/admin/*'}])])
change('app-wild', apps=[app('Wild', None, self_hosted_domains=['*.example.com'])])
change('service-soon', service_tokens=lambda: [{'name': 'ci', 'enabled': True, 'expires_at': days(5)},
                                               {'name': 'old', 'enabled': True, 'expires_at': iso(86400)},
                                               {'name': 'off', 'enabled': False, 'expires_at': iso(86400)},
                                               {'name': 'endless', 'expires_at': None}])
change('errors', statuses={200: 800, 404: 100, 500: 100})
change('quiet', statuses={200: 3, 500: 2})
change('traffic-nulls', statuses={None: None})
override('traffic-authz', '/graphql', (200, {}, {'data': None, 'errors': [
    {'message': 'zone does not have access to the path', 'extensions': {'code': 'authz'}}]}))
override('traffic-error', '/graphql', (200, {}, {'data': None, 'errors': [{'message': 'query time range is too large'}]}))
override('traffic-nobody', '/graphql', (200, {}, {'data': {'viewer': {'zones': []}}, 'errors': None}))
change('registration-none', registration=None)
change('registration-soon', registration=lambda: {'expires_at': days(20), 'auto_renew': False, 'status': 'active'})
change('registration-null', registration={'expires_at': None, 'status': 'redemption_period'})


@scene
def strings(w):
    """Numbers and flags as texts."""
    w.override['/cfd_tunnel'] = lambda w, q: good(w.tunnels, page='1', per_page='1000', count='2', total_pages='1')


@scene
def no_total(w):
    w.records = [record('A', 'h%04d.example.com' % i, '192.0.2.9') for i in range(1500)] + w.records
    w.override['/dns_records'] = lambda w, q: paged(w.records, q, total=False)


@scene
def other_page(w):
    w.override['/dns_records'] = good(w.records, page=7, per_page=1000, total_pages=9)


@scene
def empty_page(w):
    w.override['/dns_records'] = good([], page=1, per_page=1000, total_pages=3)


@scene
def second_page_html(w):
    w.records = [record('A', 'h%04d.example.com' % i, '192.0.2.9') for i in range(1500)]
    w.override['/dns_records'] = lambda w, q: paged(w.records, q) if q['page'] == ['1'] else AWKWARD['html']


def once(name, end, first):
    """The first call is answered so, later ones as they should be."""
    def answer(w, query):
        del w.override[end]
        if SEEN.setdefault(name, 0) == 0:
            SEEN[name] = 1
            return first
        return None
    SCENES[name] = lambda w: w.override.update({end: answer})


once('once-10000', '/dnssec', SCOPE_B)


# ---- serving ------------------------------------------------------------------------------------------------------

class Api(standin.Handler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get('Content-Length', 0)))
        self.do_GET()

    def do_GET(self):
        whole = urllib.parse.urlsplit(self.path)
        _, name, rest = (whole.path + '/').split('/', 2)
        path = '/' + rest.rstrip('/')
        if path == '/calls':
            return self.send(200, {}, json.dumps(CALLS.pop(name, [])).encode())
        CALLS.setdefault(name, []).append(rest + '?' + whole.query)
        world = World()
        SCENES[name](world)
        query = urllib.parse.parse_qs(whole.query, keep_blank_values=True)
        token = self.headers.get('Authorization', '').removeprefix('Bearer ')
        answer = api(world, path, query, token)
        answer = api(world, path, query, token) if answer is None else answer
        if isinstance(answer, str):
            return self.misbehave(answer, b'{"success":true,"result":[')
        status, headers, body = answer
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        limit = {'Ratelimit': '"default";r=%d;t=30' % world.left, 'Ratelimit-Policy': '"default";q=%d;w=300' % world.quota}
        return self.send(status, {'Content-Type': JSON, **limit, **headers}, body)


class Origin(standin.Handler):
    status = 200

    def do_GET(self):
        right = self.headers.get('Host', '').split(':')[0] == 'www.example.com' and getattr(self.server, 'sni', 'www.example.com')
        status = self.status if right == 'www.example.com' else 404
        self.send(status, {'Content-Type': 'text/html'}, b'<html><title>Shop</title></html>')


def serve(name, handler, pem=None):
    def wrap(server):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        context.sni_callback = lambda sock, sni, ctx: setattr(server, 'sni', sni)
        server.socket = context.wrap_socket(server.socket, server_side=True)

    print(name, standin.start(handler, wrap if pem else None))


def main():
    serve('api', Api)
    serve('open', Origin)
    for status in (301, 403, 404, 500):
        serve(str(status), type('Origin%d' % status, (Origin,), {'status': status}))
    if len(sys.argv) > 1:
        serve('tls', Origin, sys.argv[1])
    print('ready', 0)
    standin.serve_until_end()


main()
