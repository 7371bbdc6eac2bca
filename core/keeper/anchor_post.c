/* SPDX-License-Identifier: GPL-3.0-or-later */
/* anchor_post - see the header. The line stands in the message as it is, so that who copies it out of the channel has
 * what `belfry journal verify --anchor` reads.
 *
 *     json      {"type":"journal.anchored","text":LINE}                   2xx takes it
 *     discord   {"content":LINE,"allowed_mentions":{"parse":[]}}, to URL?wait=true, without which Discord does not tell
 *               that it could not store a message                         2xx takes it
 *     slack     {"text":LINE}                                             200 and the body `ok` take it
 *
 * TLS is verified; plain HTTP goes to this machine only; redirections are not followed. No connection, no answer, 408,
 * 429 and 5xx are tried again, after a pause that doubles, or as long as Retry-After says. Other answers are final:
 * 401, 403, 404 and 410 say that the webhook is gone, and who goes on asking is shut out by Discord.
 *
 * Diagnostics: `it answered N`, with the body when that is one word, as Slack's are. */
#include "core/keeper/anchor_post.h"

#include <config.h>

#ifdef HAVE_CURL

#include <curl/curl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/text.h"

#define TRIES_LEAST 3 /* so many fit into the limit, should each of them stall */
#define CONNECT_MS 10000L
#define PAUSE_MS 1000
#define BODY_MAX (256u << 10)
#define WORD_SIZE 41

static const struct format {
    const char *name, *head, *tail; /* around the line as JSON */
    const char *query, *agent;
    const char *body; /* that tells success, or NULL */
} formats[] = {
    { "json", "{\"type\":\"journal.anchored\",\"text\":", "}", NULL, "belfry/" PACKAGE_VERSION, NULL },
    { "discord", "{\"content\":", ",\"allowed_mentions\":{\"parse\":[]}}", "wait=true",
      "DiscordBot (belfry, " PACKAGE_VERSION ")", NULL },
    { "slack", "{\"text\":", "}", NULL, "belfry/" PACKAGE_VERSION, "ok" },
};

/* One message on its way. */
struct post {
    const struct format *format;
    struct buf url, body;
    char word[WORD_SIZE]; /* the answer's beginning */
    size_t taken;         /* bytes of it */
    int64_t until_ms;
    long try_ms;
    int64_t pause_ms; /* before the next try */
};

static const struct format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

static bool is_allowed(const char *url)
{
    static const char *const here[] = { "http://127.0.0.1", "http://[::1]", "http://localhost" };
    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++) {
        size_t n = strlen(here[i]);
        if (strncmp(url, here[i], n) == 0 && (url[n] == ':' || url[n] == '/'))
            return true;
    }
    return strncmp(url, "https://", 8) == 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct post *post = user;
    size_t n = size * count, at = post->taken, room = sizeof post->word - 1;
    if (at < room)
        memcpy(post->word + at, bytes, n < room - at ? n : room - at);
    post->taken += n;
    return post->taken <= BODY_MAX ? n : 0;
}

static CURL *open_request(struct post *post, struct curl_slist *headers)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_URL, post->url.data);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, post->format->agent);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)post->body.length);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post->body.data);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, post);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, post->try_ms < CONNECT_MS ? post->try_ms : CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, post->try_ms);
    if (getenv("SSL_CERT_FILE"))
        curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
    if (getenv("SSL_CERT_DIR"))
        curl_easy_setopt(easy, CURLOPT_CAPATH, getenv("SSL_CERT_DIR"));
    return easy;
}

/* ---- what came of it --------------------------------------------------------------------------------------------- */

/* " (no_service)", or nothing: a whole body may show the path that was asked for, which is the secret. */
static const char *answer_word(const struct post *post, char out[WORD_SIZE + 4])
{
    size_t n = strspn(post->word, "abcdefghijklmnopqrstuvwxyz_");
    out[0] = '\0';
    if (n > 0 && n == post->taken && n < sizeof post->word)
        snprintf(out, WORD_SIZE + 4, " (%s)", post->word);
    return out;
}

/* A positive number: to be tried again. */
static int judge_answer(struct post *post, long status, struct why *why)
{
    char word[WORD_SIZE + 4];
    const char *wanted = post->format->body;
    answer_word(post, word);
    if (status >= 200 && status < 300 && (!wanted || strcmp(post->word, wanted) == 0))
        return 0;
    if (status == 401 || status == 403 || status == 404 || status == 410)
        return why_say(why, ERROR_REFUSED, "it answered %ld%s: it does not exist any more, or not for us", status,
                       word);
    why_say(why, ERROR_PROTOCOL, "it answered %ld%s", status, word);
    return status == 408 || status == 429 || status >= 500 ? 1 : ERROR_PROTOCOL;
}

static int try_once(struct post *post, CURL *easy, struct why *why)
{
    long status = 0;
    curl_off_t wait_s = 0;
    memset(post->word, 0, sizeof post->word);
    post->taken = 0;
    CURLcode code = curl_easy_perform(easy);
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return why_say(why, ERROR_PROTOCOL, "%s", curl_easy_strerror(code));
    if (code != CURLE_OK) {
        why_say(why, ERROR_PROTOCOL, "%s", curl_easy_strerror(code));
        return 1;
    }
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait_s);
    if (wait_s > 0 && wait_s < 86400 && post->pause_ms < wait_s * 1000)
        post->pause_ms = wait_s * 1000;
    return judge_answer(post, status, why);
}

/* Waits before the next try, up to a fifth longer than the pause: false when there is no time for one. */
static bool rest(struct post *post, struct why *why)
{
    uint32_t random;
    char text[512];
    digest_random(&random, sizeof random);
    int64_t wait_ms = post->pause_ms + post->pause_ms * (random % 200) / 1000;
    if (clock_now_ms() + wait_ms >= post->until_ms) {
        text_copy(text, sizeof text, why->text);
        why_say(why, ERROR_PROTOCOL, "%s; the time for trying again is over", text);
        return false;
    }
    poll(NULL, 0, (int)wait_ms);
    return true;
}

static int try_all(struct post *post, CURL *easy, struct why *why)
{
    for (int64_t pause_ms = PAUSE_MS;; pause_ms *= 2) {
        post->pause_ms = pause_ms;
        int code = try_once(post, easy, why);
        if (code <= 0)
            return code;
        if (!rest(post, why))
            return ERROR_PROTOCOL;
    }
}

/* ---- a message --------------------------------------------------------------------------------------------------- */

static void write_message(struct post *post, const char *url, const char *line)
{
    buf_text(&post->url, url);
    if (post->format->query)
        buf_print(&post->url, "%c%s", strchr(url, '?') ? '&' : '?', post->format->query);
    buf_text(&post->body, post->format->head);
    buf_json_text(&post->body, line);
    buf_text(&post->body, post->format->tail);
}

int anchor_post(const char *url, const char *format, const char *line, int64_t limit_ms, struct why *why)
{
    struct post post = { .format = find_format(format),
                         .until_ms = clock_now_ms() + limit_ms,
                         .try_ms = (long)(limit_ms / TRIES_LEAST) };
    if (!post.format)
        return why_say(why, ERROR_UNKNOWN_NAME, "there is no format '%s'", format);
    if (!is_allowed(url))
        return why_say(why, ERROR_SYNTAX, "its URL must begin with 'https://' (http:// goes to this machine only)");
    write_message(&post, url, line);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURL *easy = open_request(&post, headers);
    int code = easy ? try_all(&post, easy, why) : why_say(why, ERROR_PROTOCOL, "libcurl has no memory");
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    buf_close(&post.url);
    buf_close(&post.body);
    return code;
}

#else

int anchor_post(const char *url, const char *format, const char *line, int64_t limit_ms, struct why *why)
{
    (void)url;
    (void)format;
    (void)line;
    (void)limit_ms;
    return why_say(why, ERROR_UNSUPPORTED, "this build is without libcurl");
}

#endif
