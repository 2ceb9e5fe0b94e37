/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The same as names.h for BLAKE3, if its sources are part of the library: the
 * compiler includes this before each of them, and before the file that calls
 * them. A program may have another version of BLAKE3. These are the names of
 * BLAKE3 1.3 to 1.8; those with an underscore are the names of assembly
 * functions on other systems.
 */
#ifndef LIB_BLAKE3_NAMES_H
#define LIB_BLAKE3_NAMES_H

#define blake3_compress_in_place blkhash_inner_blake3_compress_in_place
#define _blake3_compress_in_place_avx512                                       \
    blkhash_inner_blake3_compress_in_place_avx512_macos
#define blake3_compress_in_place_avx512                                        \
    blkhash_inner_blake3_compress_in_place_avx512
#define blake3_compress_in_place_portable                                      \
    blkhash_inner_blake3_compress_in_place_portable
#define _blake3_compress_in_place_sse2                                         \
    blkhash_inner_blake3_compress_in_place_sse2_macos
#define blake3_compress_in_place_sse2                                          \
    blkhash_inner_blake3_compress_in_place_sse2
#define _blake3_compress_in_place_sse41                                        \
    blkhash_inner_blake3_compress_in_place_sse41_macos
#define blake3_compress_in_place_sse41                                         \
    blkhash_inner_blake3_compress_in_place_sse41
#define blake3_compress_xof blkhash_inner_blake3_compress_xof
#define _blake3_compress_xof_avx512                                            \
    blkhash_inner_blake3_compress_xof_avx512_macos
#define blake3_compress_xof_avx512 blkhash_inner_blake3_compress_xof_avx512
#define blake3_compress_xof_portable blkhash_inner_blake3_compress_xof_portable
#define _blake3_compress_xof_sse2 blkhash_inner_blake3_compress_xof_sse2_macos
#define blake3_compress_xof_sse2 blkhash_inner_blake3_compress_xof_sse2
#define _blake3_compress_xof_sse41 blkhash_inner_blake3_compress_xof_sse41_macos
#define blake3_compress_xof_sse41 blkhash_inner_blake3_compress_xof_sse41
#define blake3_compress_subtree_wide blkhash_inner_blake3_compress_subtree_wide
#define blake3_xof_many blkhash_inner_blake3_xof_many
#define blake3_xof_many_avx512 blkhash_inner_blake3_xof_many_avx512
#define blake3_hash4_neon blkhash_inner_blake3_hash4_neon
#define blake3_hash_many blkhash_inner_blake3_hash_many
#define _blake3_hash_many_avx2 blkhash_inner_blake3_hash_many_avx2_macos
#define blake3_hash_many_avx2 blkhash_inner_blake3_hash_many_avx2
#define _blake3_hash_many_avx512 blkhash_inner_blake3_hash_many_avx512_macos
#define blake3_hash_many_avx512 blkhash_inner_blake3_hash_many_avx512
#define blake3_hash_many_neon blkhash_inner_blake3_hash_many_neon
#define blake3_hash_many_portable blkhash_inner_blake3_hash_many_portable
#define _blake3_hash_many_sse2 blkhash_inner_blake3_hash_many_sse2_macos
#define blake3_hash_many_sse2 blkhash_inner_blake3_hash_many_sse2
#define _blake3_hash_many_sse41 blkhash_inner_blake3_hash_many_sse41_macos
#define blake3_hash_many_sse41 blkhash_inner_blake3_hash_many_sse41
#define blake3_hasher_finalize blkhash_inner_blake3_hasher_finalize
#define blake3_hasher_finalize_seek blkhash_inner_blake3_hasher_finalize_seek
#define blake3_hasher_init blkhash_inner_blake3_hasher_init
#define blake3_hasher_init_derive_key                                          \
    blkhash_inner_blake3_hasher_init_derive_key
#define blake3_hasher_init_derive_key_raw                                      \
    blkhash_inner_blake3_hasher_init_derive_key_raw
#define blake3_hasher_init_keyed blkhash_inner_blake3_hasher_init_keyed
#define blake3_hasher_reset blkhash_inner_blake3_hasher_reset
#define blake3_hasher_update blkhash_inner_blake3_hasher_update
#define blake3_simd_degree blkhash_inner_blake3_simd_degree
#define blake3_version blkhash_inner_blake3_version

#endif
