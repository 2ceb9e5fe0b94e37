/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions of images for QEMU: an option string
 * ("driver=qcow2,file.filename=disk.qcow2"), or a name that begins with json:.
 * They are graphs of nodes. A node has a driver, which is a format, a filter or
 * a protocol, and the nodes below it, each under a key.
 */
#ifndef IMAGE_DESCRIPTION_H
#define IMAGE_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

/* The keys that lead to a node, each with a dot: "file." is the node below the
 * first. NULL: they are not known. */
struct described_file {
    char *path;
    char *node;
};

struct description {
    struct described_file *files; /* that are named, at any depth */
    size_t file_count;
    const char **formats; /* of any node, each once */
    size_t format_count;
    char **format_nodes; /* whose driver is a format: the keys of each */
    size_t format_node_count;
    bool is_local; /* no node is on a server */
    bool failed;   /* out of memory */
};

/* Read a description. format is what the user gave beside it, or NULL. Call
 * description_free() even after an error. */
int description_read(const char *text, bool is_json, const char *format,
                     struct description *d, struct error *error);
void description_free(struct description *d);

/* Whether QEMU does not probe the format of a file, because the node above
 * gives it. */
bool description_has_format(const struct description *d,
                            const struct described_file *file);

/* Whether a name has the protocol of a driver that needs no server. */
bool is_local_protocol(const char *name);

#endif
