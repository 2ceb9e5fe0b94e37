/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/results.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/message.h"
#include "cli/output.h"
#include "cli/workload.h"
#include "mpi/comm.h"
#include "mpi/result.h"

struct result {
    char *text;
    char *error;
};

struct results {
    const struct options *o;
    char **names;
    struct result *all;
    uint64_t count;
    uint64_t next; /* to be printed */
    uint64_t failed;
};

struct results *results_new(const struct options *o, char **names,
                            uint64_t count)
{
    struct results *r = calloc(1, sizeof(*r));

    if (r)
        r->all = calloc(count, sizeof(*r->all));
    if (!r || !r->all)
        comm_out_of_memory();
    r->o = o;
    r->names = names;
    r->count = count;
    workload_count(o, names, (int)count);
    workload_next(o, names[0], NULL);
    return r;
}

/* The error, and an object for it if the output is JSON. */
static void print_error(struct results *r, const char *error)
{
    struct checksum c = { .name = r->names[r->next] };
    char *text;

    r->failed++;
    message_know_name(c.name);
    message("%s", error);
    message_know_name(NULL);
    if (!r->o->list.json || r->o->digest_list.diff)
        return;
    error_set(&c.error, EIO, "%s", error);
    text = result_text(r->o, &c);
    if (!text)
        comm_out_of_memory();
    fputs(text, output());
    free(text);
    error_clear(&c.error);
}

static void print(struct results *r, struct result *result)
{
    if (result->error)
        print_error(r, result->error);
    else
        fputs(result->text, output());
    /* A line with a NUL at its end is a text that ends there. */
    if (result->text && *result->text && r->o->list.zero && !r->o->list.json)
        putc(0, output());
    free(result->error);
    free(result->text);
    *result = (struct result){ .text = NULL };
}

void results_add(struct results *r, uint64_t index, char *text, char *error)
{
    bool is_next = index == r->next;

    r->all[index] = (struct result){ text, error };
    while (r->next < r->count &&
           (r->all[r->next].text || r->all[r->next].error)) {
        print(r, &r->all[r->next]);
        r->next++;
        if (r->next < r->count)
            workload_next(r->o, r->names[r->next], NULL);
    }
    if (is_next)
        output_flush();
}

uint64_t results_next(const struct results *r)
{
    return r->next;
}

uint64_t results_failed(const struct results *r)
{
    return r->failed;
}

void results_free(struct results *r)
{
    free(r->all);
    free(r);
}
