/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cloudflare - is what stands before the routes really there: token, zones and their settings, certificates, managed
 * rules, proxied names and the origin behind them, tunnels, Access.
 *
 * In this order, so that what matters most is known when time or calls run out: the token, the tunnels' list (names
 * lead there), the zones one by one, tunnels, Access, and at the end the origins, all at once.
 *
 * Diagnostics: a refused token and an API that is not there end a run; 429 makes it UNKNOWN, with all parts as they
 * were last seen. What one part lacks (a permission, an answer) makes that part UNKNOWN and nothing else.
 */
#include "plugins/cloudflare/cloudflare.h"

#include <math.h>
#include <string.h>

#include "plugins/common/say.h"

static const char *const looks[] = {
    "settings", "dnssec", "certificates",   "waf", "config_rules", "access_rules", "records",
    "tunnels",  "access", "service_tokens", NULL
};

static const struct belfry_option options[] = {
    { "token", BELFRY_TEXT, "API token that may only read; belfry-cloudflare(7) names its permissions", .secret = true,
      .example = "@cloudflare" },
    { "account", BELFRY_TEXT, "Id of the account, for tunnels, Access, and an account's token (cfat_)",
      .example = "023e105f4ecef8ad9ca31a8372d0c353" },
    { "zone", BELFRY_TEXT, "Zones to look at, by name or id; unset: all that the token sees", .list = true,
      .example = "example.com" },
    { "protect", BELFRY_HOST, "Names that must be proxied", .list = true, .example = "www.example.com" },
    { "exposed", BELFRY_TEXT, "Names whose records may give an origin away", .list = true,
      .example = "mail.example.com" },
    { "outside", BELFRY_FLAG, "Whether protected names are resolved, and must lead to Cloudflare", .fallback = "true",
      .example = "false" },
    { "origin_probe", BELFRY_FLAG, "Whether the origins of protected names are tried directly", .fallback = "false",
      .example = "true" },
    { "origin", BELFRY_HOST, "More addresses to try as origins of each protected name, as of one behind a tunnel",
      .list = true, .example = "198.51.100.9" },
    { "origin_try", BELFRY_TEXT, "How origins are tried: https:PORT or http:PORT", .list = true,
      .fallback = "https:443", .example = "https:443" },
    { "origin_path", BELFRY_TEXT, "Path that is asked of an origin", .fallback = "/", .example = "/login" },
    { "origin_timeout", BELFRY_DURATION, "An origin that takes longer is closed", .fallback = "3s", .example = "3s" },
    { "want", BELFRY_TEXT, "Values that settings must have: SETTING=VALUE, SETTING.MEMBER=VALUE", .list = true,
      .example = "ssl=full" },
    { "tunnel", BELFRY_TEXT, "Tunnels that must be there and run; unset: all", .list = true, .example = "web" },
    { "access", BELFRY_TEXT, "Routes that an Access application must stand before", .list = true,
      .example = "app.example.com/admin" },
    { "skip", BELFRY_TEXT, "What is not looked at", .list = true, .choices = looks, .example = "access_rules" },
    { "traffic", BELFRY_FLAG, "Whether the shares of errors at the edge are asked for", .fallback = "false",
      .example = "true" },
    { "registration", BELFRY_FLAG, "Whether domains registered with Cloudflare are looked at", .fallback = "false",
      .example = "true" },
    { "recent", BELFRY_DURATION, "A setting's change is named for that long", .fallback = "24h", .example = "24h" },
    { "stale", BELFRY_DURATION, "What was last seen stands for that long while the API can't be asked",
      .fallback = "15m", .example = "15m" },
    { "max_calls", BELFRY_INTEGER, "Calls in one run, at most", .fallback = "300", .example = "120" },
    { "url", BELFRY_URL, "Address of the API, for tests and proxies",
      .fallback = "https://api.cloudflare.com/client/v4", .example = "https://api.cloudflare.com/client/v4" },
    { "plain_http", BELFRY_FLAG, "Whether the token may go over http to another host than this one",
      .fallback = "false", .example = "false" },
    { "ca_file", BELFRY_PATH, "Certificates to trust instead of the system's", .example = "/etc/ssl/own-ca.pem" },
    BELFRY_END,
};

static const struct belfry_metric metrics[] = {
    { "token_days_left", "", "Days until the token expires", .warn = "14:", .crit = "3:" },
    { "cert_days_left", "", "Days until a certificate pack ends, of packs that live 42 days and more",
      .warn = "14:", .crit = "7:" },
    { "cert_life_left", "%", "Share of a pack's life that is left, of packs that live shorter",
      .warn = "33.3:", .crit = "16.6:", .min = "0", .max = "100" },
    { "service_token_days_left", "", "Days until an Access service token expires", .warn = "14:", .crit = "3:" },
    { "domain_days_left", "", "Days until a domain's registration ends", .warn = "30:", .crit = "7:" },
    { "tunnel_down", "s", "How long a tunnel is down", .crit = "60", .min = "0" },
    { "tunnel_degraded", "s", "How long a tunnel has been seen degraded", .warn = "300", .min = "0" },
    { "dnssec_pending", "s", "How long DNSSEC has waited for the DS record", .warn = "86400", .min = "0" },
    { "development_mode", "s", "How long a zone has been in development mode", .warn = "10800", .min = "0" },
    { "errors_5xx", "%", "Answers with 5xx at the edge in 5 min", .crit = "5", .min = "0", .max = "100" },
    { "errors_4xx", "%", "Answers with 4xx at the edge in 15 min", .warn = "5", .min = "0", .max = "100" },
    { "requests", "", "Requests at the edge in 15 min, from samples", .min = "0" },
    { "rate_left", "%", "What is left of the rate limit", .warn = "20:", .crit = "5:", .min = "0", .max = "100" },
    { "calls", "", "Calls to the API in this run", .min = "0" },
    { "api_time", "s", "Time of all calls, added up", .min = "0" },
    { "zones", "", "Zones looked at", .min = "0" },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    { "certificates", "Days left of the edge's certificates", "cert_days_left", .parts = true },
    { "errors", "Errors at the edge", "errors_5xx errors_4xx", .parts = true },
    { "tunnels", "Tunnels: how long down or degraded", "tunnel_down tunnel_degraded", .parts = true },
    { "limit", "What is left of the API's rate limit", "rate_left", .style = BELFRY_LINES },
    BELFRY_END,
};

/* ---- the options ----------------------------------------------------------------------------------------------- */

/* An account is 32 hexadecimal digits; its name does not do. */
static bool is_account(const char *text)
{
    return strlen(text) == 32 && strspn(text, "0123456789abcdefABCDEF") == 32;
}

static const char *list_problem(struct belfry_probe *p)
{
    for (size_t i = 0; i < belfry_count(p, "want"); i++) {
        const char *want = belfry_item(p, "want", i), *equals = strchr(want, '=');
        if (!equals || equals == want || *want == '.')
            return belfry_print(p, "'%.80s' in want is no SETTING=VALUE", want);
    }
    for (size_t i = 0; i < belfry_count(p, "skip"); i++)
        if (strcmp(belfry_item(p, "skip", i), "records") == 0 && belfry_has(p, "protect"))
            return "protected names can't be looked at with 'records' in skip";
    return NULL;
}

/* What is wrong with the options, or NULL. */
static const char *problem(struct belfry_probe *p)
{
    const char *token = belfry_text(p, "token"), *account = belfry_text(p, "account");
    int64_t calls = belfry_integer(p, "max_calls");
    if (!token)
        return "no token is given: write one into 'token' (belfry-cloudflare(7) says which permissions it needs)";
    if (!*token || strpbrk(token, " \t\r\n"))
        return "the token is empty or has a blank in it: write it alone into its secret file";
    if (strncmp(token, "cfk_", 4) == 0)
        return "that is a global API key, which may do everything: make an API token that may only read";
    if (strncmp(token, "cfat_", 5) == 0 && !account)
        return "an account's token (cfat_) needs the account's id in 'account'";
    if (account && !is_account(account))
        return "'account' is no account id: 32 hexadecimal digits, from the dashboard's address";
    if (calls < 1 || calls > 1000)
        return "max_calls must be 1 to 1000";
    if (!(belfry_number(p, "origin_timeout") > 0))
        return "origin_timeout must be longer than nothing";
    if (*belfry_text(p, "origin_path") != '/')
        return "origin_path must begin with /";
    if (strchr(belfry_text(p, "url"), '@'))
        return "no credentials belong into 'url': write the token into 'token'";
    return list_problem(p);
}

/* ---- the run --------------------------------------------------------------------------------------------------- */

static struct web_client *open_client(struct belfry_probe *p)
{
    struct web_setup setup = { .base = belfry_text(p, "url"),
                               .bearer = belfry_text(p, "token"),
                               .plain_http = belfry_flag(p, "plain_http"),
                               .ca_file = belfry_text(p, "ca_file") };
    size_t length = strlen(setup.base);
    while (length > 0 && setup.base[length - 1] == '/')
        length--;
    setup.base = say_copy(p, setup.base, length);
    return web_open(p, &setup);
}

static void look(struct cf *c)
{
    if (!cf_token_look(c))
        return;
    cf_tunnels_read(c);
    c->ranges = (struct cf_call){ .path = "/ips", .right = "no permission" };
    if (belfry_flag(c->p, "outside") && c->protect_count > 0)
        cf_ask(c, &c->ranges, 1);
    cf_zones_read(c);
    cf_zones_look(c);
    cf_tunnels_judge(c);
    cf_access_look(c);
    cf_service_tokens_look(c);
    cf_origin_try(c);
    if (c->zones_late)
        cf_replay(c);
    belfry_measure(c->p, "zones", (double)c->zone_count);
    cf_done(&c->ranges, 1);
    cf_list_done(&c->tunnels);
}

const char *cf_days(struct cf *c, int64_t end)
{
    long long days = (long long)((end - c->now) / 86400);
    return belfry_print(c->p, "%lld day%s", days, days == 1 ? "" : "s");
}

static const char *count_of(struct cf *c, size_t n, const char *what)
{
    return n > 0 ? belfry_print(c->p, ", %zu %s%s", n, what, n == 1 ? "" : "s") : "";
}

static void say_verdict(struct cf *c)
{
    typedef void (*speak)(struct belfry_probe * p, const char *format, ...);
    static const speak verdicts[] = { belfry_ok, belfry_warning, belfry_critical, belfry_unknown };
    if (c->bad)
        cf_trouble(c, c->worst, "%s%s", c->worst_text,
                   c->bad > 1 ? belfry_print(c->p, ", and %zu more", c->bad - 1) : "");
    if (c->old)
        cf_trouble(c, BELFRY_UNKNOWN, "%zu finding%s older than this run", c->old, c->old == 1 ? " is" : "s are");
    const char *found = c->troubles + (*c->troubles ? 2 : 0);
    if (c->zone_count)
        found = belfry_print(c->p, "Cloudflare: %zu zone%s%s%s%s%s", c->zone_count, c->zone_count == 1 ? "" : "s",
                             count_of(c, c->hosts, "protected name"), count_of(c, c->tunnels_seen, "tunnel"),
                             count_of(c, c->apps_seen, "Access route"), c->troubles);
    if (!c->reached)
        belfry_unreachable(c->p, "%s", found);
    else
        verdicts[c->state](c->p, "%s", *found ? found : "nothing was looked at");
}

static void measure(struct cf *c)
{
    belfry_measure(c->p, "calls", (double)c->calls);
    if (c->calls > 0)
        belfry_measure(c->p, "api_time", c->api_s);
    if (c->rate_left < INFINITY)
        belfry_measure(c->p, "rate_left", c->rate_left);
    if (c->parts > CF_PARTS_MAX)
        cf_trouble(c, BELFRY_WARNING, "%zu part%s not shown: split the zones between several checks",
                   c->parts - CF_PARTS_MAX, c->parts - CF_PARTS_MAX == 1 ? " is" : "s are");
}

static void run(struct belfry_probe *p)
{
    struct cf *c = belfry_alloc(p, sizeof *c);
    const char *wrong = problem(p);
    if (wrong) {
        belfry_unknown(p, "%s", wrong);
        return;
    }
    *c = (struct cf){ .p = p, .now = time(NULL), .reached = true, .troubles = "", .rate_left = INFINITY };
    c->token = belfry_text(p, "token");
    c->account = belfry_text(p, "account");
    c->calls_max = belfry_integer(p, "max_calls");
    c->protect_count = belfry_count(p, "protect");
    c->protect = belfry_alloc(p, (c->protect_count + 1) * sizeof *c->protect);
    c->host_seen = belfry_alloc(p, (c->protect_count + 1) * sizeof *c->host_seen);
    for (size_t i = 0; i < c->protect_count; i++)
        c->protect[i] = cf_host_name(c, belfry_item(p, "protect", i));
    c->client = open_client(p);
    cf_notes_load(c);
    look(c);
    measure(c);
    cf_notes_save(c);
    say_verdict(c);
    web_close(&c->client);
}

BELFRY_PLUGIN(
    "cloudflare", "1.0", "Cloudflare: zones, proxied names, origins, certificates, rules, tunnels, Access", options,
    metrics, run, .views = views, .needs = BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES,
    .description =
        "Watches whether Cloudflare really protects: the token, the zones and their settings, certificates, managed "
        "rules, names that must be proxied, origins that can be reached around Cloudflare, tunnels and Access. It only "
        "reads. Each finding is a part named after its route. Run it every five minutes with a timeout of 30 s.\n"
        "Needs an API token (My Profile > API Tokens > Create Custom Token) with these permissions, each with Read:\n"
        "    Zone:    Zone, DNS, Zone Settings, SSL and Certificates, Zone WAF,\n"
        "             Config Rules, Firewall Services; Analytics for traffic\n"
        "    Account: Cloudflare Tunnel, Access: Apps and Policies,\n"
        "             Access: Service Tokens\n"
        "Those of the account are wanted with account only, which is the 32 digits in the dashboard's address. What is "
        "missing makes its part UNKNOWN and nothing else; skip leaves it out. doc/plugins/cloudflare.md says how a "
        "token is made by commands.\n")
