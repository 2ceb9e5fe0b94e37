/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shared library hides what is inside; an archive cannot. Its inner
 * functions get a prefix here, so that libblkhash.a can be linked into any
 * program.
 */
#ifndef LIB_NAMES_H
#define LIB_NAMES_H

#define digest_close blkhash_inner_digest_close
#define digest_ctx_free blkhash_inner_digest_ctx_free
#define digest_ctx_new blkhash_inner_digest_ctx_new
#define digest_finish blkhash_inner_digest_finish
#define digest_is_sha256 blkhash_inner_digest_is_sha256
#define digest_names blkhash_inner_digest_names
#define digest_open blkhash_inner_digest_open
#define digest_provider blkhash_inner_digest_provider
#define digest_size blkhash_inner_digest_size
#define digest_start blkhash_inner_digest_start
#define digest_update blkhash_inner_digest_update

#define is_zero blkhash_inner_is_zero

#define name_list_add blkhash_inner_name_list_add
#define name_list_clear blkhash_inner_name_list_clear
#define name_list_sort blkhash_inner_name_list_sort

#define options_queue_depth blkhash_inner_options_queue_depth
#define options_threads blkhash_inner_options_threads

#define queue_completion_fd blkhash_inner_queue_completion_fd
#define queue_completions blkhash_inner_queue_completions
#define queue_drain blkhash_inner_queue_drain
#define queue_error blkhash_inner_queue_error
#define queue_free blkhash_inner_queue_free
#define queue_new blkhash_inner_queue_new
#define queue_next blkhash_inner_queue_next
#define queue_piece_size blkhash_inner_queue_piece_size
#define queue_push blkhash_inner_queue_push
#define queue_update_begin blkhash_inner_queue_update_begin
#define queue_update_end blkhash_inner_queue_update_end
#define queue_wait blkhash_inner_queue_wait

#define sha256_benchmark blkhash_inner_sha256_benchmark
#define sha256_choose blkhash_inner_sha256_choose
#define sha256_get_dispatch blkhash_inner_sha256_get_dispatch
#define sha256_group blkhash_inner_sha256_group
#define sha256_hash blkhash_inner_sha256_hash
#define sha256_k blkhash_inner_sha256_k
#define sha256_kernel_count blkhash_inner_sha256_kernel_count
#define sha256_kernel_name blkhash_inner_sha256_kernel_name
#define sha256_kernel_usable blkhash_inner_sha256_kernel_usable
#define sha256_kernels blkhash_inner_sha256_kernels

#define zero_digest blkhash_inner_zero_digest

#endif
