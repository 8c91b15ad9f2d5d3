/*
 * One block of LZ4, decompressed, as src/read/lz4.ts does it in JavaScript, in a fraction of the time. Format:
 * lz4 project, doc/lz4_Block_format.md. The input is hostile: every length is compared with what is left before it is used.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The rest of a length whose four bits are all set: bytes up to the first that is not 255. 0 when the input ends before. */
static int lz4_more(const uint8_t **from, const uint8_t *input_end, size_t *length) {
  uint8_t more;
  do {
    if (*from == input_end) return 0;
    more = *(*from)++;
    /* No more than 255 times the input's size, so that it cannot wrap. */
    *length += more;
  } while (more == 255);
  return 1;
}

/*
 * Writes from `start` on and never at or behind `end`, both in bytes of `output`; matches may reach back to its first byte. Partial:
 * stops at `end`, whatever else the input holds. Returns where it ended, or -1 when the block is bad: why, says src/read/lz4.ts.
 */
static int64_t lz4_block(const uint8_t *input, size_t input_size, uint8_t *output, size_t start, size_t end, int is_partial) {
  const uint8_t *from = input, *const input_end = input + input_size;
  size_t at = start;
  if (start > end) return -1;
  while (from < input_end) {
    const uint8_t token = *from++;

    size_t length = token >> 4;
    if (length == 15 && !lz4_more(&from, input_end, &length)) return -1;
    if (length > end - at) {
      if (!is_partial) return -1;
      length = end - at;
    }
    if (length > (size_t)(input_end - from)) return -1;
    /* memcpy takes no null pointer, not even for nothing. */
    if (length > 0) memcpy(output + at, from, length);
    from += length;
    at += length;
    if (from == input_end || (is_partial && at == end)) return at;

    if (input_end - from < 2) return -1;
    const size_t distance = from[0] | from[1] << 8;
    from += 2;
    if (distance == 0 || distance > at) return -1;
    length = token & 15;
    if (length == 15 && !lz4_more(&from, input_end, &length)) return -1;
    length += 4;
    if (length > end - at) {
      if (!is_partial) return -1;
      length = end - at;
    }
    if (distance >= length) {
      memcpy(output + at, output + at - distance, length);
      at += length;
    } else {
      /* The match runs into what it writes itself: byte by byte, forwards. */
      for (const size_t match_end = at + length; at < match_end; at++) output[at] = output[at - distance];
    }
    if (is_partial && at == end) return at;
  }
  return -1;
}
