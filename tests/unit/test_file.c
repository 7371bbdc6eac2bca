/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_file - whole files, and the ownership rule from a table of owner, mode, kind and place. Owners can only be
 * changed by root; without it those rows are skipped. */
#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tap.h"

#define STRANGER 1234

static char base[] = "/tmp/belfry-file-XXXXXX";
static struct arena arena;

static const char *at(const char *name)
{
    return file_join(&arena, base, name);
}

static void put_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    tap_ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0, "made %s", path);
    close(fd);
}

static void test_read(void)
{
    char *text = NULL;
    size_t length = 0;
    put_file(at("ten"), "0123456789", 0600);
    tap_ok(file_read(&arena, at("ten"), 10, &text, &length) == 0 && length == 10, "read up to the bound");
    tap_is_text(text, "0123456789", "content with a NUL behind it");
    tap_is_int(file_read(&arena, at("ten"), 9, &text, &length), ERROR_LIMIT, "one byte over the bound");
    tap_is_int(file_read(&arena, at("none"), 9, &text, &length), -ENOENT, "no such file");
    tap_is_int(file_read(&arena, base, 9, &text, &length), -EISDIR, "a folder");
    mkfifo(at("pipe"), 0600);
    tap_is_int(file_read(&arena, at("pipe"), 9, &text, &length), ERROR_REFUSED, "a pipe is not waited for");
    tap_ok(file_read(&arena, "/proc/self/status", 65536, &text, &length) == 0 && length > 100, "a file without a size");
    put_file(at("empty"), "", 0600);
    tap_ok(file_read(&arena, at("empty"), 0, &text, &length) == 0 && length == 0 && !*text, "an empty file");
}

static size_t count_files(const char *folder)
{
    char command[PATH_MAX];
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
    FILE *out = popen(command, "r");
    unsigned n = 0;
    tap_ok(out && fscanf(out, "%u", &n) == 1, "counted %s", folder);
    pclose(out);
    return n;
}

static void test_replace(void)
{
    char *text = NULL;
    size_t length = 0;
    struct stat st;
    mkdir(at("replace"), 0700);
    const char *path = at("replace/file");
    tap_is_int(file_replace(path, "one", 3, 0640), 0, "written anew");
    tap_ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0640, "with its mode");
    ino_t before = st.st_ino;
    int reader = open(path, O_RDONLY);
    tap_is_int(file_replace(path, "two!", 4, 0600), 0, "replaced");
    char old[8] = "";
    tap_ok(read(reader, old, sizeof old) == 3 && memcmp(old, "one", 3) == 0, "who had it open still sees the old one");
    close(reader);
    tap_ok(stat(path, &st) == 0 && st.st_ino != before, "it is another file");
    file_read(&arena, path, 100, &text, &length);
    tap_is_text(text, "two!", "with the new content");
    tap_is_int(count_files(at("replace")), 1, "no temporary file is left");
    tap_is_int(file_replace(at("nowhere/file"), "x", 1, 0600), -ENOENT, "no such folder");
    mkdir(at("replace/folder"), 0700);
    tap_ok(file_replace(at("replace/folder"), "x", 1, 0600) < 0, "a folder is not replaced");
    tap_is_int(count_files(at("replace")), 2, "and no temporary file is left either");
    tap_ok(chdir(at("replace")) == 0 && file_replace("plain", "x", 1, 0600) == 0, "a name without a folder");
    tap_is_int(file_swap("plain", "y", 1, 0600), 0, "likewise without syncing");
    file_read(&arena, "plain", 100, &text, &length);
    tap_is_text(text, "y", "with the new content");
    tap_ok(file_swap("folder", "x", 1, 0600) < 0 && count_files(".") == 3, "no temporary file is left of that either");
    tap_is_int(chdir("/"), 0, "back");
    tap_is_int(file_sync_folder(at("none")), -ENOENT, "no such folder to sync");
}

static void test_make_folders(void)
{
    struct stat st;
    tap_is_int(file_make_folders(at("a/b//c/"), 0750), 0, "three folders");
    tap_ok(stat(at("a/b/c"), &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0750, "with their mode");
    tap_is_int(file_make_folders(at("a/b/c"), 0700), 0, "they may be there already");
    tap_is_int(file_make_folders(at("ten"), 0700), -ENOTDIR, "a file in place of the last");
    tap_is_int(file_make_folders(at("ten/x"), 0700), -ENOTDIR, "a file in between");
    tap_is_int(file_make_folders("", 0700), -ENOENT, "nothing");
    tap_is_int(file_make_folders("/", 0700), 0, "the root");
}

static void test_paths(void)
{
    tap_is_text(file_join(&arena, "/a", "b"), "/a/b", "joined");
    tap_is_text(file_join(&arena, "/a/", "b"), "/a/b", "one slash only");
    tap_is_text(file_join(&arena, "/a//", "/b"), "/a/b", "one slash only, from both sides");
    tap_is_text(file_join(&arena, "/", "b"), "/b", "below the root");
    char self[PATH_MAX] = "";
    tap_ok(readlink("/proc/self/exe", self, sizeof self - 1) > 0, "this program");
    *strrchr(self, '/') = '\0';
    tap_is_text(file_program_folder(), self, "the folder of this program");
}

/* ---- trust */

enum kind {
    A_FILE,
    A_FOLDER,
    A_LINK,
    A_PIPE
};

/* folder/thing, made as described, and whether each of three questions is answered with yes. */
static const struct row {
    const char *what;
    uid_t folder_owner;
    mode_t folder_mode;
    enum kind kind;
    uid_t owner;
    mode_t mode;
    bool file, secret, folder;
    const char *said; /* in the explanation of file_open_trusted() */
} rows[] = {
    { "plain", 0, 0755, A_FILE, 0, 0644, true, false, false, NULL },
    { "secret", 0, 0755, A_FILE, 0, 0600, true, true, false, NULL },
    { "read-only secret", 0, 0755, A_FILE, 0, 0400, true, true, false, NULL },
    { "secret for the group", 0, 0755, A_FILE, 0, 0640, true, false, false, NULL },
    { "secret for others", 0, 0755, A_FILE, 0, 0604, true, false, false, NULL },
    { "group-writable", 0, 0755, A_FILE, 0, 0664, false, false, false, "has mode 0664" },
    { "world-writable", 0, 0755, A_FILE, 0, 0602, false, false, false, "has mode 0602" },
    { "of a stranger", 0, 0755, A_FILE, STRANGER, 0644, false, false, false, "belongs to user 1234" },
    { "sticky file, world-writable", 0, 0755, A_FILE, 0, 01646, false, false, false, "has mode 1646" },
    { "folder of a stranger", STRANGER, 0755, A_FILE, 0, 0644, false, false, false, "belongs to user 1234" },
    { "folder group-writable", 0, 0775, A_FILE, 0, 0644, false, false, false, "has mode 0775" },
    { "folder world-writable", 0, 0777, A_FILE, 0, 0644, false, false, false, "has mode 0777" },
    { "folder sticky and root's", 0, 01777, A_FILE, 0, 0644, true, false, false, NULL },
    { "folder sticky, a stranger's", STRANGER, 01777, A_FILE, 0, 0644, false, false, false, "belongs to user 1234" },
    { "stranger's file in sticky", 0, 01777, A_FILE, STRANGER, 0644, false, false, false, "belongs to user 1234" },
    { "link", 0, 0755, A_LINK, 0, 0777, false, false, false, "is a symbolic link" },
    { "link in sticky", 0, 01777, A_LINK, 0, 0777, false, false, false, "is a symbolic link" },
    { "pipe", 0, 0755, A_PIPE, 0, 0600, false, false, false, "is not a regular file" },
    { "folder", 0, 0755, A_FOLDER, 0, 0755, false, false, true, "is not a regular file" },
    { "folder of a stranger at the end", 0, 0755, A_FOLDER, STRANGER, 0755, false, false, false, "not a regular" },
    { "sticky folder at the end", 0, 0755, A_FOLDER, 0, 01777, false, false, false, "is not a regular file" },
    { "group-writable folder at the end", 0, 0755, A_FOLDER, 0, 0775, false, false, false, "is not a regular" },
};

static void make_thing(const char *path, const struct row *row)
{
    int code = 0;
    if (row->kind == A_FILE)
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    else if (row->kind == A_FOLDER)
        code = mkdir(path, 0700);
    else if (row->kind == A_LINK)
        code = symlink("/etc/passwd", path);
    else
        code = mkfifo(path, 0600);
    code |= lchown(path, row->owner, row->owner);
    if (row->kind != A_LINK)
        code |= chmod(path, row->mode);
    if (code != 0)
        tap_ok(false, "%s can't be made", path);
}

static void try_row(const struct row *row, size_t i)
{
    struct why why = { "" };
    const char *folder = arena_print(&arena, "%s/trust%zu", base, i);
    const char *thing = file_join(&arena, folder, "thing");
    mkdir(folder, 0700);
    make_thing(thing, row);
    bool made = chown(folder, row->folder_owner, row->folder_owner) == 0 && chmod(folder, row->folder_mode) == 0;
    int fd = file_open_trusted(thing, false, &why);
    tap_ok(made && (fd >= 0) == row->file, "trusted as a file: %s (%s)", row->what, why.text);
    if (row->said)
        tap_ok(strstr(why.text, row->said) != NULL, "and it says why");
    if (fd >= 0)
        close(fd);
    fd = file_open_trusted(thing, true, &why);
    tap_ok((fd >= 0) == row->secret, "trusted as a secret: %s", row->what);
    if (fd >= 0)
        close(fd);
    tap_ok((file_check_trusted_folder(thing, &why) == 0) == row->folder, "trusted as a folder: %s", row->what);
}

static void test_trust(void)
{
    if (geteuid() != 0) {
        tap_skip("the ownership rule", "only root can give files away");
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        try_row(&rows[i], i);
}

static void refuse(const char *path, int want, const char *what)
{
    struct why why = { "" };
    int code = file_open_trusted(path, false, &why);
    tap_is_int(code, want, what);
    tap_ok(why.text[0] != '\0', "and it says why: %s", why.text);
    if (code >= 0)
        close(code);
}

static void test_trust_paths(void)
{
    char wide[PATH_MAX + 10], text[4] = "";
    put_file(at("good"), "yes", 0644);
    int fd = file_open_trusted(at("good"), false, NULL);
    tap_ok(fd >= 0 && read(fd, text, 3) == 3 && strcmp(text, "yes") == 0, "what was opened can be read");
    tap_ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "and is closed by exec");
    close(fd);
    fd = file_open_trusted(arena_print(&arena, "/%s/.//a/../good", base), false, NULL);
    tap_ok(fd >= 0, "double slashes and dots are walked too");
    close(fd);
    refuse("good", ERROR_REFUSED, "a relative path");
    refuse("", ERROR_REFUSED, "an empty path");
    refuse("/", ERROR_REFUSED, "the root is no file");
    refuse(at("none"), -ENOENT, "no such file");
    refuse(at("good/x"), -ENOTDIR, "a file on the way");
    tap_is_int(symlink(at("a"), at("link")), 0, "a link on the way");
    tap_is_int(mkdir(at("a/b/d"), 0755), 0, "to a folder");
    put_file(at("a/b/d/file"), "x", 0644);
    refuse(at("link/b/d/file"), ERROR_REFUSED, "is refused");
    memset(wide, 'a', sizeof wide - 1);
    wide[0] = '/';
    wide[sizeof wide - 1] = '\0';
    refuse(wide, -ENAMETOOLONG, "a path that is too long");
    tap_is_int(file_check_trusted_folder("/", NULL), 0, "the root is a trusted folder");
    tap_is_int(file_check_trusted_folder(at("a/b/"), NULL), 0, "a slash at the end");
    tap_ok(file_check_trusted_folder("/tmp", NULL) < 0, "a folder where anybody writes is not");
}

/* Another user's own files are trusted by that user only, root's by all. */
static void test_trust_user(void)
{
    if (geteuid() != 0) {
        tap_skip("the rule for another user", "only root can become somebody else");
        return;
    }
    mkdir(at("home"), 0755);
    put_file(at("home/own"), "x", 0600);
    put_file(at("good2"), "x", 0644);
    bool made = chown(at("home"), STRANGER, STRANGER) == 0 && chown(at("home/own"), STRANGER, STRANGER) == 0 &&
                chmod(base, 0755) == 0;
    const char *own = at("home/own"), *roots = at("good2");
    tap_ok(made && file_open_trusted(own, true, NULL) == ERROR_REFUSED, "root does not trust a user's file");
    mkdir(at("home/sticky"), 0700);
    put_file(at("home/sticky/own"), "x", 0600);
    made = chown(at("home/sticky/own"), STRANGER, STRANGER) == 0 && chown(at("home/sticky"), STRANGER, STRANGER) == 0 &&
           chmod(at("home/sticky"), 01777) == 0;
    const char *shared = at("home/sticky/own");
    tap_ok(made && seteuid(STRANGER) == 0, "as that user");
    tap_is_int(file_open_trusted(shared, false, NULL), ERROR_REFUSED, "a sticky folder must be root's");
    int fd = file_open_trusted(own, true, NULL), other = file_open_trusted(roots, false, NULL);
    tap_ok(fd >= 0, "the user trusts the own file");
    tap_ok(other >= 0, "and root's");
    close(fd);
    close(other);
    tap_is_int(seteuid(0), 0, "root again");
}

int main(void)
{
    char command[64];
    umask(0);
    tap_ok(mkdtemp(base) != NULL, "a folder of our own");
    test_read();
    test_replace();
    test_make_folders();
    test_paths();
    test_trust();
    test_trust_paths();
    test_trust_user();
    snprintf(command, sizeof command, "rm -rf %s", base);
    tap_is_int(system(command), 0, "cleaned up");
    arena_close(&arena);
    return tap_done();
}
