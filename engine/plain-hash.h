/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digest of all bytes of a disk in one stream, zeros included: what
 * `qemu-img convert -O raw | sha256sum` prints. It cannot be computed in parts,
 * so the lane hashes the bytes itself, as fast as one core can.
 */
#ifndef ENGINE_PLAIN_HASH_H
#define ENGINE_PLAIN_HASH_H

#include "blkhash.h"
#include "engine/engine.h"
#include "engine/lane.h"

struct plain_hash {
    struct lane lane; /* the first member */
    struct blkhash_digest *digest;
    size_t block_size; /* of slots */
    const char *name;
};

/* name: of the disk; it must stay in place. Free it with plain_hash_free(),
 * also after an error. Errors: those of blkhash_digest_new(). */
int plain_hash_init(struct plain_hash *h, const char *digest, size_t block_size,
                    const char *name);
void plain_hash_free(struct plain_hash *h);

#endif
