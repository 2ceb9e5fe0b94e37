/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "image/image.h"
#include "qemu/files.h"
#include "scripted_layer.h"

/* Three layers, the names of which are base, middle and top. */
struct chain {
    struct scripted base, middle, top;
    struct image image;
};

static char base_name[] = "base", middle_name[] = "nbd://host/middle",
            top_name[] = "top";

static void make_chain(struct chain *c, const char *base, const char *middle,
                       const char *top)
{
    script(&c->base, base, NULL);
    script(&c->middle, middle, &c->base);
    script(&c->top, top, &c->middle);
    c->base.m.reader.name = base_name;
    c->middle.m.reader.name = middle_name;
    c->top.m.reader.name = top_name;
    c->image = (struct image){ .top = &c->top.link,
                               .name = top_name,
                               .size = strlen(top) * UNIT,
                               .end = strlen(top) * UNIT };
}

/* Let a layer be in a file. */
static void place(struct scripted *s, const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    s->m.reader.id = (struct object_id){ st.st_dev, st.st_ino };
}

/* Ask for the whole disk, in ranges of at most step bytes, and compare the
 * answers with letters: # changed, . not. */
static void check(struct chain *c, const char *file, uint64_t step,
                  const char *expected)
{
    struct changes *changes;
    struct error error = ERROR_INIT;
    uint64_t size = c->image.size;
    size_t n;

    test_case("'%s' above '%s' in steps of %llu", c->top.units, file,
              (unsigned long long)step);
    assert_int_equal(image_find_layer(&c->image, file, &n, &error), 0);
    assert_int_equal(image_changes_above(&c->image, n, &changes, &error), 0);
    for (uint64_t offset = 0; offset < size;) {
        uint64_t length = size - offset < step ? size - offset : step;
        struct change change;

        assert_int_equal(changes_next(changes, offset, length, &change, &error),
                         0);
        for (uint64_t end = offset + change.length; offset < end; offset++)
            assert_int_equal(expected[offset / UNIT] == '#', change.changed);
    }
    changes_free(changes);
}

/* All kinds of extents are changes, but not those of the file and below. */
static void test_kinds(void **state)
{
    struct chain c;

    (void)state;
    for (uint64_t step = 100; step < 4 * UNIT; step += 77) {
        make_chain(&c, "d!d!", "--z!", "----");
        check(&c, middle_name, step, "....");
        make_chain(&c, "dddddddddddd", "--dd--zz--cc", "d-----z-----");
        place(&c.base, ".");
        check(&c, ".", step, "#.##..##..##");
        check(&c, middle_name, step, "#.....#.....");
    }
}

/* A layer that ends early hides the file from there on. */
static void test_short_layer(void **state)
{
    struct chain c;

    (void)state;
    make_chain(&c, "dddddddd", "-d-", "--------");
    place(&c.base, ".");
    check(&c, ".", NEVER, ".#.#####");
}

/* What is asked of a layer for its map is not asked again for the changes. */
static void test_asked_once(void **state)
{
    struct chain c;
    struct error error = ERROR_INIT;
    struct extent e;

    (void)state;
    make_chain(&c, "dddd", "dddd", "----");
    assert_int_equal(image_map(&c.image, 0, UNIT, &e, &error), 0);
    check(&c, middle_name, UNIT, "....");
    assert_int_equal(c.top.calls, 1);
    assert_int_equal(c.base.calls, 0);
}

/* A path is looked up, however it is written. */
static void test_any_path(void **state)
{
    struct chain c;
    char path[] = "/tmp/above-XXXXXX", link[64];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    snprintf(link, sizeof(link), "%s.link", path);
    assert_int_equal(symlink(path, link), 0);
    make_chain(&c, "dd", "d-", "--");
    place(&c.base, path);
    check(&c, path, NEVER, "#.");
    check(&c, link, NEVER, "#.");
    snprintf(link, sizeof(link), "file:%s", path);
    check(&c, link, NEVER, "#.");
    snprintf(link, sizeof(link), "%s.link", path);
    unlink(link);
    unlink(path);
    close(fd);
}

/* QEMU reads the base from a file. */
static void test_file_that_qemu_reads(void **state)
{
    struct memory_reader container;
    struct chain c;

    (void)state;
    make_chain(&c, "dd", "d-", "--");
    memory_reader_init(&container, "", 0);
    container.reader.name = top_name;
    c.base.link.container = &container.reader;
    place(&c.middle, "/");
    check(&c, "/", NEVER, "..");
    container.reader.id = c.middle.m.reader.id;
    c.middle.m.reader.id = (struct object_id){ 0, 0 };
    check(&c, "/", NEVER, "#.");
}

static void fails(struct chain *c, const char *file, int code,
                  const char *message)
{
    struct error error = ERROR_INIT;
    size_t n;

    test_case("%s", message);
    assert_int_equal(image_find_layer(&c->image, file, &n, &error), code);
    assert_string_equal(error_message(&error), message);
    error_clear(&error);
}

static void test_no_such_file(void **state)
{
    struct qemu_files none = { .count = 0 };
    struct chain c;

    (void)state;
    make_chain(&c, "dddd", "d---", "----");
    place(&c.top, ".");
    fails(&c, "/no/such", ENOENT, "/no/such: No such file or directory");
    fails(&c, ".", EINVAL, "top: '.' is the image itself, not a file below it");
    fails(&c, "/", ENOENT,
          "top: '/' is not in its backing chain, which has 'top', "
          "'nbd://host/middle', 'base'");
    fails(&c, "nbd://host/other", ENOENT,
          "top: 'nbd://host/other' is not in its backing chain, which has "
          "'top', 'nbd://host/middle', 'base'");
    c.middle.link.qemu_files = &none;
    fails(&c, "/", ENOTSUP,
          "top: QEMU reads 'nbd://host/middle' and all layers below it, so "
          "disksum cannot tell what is above '/'");
}

static void test_resized(void **state)
{
    struct chain c;

    (void)state;
    make_chain(&c, "dddd", "dddd", "-----");
    fails(&c, middle_name, EINVAL,
          "top: the disk was resized: it has 2560 bytes, and that of "
          "'nbd://host/middle' has 2048");
}

static void test_error_of_a_layer(void **state)
{
    struct chain c;
    struct changes *changes;
    struct change change;
    struct error error = ERROR_INIT;

    (void)state;
    make_chain(&c, "dddd", "dddd", "-!--");
    assert_int_equal(image_changes_above(&c.image, 1, &changes, &error), 0);
    assert_int_equal(changes_next(changes, 0, 4 * UNIT, &change, &error), 0);
    assert_int_equal(change.length, UNIT);
    assert_int_equal(changes_next(changes, UNIT, UNIT, &change, &error), EIO);
    assert_string_equal(error_message(&error), "top: broken");
    error_clear(&error);
    changes_free(changes);
}

/* A message has no more names than a person reads. */
static void test_long_chain(void **state)
{
    struct scripted layers[20];
    struct chain c;
    struct error error = ERROR_INIT;
    size_t n;

    (void)state;
    make_chain(&c, "d", "-", "-");
    for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
        script(&layers[i], "-", i ? &layers[i - 1] : &c.base);
        layers[i].m.reader.name = middle_name;
    }
    c.top.link.backing = &layers[ARRAY_SIZE(layers) - 1].link;
    assert_int_equal(image_find_layer(&c.image, "/", &n, &error), ENOENT);
    assert_non_null(strstr(error_message(&error), "' and others"));
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_short_layer),
        cmocka_unit_test(test_asked_once),
        cmocka_unit_test(test_any_path),
        cmocka_unit_test(test_file_that_qemu_reads),
        cmocka_unit_test(test_no_such_file),
        cmocka_unit_test(test_resized),
        cmocka_unit_test(test_error_of_a_layer),
        cmocka_unit_test(test_long_chain),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
