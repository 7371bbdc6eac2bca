/* SPDX-License-Identifier: GPL-3.0-or-later */
/* control - the control socket (doc/control.md): requests in, answers out. One table of verbs. An answer waits until
 * every journal record that it reflects is on disk; answers leave in the order of the requests. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/keeper/keeper.h"
#include "core/keeper/link.h"
#include "core/keeper/trouble.h"
#include "core/keeper/view.h"

#define CLIENTS_MAX 64
#define REQUEST_BYTES_MAX 65536
#define REQUESTS_WAITING_MAX 256

/* A request of a client: first it waits for its answer, then the answer waits for the disk. */
struct request {
    struct client *client; /* NULL once the client has gone */
    char *answer;          /* NULL: not made yet */
    size_t size;           /* bytes of the answer */
    uint64_t seq;          /* the journal record that must be on disk */
    bool recorded;         /* what it asks for is nothing unless it is recorded */
    char check[200];       /* "run": the check waited for; "" otherwise */
    struct request *next;
};

struct client {
    struct control *control;
    struct link link;
    unsigned uid;
    struct request *first, *last; /* in order of arrival */
    unsigned count;
    size_t bytes; /* of the answers that wait for the disk */
    struct client *next;
};

struct control {
    struct keeper *keeper;
    uv_poll_t poll;
    int fd;
    int spare_fd; /* given up for a moment when there is no other, to turn a client away */
    char *path;
    struct client *clients;
    unsigned client_count;
};

/* ---- answers --------------------------------------------------------------------------------------------------- */

static json_t *failure(const char *code, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

/* The disk takes nothing, and nobody knows for how long: what only shows something leaves all the same, marked with
 * why; what had to be recorded leaves as a failure. False while the disk is only slow. */
static bool mark_unrecorded(struct request *request)
{
    int code = journal_stalled(request->client->control->keeper->journal);
    if (code == 0)
        return false;
    json_t *json = request->recorded ? failure("unrecorded", "it was done, but the record of it is not on disk yet: %s",
                                               error_text(code))
                                     : json_loads(request->answer, 0, NULL);
    if (!request->recorded)
        json_object_set_new(json, "unrecorded", json_string(error_name(code)));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    request->client->bytes -= request->size;
    free(request->answer);
    request->answer = text ? text : heap_text("{}");
    request->size = strlen(request->answer);
    request->client->bytes += request->size;
    return true;
}

static void send_ready(struct client *client)
{
    uint64_t durable = journal_durable(client->control->keeper->journal);
    while (client->first && client->first->answer &&
           (client->first->seq <= durable || mark_unrecorded(client->first))) {
        struct request *request = client->first;
        size_t begin = wire_begin(&client->link.out, WIRE_CONTROL);
        wire_put_text(&client->link.out, request->answer);
        if (wire_end(&client->link.out, begin) != 0) {
            begin = wire_begin(&client->link.out, WIRE_CONTROL);
            wire_put_text(&client->link.out,
                          "{\"ok\":false,\"code\":\"bad-request\",\"error\":\"the answer is too long; "
                          "ask for one service\"}");
            wire_end(&client->link.out, begin);
        }
        link_changed(&client->link);
        client->first = request->next;
        if (!client->first)
            client->last = NULL;
        client->count--;
        client->bytes -= request->size;
        free(request->answer);
        free(request);
    }
}

/* Takes over the reference to json. It leaves with the next send_ready(), or later. */
static void set_answer(struct request *request, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    request->answer = text ? text : heap_text("{\"ok\":false,\"code\":\"bad-request\",\"error\":\"no answer\"}");
    request->size = strlen(request->answer);
    request->client->bytes += request->size;
    request->seq = journal_last(request->client->control->keeper->journal);
    request->check[0] = '\0';
    json_decref(json);
}

/* The same, and sends it as soon as it may leave. A request whose client has gone is freed. */
static void answer(struct request *request, json_t *json)
{
    if (request->client) {
        set_answer(request, json);
        send_ready(request->client);
    } else {
        json_decref(json);
        free(request);
    }
}

static json_t *failure(const char *code, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "code", code, "error", text);
}

static json_t *success(void)
{
    return json_pack("{s:b}", "ok", 1);
}

static json_t *unknown_subject(const char *subject)
{
    return strchr(subject, '/')
               ? failure("unknown-check", "there is no check '%s'; 'belfry status' lists them", subject)
               : failure("unknown-service", "there is no service '%s'; 'belfry status' lists them", subject);
}

/* ---- verbs ----------------------------------------------------------------------------------------------------- */

typedef void (*verb_function)(struct keeper *keeper, struct request *request, const json_t *arguments);

static const char *argument(const json_t *arguments, const char *name)
{
    return json_string_value(json_object_get(arguments, name));
}

static void do_status(struct keeper *keeper, struct request *request, const json_t *arguments)
{
    const char *subject = argument(arguments, "service");
    json_t *services = view_services(keeper, subject);
    if (!services) {
        answer(request, unknown_subject(subject));
        return;
    }
    json_t *json = success();
    json_object_set_new(json, "daemon", view_daemon(keeper));
    json_object_set_new(json, "services", services);
    json_object_set_new(json, "plugins", view_plugins(keeper));
    answer(request, json);
}

static void do_query(struct keeper *keeper, struct request *request, const json_t *arguments)
{
    const char *subject = argument(arguments, "subject");
    json_t *services = view_services(keeper, subject);
    if (!services) {
        answer(request, unknown_subject(subject));
        return;
    }
    json_t *checks = json_array(), *service, *check;
    size_t i, k;
    enum belfry_state state = BELFRY_OK;
    struct buf lines = { 0 };
    json_array_foreach(services, i, service)
    {
        json_array_foreach(json_object_get(service, "checks"), k, check)
        {
            enum belfry_state one = BELFRY_UNKNOWN;
            uint32_t slot = schedule_find(keeper->schedule, argument(check, "id"));
            state_from_name(argument(check, "state"), &one);
            view_nagios(keeper, slot, &lines);
            state = state_worse(state, one);
            json_array_append(checks, check);
        }
    }
    json_decref(services);
    answer(request, json_pack("{s:b, s:s, s:i, s:s, s:o}", "ok", 1, "state", state_name(state), "exit", (int)state,
                              "nagios", lines.data ? lines.data : "", "checks", checks));
    buf_close(&lines);
}

static void do_run(struct keeper *keeper, struct request *request, const json_t *arguments)
{
    const char *id = argument(arguments, "check");
    uint32_t slot = id ? schedule_find(keeper->schedule, id) : SCHEDULE_NONE;
    if (slot == SCHEDULE_NONE) {
        answer(request, unknown_subject(id ? id : ""));
        return;
    }
    const struct check_view *view = schedule_view(keeper->schedule, slot);
    text_copy(request->check, sizeof request->check, id);
    if (!view->config->enabled)
        answer(request, failure("denied", "'%s' can't run: it is disabled in the configuration", id));
    else if (schedule_run_now(keeper->schedule, slot, clock_instant()) == 0)
        answer(request,
               failure("denied", "'%s' can't run: its breaker is held open; 'belfry breaker auto %s' releases it", id,
                       view->breaker_name));
    dispatch_all(keeper);
    keeper_plan(keeper);
}

static json_t *ids(const char *const *list, uint32_t count)
{
    json_t *json = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(json, json_string(list[i]));
    return json;
}

static void on_reloaded(void *context, const struct schedule_changes *changes, const struct config_errors *errors)
{
    struct request *request = context;
    if (changes) {
        answer(request,
               json_pack("{s:b, s:o, s:o, s:o, s:I}", "ok", 1, "added", ids(changes->added_ids, changes->added),
                         "changed", ids(changes->changed_ids, changes->changed), "removed",
                         ids(changes->removed_ids, changes->removed), "kept", (json_int_t)changes->kept));
        return;
    }
    if (!errors) {
        answer(request,
               failure("stopping", "the plugin folders could not be read; the old configuration stays in force"));
        return;
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < errors->count && i < CONFIG_ERRORS_MAX; i++)
        json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "file", errors->items[i].place.file, "line",
                                              errors->items[i].place.line, "text", errors->items[i].text));
    json_t *json = failure("config", "the configuration has %u error%s; the old one stays in force", errors->count,
                           errors->count == 1 ? "" : "s");
    json_object_set_new(json, "errors", list);
    json_object_set_new(json, "error_count", json_integer(errors->count));
    answer(request, json);
}

static void do_reload(struct keeper *keeper, struct request *request, const json_t *arguments)
{
    (void)arguments;
    reload_start(keeper, on_reloaded, request);
}

static void do_breaker(struct keeper *keeper, struct request *request, const json_t *arguments)
{
    static const struct {
        const char *action;
        enum breaker_hold hold;
    } actions[] = { { "open", BREAKER_HELD_OPEN }, { "close", BREAKER_HELD_CLOSED }, { "auto", BREAKER_AUTO } };
    const char *action = argument(arguments, "action"), *name = argument(arguments, "name");
    char by[32];
    snprintf(by, sizeof by, "uid:%u", request->client->uid);
    if (!action || strcmp(action, "list") == 0) {
        answer(request, json_pack("{s:b, s:o}", "ok", 1, "breakers", view_breakers(keeper, NULL)));
        return;
    }
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(action, actions[i].action) != 0)
            continue;
        if (!name || schedule_breaker_hold(keeper->schedule, name, actions[i].hold, by, clock_instant()) != 0)
            answer(request, failure("unknown-breaker", "there is no breaker '%s'; 'belfry breaker list' shows them",
                                    name ? name : ""));
        else
            answer(request, json_pack("{s:b, s:o}", "ok", 1, "breakers", view_breakers(keeper, name)));
        keeper_plan(keeper);
        dispatch_all(keeper);
        return;
    }
    answer(request, failure("bad-request", "a breaker can be listed, opened, closed or set to auto, not '%s'", action));
}

static void do_plugins(struct keeper *keeper, struct request *request, const json_t *arguments)
{
    (void)arguments;
    answer(request,
           json_pack("{s:b, s:o, s:o}", "ok", 1, "plugins", view_plugins(keeper), "rejected", view_rejections(keeper)));
}

/* The damage of the journal that is known was seen by somebody. */
static void do_journal(struct keeper *keeper, struct request *request, const json_t *arguments)
{
    const char *action = argument(arguments, "action");
    char by[32];
    snprintf(by, sizeof by, "uid:%u", request->client->uid);
    if (action && strcmp(action, "acknowledge") == 0)
        answer(request, json_pack("{s:b, s:i}", "ok", 1, "acknowledged", (int)trouble_acknowledge(keeper, by)));
    else
        answer(request, failure("bad-request", "what the journal has found can be acknowledged, not '%s'",
                                action ? action : ""));
}

static void do_drill(struct keeper *keeper, struct request *request, const json_t *arguments)
{
    char by[32];
    snprintf(by, sizeof by, "uid:%u", request->client->uid);
    bool runbook = recovery_knows(keeper, argument(arguments, "name"));
    answer(request, (runbook ? recovery_command : drill_command)(keeper, arguments, by));
}

static bool always(const json_t *arguments)
{
    (void)arguments;
    return true;
}

static bool unless_list(const json_t *arguments)
{
    const char *action = argument(arguments, "action");
    return action && strcmp(action, "list") != 0;
}

static const struct {
    const char *name;
    verb_function run;
    bool (*recorded)(const json_t *arguments); /* whether it must be recorded; NULL: never */
} verbs[] = {
    { "status", do_status, NULL },          { "query", do_query, NULL },        { "run", do_run, NULL },
    { "reload", do_reload, always },        { "plugins", do_plugins, NULL },    { "journal", do_journal, always },
    { "breaker", do_breaker, unless_list }, { "drill", do_drill, unless_list },
};

/* A command that could not be recorded is not even begun. */
static bool refuse(struct keeper *keeper, struct request *request)
{
    struct why why = { "" };
    const char *code = request->recorded ? trouble_refuses(keeper, &why) : NULL;
    if (code) {
        request->recorded = false;
        answer(request, failure(code, "%s", why.text));
    }
    return code != NULL;
}

static void run_verb(struct keeper *keeper, struct request *request, const json_t *arguments)
{
    const char *verb = argument(arguments, "verb");
    for (size_t i = 0; verb && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verb, verbs[i].name) == 0) {
            request->recorded = verbs[i].recorded && verbs[i].recorded(arguments);
            if (!refuse(keeper, request))
                verbs[i].run(keeper, request, arguments);
            return;
        }
    }
    answer(request, failure("unknown-verb", "this belfryd does not know the verb '%s'", verb ? verb : ""));
}

/* ---- clients --------------------------------------------------------------------------------------------------- */

static bool on_client_frame(struct link *link, struct wire_frame *frame)
{
    struct client *client = link->owner;
    struct arena arena = { 0 };
    if (frame->type != WIRE_CONTROL || client->count >= REQUESTS_WAITING_MAX || client->bytes > LINK_QUEUE_MAX)
        return false;
    const char *text = wire_text(&frame->payload, &arena, REQUEST_BYTES_MAX);
    bool whole = text && wire_done(&frame->payload) == 0;
    if (whole) {
        struct request *request = heap_alloc(sizeof *request);
        request->client = client;
        if (client->last)
            client->last->next = request;
        else
            client->first = request;
        client->last = request;
        client->count++;
        json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        if (json_is_object(json))
            run_verb(client->control->keeper, request, json);
        else
            answer(request, failure("bad-request", "a request is one JSON object"));
        json_decref(json);
    }
    arena_close(&arena);
    return whole;
}

static void on_client_closed(struct link *link)
{
    free(link->owner);
}

/* Requests that wait for a run are freed with their client; one that waits for a reload is freed by its answer. */
static void drop_client(struct client *client)
{
    struct control *control = client->control;
    for (struct client **at = &control->clients; *at; at = &(*at)->next) {
        if (*at == client) {
            *at = client->next;
            control->client_count--;
            break;
        }
    }
    while (client->first) {
        struct request *request = client->first;
        client->first = request->next;
        if (request->answer || request->check[0]) {
            free(request->answer);
            free(request);
        } else {
            request->client = NULL;
        }
    }
    link_close(&client->link);
}

static void on_client_end(struct link *link, const char *why)
{
    if (why)
        log_warn("control", "a client was dropped: %s", why);
    drop_client(link->owner);
}

/* No descriptor is free, and who waits would wake us for ever: the spare one is given to it, and it is turned away. */
static void refuse_client(struct control *control)
{
    close(control->spare_fd);
    int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        close(fd);
    control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* The oldest client that asks nothing makes room for a new one. */
static void dismiss_idle(struct control *control)
{
    struct client *oldest = NULL;
    for (struct client *client = control->clients; client; client = client->next)
        if (client->count == 0 && link_waiting(&client->link) == 0)
            oldest = client;
    if (oldest)
        drop_client(oldest);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct control *control = poll->data;
    struct ucred credentials = { 0 };
    socklen_t size = sizeof credentials;
    (void)status;
    (void)events;
    int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            refuse_client(control);
        return;
    }
    if (control->client_count >= CLIENTS_MAX)
        dismiss_idle(control);
    if (control->client_count >= CLIENTS_MAX || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        close(fd);
        return;
    }
    struct client *client = heap_alloc(sizeof *client);
    client->control = control;
    client->uid = credentials.uid;
    client->link.owner = client;
    client->link.on_frame = on_client_frame;
    client->link.on_end = on_client_end;
    client->link.on_closed = on_client_closed;
    if (link_open(&client->link, &control->keeper->loop, &control->keeper->dirty, fd) != 0) {
        close(fd);
        free(client);
        return;
    }
    client->next = control->clients;
    control->clients = client;
    control->client_count++;
}

/* ---- the room's surface ---------------------------------------------------------------------------------------- */

void control_durable(struct keeper *keeper)
{
    for (struct client *client = keeper->control ? keeper->control->clients : NULL; client; client = client->next)
        send_ready(client);
}

static json_t *judged(struct keeper *keeper, uint32_t slot)
{
    struct buf lines = { 0 };
    enum belfry_state state = view_nagios(keeper, slot, &lines);
    json_t *json = json_pack("{s:b, s:o, s:s, s:i}", "ok", 1, "check", view_check(keeper, slot), "nagios",
                             lines.data ? lines.data : "", "exit", (int)state);
    buf_close(&lines);
    return json;
}

void control_judged(struct keeper *keeper, const struct watched *watched)
{
    for (struct client *client = keeper->control ? keeper->control->clients : NULL; client; client = client->next) {
        for (struct request *request = client->first; request; request = request->next)
            if (!request->answer && strcmp(request->check, watched->id) == 0)
                set_answer(request, watched->known ? judged(keeper, watched->slot) : unknown_subject(watched->id));
        send_ready(client);
    }
}

static int listen_on(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (text_copy(address.sun_path, sizeof address.sun_path, path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    unlink(path); /* ours: its folder's lock is held */
    mode_t mask = umask(0117);
    int failed = bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 32) != 0 ? -errno : 0;
    umask(mask);
    if (failed)
        close(fd);
    return failed ? failed : fd;
}

int control_open(struct keeper *keeper)
{
    const char *path = keeper->config->control_socket;
    int fd = listen_on(path);
    if (fd < 0) {
        log_error("control", "can't listen on '%s': %s; set run_dir to another folder", path, error_text(fd));
        return fd;
    }
    struct control *control = heap_alloc(sizeof *control);
    int failed = uv_poll_init(&keeper->loop, &control->poll, fd);
    if (failed) {
        log_error("control", "'%s' can't be watched: %s", path, error_text(failed));
        close(fd);
        free(control);
        return failed;
    }
    control->keeper = keeper;
    control->fd = fd;
    control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    control->path = heap_text(path);
    keeper->control = control;
    control->poll.data = control;
    return uv_poll_start(&control->poll, UV_READABLE, on_connection);
}

static void on_control_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    free(control->path);
    free(control);
}

void control_close(struct keeper *keeper)
{
    struct control *control = keeper->control;
    if (!control)
        return;
    while (control->clients)
        drop_client(control->clients);
    keeper->control = NULL;
    uv_poll_stop(&control->poll);
    close(control->fd);
    if (control->spare_fd >= 0)
        close(control->spare_fd);
    unlink(control->path);
    uv_close((uv_handle_t *)&control->poll, on_control_closed);
}
