/* SPDX-License-Identifier: GPL-3.0-or-later */
/* findings - what containers and the engine are allowed that they had better not be.
 *
 * Each kind is a row of the table: a part "finding KIND" that names the containers it was seen in and where it is set
 * (a path into `docker inspect`), and the metric `findings` of that part, which counts them. They are for the reader:
 * no kind has a threshold unless the sysadmin gives it one. Only containers that run are looked into.
 */
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/docker/docker.h"

#define NAMES_MAX 20
#define KEPT_BYTES 3000

/* ---- one container ------------------------------------------------------------------------------------------- */

static const char *text_at(const json_t *tree, const char *path)
{
    const char *text = json_string_value(tree_at(tree, path));
    return text ? text : "";
}

static bool has_no_memory_limit(const struct docker *d, const json_t *tree)
{
    (void)d;
    return tree_integer(tree, "HostConfig.Memory", 0) == 0;
}

static bool has_no_cpu_limit(const struct docker *d, const json_t *tree)
{
    (void)d;
    return tree_integer(tree, "HostConfig.NanoCpus", 0) <= 0 && tree_integer(tree, "HostConfig.CpuQuota", 0) <= 0;
}

static bool is_privileged(const struct docker *d, const json_t *tree)
{
    (void)d;
    return tree_flag(tree, "HostConfig.Privileged", false);
}

static bool is_socket(const struct docker *d, const char *path)
{
    const char *slash = strrchr(path, '/');
    return (slash && (strcmp(slash, "/docker.sock") == 0 || strcmp(slash, "/podman.sock") == 0)) ||
           (d->setup.socket && strcmp(path, d->setup.socket) == 0);
}

/* The socket of an engine, or a folder that holds it. */
static bool has_socket(const struct docker *d, const json_t *tree)
{
    static const char *const folders[] = { "/", "/run", "/run/", "/var/run", "/var/run/", "/run/podman" };
    for (size_t i = 0; i < tree_count(tree, "Mounts"); i++) {
        const json_t *mount = tree_item(tree, "Mounts", i);
        const char *source = text_at(mount, "Source");
        if (is_socket(d, source) || is_socket(d, text_at(mount, "Destination")))
            return true;
        for (size_t k = 0; k < sizeof folders / sizeof folders[0]; k++)
            if (strcmp(source, folders[k]) == 0)
                return true;
    }
    return false;
}

static bool is_in_host_network(const struct docker *d, const json_t *tree)
{
    (void)d;
    return strcmp(text_at(tree, "HostConfig.NetworkMode"), "host") == 0;
}

static bool has_no_restart_policy(const struct docker *d, const json_t *tree)
{
    const char *policy = text_at(tree, "HostConfig.RestartPolicy.Name");
    (void)d;
    return *policy == '\0' || strcmp(policy, "no") == 0;
}

/* "nginx", "host:5000/nginx" or ":latest"; not "nginx:1.27", "nginx@sha256:..." or the id of an image. */
static bool is_latest(const struct docker *d, const json_t *tree)
{
    const char *image = text_at(tree, "Config.Image"), *slash = strrchr(image, '/');
    const char *colon = strchr(slash ? slash : image, ':');
    (void)d;
    if (*image == '\0' || strchr(image, '@') || strncmp(image, "sha256:", 7) == 0)
        return false;
    return !colon || strcmp(colon, ":latest") == 0;
}

/* "", "0", "root", "0:0", "root:www": root, unless user namespaces make somebody else of it. */
static bool is_root(const struct docker *d, const json_t *tree)
{
    const char *user = text_at(tree, "Config.User");
    size_t length = strcspn(user, ":");
    bool mapped = d->root_is_nobody && strcmp(text_at(tree, "HostConfig.UsernsMode"), "host") != 0;
    bool root = length == 0 || (length == 1 && *user == '0') || (length == 4 && strncmp(user, "root", 4) == 0);
    return root && !mapped;
}

/* The kinds that need to know the engine come last. */
enum {
    ROOT = 7,
    ENGINE,
    KINDS
};

static const struct kind {
    const char *name, *says, *route;
    bool (*is_so)(const struct docker *d, const json_t *inspect); /* NULL: of the engine */
} kinds[] = {
    { "privileged", "run privileged: root in them is root here", "HostConfig.Privileged", is_privileged },
    { "socket", "have the engine's socket mounted: who is in them is root here", "Mounts", has_socket },
    { "memory", "have no memory limit", "HostConfig.Memory", has_no_memory_limit },
    { "cpu", "have no CPU limit", "HostConfig.NanoCpus", has_no_cpu_limit },
    { "host_network", "share the host's network", "HostConfig.NetworkMode", is_in_host_network },
    { "restart", "have no restart policy: they stay down when they end", "HostConfig.RestartPolicy",
      has_no_restart_policy },
    { "latest", "run an image without a tag of its own, or 'latest'", "Config.Image", is_latest },
    [ROOT] = { "root", "run as root", "Config.User", is_root },
    [ENGINE] = { "engine", "from the engine", "Warnings", NULL },
};

/* Whether the option asks for it: by name, or all by "true". */
static bool is_wanted(struct docker *d, const struct kind *kind)
{
    for (size_t i = 0; i < belfry_count(d->p, "findings"); i++) {
        const char *asked = belfry_item(d->p, "findings", i);
        if (strcmp(asked, "true") == 0 || strcmp(asked, kind->name) == 0)
            return true;
    }
    return false;
}

void docker_find(struct docker *d, struct docker_container *c, const json_t *inspect)
{
    c->searched = tree_flag(inspect, "State.Running", false);
    for (size_t i = 0; i < KINDS && c->searched; i++)
        if (kinds[i].is_so && is_wanted(d, &kinds[i]) && kinds[i].is_so(d, inspect))
            c->findings |= 1u << i;
}

/* ---- telling ------------------------------------------------------------------------------------------------- */

/* What a kind of finding is about: containers, or warnings. */
struct hits {
    size_t count, of;
    const char *names; /* the first of them */
};

static void hit(struct docker *d, struct hits *h, const char *name)
{
    if (++h->count <= NAMES_MAX)
        h->names = h->names ? belfry_print(d->p, "%s, %s", h->names, name) : name;
}

static void tell(struct docker *d, const struct kind *kind, const struct hits *h)
{
    const char *part = belfry_print(d->p, "finding %s", kind->name);
    const char *more = h->count > NAMES_MAX ? belfry_print(d->p, " and %zu more", h->count - NAMES_MAX) : "";
    const char *of = kind->is_so ? belfry_print(d->p, " of %zu", h->of) : h->count == 1 ? " warning" : " warnings";
    belfry_part(d->p, part, BELFRY_OK, "%zu%s %s%s%s%s (%s in docker %s)", h->count, of, kind->says,
                h->names ? ": " : "", h->names ? h->names : "", more, kind->route, kind->is_so ? "inspect" : "info");
    belfry_measure_part(d->p, part, "findings", (double)h->count);
    d->findings += h->count;
}

const char *docker_say_findings(struct docker *d, const char *text)
{
    for (size_t i = 0; i < ENGINE; i++) {
        struct hits h = { 0 };
        bool refused = false;
        for (size_t k = 0; k < d->count; k++) {
            refused |= d->containers[k].refused;
            h.of += d->containers[k].searched;
            if (d->containers[k].findings & 1u << i)
                hit(d, &h, d->containers[k].name);
        }
        if (is_wanted(d, &kinds[i]) && !refused) /* nobody knows, and the verdict says why */
            tell(d, &kinds[i], &h);
    }
    return d->findings > 0 ? belfry_print(d->p, "%s; %zu finding%s", text, d->findings, d->findings == 1 ? "" : "s")
                           : text;
}

/* ---- the engine ---------------------------------------------------------------------------------------------- */

/* An event for each warning that the last run didn't have. */
static void note_warning(struct docker *d, const char *known, const char *text)
{
    const char *entry = belfry_print(d->p, "\x1e%s\x1e", text);
    if (known && !strstr(known, entry))
        belfry_event(d->p, "engine.warning", NULL, "%s", text);
}

static void read_warnings(struct docker *d, const json_t *tree)
{
    const char *known = belfry_kept(d->p, "warnings"), *now = "\x1e";
    struct hits h = { 0 };
    for (size_t i = 0; i < tree_count(tree, "Warnings"); i++) {
        const char *raw = json_string_value(tree_item(tree, "Warnings", i));
        if (!raw)
            continue;
        const char *text = say_excerpt(d->p, raw, strlen(raw));
        note_warning(d, known, text);
        hit(d, &h, belfry_print(d->p, "'%s'", text));
        if (strlen(now) + strlen(text) < KEPT_BYTES)
            now = belfry_print(d->p, "%s%s\x1e", now, text);
    }
    belfry_keep(d->p, "warnings", now);
    tell(d, &kinds[ENGINE], &h);
}

/* "name=userns", "name=rootless". */
static bool maps_users(const json_t *tree)
{
    for (size_t i = 0; i < tree_count(tree, "SecurityOptions"); i++) {
        const char *option = json_string_value(tree_item(tree, "SecurityOptions", i));
        if (option && (strncmp(option, "name=userns", 11) == 0 || strncmp(option, "name=rootless", 13) == 0))
            return true;
    }
    return tree_flag(tree, "Rootless", false);
}

/* Why the answer to /info is none. */
static const char *say_why(struct docker *d, const struct web_answer *answer, const char *why)
{
    if (answer->end != WEB_ANSWERED)
        return answer->why;
    return why ? why : belfry_print(d->p, "status %ld", answer->status);
}

void docker_info(struct docker *d)
{
    const char *why = NULL;
    if (!is_wanted(d, &kinds[ENGINE]) && !is_wanted(d, &kinds[ROOT]))
        return;
    const struct web_answer *answer = web_ask(d->client, "GET", belfry_print(d->p, "%s/info", d->prefix), NULL);
    if (docker_lacks(d, answer, "GET /info", "INFO"))
        return;
    json_t *tree = answer->end == WEB_ANSWERED && answer->status == 200 ? tree_read(d->p, answer, &why) : NULL;
    d->root_is_nobody = maps_users(tree);
    if (!tree)
        belfry_detail(d->p, "warnings of the engine are not known, GET /info: %s", say_why(d, answer, why));
    else if (is_wanted(d, &kinds[ENGINE]))
        read_warnings(d, tree);
    json_decref(tree);
}
