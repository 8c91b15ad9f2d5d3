/*
 * Memory for QuickJS: a short run asks for tens of thousands of small blocks, and a general allocator takes a third of such a run. Here, a
 * small block comes from the end of a large piece, or from the list of freed blocks of its size. A large block comes from libc.
 *
 * Before each block stands its size, that of this word included. What is given to QuickJS is aligned as malloc's.
 */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "quickjs.h"

enum {
  alignment = 16,
  /* Of the size before each block. */
  word = 8,
  /* In bytes; a larger block comes from libc, where `alignment` bytes stand before it. */
  largest_small = 512,
  /* How much is asked of libc for small blocks. */
  piece_size = 128 * 1024,
};

static void *freed[largest_small / alignment + 1];
static char *piece_next, *piece_end;

static size_t *size_before(const void *block) { return (size_t *)((char *)block - word); }

static void *small_block(size_t size) {
  void **list = &freed[size / alignment];
  char *block = *list;
  if (block != NULL) {
    *list = *(void **)block;
    return block;
  }
  if ((size_t)(piece_end - piece_next) < size) {
    char *piece = malloc(piece_size);
    if (piece == NULL) return NULL;
    piece_next = piece + alignment - word;
    piece_end = piece + piece_size;
  }
  block = piece_next + word;
  piece_next += size;
  *size_before(block) = size;
  return block;
}

static void *large_block(void *old, size_t size) {
  char *start = realloc(old == NULL ? NULL : (char *)old - alignment, size);
  if (start == NULL) return NULL;
  *size_before(start + alignment) = size;
  return start + alignment;
}

static int is_too_much(const JSMallocState *state, size_t size) {
  return size > PTRDIFF_MAX / 2 || state->malloc_size + size > state->malloc_limit;
}

static void *allocate(JSMallocState *state, size_t wanted) {
  const size_t size = (wanted + word + alignment - 1) & ~(size_t)(alignment - 1);
  const int is_small = size <= largest_small;
  if (wanted > PTRDIFF_MAX / 2 || is_too_much(state, size + alignment)) return NULL;
  void *block = is_small ? small_block(size) : large_block(NULL, size + alignment);
  if (block == NULL) return NULL;
  state->malloc_count++;
  state->malloc_size += *size_before(block);
  return block;
}

static void release(JSMallocState *state, void *block) {
  if (block == NULL) return;
  const size_t size = *size_before(block);
  state->malloc_count--;
  state->malloc_size -= size;
  if (size > largest_small) {
    free((char *)block - alignment);
    return;
  }
  *(void **)block = freed[size / alignment];
  freed[size / alignment] = block;
}

static size_t usable_size(const void *block) {
  const size_t size = *size_before(block);
  return size - (size <= largest_small ? word : alignment);
}

static void *reallocate(JSMallocState *state, void *block, size_t wanted) {
  if (block == NULL) return wanted == 0 ? NULL : allocate(state, wanted);
  if (wanted == 0) {
    release(state, block);
    return NULL;
  }
  const size_t size = *size_before(block), usable = usable_size(block);
  if (size <= largest_small && wanted <= usable) return block;
  if (size > largest_small && wanted > largest_small) {
    const size_t next = wanted + alignment;
    if (wanted > PTRDIFF_MAX / 2 || is_too_much(state, next)) return NULL;
    void *moved = large_block(block, next);
    if (moved != NULL) state->malloc_size += next - size;
    return moved;
  }
  void *moved = allocate(state, wanted);
  if (moved == NULL) return NULL;
  memcpy(moved, block, usable < wanted ? usable : wanted);
  release(state, block);
  return moved;
}

static const JSMallocFunctions memory_functions = { allocate, release, reallocate, usable_size };
