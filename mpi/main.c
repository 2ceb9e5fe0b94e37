/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disksum-mpi: disksum on the ranks of an MPI job.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "blkhash.h"
#include "cli/diff.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/start.h"
#include "mpi/comm.h"
#include "mpi/coordinator.h"
#include "mpi/hasher.h"
#include "mpi/names.h"
#include "mpi/options.h"
#include "mpi/protocol.h"
#include "mpi/wire.h"
#include "process/confine.h"

/* --- one rank ----------------------------------------------------------- */

static enum message_kind kind_of(const struct comm_message *m)
{
    struct wire_rest rest = { m->data, m->len };

    return (enum message_kind)wire_get_number(&rest);
}

/* Hand a message to whom it is for. False: it was the last one. */
static bool dispatch(struct hasher *h, struct coordinator *c,
                     const struct comm_message *m)
{
    enum message_kind kind = kind_of(m);

    if (kind == MESSAGE_STOP) {
        free(m->data);
        return false;
    }
    if (kind == MESSAGE_OPENED || kind == MESSAGE_DIGESTS ||
        kind == MESSAGE_RESULTS)
        coordinator_take(c, m);
    else
        hasher_add(h, m);
    return true;
}

/* Do what rank 0 says; c is there on rank 0. Returns the exit status. */
static int work(struct hasher *h, struct coordinator *c)
{
    struct comm_message m;
    int status = EXIT_SUCCESS;

    for (;;) {
        bool busy = hasher_step(h);

        if (c && coordinator_step(c, hasher_fd(h) < 0))
            busy = true;
        if (c && coordinator_is_done(c)) {
            status = coordinator_end(c);
            c = NULL;
        }
        if (comm_receive(&m)) {
            if (!dispatch(h, c, &m))
                return status;
        } else if (!busy) {
            comm_wait(hasher_fd(h));
        }
    }
}

/* --- the job ------------------------------------------------------------ */

/* What rank 0 alone has. */
struct job {
    struct names names;
    struct list_write *list;
};

/* What ranks find of a block, in bytes. */
static size_t digest_size(const struct options *o)
{
    struct blkhash_leaf *leaf;
    size_t size;

    if (o->digest_list.diff)
        return 1; /* the kind of difference of a sector */
    leaf = blkhash_leaf_new(o->engine.hashes[0].block_size,
                            o->engine.hashes[0].digest);
    if (!leaf)
        comm_out_of_memory();
    size = blkhash_leaf_md_size(leaf);
    blkhash_leaf_free(leaf);
    return size;
}

static int prepare(struct job *job, const struct options *o,
                   struct error *error)
{
    int err = names_read(&job->names, o, error);

    if (!err && o->digest_list.write && job->names.count != 1)
        err = error_set(error, EINVAL, "--write-list takes one image");
    if (!err && o->digest_list.write)
        err = list_write_open(o, &job->list, error);
    return err;
}

/* The exit status when something failed. */
static int failure(const struct options *o)
{
    return o->digest_list.diff ? EXIT_TROUBLE : EXIT_FAILURE;
}

/* On rank 0: get ready. Returns the exit status if there is nothing to do. */
static int begin(struct job *job, const struct options *o)
{
    struct error error = ERROR_INIT;

    if (prepare(job, o, &error)) {
        message("%s: %s", comm_host(), error_message(&error));
        error_clear(&error);
        return failure(o);
    }
    return job->names.count ? -1 : EXIT_SUCCESS;
}

/* Do the job, as all ranks agree. */
static int run(const struct options *o, struct job *job)
{
    size_t md_size = digest_size(o);
    struct coordinator *c = NULL;
    struct hasher *h;
    int status;

    /* MPI may connect again, and images may be on servers. */
    confine_except_shared_memory();
    confine_this_process(true);
    h = hasher_new(o, md_size);
    if (comm_rank() == 0)
        c = coordinator_new(o, job->list, job->names.all,
                            o->digest_list.diff ? 1 : job->names.count,
                            md_size);
    status = work(h, c);
    hasher_free(h);
    return status;
}

/* Parse the command line; the exit status, or -1 to go on. */
static int parse(struct options *o, int argc, char **argv)
{
    switch (options_parse(o, argc, argv)) {
    case OPTIONS_RUN:
        return mpi_options_verify(o) ? -1 : EXIT_USAGE;
    case OPTIONS_HELP:
        mpi_help_print();
        return EXIT_SUCCESS;
    case OPTIONS_BAD:
        return EXIT_USAGE;
    case OPTIONS_FAILED:
        return EXIT_FAILURE;
    default:
        return EXIT_SUCCESS;
    }
}

/* All ranks have the same command line: rank 0 says what is wrong with it, or
 * prints the help, and the others read it only if there is something to do.
 * Exit statuses of several ranks would make mpirun end the others, so that of
 * the job is that of rank 0. */
static int run_rank(int argc, char **argv)
{
    bool first = comm_rank() == 0;
    struct job job = { .list = NULL };
    struct options o;
    int status = -1;

    if (first)
        status = parse(&o, argc, argv);
    if (first && status < 0)
        status = begin(&job, &o);
    if (comm_share(status) < 0) {
        /* What it needs may not be there: a digest, a certificate. */
        if (!first && parse(&o, argc, argv) >= 0)
            comm_abort();
        status = run(&o, &job);
        if (!first)
            options_free(&o);
    }
    if (!first)
        return EXIT_SUCCESS;
    list_write_free(job.list);
    names_free(&job.names);
    if (!output_close() && status != EXIT_USAGE)
        status = failure(&o);
    options_free(&o);
    return status;
}

int main(int argc, char **argv)
{
    int status;

    start_process(argc, argv);
    output_is_forwarded();
    comm_begin();
    status = run_rank(argc, argv);
    comm_end();
    return status;
}
