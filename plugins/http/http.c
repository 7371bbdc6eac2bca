/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http - does a web address answer as it should, how fast in each phase, and for how long is its certificate valid?
 *
 * Redirects are followed here, one transfer each, and not by libcurl: every target is resolved without blocking, only
 * http and https are followed, and credentials and headers never go to another origin than the configured one.
 *
 * Diagnostics: refused, timed out, broken TLS, no HTTP, 5xx: not reached (CRITICAL, counts for the breaker). A
 * certificate that is not to be trusted, a wrong status, a wrong body, too many redirects: reached and CRITICAL.
 */
#include "plugins/http/http.h"

#include <math.h>
#include <string.h>

#include "plugins/common/net.h"
#include "plugins/common/now.h"

#define REDIRECTS_MAX 20

static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", NULL };

static const struct belfry_option options[] = {
    { "url", BELFRY_URL, "Address to ask for", .required = true, .example = "https://www.example.net/" },
    { "method", BELFRY_TEXT, "Request method; POST when a body is given", .choices = methods, .example = "HEAD" },
    { "expect_status", BELFRY_TEXT, "Status codes that are right: 200, 2xx or 200-299", .list = true, .fallback = "2xx",
      .example = "200" },
    { "expect_body", BELFRY_TEXT, "Texts that must be in the body, every one of them", .list = true,
      .example = "Welcome" },
    { "refuse_body", BELFRY_TEXT, "Texts of which none may be in the body", .list = true, .example = "Fatal error" },
    { "header", BELFRY_TEXT, "Request headers by name; an empty value leaves out one that is sent by itself",
      .map = true, .example = "application/json" },
    { "body", BELFRY_TEXT, "Request body", .example = "{\\\"ping\\\":1}" },
    { "max_redirects", BELFRY_INTEGER, "How many redirects are followed, 0 to 20", .fallback = "5", .example = "0" },
    { "ip_version", BELFRY_TEXT, "Addresses to try: any, 4 or 6", .fallback = "any", .choices = net_ip_versions,
      .example = "6" },
    { "address", BELFRY_HOST, "Connect to this host instead of the URL's; name and certificate stay the URL's",
      .example = "192.0.2.7" },
    { "tls_verify", BELFRY_FLAG, "Whether the certificate must be valid for the host", .fallback = "true",
      .example = "true" },
    { "ca_file", BELFRY_PATH, "Certificates to trust instead of the system's", .example = "/etc/ssl/own-ca.pem" },
    { "user", BELFRY_TEXT, "User for basic authentication", .example = "belfry" },
    { "password", BELFRY_TEXT, "Password for basic authentication", .secret = true, .example = "@web" },
    { "token", BELFRY_TEXT, "Bearer token", .secret = true, .example = "@api" },
    { "max_bytes", BELFRY_SIZE, "How much of the body is read, at most 4MiB", .fallback = "1MiB", .example = "64KiB" },
    BELFRY_END,
};

static const struct belfry_metric metrics[] = {
    { "time_total", "s", "Time of the whole check, redirects included", .min = "0" },
    { "time_dns", "s", "Time of name resolution", .min = "0" },
    { "time_connect", "s", "Time of the TCP connect", .min = "0" },
    { "time_tls", "s", "Time of the TLS handshake", .min = "0" },
    { "time_first_byte", "s", "Time from the request to the first byte of the answer", .min = "0" },
    { "size", "B", "Size of the body", .min = "0" },
    { "status", "", "Status code", .min = "100", .max = "999" },
    { "redirects", "", "Redirects followed", .min = "0" },
    { "cert_days_left", "", "Days until the certificate expires", .warn = "21:", .crit = "7:" },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    /* the phases follow each other, so they add up to nearly the whole */
    { "times", "Time of each phase", "time_dns time_connect time_tls time_first_byte", .style = BELFRY_STACK,
      .limit = "time_total" },
    { "certificate", "Days until the certificate expires", "cert_days_left", .style = BELFRY_LINES },
    { "body", "Size of the body", "size", .style = BELFRY_LINES },
    BELFRY_END,
};

/* The sums over all transfers of a run. */
struct journey {
    const char *home; /* the configured origin */
    const char *url;  /* the next to ask */
    bool trusted;     /* it is of the configured origin: credentials and headers may be sent there */
    int redirects;
    double begin, dns_s, connect_s, tls_s, first_byte_s;
    double cert_days;
};

static void add(struct journey *j, const struct transfer *t)
{
    j->dns_s += t->dns_s;
    j->connect_s += t->connect_s;
    j->tls_s += t->tls_s;
    j->first_byte_s += t->first_byte_s;
    j->cert_days = fmin(j->cert_days, t->cert_days); /* fmin ignores NaN */
}

static void measure(struct belfry_probe *p, const struct journey *j, const struct transfer *last)
{
    belfry_measure(p, "time_total", now_s() - j->begin);
    belfry_measure(p, "time_dns", j->dns_s);
    belfry_measure(p, "redirects", j->redirects);
    if (!isnan(j->cert_days))
        belfry_measure(p, "cert_days_left", j->cert_days);
    if (last->end != WEB_ANSWERED)
        return;
    belfry_measure(p, "time_connect", j->connect_s);
    if (strncmp(last->url, "https:", 6) == 0)
        belfry_measure(p, "time_tls", j->tls_s);
    belfry_measure(p, "time_first_byte", j->first_byte_s);
    belfry_measure(p, "size", (double)last->body_size);
    belfry_measure(p, "status", (double)last->status);
}

/* Whether the answer sends us on: then url and trusted are the next one's. False as well when the verdict is said: then
 * t->end is WEB_MISUSED. */
static bool follow(struct belfry_probe *p, struct journey *j, struct transfer *t)
{
    int64_t most = belfry_integer(p, "max_redirects");
    if (t->end != WEB_ANSWERED || !t->redirect || http_status_expected(p, t->status) || most == 0)
        return false;
    const char *origin = http_origin(p, t->redirect);
    if (!origin)
        belfry_critical(p, "%s redirects to '%.200s', which is neither http nor https", t->url, t->redirect);
    else if (j->redirects >= most)
        belfry_critical(p, "%s redirects again after %d redirects, the last to '%.200s'", t->url, j->redirects,
                        t->redirect);
    if (!origin || j->redirects >= most) {
        t->end = WEB_MISUSED;
        t->why = NULL;
        return false;
    }
    j->redirects++;
    j->url = t->redirect;
    j->trusted = strcmp(origin, j->home) == 0;
    return true;
}

static void say(struct belfry_probe *p, const struct journey *j, const struct transfer *t)
{
    if (t->end == WEB_ANSWERED)
        http_judge(p, t, j->redirects);
    else if (t->end == WEB_UNREACHABLE)
        belfry_unreachable(p, "%s", t->why);
    else if (t->end == WEB_DISTRUSTED)
        belfry_critical(p, "%s", t->why);
    else if (t->why)
        belfry_unknown(p, "%s", t->why);
}

/* What the option types can't say: NULL or what is wrong. */
static const char *problem(struct belfry_probe *p, const char *home)
{
    int64_t most = belfry_integer(p, "max_redirects"), bytes = belfry_integer(p, "max_bytes");
    if (!home)
        return belfry_print(p, "url '%.200s' is not a web address: write http://host/path or https://host/path",
                            belfry_text(p, "url"));
    if (most < 0 || most > REDIRECTS_MAX)
        return "max_redirects must be 0 to 20";
    if (bytes < 0 || bytes > WEB_BODY_MAX)
        return "max_bytes must be at most 4MiB";
    if (belfry_has(p, "token") && belfry_has(p, "user"))
        return "token and user can't both be given: one request has one way to authenticate";
    return http_status_problem(p);
}

static void run(struct belfry_probe *p)
{
    const char *url = belfry_text(p, "url");
    struct journey j = { .home = http_origin(p, url), .url = url, .trusted = true, .begin = now_s(), .cert_days = NAN };
    struct transfer t = { 0 };
    const char *wrong = problem(p, j.home);
    if (wrong) {
        belfry_unknown(p, "%s", wrong);
        return;
    }
    do {
        transfer_close(&t);
        http_perform(p, &t, j.url, j.trusted);
        add(&j, &t);
    } while (follow(p, &j, &t));
    measure(p, &j, &t);
    say(p, &j, &t);
    transfer_close(&t);
}

BELFRY_PLUGIN("http", "1.0", "A web address: status, body, time of each phase, certificate", options, metrics, run,
              .views = views, .needs = BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES)
