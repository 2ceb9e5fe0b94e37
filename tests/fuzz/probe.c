/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as an image of which nobody says the format. The first byte says
 * how its name ends, and whose names of other files are looked for.
 */
#include "fuzz.h"

#include <string.h>

#include "common/array.h"
#include "format/format.h"
#include "format/probe.h"
#include "tests/unit/memory_reader.h"

/* A name is counted, so that an image cannot have one without end. */
#define MAX_NAMES 100000

static int visit(void *arg, const struct recorded_name *name,
                 struct error *error)
{
    unsigned *count = arg;

    (void)error;
    require(name->name && name->what && *name->what);
    require(++*count < MAX_NAMES);
    return 0;
}

static void find_names(struct reader *r, const struct format *format)
{
    struct error error = ERROR_INIT;
    unsigned count = 0;
    const struct name_visitor visitor = { visit, &count };
    int err = format->names(r, &visitor, &error);

    require(err == error.code && (!err || *error_message(&error)));
    error_clear(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = { NULL, "x", "x.dmg", "x.vhd" };
    struct error error = ERROR_INIT;
    const struct format *format;
    struct memory_reader m;
    struct probe found;
    int err;

    if (size < 1)
        return 0;
    memory_reader_init(&m, data + 1, size - 1);
    err = probe_format(&m.reader, paths[data[0] % ARRAY_SIZE(paths)], &found,
                       &error);
    require(err == error.code);
    if (!err) {
        require(format_find(found.format));
        require(!probe_check(&found, "x", &error) || *error_message(&error));
    }
    error_clear(&error);

    format = &formats[data[0] / ARRAY_SIZE(paths) % format_count];
    if (format->names)
        find_names(&m.reader, format);
    return 0;
}
