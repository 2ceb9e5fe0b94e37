/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/open-images.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/identity.h"
#include "cli/input.h"
#include "mpi/comm.h"

char *host_error(const struct error *error)
{
    char *text;

    if (asprintf(&text, "%s: %s", comm_host(), error_message(error)) < 0)
        return NULL;
    return text;
}

/* Open an image, and compare it with what rank 0 has. */
static int open_and_compare(const struct options *o, const char *name,
                            const struct identity_source *theirs,
                            struct engine_input *input, struct error *error)
{
    struct identity_of of = { .name = name, .options = &o->image };
    int err = input_open(o, name, input, error);

    of.image = input->image;
    return err ? err : identity_check_host(&of, theirs, error);
}

/* Open one image, or two that are compared. */
static int open_all(struct open_image *i, const struct options *o,
                    struct wire_rest *message, struct error *error)
{
    const char *host = wire_get_text(message);
    struct engine_input inputs[2] = { { .name = NULL } };
    uint64_t count = wire_get_number(message);
    int err = 0;

    for (uint64_t k = 0; !err && k < count; k++) {
        const char *name = wire_get_text(message);
        const char *identity = wire_get_text(message);
        const struct identity_source theirs = { host, identity,
                                                strlen(identity) };

        i->names[k] = strdup(name);
        err = i->names[k]
                  ? open_and_compare(o, i->names[k], &theirs, &inputs[k], error)
                  : error_no_memory(error, name);
    }
    i->input = inputs[0];
    i->other = inputs[1].image;
    return err;
}

static void close_all(struct open_image *i)
{
    image_close(i->input.image);
    image_close(i->other);
    i->input.image = i->other = NULL;
}

struct open_image *open_images_add(struct open_images *images,
                                   const struct options *o, uint64_t index,
                                   struct wire_rest *message)
{
    struct open_image *i = calloc(1, sizeof(*i));
    struct error error = ERROR_INIT;

    if (!i)
        comm_out_of_memory();
    i->index = index;
    if (open_all(i, o, message, &error)) {
        i->error = host_error(&error);
        close_all(i);
        if (!i->error)
            comm_out_of_memory();
    }
    error_clear(&error);
    i->next = images->first;
    images->first = i;
    return i;
}

struct open_image *open_images_find(const struct open_images *images,
                                    uint64_t index)
{
    struct open_image *i = images->first;

    while (i && i->index != index)
        i = i->next;
    assert(i);
    return i;
}

void open_images_remove(struct open_images *images, uint64_t index)
{
    struct open_image **link = &images->first;
    struct open_image *i;

    while (*link && (*link)->index != index)
        link = &(*link)->next;
    i = *link;
    assert(i);
    *link = i->next;
    close_all(i);
    free(i->error);
    free(i->names[0]);
    free(i->names[1]);
    free(i);
}
