/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pterodactyl - a Pterodactyl or Pelican panel, its nodes and their Wings, and its servers.
 *
 * In this order, so that what matters most is known when time or calls run out: the login page (is it a panel, or the
 * one page that every path answers with?), the nodes, the servers, free ports, backups and schedules, then Wings.
 *
 * Diagnostics: what ends a run early is the verdict (not reached, key refused, no JSON). What could not be looked at is
 * named and makes the check UNKNOWN, never OK. Everything about one node or one server is a part.
 */
#include "plugins/pterodactyl/pterodactyl.h"

#include <math.h>
#include <string.h>

#include "plugins/common/say.h"

static const char *const flavours[] = { "auto", "pterodactyl", "pelican", NULL };

static const struct belfry_option options[] = {
    { "url", BELFRY_URL, "Address of the panel", .required = true, .example = "https://panel.example.net" },
    { "key", BELFRY_TEXT, "Application key with read on nodes, servers and allocations; without it client_key is used",
      .secret = true, .example = "@pterodactyl" },
    { "client_key", BELFRY_TEXT, "Client key of an administrator (or a subuser), for backups, schedules and states",
      .secret = true, .example = "@pterodactyl-client" },
    { "flavour", BELFRY_TEXT, "Which panel it is; auto tells by the keys and the nodes", .fallback = "auto",
      .choices = flavours, .example = "pelican" },
    { "login_page", BELFRY_FLAG, "Whether the login page is asked for, too", .fallback = "true", .example = "false" },
    { "ports", BELFRY_FLAG, "Whether free ports are counted: one call a node", .fallback = "true", .example = "false" },
    { "wings", BELFRY_FLAG, "Whether Wings is asked on each node", .fallback = "true", .example = "false" },
    { "wings_token", BELFRY_TEXT, "Tokens of the nodes' Wings by name of the node, or id_N (token in its config.yml)",
      .map = true, .secret = true, .example = "@wings-fra-01" },
    { "wings_url", BELFRY_URL, "Addresses of Wings by name of the node, or id_N, where not the panel's", .map = true,
      .example = "https://10.0.0.7:8080" },
    { "wings_floor", BELFRY_TEXT, "Wings older than this is CRITICAL", .fallback = "1.11.12", .example = "1.11.12" },
    { "wings_wanted", BELFRY_TEXT, "Wings older than this is a WARNING", .example = "1.13.3" },
    { "sftp", BELFRY_FLAG, "Whether each node's SFTP port must greet", .fallback = "true", .example = "false" },
    { "running", BELFRY_TEXT, "Servers that should run: identifier, uuid, name, external id, or all", .list = true,
      .example = "1a2b3c4d" },
    { "backups", BELFRY_TEXT, "Servers whose backups are watched (client_key), or all", .list = true,
      .example = "all" },
    { "schedules", BELFRY_TEXT, "Servers whose schedules are watched (client_key), or all", .list = true,
      .example = "1a2b3c4d" },
    { "deploy_memory", BELFRY_SIZE, "A new server with that much memory must fit on a node", .example = "4GiB" },
    { "deploy_disk", BELFRY_SIZE, "A new server with that much disk must fit on a node", .example = "20GiB" },
    { "max_calls", BELFRY_INTEGER, "Calls to the panel's API in one run, at most", .fallback = "40", .example = "20" },
    { "keep_free", BELFRY_INTEGER, "Share of the rate limit that is left to others, in percent", .fallback = "25",
      .example = "50" },
    { "max_parts", BELFRY_INTEGER, "Servers shown as parts, at most", .fallback = "200", .example = "50" },
    { "tls_verify", BELFRY_FLAG, "Whether certificates must be valid", .fallback = "true", .example = "true" },
    { "plain_http", BELFRY_FLAG,
      "Whether tokens may go over http:// to another host, where all in between can read them", .fallback = "false",
      .example = "true" },
    { "ca_file", BELFRY_PATH, "Certificates to trust instead of the system's", .example = "/etc/ssl/own-ca.pem" },
    BELFRY_END,
};

static const struct belfry_metric metrics[] = {
    { "login_time", "s", "Time of the login page", .warn = "2", .crit = "5", .min = "0" },
    { "api_time", "s", "Time of all calls to the panel's API", .min = "0" },
    { "calls", "", "Calls to the panel's API in this run", .min = "0" },
    { "rate_left", "%", "Least share of a rate limit that was left", .warn = "25:", .crit = "5:", .min = "0",
      .max = "100" },
    { "cert_days_left", "", "Days until the certificate expires, of the panel and of each Wings",
      .warn = "21:", .crit = "7:" },
    { "nodes", "", "Nodes", .min = "0" },
    { "servers", "", "Servers", .min = "0" },
    { "servers_suspended", "", "Suspended servers", .min = "0" },
    { "servers_installing", "", "Servers being installed", .min = "0" },
    { "servers_restoring", "", "Servers whose backup is being restored", .min = "0" },
    { "servers_failed", "", "Servers whose install or reinstall failed", .warn = "0", .crit = "4", .min = "0" },
    { "servers_moving", "", "Servers being transferred to another node", .min = "0" },
    { "deployable", "", "Nodes on which the server of deploy_memory and deploy_disk fits", .min = "0" },
    { "memory_allocated", "%", "Memory promised to servers, of a node's size and over-allocation", .warn = "85",
      .crit = "95", .min = "0" },
    { "disk_allocated", "%", "Disk promised to servers, of a node's size and over-allocation", .warn = "85",
      .crit = "95", .min = "0" },
    { "cpu_allocated", "%", "CPU promised to servers (Pelican)", .warn = "85", .crit = "95", .min = "0" },
    { "free_ports", "", "Allocations of a node that no server has", .warn = "10:", .crit = "2:", .min = "0" },
    { "node_servers", "", "Servers of a node", .min = "0" },
    { "servers_running", "", "Running servers of a node, by its Wings", .min = "0" },
    { "containers_running", "", "Running containers of a node, by its Wings", .min = "0" },
    { "wings_time", "s", "Time of Wings' answer", .min = "0" },
    { "install_age", "s", "How long a server has been installing", .warn = "900", .crit = "2700", .min = "0" },
    { "restore_age", "s", "How long a restore has run", .warn = "3600", .crit = "21600", .min = "0" },
    { "transfer_age", "s", "How long a transfer has run", .warn = "3600", .crit = "21600", .min = "0" },
    { "down_age", "s", "How long a server that should run has been seen in another state", .warn = "300", .crit = "900",
      .min = "0" },
    { "memory_used", "%", "Memory used of a server's limit", .warn = "90", .crit = "97", .min = "0" },
    { "disk_used", "%", "Disk used of a server's limit; a full one does not start", .warn = "90", .crit = "97",
      .min = "0" },
    { "backup_age", "s", "Age of a server's last good backup", .warn = "93600", .crit = "180000", .min = "0" },
    { "backups_failed", "", "Backups of a server that failed in the last day", .warn = "0", .crit = "2", .min = "0" },
    { "backup_running", "s", "How long a server's backup has run", .warn = "7200", .crit = "21600", .min = "0" },
    { "schedule_overdue", "s", "How long a server's schedule has been due", .warn = "300", .crit = "900", .min = "0" },
    { "schedule_stuck", "s", "How long a schedule runs beyond the offsets of its tasks", .warn = "900", .crit = "3600",
      .min = "0" },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    { "allocation", "Promised to servers, of each node", "memory_allocated disk_allocated cpu_allocated",
      .parts = true },
    { "status", "Servers failed, being installed, restored or moved, suspended",
      "servers_failed servers_installing servers_restoring servers_moving "
      "servers_suspended",
      .style = BELFRY_STACK },
    { "running", "Running servers of each node", "servers_running", .parts = true },
    { "ports", "Free ports of each node", "free_ports", .parts = true },
    { "times", "Login page and API", "login_time api_time", .style = BELFRY_LINES },
    BELFRY_END,
};

/* ---- keys ------------------------------------------------------------------------------------------------------ */

static bool begins(const char *text, const char *with)
{
    return text && strncmp(text, with, strlen(with)) == 0;
}

/* What is wrong with the options, or NULL. */
static const char *problem(struct belfry_probe *p)
{
    const char *key = belfry_text(p, "key"), *client = belfry_text(p, "client_key");
    int64_t free = belfry_integer(p, "keep_free"), calls = belfry_integer(p, "max_calls");
    int64_t parts = belfry_integer(p, "max_parts");
    if (!key && !client)
        return "no key is given: write an application key into 'key' (belfry-pterodactyl(7) says which rights it "
               "needs)";
    if (begins(client, "ptla_") || begins(client, "papp_"))
        return "client_key is an application key, which the client interface refuses: make a client key (ptlc_, pacc_)";
    if (free < 0 || free > 95)
        return "keep_free must be 0 to 95";
    if (calls < 1 || calls > 200)
        return "max_calls must be 1 to 200";
    return parts < 0 || parts > 600 ? "max_parts must be 0 to 600" : NULL;
}

static struct web_client *open_client(struct belfry_probe *p, const char *key)
{
    struct web_setup setup = { .base = belfry_text(p, "url"),
                               .bearer = key,
                               .plain_http = belfry_flag(p, "plain_http"),
                               .ca_file = belfry_text(p, "ca_file"),
                               .insecure = !belfry_flag(p, "tls_verify"),
                               .headers = { "Accept: application/json" } };
    size_t length = strlen(setup.base);
    while (length > 0 && setup.base[length - 1] == '/')
        length--;
    setup.base = say_copy(p, setup.base, length);
    return web_open(p, &setup);
}

static void open_both(struct ptero *t)
{
    const char *key = belfry_text(t->p, "key"), *client = belfry_text(t->p, "client_key");
    const char *flavour = belfry_text(t->p, "flavour");
    t->application.option = key ? "key" : "client_key";
    t->application.client = open_client(t->p, key ? key : client);
    t->client.option = "client_key";
    if (client)
        t->client.client = open_client(t->p, client);
    t->pelican = strcmp(flavour, "pelican") == 0 ||
                 (strcmp(flavour, "auto") == 0 && (begins(key, "papp_") || begins(client, "pacc_")));
}

/* ---- the login page -------------------------------------------------------------------------------------------- */

static bool looks_like_login(const struct web_answer *a)
{
    /* Pterodactyl's page names its configuration; Pelican's is made by Livewire */
    return strstr(a->body, "SiteConfiguration") || strstr(a->body, "livewire") || strstr(a->body, "Livewire");
}

/* False when nothing more is to be asked: the panel is not there. */
static bool ask_login(struct ptero *t)
{
    struct belfry_probe *p = t->p;
    struct web_setup setup = { .ca_file = belfry_text(p, "ca_file"),
                               .insecure = !belfry_flag(p, "tls_verify"),
                               .headers = { "Accept: text/html" } };
    struct ptero_refusal refusal;
    const char *url = belfry_text(p, "url");
    size_t length = strlen(url);
    setup.base = say_copy(p, url, length > 0 && url[length - 1] == '/' ? length - 1 : length);
    struct web_client *client = web_open(p, &setup);
    const struct web_answer *a = web_ask(client, "GET", t->pelican ? "/login" : "/auth/login", NULL);
    if (t->pelican && a->end == WEB_ANSWERED && a->status == 404)
        a = web_ask(client, "GET", "/auth/login", NULL);
    web_close(&client);
    t->bytes += a->body_size;
    ptero_explain(t, a, "no key is sent", NULL, &refusal);
    if (a->end == WEB_ANSWERED && !isnan(a->cert_days))
        belfry_measure(p, "cert_days_left", a->cert_days);
    if (!refusal.text)
        belfry_measure(p, "login_time", a->total_s);
    if (!refusal.text && !looks_like_login(a))
        ptero_trouble(t, BELFRY_CRITICAL, "%s is not the login page of a panel", a->what);
    else if (refusal.text)
        ptero_trouble(t, BELFRY_CRITICAL, "%s", refusal.text);
    t->reached = !refusal.text || refusal.reached;
    return a->end == WEB_ANSWERED && t->reached;
}

/* ---- the run --------------------------------------------------------------------------------------------------- */

static void say_nodes(struct ptero *t)
{
    size_t bad = 0;
    const char *first = "";
    for (size_t i = 0; i < t->node_count; i++) {
        const struct ptero_node *n = &t->nodes[i];
        belfry_part(t->p, n->part, n->state, "%s", *n->text ? n->text : "in the panel");
        t->state = ptero_worse(t->state, n->state);
        if (n->state != BELFRY_OK && bad++ == 0)
            first = belfry_print(t->p, "%s: %s", n->name, n->text);
    }
    if (bad == 1)
        t->troubles = belfry_print(t->p, "%s; %s", t->troubles, first);
    else if (bad > 1)
        t->troubles = belfry_print(t->p, "%s; %zu nodes have trouble, %s", t->troubles, bad, first);
}

/* Nothing is asked in vain: what is left of the limit, and what stopped us. */
static void say_limits(struct ptero *t)
{
    double left = fmin(t->application.left_percent, t->client.left_percent);
    belfry_measure(t->p, "calls", (double)t->calls);
    if (t->calls > 0)
        belfry_measure(t->p, "api_time", t->api_s);
    if (left < INFINITY)
        belfry_measure(t->p, "rate_left", left);
    if (t->debug_seen)
        ptero_trouble(t, BELFRY_WARNING, "the panel runs with APP_DEBUG: its errors show its inside");
    if (t->parts > (size_t)belfry_integer(t->p, "max_parts"))
        ptero_trouble(t, BELFRY_WARNING, "%zu more parts about servers than max_parts allows",
                      t->parts - (size_t)belfry_integer(t->p, "max_parts"));
}

static void say_verdict(struct ptero *t)
{
    typedef void (*speak)(struct belfry_probe * p, const char *format, ...);
    static const speak verdicts[] = { belfry_ok, belfry_warning, belfry_critical, belfry_unknown };
    const char *found = "";
    if (t->servers_known)
        found = belfry_print(t->p, ", %zu server%s", t->server_count, t->server_count == 1 ? "" : "s");
    if (!t->nodes_known)
        found = t->troubles + (*t->troubles ? 2 : 0);
    else
        found = belfry_print(t->p, "%s: %zu node%s%s%s", t->pelican ? "Pelican" : "Pterodactyl", t->node_count,
                             t->node_count == 1 ? "" : "s", found, t->troubles);
    if (!t->reached)
        belfry_unreachable(t->p, "%s", found);
    else
        verdicts[t->state](t->p, "%s", found);
}

static void look(struct ptero *t)
{
    if (belfry_flag(t->p, "login_page") && !ask_login(t))
        return;
    ptero_nodes_read(t);
    if (!t->nodes_known)
        return;
    ptero_servers_read(t);
    if (belfry_flag(t->p, "ports"))
        ptero_nodes_ports(t);
    ptero_deployable(t);
    ptero_lists_ask(t); /* before Wings, which may take all the time */
    if (belfry_flag(t->p, "wings") && belfry_flag(t->p, "sftp"))
        ptero_sftp(t);
    if (belfry_flag(t->p, "wings"))
        ptero_wings(t);
    ptero_servers_judge(t);
    ptero_servers_running(t);
    ptero_lists_say(t);
    say_nodes(t);
    if (t->bad)
        ptero_trouble(t, t->worst, "%s%s", t->worst_text,
                      t->bad > 1 ? belfry_print(t->p, ", and %zu more", t->bad - 1) : "");
}

static void run(struct belfry_probe *p)
{
    struct ptero t = { .p = p, .now = time(NULL), .reached = true, .troubles = "" };
    const char *wrong = problem(p);
    if (wrong) {
        belfry_unknown(p, "%s", wrong);
        return;
    }
    t.calls_max = belfry_integer(p, "max_calls");
    t.application.letter = 'a';
    t.client.letter = 'c';
    t.application.left_percent = t.client.left_percent = INFINITY;
    open_both(&t);
    ptero_notes_load(&t);
    look(&t);
    if (t.nodes_known)
        ptero_notes_save(&t);
    say_limits(&t);
    say_verdict(&t);
    web_close(&t.client.client);
    web_close(&t.application.client);
}

BELFRY_PLUGIN("pterodactyl", "1.0", "A Pterodactyl or Pelican panel: nodes, Wings, servers, backups, schedules",
              options, metrics, run, .views = views, .needs = BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES,
              .description =
                  "Watches a game panel from its interfaces with few calls: whether it answers and takes the key, how "
                  "much of each node is promised and free, whether Wings runs there and agrees with the panel, "
                  "installs and transfers that fail or never end, and, with a client key, backups and schedules. Run "
                  "it every five minutes with a timeout of 30 s.\n"
                  "Needs an application key of an administrator of its own (Admin > Application API, with Read for "
                  "Nodes, Servers and Allocations, None for all else):\n"
                  "    php artisan p:user:make --email=belfry@example.net --username=belfry \\\n"
                  "        --name-first=Belfry --name-last=Check --admin=1\n"
                  "Backups and schedules need a client key (Account > API Credentials), best of a user who is subuser "
                  "of the servers with backup.read and schedule.read; Wings' version and servers the node's token:\n"
                  "    grep '^token:' /etc/pterodactyl/config.yml\n"
                  "doc/plugins/pterodactyl.md says more.\n")
