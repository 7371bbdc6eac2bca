/* SPDX-License-Identifier: GPL-3.0-or-later */
/* minimal_http COUNT MS URL - one GET by libcurl's easy interface, a new handle each time: what the http plugin is
 * measured by. */
#include <curl/curl.h>

#include "tests/bench/minimal.h"

static size_t swallow(char *bytes, size_t one, size_t count, void *user)
{
    (void)bytes;
    (void)user;
    return one * count;
}

static bool check(void *context)
{
    const char *url = context;
    long status = 0;
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 5000L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
    bool good = curl_easy_perform(easy) == CURLE_OK;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    return good && status == 200;
}

int main(int argc, char **argv)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return argc > 3 ? minimal_run(argv, check, argv[3]) : 2;
}
