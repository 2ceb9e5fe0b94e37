/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/warnings.h"

#include <stdlib.h>
#include <string.h>

#include "cli/input.h"
#include "cli/message.h"
#include "cli/run.h"
#include "image/image.h"
#include "mpi/comm.h"

/* --- any rank ----------------------------------------------------------- */

size_t warnings_put(struct wire *w, const struct image *image, size_t first)
{
    size_t count = image ? image->warning_count : 0;

    if (first > count)
        first = count;
    wire_put_number(w, count - first);
    for (size_t i = first; i < count; i++)
        wire_put_text(w, image->warnings[i]);
    return count;
}

void warnings_put_hole(struct wire *w, const struct false_hole *hole)
{
    wire_put_text(w, hole->name);
    wire_put_number(w, hole->offset);
    wire_put_number(w, hole->guest);
}

/* --- rank 0 ------------------------------------------------------------- */

static char *copy(const char *text)
{
    char *copied = strdup(text);

    if (!copied)
        comm_out_of_memory();
    return copied;
}

static bool is_printed(const struct warnings *ws, const char *text)
{
    for (size_t i = 0; i < ws->count; i++) {
        if (strcmp(ws->printed[i], text) == 0)
            return true;
    }
    return false;
}

static void print(struct warnings *ws, const struct options *o,
                  const char *host, const char *text)
{
    char **printed;

    if (!input_wants_warnings(o) || is_printed(ws, text))
        return;
    message("%s: %s", host, text);
    printed = realloc(ws->printed, (ws->count + 1) * sizeof(*printed));
    if (!printed)
        comm_out_of_memory();
    ws->printed = printed;
    ws->printed[ws->count++] = copy(text);
}

void warnings_print(struct warnings *ws, const struct options *o,
                    const struct image *image)
{
    size_t count = image ? image->warning_count : 0;

    for (size_t i = 0; i < count; i++)
        print(ws, o, comm_host(), image->warnings[i]);
}

void warnings_take(struct warnings *ws, const struct options *o,
                   const char *host, struct wire_rest *message)
{
    for (uint64_t left = wire_get_number(message); left > 0; left--)
        print(ws, o, host, wire_get_text(message));
}

void warnings_take_hole(struct warnings *ws, const char *host,
                        struct wire_rest *message)
{
    const char *name = wire_get_text(message);
    uint64_t offset = wire_get_number(message);
    uint64_t guest = wire_get_number(message);

    if (!name || (ws->hole && guest >= ws->hole_guest))
        return;
    warnings_forget_hole(ws);
    ws->hole = copy(name);
    ws->hole_host = copy(host);
    ws->hole_offset = offset;
    ws->hole_guest = guest;
}

void warnings_forget_hole(struct warnings *ws)
{
    free(ws->hole);
    free(ws->hole_host);
    ws->hole = ws->hole_host = NULL;
}

void warnings_end(struct warnings *ws, const struct options *o)
{
    if (ws->hole && input_wants_warnings(o))
        message("%s: " FALSE_HOLE_WARNING, ws->hole_host, ws->hole,
                ws->hole_offset);
    for (size_t i = 0; i < ws->count; i++)
        free(ws->printed[i]);
    free(ws->printed);
    warnings_forget_hole(ws);
    *ws = (struct warnings){ .printed = NULL };
}
