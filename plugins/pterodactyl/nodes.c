/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nodes - the machines as the panel sees them: how much of them is promised, and how many ports are left.
 *
 * Promised is the sum of the servers' limits, suspended ones included; a server without a limit adds nothing. Capacity
 * is size * (1 + over-allocation / 100). A size of 0 or a negative over-allocation is "unlimited" (on Pelican by its
 * code, on Pterodactyl by its page): then there is no share to measure. */
#include <math.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/pterodactyl/pterodactyl.h"

#define MIB 1048576.0

struct ptero_node *ptero_node_of(struct ptero *t, int64_t id)
{
    for (size_t i = 0; i < t->node_count; i++)
        if (t->nodes[i].id == id)
            return &t->nodes[i];
    return NULL;
}

void ptero_node_say(struct ptero *t, struct ptero_node *n, enum belfry_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = t->p->host->print(t->p, format, args);
    va_end(args);
    n->text = *n->text ? belfry_print(t->p, "%s; %s", n->text, text) : text;
    n->state = ptero_worse(n->state, state);
}

static void measure_share(struct ptero *t, struct ptero_node *n, const json_t *a, const char *what)
{
    double size = tree_number(a, what), used = tree_number(a, belfry_print(t->p, "allocated_resources.%s", what));
    double over = tree_number(a, belfry_print(t->p, "%s_overallocate", what));
    const char *metric = belfry_print(t->p, "%s_allocated", what);
    if (isnan(size) || isnan(used) || used < 0 || size < 0) {
        ptero_node_say(t, n, BELFRY_UNKNOWN, "the panel does not tell its %s or what is allocated of it", what);
        return;
    }
    over = isnan(over) ? 0 : over;
    if (size <= 0 || over < 0)
        ptero_node_say(t, n, BELFRY_OK, "%s %s allocated, unlimited", what, say_bytes(t->p, used * MIB));
    else
        belfry_measure_part(t->p, n->part, metric, 100 * used / (size * (1 + over / 100)));
}

static bool host_is_sane(const char *fqdn, const char *scheme)
{
    size_t length = strlen(fqdn);
    return length > 0 && length < 254 &&
           strspn(fqdn, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == length &&
           (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
}

static int64_t port_at(const json_t *a, const char *name, int64_t otherwise)
{
    int64_t port = tree_integer(a, name, otherwise);
    return port >= 1 && port <= 65535 ? port : otherwise;
}

static void take_node(struct ptero *t, const json_t *item)
{
    const json_t *a = tree_at(item, "attributes");
    if (t->node_count == PTERO_NODES_MAX || !json_is_object(a))
        return;
    struct ptero_node *n = &t->nodes[t->node_count];
    *n = (struct ptero_node){ .id = tree_integer(a, "id", -1), .text = "" };
    n->name = ptero_name(t, tree_text(t->p, a, "name", ""));
    if (n->id < 0 || ptero_node_of(t, n->id))
        return;
    if (!*n->name)
        n->name = belfry_print(t->p, "%lld", (long long)n->id);
    n->part = belfry_print(t->p, "node %s", n->name);
    t->node_count++;
    n->fqdn = tree_text(t->p, a, "fqdn", "");
    n->scheme = tree_text(t->p, a, "scheme", "");
    n->fqdn = host_is_sane(n->fqdn, n->scheme) ? n->fqdn : NULL;
    n->api_port = port_at(a, "daemon_connect", port_at(a, "daemon_listen", 8080));
    n->sftp_port = port_at(a, "daemon_sftp", 2022);
    n->maintenance = tree_flag(a, "maintenance_mode", false);
    t->pelican = t->pelican || tree_at(a, "daemon_connect") || tree_at(a, "cpu_overallocate");
    measure_share(t, n, a, "memory");
    measure_share(t, n, a, "disk");
    if (tree_at(a, "allocated_resources.cpu") && tree_number(a, "cpu") > 0)
        measure_share(t, n, a, "cpu");
    if (n->maintenance)
        ptero_node_say(t, n, BELFRY_OK, "in maintenance: Wings is not asked");
}

void ptero_nodes_read(struct ptero *t)
{
    struct ptero_refusal refusal;
    t->nodes = belfry_alloc(t->p, PTERO_NODES_MAX * sizeof *t->nodes);
    if (ptero_pages(t, &t->application, "/api/application/nodes?per_page=100", "read on nodes", take_node, &refusal) !=
        0) {
        ptero_trouble(t, refusal.state, "%s", refusal.text);
        t->reached = refusal.reached;
        return;
    }
    t->nodes_known = true;
    belfry_measure(t->p, "nodes", (double)t->node_count);
    if (t->node_count == 0)
        ptero_trouble(t, BELFRY_WARNING, "the panel has no nodes");
    if (t->node_count == PTERO_NODES_MAX)
        ptero_trouble(t, BELFRY_WARNING, "only the first %d nodes are looked at", PTERO_NODES_MAX);
}

void ptero_nodes_ports(struct ptero *t)
{
    size_t left_out = 0;
    const char *why = "";
    for (size_t i = 0; i < t->node_count; i++) {
        struct ptero_node *n = &t->nodes[i];
        struct ptero_refusal refusal;
        json_t *tree =
            ptero_ask(t, &t->application,
                      belfry_print(t->p, "/api/application/nodes/%lld/allocations?filter%%5Bserver_id%%5D=&per_page=1",
                                   (long long)n->id),
                      "read on allocations", &refusal);
        double ports = tree ? tree_number(tree, "meta.pagination.total") : NAN;
        if (tree && isnan(ports))
            ptero_node_say(t, n, BELFRY_UNKNOWN, "the panel does not tell how many ports are free");
        else if (tree)
            belfry_measure_part(t->p, n->part, "free_ports", ports);
        else if (left_out++ == 0)
            why = refusal.text;
        json_decref(tree);
    }
    if (left_out)
        ptero_trouble(t, BELFRY_UNKNOWN, "free ports of %zu node%s not known: %s", left_out, left_out > 1 ? "s" : "",
                      why);
}

void ptero_deployable(struct ptero *t)
{
    if (!belfry_has(t->p, "deploy_memory") && !belfry_has(t->p, "deploy_disk"))
        return;
    struct ptero_refusal refusal;
    double memory = (double)belfry_integer(t->p, "deploy_memory"), disk = (double)belfry_integer(t->p, "deploy_disk");
    const char *path = belfry_print(t->p, "/api/application/nodes/deployable?memory=%.0f&disk=%.0f", ceil(memory / MIB),
                                    ceil(disk / MIB));
    json_t *tree = ptero_ask(t, &t->application, path, "read on nodes", &refusal);
    if (tree && tree_count(tree, "data") > 0)
        belfry_measure(t->p, "deployable", (double)tree_count(tree, "data"));
    else if (tree || strstr(refusal.code, "NoViableNode"))
        ptero_trouble(t, BELFRY_CRITICAL, "no node can take a new server with %s memory and %s disk",
                      say_bytes(t->p, memory), say_bytes(t->p, disk));
    else
        ptero_trouble(t, refusal.state, "whether a new server fits is not known: %s", refusal.text);
    json_decref(tree);
}
