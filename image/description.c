/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/description.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/path.h"
#include "common/units.h"
#include "format/format.h"
#include "qemu/options.h"

/* No argument of a process is longer, on Linux. */
#define MAX_DESCRIPTION (128 * KiB)

/* QEMU's filters and protocols that open local files at most. All other drivers
 * may need a server. */
static const char *const local_drivers[] = {
    "blkdebug",    "blklogwrites", "blkverify",   "compress", "copy-on-read",
    "file",        "host_cdrom",   "host_device", "null-aio", "null-co",
    "preallocate", "quorum",       "throttle",    "vvfat",
};

static bool is_local_driver(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(local_drivers); i++) {
        if (strcmp(name, local_drivers[i]) == 0)
            return true;
    }
    return false;
}

bool is_local_protocol(const char *name)
{
    return strncmp(name, "blkdebug:", 9) == 0 ||
           strncmp(name, "blkverify:", 10) == 0 ||
           strncmp(name, "fat:", 4) == 0;
}

/* Make room in a list for another item. */
static void *grow(void *list, size_t count, size_t size)
{
    return reallocarray(list, count + 1, size);
}

/* The keys of the node that has an option. NULL when out of memory. */
static char *node_of(const struct qemu_option *option)
{
    char *node;

    if (asprintf(&node, "%s%s", option->outer, option->prefix) < 0)
        return NULL;
    return node;
}

static bool add_file(struct description *d, const char *path, char *node)
{
    struct described_file *files =
        grow(d->files, d->file_count, sizeof(*files));
    struct described_file file = { .path = strdup(path), .node = node };

    if (files)
        d->files = files;
    if (!files || !file.path) {
        free(file.path);
        free(node);
        return false;
    }
    files[d->file_count++] = file;
    return true;
}

static bool add_format_node(struct description *d, char *node)
{
    char **nodes = grow(d->format_nodes, d->format_node_count, sizeof(*nodes));

    if (!nodes) {
        free(node);
        return false;
    }
    d->format_nodes = nodes;
    nodes[d->format_node_count++] = node;
    return true;
}

static bool add_format(struct description *d, const char *name)
{
    const char **names = grow(d->formats, d->format_count, sizeof(*names));

    if (!names)
        return false;
    d->formats = names;
    for (size_t i = 0; i < d->format_count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    names[d->format_count++] = name;
    return true;
}

/* Add the driver of a node, whose keys become the description's. */
static bool add_driver(struct description *d, const char *driver, char *node)
{
    const struct format *format = format_find(driver);

    if (!format) {
        d->is_local &= is_local_driver(driver);
        free(node);
        return true;
    }
    return (!node || add_format_node(d, node)) && add_format(d, format->name);
}

/* Add a name that may have a protocol. QEMU probes the format of a file. */
static bool add_name(struct description *d, const char *name)
{
    const char *path = path_of_name(name);

    d->is_local &= path || is_local_protocol(name);
    return !path || add_file(d, path, NULL);
}

/* Collect the value of an option, and keep the option as it is. */
static bool collect(FILE *f, const struct qemu_option *option, void *arg)
{
    struct description *d = arg;
    const char *key = option->key, *value = option->value;
    bool is_file = strcmp(key, "filename") == 0;
    bool ok = true;

    (void)f;
    if (is_file || strcmp(key, "driver") == 0) {
        char *node = option->outer ? node_of(option) : NULL;

        ok = node || !option->outer;
        if (ok)
            ok =
                is_file ? add_file(d, value, node) : add_driver(d, value, node);
    } else if (strcmp(key, "x-image") == 0 || strcmp(key, "x-raw") == 0) {
        ok = add_name(d, value);
    }
    d->failed |= !ok;
    return false;
}

int description_read(const char *text, bool is_json, const char *format,
                     struct description *d, struct error *error)
{
    const char *options = is_json ? text + strlen("json:") : text;
    char *same, *top;

    *d = (struct description){ .is_local = true };
    if (strlen(text) >= MAX_DESCRIPTION)
        return error_set(error, E2BIG, "%s: this name is too long", text);
    if (format) {
        top = strdup("");
        d->failed = !top || !add_driver(d, format, top);
    }
    same = qemu_options_rewrite(options, is_json, collect, d);
    d->failed |= !same;
    free(same);
    return d->failed ? error_no_memory(error, text) : 0;
}

bool description_has_format(const struct description *d,
                            const struct described_file *file)
{
    static const char below[] = "file.";
    size_t len = file->node ? strlen(file->node) : 0;
    size_t n = strlen(below);

    if (len < n || strcmp(file->node + len - n, below) != 0)
        return false;
    for (size_t i = 0; i < d->format_node_count; i++) {
        const char *node = d->format_nodes[i];

        if (strlen(node) == len - n && strncmp(node, file->node, len - n) == 0)
            return true;
    }
    return false;
}

void description_free(struct description *d)
{
    for (size_t i = 0; i < d->file_count; i++) {
        free(d->files[i].path);
        free(d->files[i].node);
    }
    for (size_t i = 0; i < d->format_node_count; i++)
        free(d->format_nodes[i]);
    free(d->files);
    free(d->formats);
    free(d->format_nodes);
}
