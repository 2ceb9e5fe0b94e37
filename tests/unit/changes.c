/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/changes.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNIT 512
#define UNITS 8
#define SIZE (UNITS * UNIT)

static char path[] = "/tmp/disksum-changes-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    return close(mkstemp(path));
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_text(const char *text, size_t len)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* Compare with letters: # changed, . not. */
static void check(const char *text, const char *expected)
{
    struct changes *changes = NULL;
    struct error error = ERROR_INIT;
    char seen[UNITS + 1] = "";

    test_case("%s", text);
    write_text(text, strlen(text));
    changes_open(path, SIZE, &changes, &error);
    assert_string_equal(error_message(&error), strerror(0));
    for (uint64_t offset = 0; offset < SIZE; offset += UNIT) {
        struct change change;

        assert_int_equal(changes_next(changes, offset, UNIT, &change, &error),
                         0);
        assert_int_equal(change.length, UNIT);
        seen[offset / UNIT] = change.changed ? '#' : '.';
    }
    changes_free(changes);
    assert_string_equal(seen, expected);
}

static void fails(const char *text, const char *message)
{
    struct changes *changes = NULL;
    struct error error = ERROR_INIT;
    char expected[500];

    test_case("%s", text);
    snprintf(expected, sizeof(expected), "%s: %s", path, message);
    write_text(text, strlen(text));
    assert_int_equal(changes_open(path, SIZE, &changes, &error), EINVAL);
    assert_string_equal(error_message(&error), expected);
    error_clear(&error);
}

/* --- as the programs print it -------------------------------------------- */

static void test_nbdinfo(void **state)
{
    (void)state;
    check("[\n"
          "{ \"offset\": 0, \"length\": 1024, \"type\": 0, "
          "\"description\": \"clean\"},\n"
          "{ \"offset\": 1024, \"length\": 512, \"type\": 1, "
          "\"description\": \"dirty\"},\n"
          "{ \"offset\": 1536, \"length\": 2560, \"type\": 0, "
          "\"description\": \"clean\"}\n"
          "]\n",
          "..#.....");
    fails("[\n"
          "{ \"offset\": 0, \"length\": 4096, \"type\": 0, "
          "\"description\": \"data\"}\n"
          "]\n",
          "range 1: is not of a bitmap, and does not say what has changed; use "
          "nbdinfo --map=qemu:dirty-bitmap:NAME --json");
    fails("[{\"offset\":0,\"length\":4096,\"type\":0}]",
          "range 1: is not of a bitmap, and does not say what has changed; use "
          "nbdinfo --map=qemu:dirty-bitmap:NAME --json");
    fails("[{\"offset\":0,\"length\":4096,\"type\":0,"
          "\"description\":\"hole,zero\"}]",
          "range 1: is not of a bitmap, and does not say what has changed; use "
          "nbdinfo --map=qemu:dirty-bitmap:NAME --json");
}

static void test_qemu_img(void **state)
{
    (void)state;
    check("[{ \"start\": 0, \"length\": 512, \"depth\": 1, \"present\": true, "
          "\"zero\": false, \"data\": true, \"offset\": 327680},\n"
          "{ \"start\": 512, \"length\": 512, \"depth\": 0, \"present\": true, "
          "\"zero\": false, \"data\": true, \"offset\": 393216},\n"
          "{ \"start\": 1024, \"length\": 512, \"depth\": 2, "
          "\"present\": false, \"zero\": true, \"data\": false},\n"
          "{ \"start\": 1536, \"length\": 512, \"depth\": 0, "
          "\"present\": true, \"zero\": true, \"data\": false},\n"
          "{ \"start\": 2048, \"length\": 2048, \"depth\": 1, "
          "\"present\": true, \"zero\": true, \"data\": false}]\n",
          ".#.#....");
    fails("[{\"start\":0,\"length\":4096,\"depth\":\"0\"}]",
          "range 1: has no valid depth");
}

/* Of Ceph's src/tools/rbd/action/Diff.cc. */
static void test_rbd(void **state)
{
    (void)state;
    check("[{\"offset\":512,\"length\":512,\"exists\":\"true\"},"
          "{\"offset\":3584,\"length\":512,\"exists\":\"false\"}]",
          ".#.....#");
    check("[\n"
          "    {\n"
          "        \"offset\": 0,\n"
          "        \"length\": 4096,\n"
          "        \"exists\": \"true\"\n"
          "    }\n"
          "]\n",
          "########");
    check("[]", "........");
    check(" [ \n ] \n", "........");
    fails("[{\"offset\":0,\"length\":512,\"exists\":\"perhaps\"}]",
          "range 1: does not say whether it exists");
}

static void test_disksum(void **state)
{
    (void)state;
    check("{\"start\": 1024, \"length\": 512, \"what\": \"differs\"}\n"
          "{\"start\": 2048, \"length\": 512, \"what\": \"zero in A\"}\n"
          "{\"compared\": 4096, \"different\": 1024}\n",
          "..#.#...");
    check("{\"compared\": 4096, \"different\": 0}\n", "........");
    fails("{\"start\": 1024, \"length\": 512, \"what\": \"differs\"}\n",
          "the last line of disksum --diff is missing; did it fail?");
    fails("{\"start\": 2048, \"length\": 512, \"what\": \"zero in A\"}\n"
          "{\"compared\": 4096, \"different\": 1024}\n",
          "has ranges of 512 bytes in all, but disksum --diff found 1024");
    fails("{\"compared\": 4096, \"different\": 0}\n"
          "{\"start\": 2048, \"length\": 512, \"what\": \"zero in A\"}\n",
          "range 2: not the output of disksum --diff, unlike those before");
    fails("{\"compared\": 4096}\n",
          "range 1: not the output of disksum --diff");
    fails("{\"compared\": 2048, \"different\": 0}\n",
          "is of disks of up to 2048 bytes, but this one has 4096");
    fails("{\"start\": 2048, \"length\": 512, \"what\": 1}\n",
          "range 1: does not say what differs");
}

/* --- what nobody prints -------------------------------------------------- */

/* What a map does not have may have changed. */
static void test_gaps(void **state)
{
    (void)state;
    check("[{\"offset\":3584,\"length\":512,\"description\":\"clean\"},"
          "{\"offset\":512,\"length\":1024,\"description\":\"clean\"},"
          "{\"offset\":1024,\"length\":512,\"description\":\"dirty\"}]",
          "#.#####.");
    check("[{\"start\":4096,\"length\":0,\"depth\":1}]", "########");
}

static void test_ranges(void **state)
{
    (void)state;
    fails("[{\"offset\":0,\"length\":512,\"exists\":\"true\"},"
          "{\"offset\":3584,\"length\":513,\"exists\":\"true\"}]",
          "range 2: 513 bytes at offset 3584 exceed the disk, which has 4096 "
          "bytes");
    fails("[{\"offset\":4097,\"length\":0,\"exists\":\"true\"}]",
          "range 1: 0 bytes at offset 4097 exceed the disk, which has 4096 "
          "bytes");
    fails("[{\"offset\":512,\"length\":18446744073709551615,"
          "\"exists\":\"true\"}]",
          "range 1: 18446744073709551615 bytes at offset 512 exceed the disk, "
          "which has 4096 bytes");
    fails("[{\"offset\":-512,\"length\":512,\"exists\":\"true\"}]",
          "range 1: has no valid start or length");
    fails("[{\"offset\":0,\"length\":5.5,\"exists\":\"true\"}]",
          "range 1: has no valid start or length");
    fails("[{\"start\":0,\"length\":512,\"exists\":\"true\"}]",
          "range 1: has no valid start or length");
    fails("[{\"offset\":0,\"length\":512}]",
          "range 1: not the output of nbdinfo --map, rbd diff, qemu-img map or "
          "disksum --diff");
    fails("[{\"offset\":0,\"length\":512,\"exists\":\"true\"},"
          "{\"start\":0,\"length\":512,\"depth\":0}]",
          "range 2: not the output of rbd diff, unlike those before");
}

static void test_broken(void **state)
{
    static const char *const early[] = {
        "[",
        "[{",
        "[{\"offset",
        "[{\"offset\":0,\"length\":1,\"exists\":\"",
        "[{\"offset\":0,\"length\":1,\"exists\":\"true\"}",
        "[{\"offset\":0,\"length\":1,\"exists\":\"true\"},",
    };
    static const char *const broken[] = {
        "x",
        "]",
        "7",
        "\"[]\"",
        "[7]",
        "[[]]",
        "[]]",
        "[],",
        "[][]",
        "[,]",
        "{]",
        "[{]}]",
        "{\"a\":1,}",
        "[{\"a\":1}{\"b\":1}]",
        "{\"a\":\"\xff\"}",
        "{\"compared\":0,\"different\":0},",
    };

    (void)state;
    fails("", "is empty; did the program that wrote it fail?");
    fails(" \n", "is empty; did the program that wrote it fail?");
    for (size_t i = 0; i < ARRAY_SIZE(early); i++)
        fails(early[i], "the JSON ends too early; did the program that wrote "
                        "it fail?");
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        struct changes *changes = NULL;
        struct error error = ERROR_INIT;

        test_case("%s", broken[i]);
        write_text(broken[i], strlen(broken[i]));
        assert_int_equal(changes_open(path, SIZE, &changes, &error), EINVAL);
        assert_null(changes);
        error_clear(&error);
    }
}

/* Strings can have brackets and quotes. */
static void test_strings(void **state)
{
    (void)state;
    check("[{\"note\":\"}]{[\\\"\\\\\",\"offset\":0,\"length\":512,"
          "\"exists\":\"true\",\"more\":{\"a\":[{}]}}]",
          "#.......");
}

/* An object that never ends is not read to its end. */
static void test_endless(void **state)
{
    size_t size = 1 << 20;
    char *text = malloc(size);
    struct changes *changes = NULL;
    struct error error = ERROR_INIT;

    (void)state;
    assert_non_null(text);
    memset(text, '[', size);
    text[0] = '{';
    write_text(text, size);
    free(text);
    assert_int_equal(changes_open(path, SIZE, &changes, &error), EINVAL);
    assert_non_null(strstr(error_message(&error), "range 1: invalid JSON"));
    error_clear(&error);
}

static void test_files(void **state)
{
    struct changes *changes = NULL;
    struct error error = ERROR_INIT;

    (void)state;
    assert_int_equal(changes_open("/no/such", SIZE, &changes, &error), ENOENT);
    error_clear(&error);
    assert_int_equal(changes_open("/", SIZE, &changes, &error), EISDIR);
    assert_string_equal(error_message(&error), "/: read error: Is a directory");
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nbdinfo), cmocka_unit_test(test_qemu_img),
        cmocka_unit_test(test_rbd),     cmocka_unit_test(test_disksum),
        cmocka_unit_test(test_gaps),    cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_broken),  cmocka_unit_test(test_strings),
        cmocka_unit_test(test_endless), cmocka_unit_test(test_files),
    };

    return RUN_TESTS(tests, make_file, remove_file);
}
