/* SPDX-License-Identifier: GPL-3.0-or-later */
/* greet - who answers, and in which version of its API.
 *
 * The version is the engine's own, at most API_NEWEST (the newest shape this code was written for); an engine that
 * finds it too old or too new says which one it wants, and gets that. /_ping tells it by a header; where a proxy drops
 * the header or refuses /_ping, /version tells it. podman is known by a header or by a component of /version.
 */
#include <stdio.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/docker/docker.h"

#define API_NEWEST 44 /* 1.44: Docker 25 and newer, podman 5.8 */
#define API_OLDEST 41 /* 1.41: Docker 20.10, podman 3 */

/* ---- the version --------------------------------------------------------------------------------------------- */

/* The N of "1.N"; -1 when it is something else. */
static int minor_of(const char *version)
{
    int minor = -1;
    return version && sscanf(version, "1.%4d", &minor) == 1 ? minor : -1;
}

static void choose(struct docker *d, int minor)
{
    d->prefix = belfry_print(d->p, "/v1.%d", minor < API_NEWEST ? minor : API_NEWEST);
}

/* "client version 1.24 is too old. Minimum supported API version is 1.44, ...": takes the version it names. */
bool docker_renegotiate(struct docker *d, const struct web_answer *answer)
{
    static const char mark[] = "supported API version is ";
    const char *at = answer->status == 400 ? strstr(answer->body, mark) : NULL;
    int minor = at ? minor_of(at + sizeof mark - 1) : -1;
    if (minor < API_OLDEST)
        return false;
    d->prefix = belfry_print(d->p, "/v1.%d", minor); /* it may be newer than ours: the shape is tried */
    return true;
}

/* What /version says: {"ApiVersion":"1.44","Components":[{"Name":"Podman Engine"}]}. NULL when it can't be had. */
static const char *ask_version(struct docker *d)
{
    const char *why = NULL, *version = NULL;
    const struct web_answer *answer = web_ask(d->client, "GET", "/version", NULL);
    json_t *tree = answer->end == WEB_ANSWERED && answer->status == 200 ? tree_read(d->p, answer, &why) : NULL;
    for (size_t i = 0; i < tree_count(tree, "Components"); i++)
        if (strcmp(tree_text(d->p, tree_item(tree, "Components", i), "Name", ""), "Podman Engine") == 0)
            d->podman = true;
    version = tree_text(d->p, tree, "ApiVersion", NULL);
    json_decref(tree);
    return version;
}

/* ---- greeting ------------------------------------------------------------------------------------------------ */

/* Why a socket could not be used, in words for whoever has to repair it. False: it is something else. */
static bool explain_socket(struct docker *d, const struct web_answer *answer)
{
    const char *socket = d->setup.socket;
    if (answer->end != WEB_UNREACHABLE || !socket || strncmp(answer->why, "connect to", 10) != 0)
        return false;
    if (strstr(answer->why, "permission denied")) {
        belfry_unknown(d->p, "no permission for %s: belfry-docker(7) says how to give it", socket);
        return true;
    }
    if (strstr(answer->why, "no such file"))
        belfry_unreachable(d->p, "there is no %s: is the engine installed and started?", socket);
    else if (strstr(answer->why, "refused"))
        belfry_unreachable(d->p, "%s is there, but nobody listens: the engine is dead (containers may still run)",
                           socket);
    else
        return false;
    return true;
}

/* The engine's clock, by its Date header; ours when there is none. */
static int64_t clock_of(const struct docker *d)
{
    struct tm t = { 0 };
    const char *date = web_header(d->client, "date");
    return date && strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &t) ? (int64_t)timegm(&t) : (int64_t)time(NULL);
}

/* A proxy that refuses /_ping may allow /version. */
static bool is_refused(const struct web_answer *answer)
{
    return answer->end == WEB_ANSWERED && (answer->status == 401 || answer->status == 403);
}

/* Remembers since when it is not reached, until docker_judge() tells that it is again. */
static void note_down(struct docker *d, const struct web_answer *answer)
{
    bool down = answer->end == WEB_UNREACHABLE || (answer->end == WEB_ANSWERED && answer->status >= 500);
    if (down && !belfry_kept(d->p, "down"))
        belfry_keep(d->p, "down", belfry_print(d->p, "%lld", (long long)time(NULL)));
}

bool docker_greet(struct docker *d)
{
    const struct web_answer *answer = web_ask(d->client, "GET", "/_ping", NULL);
    const char *version = web_header(d->client, "api-version"), *server = web_header(d->client, "server");
    d->podman = web_header(d->client, "libpod-api-version") || (server && strncmp(server, "Libpod", 6) == 0);
    d->answer_s = answer->total_s;
    d->now = clock_of(d);
    note_down(d, answer);
    if (explain_socket(d, answer))
        return false;
    bool pinged = answer->end == WEB_ANSWERED && answer->status == 200 && strncmp(answer->body, "OK", 2) == 0;
    if (!version && (pinged || is_refused(answer)))
        version = ask_version(d);
    if (!(version && is_refused(answer)) && web_refused(d->p, answer, DOCKER_SUBJECT, DOCKER_CREDENTIAL))
        return false;
    if (!version && !pinged) {
        belfry_unknown(d->p, "what answers is no Docker engine: %s says '%s'", answer->what,
                       say_excerpt(d->p, answer->body, answer->body_size));
        return false;
    }
    int minor = version ? minor_of(version) : API_NEWEST;
    if (minor < API_OLDEST) {
        belfry_unknown(d->p, "the engine speaks version %s of the API, but 1.%d is the oldest that is understood",
                       say_excerpt(d->p, version, strlen(version)), API_OLDEST);
        return false;
    }
    choose(d, minor);
    return true;
}

bool docker_lacks(struct docker *d, const struct web_answer *answer, const char *what, const char *allow)
{
    if (!is_refused(answer))
        return false;
    const char *text = belfry_print(d->p, "%s (does a proxy allow %s?)", what, allow);
    if (!d->lacks)
        d->lacks = text;
    else if (!strstr(d->lacks, text))
        d->lacks = belfry_print(d->p, "%s, %s", d->lacks, text);
    return true;
}
