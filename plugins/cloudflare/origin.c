/* SPDX-License-Identifier: GPL-3.0-or-later */
/* origin - the view from outside, which no setting can deceive: does a protected name resolve to Cloudflare's
 * addresses, and does its origin serve the page to somebody who goes around them.
 *
 * The second touches the origin, so it is asked for (origin_probe): a connection to the origin's address with the
 * name as SNI and Host. Closed is what is wanted: refused, no answer, a TLS alert, 403. A page is CRITICAL. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugins/cloudflare/cloudflare.h"
#include "plugins/common/net.h"
#include "plugins/common/say.h"
#include "plugins/common/transfer.h"

#define PROBES_MAX 64
#define BODY_MOST 4096

/* ---- addresses ------------------------------------------------------------------------------------------------- */

static bool in_range(const struct belfry_address *a, const char *range)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char net[16], address[16];
    const char *slash = strchr(range, '/');
    size_t length = slash ? (size_t)(slash - range) : sizeof text;
    if (length >= sizeof text)
        return false;
    memcpy(text, range, length);
    text[length] = '\0';
    long bits = strtol(slash + 1, NULL, 10);
    if (inet_pton(a->family, text, net) != 1 || bits < 1 || bits > (a->family == AF_INET ? 32 : 128))
        return false;
    if (a->family == AF_INET)
        memcpy(address, &((const struct sockaddr_in *)(const void *)&a->address)->sin_addr, 4);
    else
        memcpy(address, &((const struct sockaddr_in6 *)(const void *)&a->address)->sin6_addr, 16);
    size_t whole = (size_t)bits / 8, rest = (size_t)bits % 8;
    return memcmp(net, address, whole) == 0 && (rest == 0 || ((net[whole] ^ address[whole]) >> (8 - rest)) == 0);
}

static bool is_cloudflare(struct cf *c, const struct belfry_address *a)
{
    const char *list = a->family == AF_INET ? "ipv4_cidrs" : "ipv6_cidrs";
    for (size_t i = 0; i < tree_count(c->ranges.result, list); i++) {
        const char *range = json_string_value(tree_item(c->ranges.result, list, i));
        if (range && in_range(a, range))
            return true;
    }
    return false;
}

void cf_outside_judge(struct cf *c, const char *host, struct cf_finding *f)
{
    struct belfry_address found[NET_ADDRESSES_MAX];
    const char *why = NULL;
    if (c->ranges.refusal.kind != CF_FINE || tree_count(c->ranges.result, "ipv4_cidrs") == 0) {
        cf_find(c, f, BELFRY_UNKNOWN, "Cloudflare's addresses are not known: %s",
                c->ranges.refusal.text ? c->ranges.refusal.text : "GET /ips lists none");
        return;
    }
    int n = belfry_resolve(c->p, host, "443", AF_UNSPEC, SOCK_STREAM, found, NET_ADDRESSES_MAX, &why);
    if (n <= 0)
        cf_find(c, f, BELFRY_UNKNOWN, "where it leads is not known: %s", why ? why : "no address");
    for (int i = 0; i < n; i++)
        if (!is_cloudflare(c, &found[i])) {
            char *address = say_copy(c->p, say_address(c->p, &found[i]), strlen(say_address(c->p, &found[i])));
            char *colon = strrchr(address, ':');
            if (colon)
                *colon = '\0';
            cf_find(c, f, BELFRY_CRITICAL, "it resolves to %s, which is not Cloudflare's", address);
        }
}

/* ---- going around ---------------------------------------------------------------------------------------------- */

struct cf_probe {
    struct transfer t;
    const char *host, *address, *scheme, *port, *part;
    bool ended;
};

static void plan_one(struct cf *c, const char *host, const char *address, const char *try)
{
    const char *colon = strchr(try, ':');
    const char *part = belfry_print(c->p, "%s origin %s %s", host, cf_words(c, address), try);
    for (size_t i = 0; i < c->probe_count; i++)
        if (strcmp(c->probes[i].part, part) == 0)
            return;
    if (!colon || (strncmp(try, "http:", 5) != 0 && strncmp(try, "https:", 6) != 0)) {
        cf_part(c, part, BELFRY_UNKNOWN, "'%s' in origin_try is none of https:PORT and http:PORT", try);
        return;
    }
    if (c->probe_count == PROBES_MAX) {
        cf_part(c, part, BELFRY_UNKNOWN, "not tried: more than %d ways around in one check", PROBES_MAX);
        return;
    }
    c->probes[c->probe_count++] = (struct cf_probe){ .host = host,
                                                     .address = belfry_print(c->p, "%s", address),
                                                     .scheme = say_copy(c->p, try, (size_t)(colon - try)),
                                                     .port = colon + 1,
                                                     .part = part };
}

void cf_origin_plan(struct cf *c, const char *host, const char *const *addresses, size_t count)
{
    if (!c->probes)
        c->probes = belfry_alloc(c->p, PROBES_MAX * sizeof *c->probes);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < belfry_count(c->p, "origin_try"); k++)
            plan_one(c, host, addresses[i], belfry_item(c->p, "origin_try", k));
}

/* What a status says to somebody who came around. A plain redirect shows no page, but that the door is open. */
static const struct {
    long from, to;
    enum belfry_state state;
    const char *text;
} doors[] = {
    { 400, 401, BELFRY_OK, "it refuses" },
    { 403, 403, BELFRY_OK, "it refuses" },
    { 407, 407, BELFRY_OK, "it refuses" },
    { 421, 421, BELFRY_OK, "it refuses" },
    { 444, 444, BELFRY_OK, "it refuses" },
    { 495, 496, BELFRY_OK, "it refuses" },
    { 200, 399, BELFRY_CRITICAL, "the origin serves it to everybody who goes around Cloudflare" },
    { 0, 999, BELFRY_WARNING, "the origin answers those who go around Cloudflare, though with no page" },
};

static void judge_status(struct cf *c, const struct cf_probe *b)
{
    size_t i = 0;
    while (b->t.status < doors[i].from || (b->t.status > doors[i].to && i + 1 < sizeof doors / sizeof doors[0]))
        i++;
    bool redirect = strcmp(b->scheme, "http") == 0 && b->t.status >= 300 && b->t.status < 400;
    cf_part(c, b->part, redirect ? BELFRY_WARNING : doors[i].state, "answers %ld: %s", b->t.status,
            redirect ? "the origin sends everybody on who goes around Cloudflare" : doors[i].text);
}

static void judge_closed(struct cf *c, const struct cf_probe *b)
{
    double connect_s = 0;
    long error = 0;
    curl_easy_getinfo(b->t.easy, CURLINFO_CONNECT_TIME, &connect_s);
    curl_easy_getinfo(b->t.easy, CURLINFO_OS_ERRNO, &error);
    if (error == ENETUNREACH || error == EADDRNOTAVAIL || error == EAFNOSUPPORT)
        cf_part(c, b->part, BELFRY_UNKNOWN, "can't be tried from this host: %s", b->t.why);
    else if (connect_s > 0 && strstr(b->t.why, "timed out"))
        cf_part(c, b->part, BELFRY_WARNING, "takes connections from those who go around Cloudflare, then: %s",
                b->t.why);
    else
        cf_part(c, b->part, BELFRY_OK, "closed: %s", b->t.why);
}

static void judge_probe(struct cf *c, const struct cf_probe *b)
{
    if (b->t.end == WEB_ANSWERED)
        judge_status(c, b);
    else if (b->t.end == WEB_MISUSED || !b->t.easy)
        cf_part(c, b->part, BELFRY_UNKNOWN, "not tried: %s", b->t.why);
    else
        judge_closed(c, b);
}

/* False when it has ended before it began: part said. */
static bool prepare(struct cf *c, struct cf_probe *b)
{
    long limit_ms = (long)(belfry_number(c->p, "origin_timeout") * 1000);
    const char *url = belfry_print(c->p, "%s://%s:%s%s", b->scheme, b->host, b->port, belfry_text(c->p, "origin_path"));
    bool ready = transfer_open(&b->t, c->p, url);
    if (ready) {
        b->t.body_most = BODY_MOST;
        b->t.user = b;
        curl_easy_setopt(b->t.easy, CURLOPT_CONNECTTIMEOUT_MS, limit_ms);
        curl_easy_setopt(b->t.easy, CURLOPT_TIMEOUT_MS, limit_ms);
        curl_easy_setopt(b->t.easy, CURLOPT_FORBID_REUSE, 1L);
        curl_easy_setopt(b->t.easy, CURLOPT_USERAGENT, "belfry");
        transfer_trust(&b->t, NULL, false);
        ready = transfer_aim(&b->t, AF_UNSPEC, b->address);
    }
    if (ready)
        return true;
    cf_part(c, b->part, BELFRY_UNKNOWN, "not tried: %s", b->t.why);
    b->ended = true;
    return false;
}

void cf_origin_try(struct cf *c)
{
    struct transfer *ended;
    struct pump *pump = c->probe_count > 0 ? belfry_alloc(c->p, sizeof *pump) : NULL;
    if (!pump || !pump_open(pump, c->p))
        return;
    for (size_t i = 0; i < c->probe_count; i++)
        if (prepare(c, &c->probes[i]))
            pump_add(pump, &c->probes[i].t);
    while ((ended = pump_next(pump))) {
        struct cf_probe *b = ended->user;
        b->ended = true;
        judge_probe(c, b);
    }
    for (size_t i = 0; i < c->probe_count; i++) {
        struct cf_probe *b = &c->probes[i];
        if (!b->ended && b->t.added)
            pump_abandon(pump, &b->t);
        if (!b->ended)
            cf_part(c, b->part, BELFRY_UNKNOWN, "not known: the check's time was over before origin_timeout");
        transfer_close(&b->t);
    }
    pump_close(pump);
}
