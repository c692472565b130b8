/* fuzz.h - what every fuzz target needs: the entry point, and a way to say what must hold. */
#ifndef TWS_TEST_FUZZ_H
#define TWS_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Stops the run, with the place, when the property does not hold. */
#define REQUIRE(c)                                                                                 \
    ((c) ? (void)0 : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #c), abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
