/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/identity.h"
#include "cli/json.h"
#include "scripted_layer.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "disk\xff"

static char directory[] = "/tmp/disksum-identity-XXXXXX";
static struct stat st;

static int enter(void **state)
{
    int fd;

    (void)state;
    if (!mkdtemp(directory) || chdir(directory) != 0)
        return -1;
    fd = open(NAME, O_CREAT | O_WRONLY, 0600);
    if (write(fd, "disk", 4) != 4 || fstat(fd, &st) != 0)
        return -1;
    return close(fd);
}

static int leave(void **state)
{
    (void)state;
    unlink(NAME);
    return rmdir(directory);
}

static struct image *open_disk(void)
{
    static const struct image_options options = { .format = "raw" };
    struct error error = ERROR_INIT;
    struct image *image = NULL;

    assert_int_equal(image_open(NAME, NAME, &options, &image, &error), 0);
    return image;
}

/* The identity of an image. free() it. */
static char *write_identity(const struct identity_of *of)
{
    struct error error = ERROR_INIT;
    char *text = NULL;
    size_t len;

    assert_int_equal(identity_write(of, &text, &len, &error), 0);
    assert_int_equal(strlen(text), len);
    assert_null(strchr(text, '\n'));
    return text;
}

/* The image is not the one of the list. */
static void refuses(const struct identity_of *of, const char *source, int code,
                    const char *message)
{
    struct error error = ERROR_INIT;

    test_case("%s", source);
    assert_int_equal(identity_check(of, "list", source, strlen(source), &error),
                     code);
    assert_non_null(strstr(error_message(&error), message));
    error_clear(&error);
}

static void accepts(const struct identity_of *of, const char *source)
{
    struct error error = ERROR_INIT;

    test_case("%s", source);
    assert_int_equal(identity_check(of, "list", source, strlen(source), &error),
                     0);
}

/* Put another value behind the key of a text; if it ends with a colon, before
 * the value that is there. free() the result. */
static char *edit(const char *text, const char *key, const char *value)
{
    const char *start = strstr(text, key), *end;
    char *edited = NULL;

    assert_non_null(start);
    start += strlen(key);
    if (value[strlen(value) - 1] == ':')
        end = start;
    else if (*start == '"')
        end = start + strcspn(start + 1, "\"") + 2;
    else
        end = start + strcspn(start, ",}");
    assert_true(asprintf(&edited, "%.*s%s%s", (int)(start - text), text, value,
                         end) > 0);
    return edited;
}

static void test_keys(void **state)
{
    struct image *image = open_disk();
    const struct identity_of of = { .name = NAME, .image = image };
    char *text = write_identity(&of), *expected;
    char head[] = "{\"program\":\"disksum 1.2.3\",\"filename\":\"disk\\ufffd\","
                  "\"filename-hex\":\"6469736bff\",\"format\":\"raw\","
                  "\"virtual-size\":512,\"options\":{},\"files\":[{"
                  "\"filename\":\"disk\\ufffd\",\"filename-hex\":"
                  "\"6469736bff\",\"kind\":\"file\",\"size\":4,\"device\":";
    char mtime[64];

    (void)state;
    assert_memory_equal(text, head, strlen(head));
    assert_true(asprintf(&expected, "\"inode\":%ju,", (uintmax_t)st.st_ino) >
                0);
    assert_non_null(strstr(text, expected));
    strftime(mtime, sizeof(mtime), "%FT%T", gmtime(&st.st_mtim.tv_sec));
    free(expected);
    assert_true(asprintf(&expected, "\"mtime\":\"%s.%09ldZ\",\"ctime\":\"",
                         mtime, st.st_mtim.tv_nsec) > 0);
    assert_non_null(strstr(text, expected));
    free(expected);
    accepts(&of, text);
    assert_false(identity_is_weak(&of));
    free(text);
    image_close(image);
}

/* Kernels before Linux 6.13 give a file that is changed twice within 10 ms the
 * same times. */
static void test_settle(void **state)
{
    int fd = open(NAME, O_WRONLY);
    struct image *image;
    struct timespec now;
    struct stat changed;
    int64_t ns;

    (void)state;
    assert_int_equal(pwrite(fd, "disk", 4, 0), 4);
    assert_int_equal(fstat(fd, &changed), 0);
    close(fd);
    image = open_disk();
    identity_settle(&(struct identity_of){ .name = NAME, .image = image });
    image_close(image);
    clock_gettime(CLOCK_REALTIME, &now);
    ns = (now.tv_sec - changed.st_ctim.tv_sec) * INT64_C(1000000000) +
         now.tv_nsec - changed.st_ctim.tv_nsec;
    assert_true(ns >= 10000000);
}

static const struct {
    const char *key;
    const char *value;
    const char *message;
} edits[] = {
    { "\"format\":", "\"qcow2\"",
      "list: the list is of another image: the format of '" NAME
      "' was qcow2, and is raw now" },
    { "\"virtual-size\":", "1024",
      "the virtual size of '" NAME "' was 1024, and is 512 now" },
    { "\"virtual-size\":", "\"512\"",
      "the virtual size of '" NAME "' was 512, and is 512 now" },
    { "\"options\":{", "\"snapshot\":\"s\"",
      "the snapshot of '" NAME "' was s, and is none now" },
    { "\"files\":", "[],\"old\":",
      "'" NAME "' was read from 0 files, and is from 1 now" },
    { "\"files\":", "3,\"old\":", "was read from 0 files" },
    { "\"files\":", "[{},{}],\"old\":",
      "the device of '" NAME "' was none, and is " },
    { "\"files\":", "[7],\"old\":", "the device of '" NAME "' was none" },
    { "\"kind\":", "\"other\"",
      "the kind of '" NAME "' was other, and is file now" },
    { "\"size\":", "5", "the size of '" NAME "' was 5, and is 4 now" },
    { "\"size\":", "-5", "the size of '" NAME "' was none, and is 4 now" },
    { "\"size\":", "4.0", "the size of '" NAME "' was none" },
    { "\"inode\":", "0", "the inode of '" NAME "' was 0, and is " },
    { "\"inode\":", "null", "the inode of '" NAME "' was none" },
    { "\"mtime\":", "\"2026-01-31T23:59:59.000000001Z\"",
      "the mtime of '" NAME "' was 2026-01-31T23:59:59.000000001Z, and is " },
    { "\"ctime\":", "\"2026-01-31T23:59:59.000000001Z\"",
      "the ctime of '" NAME "' was 2026-01-31T23:59:59.000000001Z, and is " },
    { "\"ctime\":", "1", "the ctime of '" NAME "' was 1, and is 2" },
    { "\"options\":", "{},\"more-files\":1,\"old\":",
      "the number of files of '" NAME "' was 1" },
};

/* Each field decides. */
static void test_fields(void **state)
{
    struct image *image = open_disk();
    const struct identity_of of = { .name = NAME, .image = image };
    char *text = write_identity(&of);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
        char *edited = edit(text, edits[i].key, edits[i].value);

        refuses(&of, edited, ESTALE, edits[i].message);
        free(edited);
    }
    free(text);
    image_close(image);
}

/* Names and the program do not. */
static void test_names(void **state)
{
    struct image *image = open_disk();
    const struct identity_of of = { .name = NAME, .image = image };
    char *text = write_identity(&of);
    char *edited = edit(text, "\"filename\":", "\"elsewhere\"");
    char *again = edit(edited, "\"program\":", "\"disksum 9\"");

    (void)state;
    accepts(&of, again);
    free(again);
    free(edited);
    free(text);
    image_close(image);
}

/* A file system that is mounted again may have another device number. */
static void test_file_system(void **state)
{
    struct image *image = open_disk();
    const struct identity_of of = { .name = NAME, .image = image };
    char *text = write_identity(&of);
    char *device = edit(text, "\"device\":", "12345");
    char *both;

    (void)state;
    if (strstr(text, "\"file-system\":")) {
        accepts(&of, device);
        both = edit(device, "\"file-system\":", "\"0123456789abcdef\"");
    } else {
        both = strdup(device);
    }
    refuses(&of, both, ESTALE, "the device of '" NAME "' was 12345, and is ");
    free(both);
    free(device);
    free(text);
    image_close(image);
}

static void test_options(void **state)
{
    struct image *image = open_disk();
    struct image_options options = { .snapshot = "before" };
    const struct identity_of of = { .name = NAME,
                                    .image = image,
                                    .options = &options };
    char *text = write_identity(&of);
    char *described;

    (void)state;
    accepts(&of, text);
    options.snapshot = "after";
    refuses(&of, text, ESTALE,
            "the snapshot of '" NAME "' was before, and is after now");
    options.snapshot = NULL;
    refuses(&of, text, ESTALE,
            "the snapshot of '" NAME "' was before, and is none now");
    free(text);

    /* In an option string there may be an offset. */
    options.image_opts = true;
    text = write_identity(&of);
    accepts(&of, text);
    described = edit(text, "\"filename\":", "\"driver=raw,offset=512\"");
    refuses(&of, described, ESTALE,
            "the description of '" NAME "' was driver=raw,offset=512, and is ");
    free(described);
    free(text);
    image_close(image);
}

static void test_broken(void **state)
{
    static const char *const broken[] = {
        "",
        "{",
        "{}x",
        "[]",
        "7",
        "null",
        "{\"format\":\"raw\"",
        "{'format':'raw'}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "{\"format\":\"\xff\"}",
    };
    struct image *image = open_disk();
    const struct identity_of of = { .name = NAME, .image = image };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
        refuses(&of, broken[i], EINVAL,
                "list: broken list: its header does not say of which image");
    refuses(&of, "{}", ESTALE, "the format of '" NAME "' was none, and is raw");
    image_close(image);
}

/* Of an export, the size is all. */
static void test_export(void **state)
{
    char name[] = "nbd://user@host/disk";
    struct scripted s;
    struct image image = { .top = &s.link, .size = UNIT };
    const struct identity_of of = { .name = name, .image = &image };
    const struct identity_of pipe = { .name = "-" };
    char *text, *edited;

    (void)state;
    script(&s, "d", NULL);
    s.link.format = "raw";
    s.m.reader.name = name;
    s.m.reader.size = UNIT;
    text = write_identity(&of);
    accepts(&of, text);
    assert_non_null(strstr(text, "{\"filename\":\"nbd://user@host/disk\","
                                 "\"kind\":\"other\",\"size\":512}"));
    edited = edit(text, "\"size\":", "513");
    refuses(&of, edited, ESTALE, "the size of 'nbd://user@host/disk' was 513");
    assert_true(identity_is_weak(&of));
    free(edited);
    free(text);

    text = write_identity(&pipe);
    assert_non_null(strstr(text, "\"filename\":\"-\",\"format\":\"raw\","
                                 "\"options\":{}}"));
    refuses(&of, text, ESTALE,
            "the virtual size of 'nbd://user@host/disk' was "
            "none");
    assert_true(identity_is_weak(&pipe));
    free(text);
}

/* A list fits in its header, whatever its files are called. */
static void test_long_chain(void **state)
{
    static struct scripted chain[40];
    static char names[ARRAY_SIZE(chain)][20001];
    struct image image = { .top = &chain[0].link };
    struct image_options options = { .image_opts = true, .snapshot = names[1] };
    const struct identity_of of = { .name = names[0],
                                    .image = &image,
                                    .options = &options };
    char *text, *other;

    (void)state;
    for (size_t i = ARRAY_SIZE(chain); i-- > 0;) {
        memset(names[i], '\xff', sizeof(names[i]) - 1);
        script(&chain[i], "d",
               i + 1 < ARRAY_SIZE(chain) ? &chain[i + 1] : NULL);
        chain[i].link.format = "raw";
        chain[i].m.reader.name = names[i];
        chain[i].m.reader.size = UNIT;
    }
    text = write_identity(&of);
    assert_in_range(strlen(text), 500000, IDENTITY_MAX_SIZE);
    accepts(&of, text);

    chain[39].m.reader.size++;
    refuses(&of, text, ESTALE, "the identity of more files of '");
    chain[39].m.reader.size--;
    chain[38].link.backing = NULL;
    refuses(&of, text, ESTALE, "the number of files of '");
    chain[38].link.backing = &chain[39].link;
    names[1][20000 - 1] = 'x';
    refuses(&of, text, ESTALE, "the snapshot of '");
    names[1][20000 - 1] = '\xff';
    accepts(&of, text);
    other = edit(text, "\"files\":", "[],\"old\":");
    refuses(&of, other, ESTALE, "was read from 0 files, and is from ");
    free(other);
    free(text);
}

/* The layers below an image are an image, too. */
static void test_layer(void **state)
{
    struct scripted base, top;
    struct image image = { .top = &top.link, .size = UNIT };
    struct image base_image = { .top = &base.link, .size = UNIT };
    struct image_options options = { .snapshot = "s" };
    const struct identity_of of = { .name = "base", .image = &base_image };
    const struct identity_of below = {
        .name = "top", .image = &image, .layer = 1, .options = &options
    };
    char base_name[] = "base", top_name[] = "top";
    char *text;

    (void)state;
    script(&base, "d", NULL);
    script(&top, "d", &base);
    base.m.reader.name = base_name;
    base.link.format = "raw";
    top.m.reader.name = top_name;
    top.link.format = "qcow2";
    text = write_identity(&of);
    accepts(&below, text);
    base.link.format = "vpc";
    refuses(&below, text, ESTALE, "the format of 'top' was raw");
    free(text);
}

static int check_file(const struct identity_of *of, const char *source,
                      struct error *error)
{
    test_case("%s", source);
    return identity_check_file(of, "list", source, strlen(source), error);
}

/* A changed image is accepted, but not a list of a file beside it. */
static void test_file(void **state)
{
    struct image *image = open_disk();
    const struct identity_of of = { .name = NAME, .image = image };
    struct error error = ERROR_INIT;
    char *text = write_identity(&of), *edited, *list;
    struct stat here;

    (void)state;
    edited = edit(text, "\"mtime\":", "\"2001\"");
    assert_int_equal(check_file(&of, edited, &error), 0);
    free(edited);
    assert_int_equal(stat(".", &here), 0);
    assert_true(asprintf(&list,
                         "{\"files\":[{\"filename\":\".\",\"device\":%ju,"
                         "\"inode\":%ju}]}",
                         (uintmax_t)here.st_dev, (uintmax_t)here.st_ino) > 0);
    assert_int_equal(check_file(&of, list, &error), ESTALE);
    assert_string_equal(error_message(&error),
                        "list: the list is of another image: '.' is not "
                        "'" NAME "'");
    error_clear(&error);
    /* It is not there any more, or was never a file. */
    edited = edit(list, "\"inode\":", "1");
    assert_int_equal(check_file(&of, edited, &error), 0);
    free(edited);
    edited = edit(list, "\"device\":", "1");
    assert_int_equal(check_file(&of, edited, &error), 0);
    free(edited);
    assert_int_equal(check_file(&of, "{\"files\":[]}", &error), 0);
    assert_int_equal(check_file(&of, "[]", &error), EINVAL);
    error_clear(&error);
    free(list);
    free(text);
    image_close(image);
}

/* Compare two lists of parts. NULL: they are of the same image. */
static void compare(const char *a, const char *b, int code, const char *message)
{
    const struct identity_source first = { "part1", a, strlen(a) };
    const struct identity_source second = { "part2", b, strlen(b) };
    struct error error = ERROR_INIT;

    test_case("%s and %s", a, b);
    assert_int_equal(identity_compare(&first, &second, &error), code);
    assert_string_equal(error_message(&error), message ? message : strerror(0));
    error_clear(&error);
}

/* Hosts do not agree on where a file is. */
static void test_parts(void **state)
{
    struct image *image = open_disk();
    const struct identity_of of = { .name = NAME, .image = image };
    char *text = write_identity(&of);
    char *edited = edit(text, "\"device\":", "12345");

    (void)state;
    compare(text, text, 0, NULL);
    compare(text, edited, 0, NULL);
    free(edited);
    edited = edit(text, "\"size\":", "5");
    compare(text, edited, ESTALE,
            "part2: the list is of another image than part1: the size of "
            "'disk\xef\xbf\xbd' is 5, but 4 there");
    free(edited);
    edited = edit(text, "\"files\":", "[],\"old\":");
    compare(text, edited, ESTALE,
            "part2: the list is of another image than part1: "
            "'disk\xef\xbf\xbd' was read from 0 files, but from 1 there");
    free(edited);
    edited = edit(text, "\"options\":{", "\"snapshot\":\"s\"");
    compare(edited, text, ESTALE,
            "part2: the list is of another image than part1: the snapshot of "
            "'disk\xef\xbf\xbd' is none, but s there");
    free(edited);
    free(text);
    image_close(image);

    compare("{}", "{}", 0, NULL);
    compare("{\"filename\":\"a\"}", "{\"filename\":\"b\"}", 0, NULL);
    compare("{\"filename\":\"json:a\"}", "{\"filename\":\"json:b\"}", ESTALE,
            "part2: the list is of another image than part1: the description "
            "of 'json:b' is json:b, but json:a there");
    compare("{\"format\":\"raw\"}", "{}", ESTALE,
            "part2: the list is of another image than part1: the format of "
            "'part2' is none, but that of 'part1' is raw there");
    compare("{\"filename\":\"a\",\"format\":\"raw\"}",
            "{\"filename\":\"b\",\"format\":\"qcow2\"}", ESTALE,
            "part2: the list is of another image than part1: the format of "
            "'b' is qcow2, but that of 'a' is raw there");
    compare("{\"files\":[{\"filename\":\"a\",\"size\":1}]}",
            "{\"files\":[{\"filename\":\"b\",\"size\":2}]}", ESTALE,
            "part2: the list is of another image than part1: the size of "
            "'b' is 2, but that of 'a' is 1 there");
    compare("x", "{}", EINVAL,
            "part1: broken list: its header does not say of which image it is");
    compare("{}", "[]", EINVAL,
            "part2: broken list: its header does not say of which image it is");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),    cmocka_unit_test(test_fields),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_file_system),
        cmocka_unit_test(test_options), cmocka_unit_test(test_broken),
        cmocka_unit_test(test_export),  cmocka_unit_test(test_long_chain),
        cmocka_unit_test(test_layer),   cmocka_unit_test(test_parts),
        cmocka_unit_test(test_file),    cmocka_unit_test(test_settle),
    };

    return RUN_TESTS(tests, enter, leave);
}
