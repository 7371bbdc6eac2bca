/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pterodactyl - what the files of the plugin share: the run, what is known of nodes and servers, and the calls. */
#ifndef PLUGINS_PTERODACTYL_H
#define PLUGINS_PTERODACTYL_H

#include <jansson.h>

#include "belfry/plugin.h"
#include "plugins/common/tree.h"
#include "plugins/common/web.h"

#define PTERO_NODES_MAX 128
#define PTERO_NOTES_MAX 700
#define PTERO_NOTE_VALUES 4
#define PTERO_BYTES_MAX (6 * 1024 * 1024) /* of all answers of a run: a run has 16 MiB */

/* One thing remembered from run to run, by kind and number. notes.c keeps it. */
struct ptero_note {
    char kind;
    bool live;  /* touched in this run: the others are forgotten */
    bool fresh; /* made in this run */
    int64_t id;
    int64_t values[PTERO_NOTE_VALUES];
};

enum ptero_kind {
    NOTE_INSTALL = 'i',  /* first seen installing */
    NOTE_RESTORE = 'r',  /* first seen restoring */
    NOTE_FAILED = 'x',   /* install seen failed */
    NOTE_UNPROVEN = 'u', /* installed since, not seen running since */
    NOTE_TRANSFER = 't', /* first seen, old node, new node */
    NOTE_STRANDED = 'f', /* a transfer that failed: when, old node, new node */
    NOTE_DOWN = 'd',     /* first seen not running */
    NOTE_BACKUP = 'b',   /* checked, last good, failed in a day, runs since */
    NOTE_SCHEDULE = 's', /* checked, due since, processing since, how many */
    NOTE_SLOW = 'n',     /* a node whose Wings let us wait to the deadline */
};

struct ptero_node {
    int64_t id;
    const char *name, *fqdn, *scheme, *part;
    int64_t api_port, sftp_port;
    bool maintenance, listed; /* listed: Wings told its servers */
    size_t servers;
    enum belfry_state state;
    const char *text; /* what the part says so far */
    int sftp;         /* 1: greeted, 0: not asked, -1: no greeting */
    const char *sftp_why;
    bool slow, asked;
};

struct ptero_server {
    int64_t id, node, updated, transfer_since, transfer_from, transfer_to;
    const char *uuid, *identifier, *name, *external, *status; /* status "" is normal */
    bool suspended, installed, transferring;
    double memory_limit, disk_limit, backup_limit; /* bytes, 0 unlimited; backups */
    const char *wings_state;                       /* NULL: not known */
    bool wings_suspended;
    double memory_used, disk_used;
};

/* One of the panel's two interfaces, each with a limit of its own. */
struct ptero_api {
    struct web_client *client;
    const char *option;  /* which option has the key */
    char letter;         /* 'a' or 'c': its kept times */
    const char *stopped; /* why nothing more is asked, or NULL */
    double left_percent;
};

struct ptero {
    struct belfry_probe *p;
    int64_t now;
    struct ptero_api application, client;
    bool pelican, first_run, nodes_known, servers_known, debug_seen;
    int64_t calls, calls_max;
    double api_s; /* spent in calls */
    size_t bytes, parts;
    struct ptero_node *nodes;
    size_t node_count;
    struct ptero_server *servers;
    size_t server_count, server_room;
    struct ptero_note *notes;
    size_t note_count;
    struct ptero_choices *lists; /* of client.c */
    enum belfry_state state;
    bool reached;
    const char *troubles; /* "; a; b" */
    size_t bad;           /* parts about servers that are not OK, and what the worst of them says */
    enum belfry_state worst;
    const char *worst_text;
};

/* What is wrong with an answer. text NULL: nothing. */
struct ptero_refusal {
    enum belfry_state state;
    bool reached;
    const char *text, *code; /* code: the panel's name of the error, or "" */
};

/* api.c */
/* Asks for JSON at a path: the tree, which the caller ends, or NULL with *refusal; right: what the key must be allowed
 * to read. Calls are counted and stop before the limit. */
json_t *ptero_ask(struct ptero *t, struct ptero_api *api, const char *path, const char *right,
                  struct ptero_refusal *refusal);
/* All pages of a list: 0 when complete, else -1 with *refusal. path ends in what the page number is appended to. */
int ptero_pages(struct ptero *t, struct ptero_api *api, const char *path, const char *right,
                void (*visit)(struct ptero *t, const json_t *item), struct ptero_refusal *refusal);
void ptero_explain(struct ptero *t, const struct web_answer *answer, const char *credential, const char *right,
                   struct ptero_refusal *refusal);
/* The worse of two states; CRITICAL weighs more than UNKNOWN. */
enum belfry_state ptero_worse(enum belfry_state a, enum belfry_state b);
/* Something wrong with the whole: raises the verdict and adds to its text. */
BELFRY_PRINTF(3, 4) void ptero_trouble(struct ptero *t, enum belfry_state state, const char *format, ...);
/* A part about a server; one that is not OK is named in the verdict, too. */
BELFRY_PRINTF(4, 5) void ptero_say(struct ptero *t, const char *part, enum belfry_state state, const char *format, ...);
/* A name from outside, safe in a text. */
const char *ptero_name(struct ptero *t, const char *name);
/* True as long as max_parts allows one more part. */
bool ptero_room(struct ptero *t);

/* notes.c */
void ptero_notes_load(struct ptero *t);
void ptero_notes_save(struct ptero *t);
struct ptero_note *ptero_note_find(struct ptero *t, enum ptero_kind kind, int64_t id);
/* Finds or makes the note (values[0] = since), and keeps it for the next run. NULL when there are too many. */
struct ptero_note *ptero_note_touch(struct ptero *t, enum ptero_kind kind, int64_t id, int64_t since);
/* Keeps all notes of a kind: what they are about could not be looked at. */
void ptero_notes_hold(struct ptero *t, const char *kinds);

/* nodes.c */
void ptero_nodes_read(struct ptero *t);
void ptero_nodes_ports(struct ptero *t);
void ptero_deployable(struct ptero *t);
struct ptero_node *ptero_node_of(struct ptero *t, int64_t id);
/* Adds to what a node's part says. */
BELFRY_PRINTF(4, 5)
void ptero_node_say(struct ptero *t, struct ptero_node *n, enum belfry_state state, const char *format, ...);

/* servers.c */
void ptero_servers_read(struct ptero *t);
void ptero_servers_judge(struct ptero *t);
void ptero_servers_running(struct ptero *t);
struct ptero_server *ptero_server_by_uuid(struct ptero *t, const char *uuid);
/* True when an option's list names the server (identifier, uuid, name, external id or "all"). */
bool ptero_selected(struct ptero *t, const char *option, const struct ptero_server *s);

/* client.c */
/* Backups and schedules, as many as calls allow; what is known of them is said when the rest has its parts. */
void ptero_lists_ask(struct ptero *t);
void ptero_lists_say(struct ptero *t);

/* wings.c, sftp.c */
void ptero_wings(struct ptero *t);
void ptero_sftp(struct ptero *t);

#endif
