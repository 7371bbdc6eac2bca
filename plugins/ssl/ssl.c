/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssl - is a TLS service's certificate right, how long will it be, and does the service speak TLS as it should? Also
 * for certificates in files.
 *
 * One host: the check is about its certificate, and each further certificate of the chain is a part. Several hosts or
 * files, or a folder: each is a part, judged by the certificate of its chain that ends first.
 *
 * Diagnostics: not connected, no TLS, timed out: not reached. A certificate that is expired, for another name, not
 * trusted, revoked; a server that will not STARTTLS; weak protocols and ciphers: reached. Strength and days are
 * metrics.
 */
#include "plugins/ssl/ssl.h"

#include <math.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"

#define TARGETS_MAX 1000

static const char *const versions[] = { "1.0", "1.1", "1.2", "1.3", NULL };
static const char *const judges[] = { "auto", "days", "lifetime", "both", NULL };
static const char *const staple_wishes[] = { "judge", "require", "ignore", NULL };
static const char *const revocation_wishes[] = { "off", "ocsp", "crl", "any", NULL };
static const char *const unknown_grades[] = { "warning", "unknown", "critical", NULL };

static const struct belfry_option options[] = {
    { "host", BELFRY_HOST, "Host whose certificate is watched", .example = "www.example.net" },
    { "hosts", BELFRY_TEXT, "Several hosts, each a part: name, name:port or [address]:port; about 1 s each",
      .list = true, .example = "mail.example.net:465" },
    { "file", BELFRY_PATH, "Certificate files (PEM or DER), each a part", .list = true,
      .example = "/etc/ssl/private/own.pem" },
    { "folder", BELFRY_PATH, "Folder whose .pem, .crt, .cer, .cert and .der files are parts, three levels deep",
      .example = "/etc/letsencrypt/live" },
    { "port", BELFRY_PORT, "TCP port; without it that of the service (443 without STARTTLS)", .example = "993" },
    { "starttls", BELFRY_TEXT, "Protocol that is spoken before TLS begins", .fallback = "none", .choices = ssl_starttls,
      .example = "smtp" },
    { "server_name", BELFRY_HOST, "Name the certificate must be for and that is asked for (SNI), instead of the host's",
      .example = "www.example.net" },
    { "address", BELFRY_HOST, "Connect to this host or address instead of host", .example = "192.0.2.7" },
    { "ip_version", BELFRY_TEXT, "Addresses to try: any, 4 or 6", .fallback = "any", .choices = net_ip_versions,
      .example = "6" },
    { "tls_verify", BELFRY_FLAG, "Whether hosts' certificates must be trusted and for the right name",
      .fallback = "true", .example = "false" },
    { "verify_files", BELFRY_FLAG, "Whether certificates in files must be trusted, too", .fallback = "false",
      .example = "true" },
    { "self_signed", BELFRY_FLAG, "Whether a certificate may be signed by itself", .fallback = "false",
      .example = "true" },
    { "ca_file", BELFRY_PATH, "Certificates to trust instead of the system's", .example = "/etc/ssl/own-ca.pem" },
    { "ca_dir", BELFRY_PATH, "Folder of them, as openssl rehash makes it", .example = "/etc/ssl/own" },
    { "crl_file", BELFRY_PATH, "Revocation lists (PEM) of the issuer: a certificate on one is revoked",
      .example = "/etc/ssl/own.crl" },
    { "staple", BELFRY_TEXT, "Stapled OCSP responses: judge one that is there, require one, or ignore them",
      .fallback = "judge", .choices = staple_wishes, .example = "require" },
    { "revocation", BELFRY_TEXT,
      "Whom to ask over HTTP whether a certificate is revoked: its OCSP responder, its revocation list (crl), any of "
      "them "
      "in this order, or nobody (off)",
      .fallback = "off", .choices = revocation_wishes, .example = "any" },
    { "revocation_unknown", BELFRY_TEXT, "What it is when that can't be found out; it is never OK",
      .fallback = "warning", .choices = unknown_grades, .example = "critical" },
    { "revocation_chain", BELFRY_FLAG, "Whether the authorities of the chain are asked about, too", .fallback = "true",
      .example = "false" },
    { "client_cert", BELFRY_PATH, "Certificate (PEM) to show to a server that asks for one",
      .example = "/etc/ssl/belfry.pem" },
    { "client_key", BELFRY_PATH, "Its key, unless in the same file", .example = "/etc/ssl/belfry.key" },
    { "min_protocol", BELFRY_TEXT, "The oldest TLS version that may be spoken", .fallback = "1.2", .choices = versions,
      .example = "1.3" },
    { "try_weak", BELFRY_FLAG,
      "Whether two more connections try if the server takes older protocols or weak ciphers (not with mysql)",
      .fallback = "true", .example = "false" },
    { "judge_by", BELFRY_TEXT,
      "Which metric judges: days, lifetime, both, or auto: lifetime for certificates issued for less than 80 days",
      .fallback = "auto", .choices = judges, .example = "days" },
    BELFRY_END,
};

static const struct belfry_metric metrics[] = {
    { "days_left", "", "Days until a certificate ends (measured when it is judged by days)",
      .warn = "21:", .crit = "7:" },
    { "lifetime_left", "%", "Share of its lifetime a certificate has left (measured when it is judged by that)",
      .warn = "25:", .crit = "10:" },
    { "security_bits", "", "Strength of the weakest key or signature: RSA-2048 is 112, P-256 is 128, SHA-1 is 63",
      .crit = "112:", .min = "0" },
    { "chain_length", "", "Certificates in the chain, the root included", .min = "0" },
    { "time_connect", "s", "Time to connect, without name resolution", .min = "0" },
    { "time_tls", "s", "Time of the TLS handshake", .min = "0" },
    { "time_revocation", "s", "Time of asking whether it is revoked", .min = "0" },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    { "days", "Days until the certificate ends", "days_left", .style = BELFRY_LINES },
    { "days_parts", "Days until each certificate ends", "days_left", .parts = true },
    { "lifetime", "Lifetime left of a short-lived certificate", "lifetime_left", .style = BELFRY_LINES },
    { "lifetime_parts", "Lifetime left of each short-lived certificate", "lifetime_left", .parts = true },
    { "times", "Connecting, TLS, asking about revocation", "time_connect time_tls time_revocation",
      .style = BELFRY_STACK },
    BELFRY_END,
};

/* ---- what was found ------------------------------------------------------------------------------------------ */

static const char *format_text(struct belfry_probe *p, const char *format, va_list args)
{
    return p->host->print(p, format, args);
}

void ssl_find(struct ssl_target *t, enum belfry_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = format_text(t->p, format, args);
    va_end(args);
    /* CRITICAL is worse than UNKNOWN, which has the greatest number */
    if (t->state != BELFRY_CRITICAL && (state > t->state || state == BELFRY_CRITICAL))
        t->state = state;
    if (!t->problems)
        t->problems = text;
    else if (!strstr(t->problems, text))
        t->problems = belfry_print(t->p, "%s; %s", t->problems, text);
}

void ssl_note(struct ssl_target *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = format_text(t->p, format, args);
    va_end(args);
    belfry_detail(t->p, "%s: %s", t->name, text);
}

static void say(struct belfry_probe *p, enum belfry_state state, bool reached, const char *text)
{
    if (!reached)
        belfry_unreachable(p, "%s", text);
    else if (state == BELFRY_CRITICAL)
        belfry_critical(p, "%s", text);
    else if (state == BELFRY_WARNING)
        belfry_warning(p, "%s", text);
    else if (state == BELFRY_UNKNOWN)
        belfry_unknown(p, "%s", text);
    else
        belfry_ok(p, "%s", text);
}

/* The certificate of a chain that is the first to end. */
static const struct ssl_cert *first_to_end(const struct ssl_target *t)
{
    const struct ssl_cert *first = t->chain_length > 0 ? &t->chain[0] : NULL;
    for (size_t i = 1; i < t->chain_length; i++)
        if (t->chain[i].days_left < first->days_left)
            first = &t->chain[i];
    return first;
}

static void measure_life(struct belfry_probe *p, const char *part, const struct ssl_cert *cert)
{
    bool both = strcmp(belfry_text(p, "judge_by"), "both") == 0;
    const char *metric = cert->by_share ? "lifetime_left" : "days_left";
    p->host->measure(p, part, metric, cert->by_share ? cert->lifetime_share : cert->days_left);
    if (both)
        p->host->measure(p, part, "lifetime_left", cert->lifetime_share);
}

/* "valid 61 days (68 % of its life), RSA-2048, issued by R3, TLSv1.3" */
static const char *summarise(const struct ssl_target *t)
{
    const struct ssl_cert *leaf = &t->chain[0], *first = first_to_end(t);
    const char *text = belfry_print(t->p, "valid %s (%.0f %% of its life), %s", ssl_days(t->p, leaf->days_left),
                                    leaf->lifetime_share, t->key);
    if (first != leaf)
        text =
            belfry_print(t->p, "%s, its authority's '%s' only %s", text, first->name, ssl_days(t->p, first->days_left));
    if (t->chain_length > 1)
        text = belfry_print(t->p, "%s, issued by %s", text, t->chain[1].name);
    return t->protocol ? belfry_print(t->p, "%s, %s", text, t->protocol) : text;
}

static void note_weakest(struct ssl_target *t)
{
    if (!isnan(t->security_bits) && t->security_bits < 112)
        ssl_note(t, "too weak: %s (%.0f bits)", t->weakest, t->security_bits);
}

/* ---- one host: its certificate, the others as parts ------------------------------------------------------------ */

static void report_one(struct ssl_target *t)
{
    struct belfry_probe *p = t->p;
    if (t->unread) {
        say(p, t->state, !t->unreachable, t->why);
        return;
    }
    belfry_measure(p, "security_bits", t->security_bits);
    belfry_measure(p, "chain_length", (double)t->chain_length);
    belfry_measure(p, "time_connect", t->connect_s);
    if (t->protocol)
        belfry_measure(p, "time_tls", t->tls_s);
    if (t->revocation_s > 0)
        belfry_measure(p, "time_revocation", t->revocation_s);
    for (size_t i = 0; i < t->chain_length; i++) {
        const char *part = i > 0 ? t->chain[i].name : NULL;
        if (part)
            belfry_part(p, part, BELFRY_OK, "authority's certificate, valid %s", ssl_days(p, t->chain[i].days_left));
        measure_life(p, part, &t->chain[i]);
    }
    note_weakest(t);
    say(p, t->state, true, belfry_print(p, "%s %s", t->name, t->problems ? t->problems : summarise(t)));
}

/* ---- many: each a part --------------------------------------------------------------------------------------- */

struct round {
    struct belfry_probe *p;
    X509_STORE *trust;
    size_t seen, bad, unreached, left;
    const char *first_name, *worst; /* the target that ends first, and the first that is not well */
    double first_days;
};

static void report_part(struct round *r, struct ssl_target *t, const char *part)
{
    struct belfry_probe *p = r->p;
    const struct ssl_cert *first = first_to_end(t);
    const char *text = t->unread ? t->why : t->problems ? t->problems : summarise(t);
    r->seen++;
    r->bad += t->state != BELFRY_OK;
    r->unreached += t->unreachable;
    belfry_part(p, part, t->state, "%s", text);
    if (t->state != BELFRY_OK && !r->worst)
        r->worst = belfry_print(p, "%s: %s", part, text);
    if (!first)
        return;
    measure_life(p, part, first);
    belfry_measure_part(p, part, "security_bits", t->security_bits);
    note_weakest(t);
    if (!r->first_name || first->days_left < r->first_days) {
        r->first_name = part;
        r->first_days = first->days_left;
    }
}

static void look_at_host_part(struct round *r, const char *text)
{
    struct ssl_target *t = belfry_alloc(r->p, sizeof *t);
    char *host = say_copy(r->p, text, strlen(text)), *bracket = strchr(host, ']'), *colon = strrchr(host, ':');
    const char *port = belfry_text(r->p, "port");
    bool bare = !bracket && colon && strchr(host, ':') != colon; /* an IPv6 address without a port */
    *t = (struct ssl_target){ .p = r->p, .name = text, .security_bits = NAN };
    t->port = port ? port : ssl_port_of(belfry_text(r->p, "starttls"));
    if (colon && !bare && (!bracket || colon == bracket + 1)) {
        t->port = colon + 1;
        *colon = '\0';
    }
    if (host[0] == '[' && bracket) {
        *bracket = '\0';
        host++;
    }
    t->host = host;
    t->trust = belfry_flag(r->p, "tls_verify") ? r->trust : NULL;
    if (t->trust)
        t->want = belfry_has(r->p, "server_name") ? belfry_text(r->p, "server_name") : host;
    /* each has its share of the time: one that is silent does not cost the others theirs */
    t->until = now_s() + (double)belfry_left_ms(r->p) / 1000 / (double)(r->left + 1);
    if (strspn(t->port, "0123456789") != strlen(t->port) || strlen(t->port) > 5 || !*t->port || !*host) {
        t->unread = true;
        t->state = BELFRY_UNKNOWN;
        t->why = "is no host: write name, name:port or [address]:port";
    } else {
        ssl_look_at_host(t);
    }
    report_part(r, t, text);
}

/* part: how the file is called in the report. */
static void look_at_file_part(struct round *r, const char *path, const char *part, bool expected)
{
    struct ssl_target *t = belfry_alloc(r->p, sizeof *t);
    *t = (struct ssl_target){ .p = r->p, .name = path, .security_bits = NAN };
    t->trust = belfry_flag(r->p, "verify_files") ? r->trust : NULL;
    t->want = belfry_text(r->p, "server_name");
    if (ssl_look_at_file(t, expected))
        report_part(r, t, part);
}

static void look_at_folder(struct round *r, const char *folder)
{
    const char **paths = belfry_alloc(r->p, TARGETS_MAX * sizeof *paths), *why = NULL;
    size_t count = ssl_list_folder(r->p, folder, paths, TARGETS_MAX, &why), before = r->seen, i = 0;
    for (; i < count && belfry_sleep(r->p, 0) == 0; i++)
        look_at_file_part(r, paths[i], paths[i] + strlen(folder) + 1, false);
    if (i < count)
        why = belfry_print(r->p, "no time was left for %zu of %zu files", count - i, count);
    if (!why && r->seen == before)
        why = belfry_print(r->p, "folder '%s' holds no certificates (.pem, .crt, .cer, .cert, .der)", folder);
    if (!why)
        return;
    r->seen++;
    r->bad++;
    r->worst = r->worst ? r->worst : why;
    belfry_part(r->p, folder, BELFRY_UNKNOWN, "%s", why);
}

static void look_at_many(struct belfry_probe *p, X509_STORE *trust)
{
    struct round r = { .p = p, .trust = trust };
    for (size_t i = 0; i < belfry_count(p, "file"); i++)
        look_at_file_part(&r, belfry_item(p, "file", i), belfry_item(p, "file", i), true);
    if (belfry_has(p, "folder"))
        look_at_folder(&r, belfry_text(p, "folder"));
    if (belfry_has(p, "host")) {
        r.left = belfry_count(p, "hosts");
        look_at_host_part(&r, belfry_text(p, "host"));
    }
    for (size_t i = 0; i < belfry_count(p, "hosts"); i++) {
        r.left = belfry_count(p, "hosts") - i - 1;
        look_at_host_part(&r, belfry_item(p, "hosts", i));
    }
    if (r.unreached == r.seen)
        belfry_unreachable(p, "%s", r.worst);
    else if (r.bad > 0)
        belfry_warning(p, "%zu of %zu are not well: %s", r.bad, r.seen, r.worst); /* the parts say how bad */
    else
        belfry_ok(p, "%zu well, the first to end is %s in %s", r.seen, r.first_name, ssl_days(p, r.first_days));
}

/* ---- the run ------------------------------------------------------------------------------------------------- */

static X509_STORE *open_trust(struct belfry_probe *p, const char **why)
{
    const char *crl = belfry_text(p, "crl_file");
    X509_STORE *store = tls_trust(p, belfry_text(p, "ca_file"), belfry_text(p, "ca_dir"), why);
    X509_LOOKUP *lookup = store && crl ? X509_STORE_add_lookup(store, X509_LOOKUP_file()) : NULL;
    if (lookup && X509_load_crl_file(lookup, crl, X509_FILETYPE_PEM) <= 0) {
        *why = belfry_print(p, "crl_file '%s' can't be read as revocation lists", crl);
        X509_STORE_free(store);
        store = NULL;
    }
    ERR_clear_error();
    return store;
}

static void look_at_one(struct belfry_probe *p, X509_STORE *trust)
{
    struct ssl_target *t = belfry_alloc(p, sizeof *t);
    const char *host = belfry_text(p, "host"), *port = belfry_text(p, "port"), *name = belfry_text(p, "server_name");
    *t = (struct ssl_target){ .p = p, .host = host, .name = name ? name : host, .security_bits = NAN };
    t->port = port ? port : ssl_port_of(belfry_text(p, "starttls"));
    t->trust = belfry_flag(p, "tls_verify") ? trust : NULL;
    t->want = t->trust ? t->name : name;
    ssl_look_at_host(t);
    report_one(t);
}

static void run(struct belfry_probe *p)
{
    const char *why = NULL;
    bool many = belfry_has(p, "hosts") || belfry_has(p, "file") || belfry_has(p, "folder");
    if (!many && !belfry_has(p, "host")) {
        belfry_unknown(p, "nothing to watch: give host, hosts, file or folder");
        return;
    }
    X509_STORE *trust = open_trust(p, &why);
    if (!trust)
        belfry_unknown(p, "%s", why);
    else if (many)
        look_at_many(p, trust);
    else
        look_at_one(p, trust);
    X509_STORE_free(trust);
}

BELFRY_PLUGIN("ssl", "1.0", "TLS certificates: days left, chain, name, trust, strength, protocol", options, metrics,
              run, .views = views, .needs = BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES,
              .description = "Needs no right for hosts. Files and folders must be readable for the user of Belfry; no "
                             "private key is needed. For certbot's folders:\n"
                             "    setfacl -m u:belfry:x /etc/letsencrypt/live /etc/letsencrypt/archive\n"
                             "    setfacl -R -m u:belfry:rX /etc/letsencrypt/live/NAME /etc/letsencrypt/archive/NAME\n"
                             "    setfacl -m u:belfry:- /etc/letsencrypt/archive/NAME/privkey*.pem\n"
                             "doc/plugins/ssl.md says what is looked at.\n")
