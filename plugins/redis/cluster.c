/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cluster - a cluster as one of its nodes sees it: CLUSTER INFO for the whole, CLUSTER NODES for the parts.
 *
 * CLUSTER NODES is a text, a line a node: "ID IP:PORT@BUSPORT[,HOSTNAME] FLAGS PRIMARY-ID PING PONG EPOCH LINK
 * SLOT...", where FLAGS is a list like "myself,master" and a SLOT is "5", "0-5460" or, of one on its way, "[5->-ID]".
 * "fail?" is what this node believes, "fail" what the majority of the primaries does.
 *
 * A failed primary that still has slots leaves them unserved: CRITICAL; a failed replica, or a primary whose slots a
 * replica has taken over, is a warning. Which nodes were replicas is kept by the beginnings of their ids, so that one
 * that is a primary in the next run is an event: a failover (resharding makes primaries, too, but not from replicas).
 */
#include "plugins/redis/redis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"

#define SLOTS 16384
#define NODES_MAX 512
#define ID_KEPT 8       /* of 40 hexadecimal digits */
#define KEPT_BYTES 4000 /* an id and a blank each */

struct node {
    const char *id, *address, *flags, *primary, *link;
    long slots;
    int replicas; /* that are up */
};

struct nodes {
    struct belfry_probe *p;
    size_t count;
    struct node all[NODES_MAX];
};

/* ---- the state of the whole ---------------------------------------------------------------------------------- */

static void judge_whole(struct belfry_probe *p, const char *text, struct redis_report *report)
{
    double assigned = redis_field(p, text, "cluster_slots_assigned"),
           failed = redis_field(p, text, "cluster_slots_fail");
    double nodes = redis_field(p, text, "cluster_known_nodes"), doubtful = redis_field(p, text, "cluster_slots_pfail");
    double uncovered = SLOTS - assigned + failed;
    bool good = strstr(text, "cluster_state:ok");
    if (!isnan(nodes))
        belfry_measure(p, "cluster_nodes", nodes);
    if (!isnan(failed))
        belfry_measure(p, "cluster_slots_failed", failed);
    if (!isnan(doubtful))
        belfry_measure(p, "cluster_slots_doubtful", doubtful);
    if (!isnan(assigned))
        belfry_measure(p, "cluster_slots_unassigned", SLOTS - assigned);
    if (uncovered > 0)
        redis_add_problem(
            p, report, BELFRY_CRITICAL,
            belfry_print(p, "%s: %.0f of %d slots are not served (%.0f on failed nodes, %.0f assigned to none)",
                         good ? "its cluster has a hole" : "its cluster has failed", uncovered, SLOTS, failed,
                         SLOTS - assigned));
    else if (!good)
        redis_add_problem(p, report, BELFRY_CRITICAL,
                          "its cluster has failed: this node does not reach the majority of the primaries");
}

/* ---- its nodes ----------------------------------------------------------------------------------------------- */

/* "master" among "myself,master,fail?". */
static bool has_flag(const struct node *node, const char *flag)
{
    size_t length = strlen(flag);
    for (const char *at = node->flags; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, flag, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

static bool is_down(const struct node *node)
{
    return has_flag(node, "fail") || has_flag(node, "fail?");
}

/* How many slots "5", "0-5460" is; those in brackets are counted where they still are. */
static long count_slots(const char *word)
{
    char *end;
    long first = strtol(word, &end, 10), last = *end == '-' ? strtol(end + 1, &end, 10) : first;
    return *word == '[' || end == word || first < 0 || last < first || last >= SLOTS ? 0 : last - first + 1;
}

/* "10.0.0.1:6379" of "10.0.0.1:6379@16379,name"; a node whose address is not known is called by its id. */
static const char *name_node(struct belfry_probe *p, const char *address, const char *id)
{
    size_t length = strcspn(address, "@,");
    return length == 0 || strncmp(address, ":0", length) == 0 ? belfry_print(p, "%.*s", ID_KEPT, id)
                                                              : say_copy(p, address, length < 100 ? length : 100);
}

static bool read_node(struct nodes *nodes, char *line)
{
    enum {
        ID,
        ADDRESS,
        FLAGS,
        PRIMARY,
        PING,
        PONG,
        EPOCH,
        LINK,
        WORDS
    };
    char *words[WORDS], *rest = line;
    for (int i = 0; i < WORDS; i++)
        if (!(words[i] = strsep(&rest, " ")))
            return false;
    struct node *node = &nodes->all[nodes->count++];
    *node = (struct node){
        words[ID], name_node(nodes->p, words[ADDRESS], words[ID]), words[FLAGS], words[PRIMARY], words[LINK], 0, 0
    };
    for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " "))
        node->slots += count_slots(word);
    return true;
}

static void count_replicas(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++)
        for (size_t j = 0; j < nodes->count && !is_down(&nodes->all[i]); j++)
            nodes->all[j].replicas += strcmp(nodes->all[i].primary, nodes->all[j].id) == 0;
}

/* What is wrong with a node, the first row that fits. */
static const char *judge_node(const struct node *node, enum belfry_state *state)
{
    bool serves = node->slots > 0;
    const struct {
        bool is;
        enum belfry_state state;
        const char *text;
    } rows[] = {
        { has_flag(node, "fail") && serves, BELFRY_CRITICAL, "has failed, and nobody serves its slots" },
        { has_flag(node, "fail") && has_flag(node, "master"), BELFRY_WARNING,
          "has failed and has no slots any more (failed over?)" },
        { has_flag(node, "fail"), BELFRY_WARNING, "has failed" },
        { has_flag(node, "fail?"), BELFRY_WARNING, "does not answer this node" },
        { has_flag(node, "handshake"), BELFRY_WARNING, "is in a handshake and not yet a member" },
        { has_flag(node, "noaddr"), BELFRY_WARNING, "has no known address" },
        { strcmp(node->link, "connected") != 0 && !has_flag(node, "myself"), BELFRY_WARNING,
          "is not connected to this node" },
        { true, BELFRY_OK, "is up" },
    };
    size_t i = 0;
    while (!rows[i].is)
        i++;
    *state = rows[i].state;
    return rows[i].text;
}

static void show_node(struct nodes *nodes, const struct node *node)
{
    struct belfry_probe *p = nodes->p;
    enum belfry_state state;
    const char *text = judge_node(node, &state);
    if (has_flag(node, "master")) {
        belfry_part(p, node->address, state, "primary of %ld slots %s, %d replica%s", node->slots, text, node->replicas,
                    node->replicas == 1 ? "" : "s");
        belfry_measure_part(p, node->address, "node_slots", (double)node->slots);
        if (node->slots > 0)
            belfry_measure_part(p, node->address, "node_replicas", node->replicas);
    } else {
        const struct node *of = NULL;
        for (size_t i = 0; i < nodes->count && !of; i++)
            of = strcmp(nodes->all[i].id, node->primary) == 0 ? &nodes->all[i] : NULL;
        belfry_part(p, node->address, state, "%s%s %s", has_flag(node, "slave") ? "replica of " : "node",
                    !has_flag(node, "slave") ? ""
                    : of                     ? of->address
                                             : "nobody known",
                    text);
    }
}

/* Says which of the replicas of the last run is a primary now, and keeps who is a replica. */
static void tell_failovers(const struct nodes *nodes)
{
    struct belfry_probe *p = nodes->p;
    const char *before = belfry_kept(p, "cluster_replicas");
    char *now = belfry_alloc(p, KEPT_BYTES + 2 * ID_KEPT);
    size_t length = 0;
    for (size_t i = 0; i < nodes->count; i++) {
        const struct node *node = &nodes->all[i];
        const char *id = belfry_print(p, "%.*s ", ID_KEPT, node->id);
        if (before && has_flag(node, "master") && node->slots > 0 && strstr(before, id))
            belfry_event(p, "redis.failed_over", node->address, "the replica became the primary of %ld slots",
                         node->slots);
        if (has_flag(node, "slave") && length < KEPT_BYTES) {
            memcpy(now + length, id, strlen(id));
            length += strlen(id);
        }
    }
    if (!before || strcmp(before, now) != 0)
        belfry_keep(p, "cluster_replicas", now);
}

static void judge_nodes(struct belfry_probe *p, const char *text, struct redis_report *report)
{
    struct nodes *nodes = belfry_alloc(p, sizeof *nodes);
    char *rest = say_copy(p, text, strlen(text));
    size_t lines = 0;
    nodes->p = p;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        line[strcspn(line, "\r")] = '\0';
        lines += *line != '\0';
        if (*line && nodes->count < NODES_MAX)
            read_node(nodes, line);
    }
    if (nodes->count < lines || lines == 0)
        redis_add_problem(
            p, report, BELFRY_UNKNOWN,
            belfry_print(p, "tells of %zu nodes in its cluster, of which %zu could be read", lines, nodes->count));
    count_replicas(nodes);
    for (size_t i = 0; i < nodes->count; i++)
        show_node(nodes, &nodes->all[i]);
    tell_failovers(nodes);
}

bool redis_judge_cluster(struct redis_link *link, struct redis_report *report)
{
    static const struct {
        const char *word;
        void (*judge)(struct belfry_probe *p, const char *text, struct redis_report *report);
    } questions[] = { { "INFO", judge_whole }, { "NODES", judge_nodes } };
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        const struct redis_reply *reply = redis_ask(link, "CLUSTER", questions[i].word, NULL);
        if (!reply)
            return false;
        if (reply->type == REDIS_REPLY_STRING)
            questions[i].judge(link->stream.p, reply->text, report);
        else
            redis_add_problem(link->stream.p, report, BELFRY_UNKNOWN, redis_refusal(link, reply).text);
    }
    return true;
}
