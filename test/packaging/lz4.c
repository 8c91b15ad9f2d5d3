/*
 * Runs packaging/native/lz4.h on blocks from standard input: five 32-bit numbers (input size, output size, start, end, partial), the
 * input and the output as it is before. Gives back where it ended (64 bits) and the output. Each buffer is as large as it is said to be.
 */

#include <stdio.h>
#include <stdlib.h>
#include "lz4.h"

int main(void) {
  uint32_t head[5];
  while (fread(head, sizeof head, 1, stdin) == 1) {
    uint8_t *input = malloc(head[0]), *output = malloc(head[1]);
    if (fread(input, 1, head[0], stdin) != head[0] || fread(output, 1, head[1], stdin) != head[1]) return 2;
    const int64_t stopped = lz4_block(input, head[0], output, head[2], head[3], head[4]);
    fwrite(&stopped, sizeof stopped, 1, stdout);
    fwrite(output, 1, head[1], stdout);
    free(input);
    free(output);
  }
  return 0;
}
