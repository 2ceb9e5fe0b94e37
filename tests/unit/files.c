/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/image.h"
#include "qemu/files.h"
#include "scripted_layer.h"

/* Compare the names of the files from a layer on. */
static void check(const struct image *image, size_t layer, const char *expected)
{
    struct image_file file;
    char names[100] = "";

    test_case("layer %zu: %s", layer, expected);
    for (size_t i = 0; image_file(image, layer, i, &file); i++) {
        strcat(names, i ? " " : "");
        strcat(names, file.name);
    }
    assert_string_equal(names, expected);
}

/* The files of each layer, from the top down. */
static void test_layers(void **state)
{
    struct memory_reader m[6];
    static char names[6][8] = { "part1",  "part2",  "disk",
                                "other1", "other2", "base" };
    struct reader *parts[2], *others[2];
    struct qemu_files files = { .list = others, .count = 2 };
    struct scripted base, top;
    struct image image = { .top = &top.link };

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        memory_reader_init(&m[i], "", i);
        m[i].reader.name = names[i];
    }
    for (size_t i = 0; i < 2; i++) {
        parts[i] = &m[i].reader;
        others[i] = &m[i + 3].reader;
    }
    script(&base, "d", NULL);
    script(&top, "d", &base);
    base.m.reader.name = names[5];
    top.m.reader.name = names[2];
    check(&image, 0, "disk base");
    top.link.layer.files = parts;
    top.link.layer.file_count = 2;
    check(&image, 0, "disk part1 part2 base");
    check(&image, 1, "base");
    check(&image, 2, "");

    /* QEMU makes the base of files, perhaps with what is on a server. */
    base.link.qemu_files = &files;
    check(&image, 1, "other1 other2");
    base.link.networked = true;
    check(&image, 1, "base other1 other2");
    base.link.container = &m[2].reader;
    check(&image, 1, "base disk other1 other2");
    base.link.networked = false;
    check(&image, 0, "disk part1 part2 disk other1 other2");
    base.link.container = NULL;
    files.count = 0;
    check(&image, 1, "base");
}

/* The identity is that of fstat(). */
static void test_state(void **state)
{
    static const struct image_options options = { .format = "raw" };
    char path[] = "/tmp/disksum-files-XXXXXX";
    struct error error = ERROR_INIT;
    struct image_file file;
    struct image *image;
    struct stat st;
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, "disk", 4), 4);
    assert_int_equal(fstat(fd, &st), 0);
    close(fd);
    assert_int_equal(image_open(path, path, &options, &image, &error), 0);
    assert_true(image_file(image, 0, 0, &file));
    assert_string_equal(file.name, path);
    assert_int_equal(file.size, 4);
    assert_int_equal(file.id.device, st.st_dev);
    assert_int_equal(file.id.inode, st.st_ino);
    assert_int_equal(file.state.kind, OBJECT_FILE);
    assert_int_equal(file.state.mtime.tv_sec, st.st_mtim.tv_sec);
    assert_int_equal(file.state.mtime.tv_nsec, st.st_mtim.tv_nsec);
    assert_int_equal(file.state.ctime.tv_sec, st.st_ctim.tv_sec);
    assert_int_equal(file.state.ctime.tv_nsec, st.st_ctim.tv_nsec);
    assert_false(image_file(image, 0, 1, &file));
    image_close(image);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_state),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
