/* SPDX-License-Identifier: GPL-3.0-or-later */
/* web-refused - the verdicts for answers of an API that nobody can go on with, the same words in every plugin. */
#include <jansson.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/common/tree.h"
#include "plugins/common/web.h"

/* ---- what the answer says itself ----------------------------------------------------------------------------- */

static const char *html_title(struct belfry_probe *p, const struct web_answer *answer)
{
    const char *open = strcasestr(answer->body, "<title"), *begin = open ? strchr(open, '>') : NULL;
    const char *end = begin ? strcasestr(begin, "</title") : NULL;
    if (!end)
        return NULL;
    begin += 1 + strspn(begin + 1, " \t\r\n");
    return begin < end ? say_excerpt(p, begin, (size_t)(end - begin)) : NULL;
}

static const char *json_message(struct belfry_probe *p, const struct web_answer *answer)
{
    static const char *const paths[] = { "message",        "errors.0.detail",   "errors.0.message",
                                         "errors.0.title", "error.message",     "error_description",
                                         "error",          "messages.0.message" };
    json_t *tree = json_loadb(answer->body, answer->body_size, 0, NULL);
    const char *found = NULL;
    for (size_t i = 0; tree && !found && i < sizeof paths / sizeof paths[0]; i++)
        found = tree_text(p, tree, paths[i], NULL);
    json_decref(tree);
    return found && *found ? say_excerpt(p, found, strlen(found)) : NULL;
}

const char *web_message(struct belfry_probe *p, const struct web_answer *answer)
{
    const char *message = json_message(p, answer);
    return message ? message : html_title(p, answer);
}

/* ---- verdicts ------------------------------------------------------------------------------------------------ */

static void say_limit(struct belfry_probe *p, const struct web_answer *answer, const char *subject, const char *says)
{
    double wait = answer->retry_after_s >= 0 ? answer->retry_after_s : answer->rate_reset_s;
    const char *when = wait >= 0 ? belfry_print(p, "ask again in %s", say_seconds(p, wait))
                                 : "it doesn't say for how long: ask less often";
    belfry_unknown(p, "%s answers %s with 429, too many requests%s: %s", subject, answer->what, says, when);
}

static void say_status(struct belfry_probe *p, const struct web_answer *answer, const char *subject,
                       const char *credential)
{
    const char *message = web_message(p, answer), *says = message ? belfry_print(p, " ('%s')", message) : "";
    long status = answer->status;
    if (status >= 500)
        belfry_unreachable(p, "%s answers %s with status %ld%s", subject, answer->what, status, says);
    else if (status == 401)
        belfry_critical(p, "%s doesn't accept %s: %s answers 401%s", subject, credential, answer->what, says);
    else if (status == 403)
        belfry_critical(p, "%s lacks the right for %s: %s answers 403%s", credential, answer->what, subject, says);
    else if (status == 404)
        belfry_critical(p, "%s has no %s: status 404%s", subject, strchr(answer->what, ' ') + 1, says);
    else if (status == 429)
        say_limit(p, answer, subject, says);
    else if (status >= 300 && status < 400)
        belfry_unknown(p, "%s answers %s with a redirect (%ld) to '%.*s' instead of data: a login page?", subject,
                       answer->what, status, (int)strnlen(answer->location, strcspn(answer->location, "?#")),
                       answer->location);
    else
        belfry_unknown(p, "%s answers %s with status %ld%s", subject, answer->what, status, says);
}

bool web_refused(struct belfry_probe *p, const struct web_answer *answer, const char *subject, const char *credential)
{
    if (answer->end == WEB_UNREACHABLE)
        belfry_unreachable(p, "%s", answer->why);
    else if (answer->end == WEB_DISTRUSTED)
        belfry_critical(p, "%s", answer->why);
    else if (answer->end == WEB_MISUSED)
        belfry_unknown(p, "%s", answer->why);
    else if (answer->status < 200 || answer->status >= 300)
        say_status(p, answer, subject, credential);
    else if (answer->cut)
        belfry_unknown(p, "%s answers %s with more than %s", subject, answer->what, say_bytes(p, WEB_BODY_MAX));
    else
        return false;
    return true;
}
