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

/* Open the image, and compare it with what rank 0 has. */
static int open_and_compare(struct open_image *i, const struct options *o,
                            const char *identity, const char *host,
                            struct error *error)
{
    int err = input_open(o, i->name, &i->input, error);
    const struct identity_of of = {
        .name = i->name,
        .image = i->input.image,
        .options = &o->image,
    };
    const struct identity_source theirs = { host, identity, strlen(identity) };

    return err ? err : identity_check_host(&of, &theirs, error);
}

struct open_image *open_images_add(struct open_images *images,
                                   const struct options *o, uint64_t index,
                                   struct wire_rest *message)
{
    struct open_image *i = calloc(1, sizeof(*i));
    const char *name = wire_get_text(message);
    const char *identity = wire_get_text(message);
    const char *host = wire_get_text(message);
    struct error error = ERROR_INIT;

    if (i)
        i->name = strdup(name);
    if (!i || !i->name)
        comm_out_of_memory();
    i->index = index;
    if (open_and_compare(i, o, identity, host, &error)) {
        i->error = host_error(&error);
        image_close(i->input.image);
        i->input.image = NULL;
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
    image_close(i->input.image);
    free(i->error);
    free(i->name);
    free(i);
}
