/* SPDX-License-Identifier: GPL-3.0-or-later */
/* control - the client of the daemon's control socket. */
#include "core/cli/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/channel.h"
#include "core/base/clock.h"
#include "core/cli/places.h"
#include "core/model/state.h"

static int explain(struct why *why, int code, const struct places *places)
{
    const char *socket = places->socket;
    bool absent = code == -ENOENT || code == -ECONNREFUSED;
    if (absent && places->mistake)
        return why_say(why, code, "nobody listens on '%s', and the configuration is not in order: %s", socket,
                       places->mistake);
    if (absent)
        return why_say(why, code,
                       "belfryd is not running (nobody listens on '%s'); start it with 'systemctl start "
                       "belfry' or 'belfryd -c FILE', or name its socket with --socket",
                       socket);
    if (code == -EACCES)
        return why_say(why, code, "not allowed to use '%s': ask root, or join the group that owns it", socket);
    if (code == -ETIMEDOUT)
        return why_say(why, code, "belfryd did not answer on '%s' in time", socket);
    return why_say(why, code, "no answer from belfryd on '%s': %s", socket, error_text(code));
}

static int send_request(struct channel *channel, const json_t *request, int64_t deadline_ms)
{
    struct buf out = { 0 };
    char *text = json_dumps(request, JSON_COMPACT);
    size_t begin = wire_begin(&out, WIRE_CONTROL);
    wire_put_text(&out, text);
    int code = wire_end(&out, begin);
    if (code == 0)
        code = channel_write(channel, &out, deadline_ms);
    free(text);
    buf_close(&out);
    return code;
}

static int read_answer(struct cli *cli, struct channel *channel, int64_t deadline_ms, json_t **answer)
{
    struct wire_frame frame;
    int n = channel_read(channel, &frame, deadline_ms);
    if (n <= 0)
        return n < 0 ? n : ERROR_STOPPED;
    const char *text = wire_text(&frame.payload, &cli->arena, WIRE_CONTROL_MAX);
    if (frame.type != WIRE_CONTROL || wire_done(&frame.payload) != 0 || text == NULL)
        return ERROR_PROTOCOL;
    *answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    return json_is_object(*answer) ? 0 : ERROR_PROTOCOL;
}

int control_ask(struct cli *cli, json_t *request, int64_t timeout_ms, json_t **answer, struct why *why)
{
    struct places places;
    struct channel channel = { .fd = -1 };
    *answer = NULL;
    int64_t deadline_ms = timeout_ms < 0 ? -1 : clock_now_ms() + timeout_ms;
    int code = places_find(cli, &places, why);
    if (code == 0) {
        channel.fd = channel_connect(places.socket);
        code = channel.fd < 0 ? channel.fd : send_request(&channel, request, deadline_ms);
        if (code == 0)
            code = read_answer(cli, &channel, deadline_ms, answer);
        if (code != 0)
            explain(why, code, &places);
    }
    if (channel.fd >= 0)
        channel_close(&channel);
    if (code != 0) {
        json_decref(*answer);
        *answer = NULL;
    }
    json_decref(request);
    return code;
}

json_t *control_want(struct cli *cli, json_t *request, int64_t timeout_ms, int *status)
{
    json_t *answer;
    struct why why = { "" };
    if (control_ask(cli, request, timeout_ms, &answer, &why) != 0) {
        *status = cli_fail(cli, "%s", why.text);
        return NULL;
    }
    if (control_flag(answer, "ok"))
        return answer;
    *status = cli_fail(cli, "%s", control_text(cli, answer, "error"));
    json_decref(answer);
    return NULL;
}

const char *control_text(struct cli *cli, const json_t *object, const char *key)
{
    return cli_visible(cli, json_string_value(json_object_get(object, key)));
}

int64_t control_integer(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value))
        return json_integer_value(value);
    double number = json_number_value(value);
    return number > -9e15 && number < 9e15 ? (int64_t)number : 0;
}

bool control_flag(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

json_t *control_list(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_array(value) ? value : NULL; /* jansson takes NULL for an empty array */
}

enum belfry_state control_state(const json_t *object, const char *key)
{
    const char *name = json_string_value(json_object_get(object, key));
    enum belfry_state state = BELFRY_UNKNOWN;
    if (name)
        state_from_name(name, &state);
    return state;
}

void control_print(struct cli *cli, json_t *json)
{
    char *text = json_dumps(json, CONTROL_JSON);
    buf_text(&cli->out, text ? text : "null");
    buf_char(&cli->out, '\n');
    free(text);
    json_decref(json);
    cli_flush(cli);
}
