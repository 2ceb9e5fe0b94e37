/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What ranks tell each other. A message begins with the number of its kind;
 * then come, as wire.h writes them:
 *
 *   OPEN     image, whether to answer, host of rank 0, and for one image, or
 *            for the two that are compared: how many, and name and identity of
 *            each
 *
 *   SLICE    image, slice, first block, blocks
 *
 *   CLOSE    image
 *
 *   IMAGES   first image, count, limit, count names
 *
 *   STOP     nothing
 *
 *   OPENED   image, error
 *
 *   DIGESTS  image, slice, error, whether the image changed, the counts of the
 *            engine, host, warnings of the image and of the other one, the
 *            false hole (warnings.h), and all the rest are runs (digest-runs.h)
 *
 *   RESULTS  first image, count, how many of these are done, host, and for
 *            each of them: its state, its size, text, warnings, the false hole
 *
 * Images are known by their number among all that the user named. An error is a
 * text that begins with the host; NULL is success.
 */
#ifndef MPI_PROTOCOL_H
#define MPI_PROTOCOL_H

enum message_kind {
    /* From rank 0. */
    MESSAGE_OPEN,
    MESSAGE_SLICE,
    MESSAGE_CLOSE,
    MESSAGE_IMAGES,
    MESSAGE_STOP,
    /* To rank 0. */
    MESSAGE_OPENED,
    MESSAGE_DIGESTS,
    MESSAGE_RESULTS,
};

/* What a rank has found of a whole image. */
enum image_state {
    IMAGE_DONE,   /* the text is what is printed */
    IMAGE_FAILED, /* the text is the error */
    IMAGE_LARGE,  /* larger than the limit, so not hashed; no text */
};

#endif
