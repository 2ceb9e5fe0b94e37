/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a slow network. For half a second a rank is told that a message
 * has not left. At the end it prints of how many it does not know more. It
 * stops itself, once, when it has begun to send as many bytes as
 * STOP_AFTER_SEND in one message.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <mpi.h>

#define MAX_SENDS 4096

static struct {
    MPI_Request request;
    double begin;
} sends[MAX_SENDS];
static int send_count;

static void stop(int len)
{
    static bool stopped;
    const char *limit = getenv("STOP_AFTER_SEND");

    if (!limit || stopped || len < atoi(limit))
        return;
    stopped = true;
    raise(SIGSTOP);
}

int MPI_Isend(const void *data, int len, MPI_Datatype type, int rank, int tag,
              MPI_Comm comm, MPI_Request *request)
{
    int err = PMPI_Isend(data, len, type, rank, tag, comm, request);

    if (send_count == MAX_SENDS)
        abort();
    sends[send_count].request = *request;
    sends[send_count++].begin = MPI_Wtime();
    stop(len);
    return err;
}

/* Its number, or -1: it is no message that is sent. */
static int find(MPI_Request request)
{
    int i = send_count - 1;

    while (i >= 0 && sends[i].request != request)
        i--;
    return i;
}

int MPI_Test(MPI_Request *request, int *done, MPI_Status *status)
{
    int send = find(*request);
    int err;

    if (send >= 0 && MPI_Wtime() < sends[send].begin + 0.5) {
        *done = 0;
        return MPI_SUCCESS;
    }
    err = PMPI_Test(request, done, status);
    if (*done && send >= 0)
        sends[send] = sends[--send_count];
    return err;
}

int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
    int send = find(*request);

    if (send >= 0)
        sends[send] = sends[--send_count];
    return PMPI_Wait(request, status);
}

int MPI_Finalize(void)
{
    if (send_count > 0)
        fprintf(stderr, "%d messages may not have left\n", send_count);
    return PMPI_Finalize();
}
