/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/comm.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mpi.h>

#include "cli/message.h"
#include "common/array.h"

/* The only kind of message that MPI sees. */
#define TAG 0

/* How many messages may arrive at the same time. To look for one that is there
 * takes the square of that. */
#define MAX_ARRIVING 16

/* A wait begins with the first of these, and doubles up to the last one, as
 * long as nothing comes. A message of some size takes several steps, each of
 * which both ranks have to ask for. */
#define MIN_WAIT_NS 10000
#define MAX_WAIT_NS 1000000

/* A message on its way. */
struct transfer {
    MPI_Request request; /* MPI_REQUEST_NULL: to itself */
    struct comm_message message;
    struct transfer *next;
};

/* In the order in which they began. */
struct transfers {
    struct transfer *first, **last;
    unsigned count;
};

static struct {
    int rank, size;
    char host[MPI_MAX_PROCESSOR_NAME];
    struct transfers leaving, arriving;
    long wait_ns;
    struct comm_figures figures;
} comm;

void comm_out_of_memory(void)
{
    message("%s: out of memory", comm.host);
    comm_abort();
}

/* --- transfers ---------------------------------------------------------- */

static struct transfer *transfer_add(struct transfers *list, int rank,
                                     unsigned char *data, size_t len)
{
    struct transfer *t = malloc(sizeof(*t));

    if (!t || !data)
        comm_out_of_memory();
    *t = (struct transfer){
        .request = MPI_REQUEST_NULL,
        .message = { .rank = rank, .len = len, .data = data },
    };
    *list->last = t;
    list->last = &t->next;
    list->count++;
    return t;
}

/* Whether one that began before this one is with the same rank. */
static bool must_wait(const struct transfers *list, const struct transfer *t)
{
    const struct transfer *other = list->first;

    while (other != t && other->message.rank != t->message.rank)
        other = other->next;
    return other != t;
}

static struct comm_message transfer_remove(struct transfers *list,
                                           struct transfer **link)
{
    struct transfer *t = *link;
    struct comm_message m = t->message;

    *link = t->next;
    if (!t->next)
        list->last = link;
    list->count--;
    free(t);
    return m;
}

/* Remove the first one that has arrived, in the order of each rank: a rank that
 * is stopped in the middle of a message must not hold up those of others. */
static bool transfer_take(struct transfers *list, struct comm_message *m)
{
    struct transfer **link = &list->first;

    for (; *link; link = &(*link)->next) {
        int done = 0;

        if (!must_wait(list, *link))
            MPI_Test(&(*link)->request, &done, MPI_STATUS_IGNORE);
        if (done) {
            *m = transfer_remove(list, link);
            return true;
        }
    }
    return false;
}

static void transfers_init(struct transfers *list)
{
    list->last = &list->first;
}

/* Free what has left. */
static void clean_up(void)
{
    struct comm_message m;

    while (transfer_take(&comm.leaving, &m))
        free(m.data);
}

static void count(size_t len)
{
    comm.figures.messages++;
    comm.figures.bytes += len;
    comm.wait_ns = MIN_WAIT_NS;
}

/* --- begin and end ------------------------------------------------------ */

/*
 * Ranks of one machine could read large messages from each other's memory. The
 * kernel refuses that between processes that have confined themselves, and MPI
 * libraries find out too late: some end the job. So they shall copy by memory
 * that both share. Each library and each transport has its own variables.
 */
static const struct {
    const char *name, *value;
} variables[] = {
    /* Open MPI up to 4, and from 5 on. */
    { "OMPI_MCA_btl_vader_single_copy_mechanism", "none" },
    { "OMPI_MCA_smsc", "^cma,knem,xpmem" },
    /* UCX. Without rendezvous no transport reads from the other process. (To
     * exclude those by name prints a warning where one is not installed.) POSIX
     * shared memory that is made later is opened for writing, or by way of the
     * other process; that of System V is not a file. */
    { "UCX_TLS", "^posix" },
    { "UCX_RNDV_THRESH", "inf" },
    /* libfabric and Omni-Path. */
    { "FI_SHM_DISABLE_CMA", "1" },
    { "PSM2_KASSIST_MODE", "none" },
    { "PSM3_KASSIST_MODE", "none" },
    /* MPICH. */
    { "MPIR_CVAR_CH4_CMA_ENABLE", "0" },
    { "MPIR_CVAR_CH4_XPMEM_ENABLE", "0" },
};

/* What the user has set stays. */
static void copy_by_shared_memory(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        setenv(variables[i].name, variables[i].value, 0);
}

/* Send an empty message each way. MPI connects two ranks when the first message
 * is sent, which a confined process could not do. */
static void connect_to(int rank)
{
    MPI_Sendrecv(NULL, 0, MPI_BYTE, rank, TAG, NULL, 0, MPI_BYTE, rank, TAG,
                 MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

void comm_begin(void)
{
    int level, len;

    copy_by_shared_memory();
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &comm.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &comm.size);
    MPI_Get_processor_name(comm.host, &len);
    transfers_init(&comm.leaving);
    transfers_init(&comm.arriving);
    comm.wait_ns = MIN_WAIT_NS;
    if (level < MPI_THREAD_FUNNELED) {
        message("%s: this MPI library does not support threads", comm.host);
        comm_abort();
    }
    if (comm.rank > 0)
        connect_to(0);
    for (int i = 1; comm.rank == 0 && i < comm.size; i++)
        connect_to(i);
}

int comm_rank(void)
{
    return comm.rank;
}

int comm_size(void)
{
    return comm.size;
}

const char *comm_host(void)
{
    return comm.host;
}

int comm_share(int number)
{
    MPI_Bcast(&number, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return number;
}

void comm_abort(void)
{
    MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    abort();
}

/* MPI_Finalize() wants all that was sent to have left: with MPICH, it hangs
 * otherwise. */
void comm_end(void)
{
    for (struct transfer *t = comm.leaving.first; t; t = t->next)
        MPI_Wait(&t->request, MPI_STATUS_IGNORE);
    clean_up();
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Finalize();
}

/* --- messages ----------------------------------------------------------- */

void comm_send(int rank, unsigned char *data, size_t len)
{
    bool to_self = rank == comm.rank;
    struct transfer *t =
        transfer_add(to_self ? &comm.arriving : &comm.leaving, rank, data, len);

    assert(len <= INT_MAX);
    if (to_self)
        return;
    MPI_Isend(data, (int)len, MPI_BYTE, rank, TAG, MPI_COMM_WORLD, &t->request);
    count(len);
    clean_up();
}

/* Begin to receive the next message, if there is one. */
static bool begin_to_receive(void)
{
    struct transfer *t;
    MPI_Message handle;
    MPI_Status status;
    int found, len;

    if (comm.arriving.count >= MAX_ARRIVING)
        return false;
    MPI_Improbe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &found, &handle, &status);
    if (!found)
        return false;
    MPI_Get_count(&status, MPI_BYTE, &len);
    t = transfer_add(&comm.arriving, status.MPI_SOURCE, malloc(len ? len : 1),
                     len);
    MPI_Imrecv(t->message.data, len, MPI_BYTE, &handle, &t->request);
    count(len);
    return true;
}

bool comm_receive(struct comm_message *m)
{
    clean_up();
    while (begin_to_receive())
        ;
    return transfer_take(&comm.arriving, m);
}

void comm_wait(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    const struct timespec timeout = { .tv_nsec = comm.wait_ns };

    ppoll(&pfd, 1, &timeout, NULL);
    if (comm.leaving.count == 0 && comm.arriving.count == 0)
        comm.wait_ns *= 2;
    if (comm.wait_ns > MAX_WAIT_NS)
        comm.wait_ns = MAX_WAIT_NS;
}

void comm_figures(struct comm_figures *figures)
{
    *figures = comm.figures;
}
