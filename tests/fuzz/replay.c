/* SPDX-License-Identifier: GPL-3.0-or-later */
/* replay - drives a fuzz target without libFuzzer: every file of the corpus, and then changed ones for a second.
 *
 *     fuzz_NAME [-s SECONDS] [-r SEED] [PATH...]     default: tests/fuzz/corpus/NAME, 1 second
 *
 * Speaks TAP. The input in hand is kept as fuzz_NAME.crash beside the program when it does not survive it. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define INPUTS_MAX 4096
#define INPUT_BYTES_MAX (1u << 20)

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

/* Of a sanitizer, when there is one: it does not raise a signal. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct input {
    uint8_t *bytes;
    size_t n;
};

static struct input inputs[INPUTS_MAX], now;
static size_t input_count;
static char crash_path[512];

static void keep_input(void)
{
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, now.bytes, now.n) == (ssize_t)now.n)
        fprintf(stderr, "# the input is in %s\n", crash_path);
}

static void on_death(int number)
{
    keep_input();
    signal(number, SIG_DFL);
    raise(number);
}

static void try(const uint8_t *bytes, size_t n)
{
    now.bytes = malloc(n ? n : 1); /* of its exact size, for the sanitizer */
    fuzz_must(now.bytes != NULL, "there is memory");
    memcpy(now.bytes, bytes, n);
    now.n = n;
    LLVMFuzzerTestOneInput(now.bytes, n);
    free(now.bytes);
}

static void take_file(const char *path)
{
    size_t n = 0;
    char *bytes = fuzz_read(path, &n);
    if (bytes && input_count < INPUTS_MAX && n <= INPUT_BYTES_MAX)
        inputs[input_count++] = (struct input){ (uint8_t *)bytes, n };
    else
        free(bytes);
}

static void take_path(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        take_file(path);
    for (int i = 0; i < count; i++) {
        char file[1024];
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            take_file(file);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* One to four changes: a byte, a stretch taken out or doubled, a stretch of another input. */
static size_t change(uint8_t *bytes, size_t n, size_t room, uint64_t *seed)
{
    for (uint64_t left = 1 + next(seed) % 4; left > 0 && n > 0; left--) {
        size_t at = next(seed) % n, length = 1 + next(seed) % (next(seed) % 4 ? 8 : 100);
        const struct input *other = &inputs[next(seed) % input_count];
        length = length < n - at ? length : n - at;
        switch (next(seed) % 5) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << next(seed) % 8);
            break;
        case 1:
            bytes[at] = (uint8_t)next(seed);
            break;
        case 2:
            memmove(bytes + at, bytes + at + length, n - at - length);
            n -= length;
            break;
        case 3:
            length = length < room - n ? length : room - n;
            memmove(bytes + at + length, bytes + at, n - at);
            n += length;
            break;
        default:
            length = length < other->n ? length : other->n;
            memcpy(bytes + at, other->bytes + (other->n > length ? next(seed) % (other->n - length) : 0), length);
        }
    }
    return n;
}

static unsigned shake(double seconds, uint64_t seed)
{
    clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);
    unsigned count = 0;
    while (input_count > 0 && clock() < end) {
        const struct input *from = &inputs[next(&seed) % input_count];
        size_t room = from->n + 512;
        uint8_t *bytes = malloc(room);
        fuzz_must(bytes != NULL, "there is memory");
        memcpy(bytes, from->bytes, from->n);
        try(bytes, change(bytes, from->n, room, &seed));
        free(bytes);
        count++;
    }
    return count;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0], *top = getenv("top_srcdir");
    double seconds = 1;
    uint64_t seed = 20261121;
    char corpus[512];
    for (int option; (option = getopt(argc, argv, "s:r:")) != -1;) {
        if (option == 's')
            seconds = strtod(optarg, NULL);
        else if (option == 'r')
            seed = strtoull(optarg, NULL, 0) | 1;
    }
    snprintf(crash_path, sizeof crash_path, "%s.crash", argv[0]);
    snprintf(corpus, sizeof corpus, "%s/tests/fuzz/corpus/%s", top ? top : ".",
             strncmp(name, "fuzz_", 5) ? name : name + 5);
    for (int i = optind; i < argc; i++)
        take_path(argv[i]);
    if (optind == argc)
        take_path(corpus);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(keep_input);
    signal(SIGABRT, on_death);
    signal(SIGSEGV, on_death);
    LLVMFuzzerInitialize(&argc, &argv);
    for (size_t i = 0; i < input_count; i++)
        try(inputs[i].bytes, inputs[i].n);
    printf("%s 1 - %zu kept inputs of %s\n", input_count > 0 ? "ok" : "not ok", input_count, name);
    unsigned count = shake(seconds, seed);
    printf("ok 2 - %u changed ones, seed %" PRIu64 "\n1..2\n", count, seed);
    for (size_t i = 0; i < input_count; i++)
        free(inputs[i].bytes);
    return input_count == 0;
}
