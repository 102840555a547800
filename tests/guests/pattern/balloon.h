/* The least of a virtio balloon driver: it gives pages, and has them again by using them. */
#ifndef GUESTS_PATTERN_BALLOON_H
#define GUESTS_PATTERN_BALLOON_H

#include "tests/guests/lib/guest.h"

#define BALLOON_PAGES 256u /* at most at a time */

bool balloon_start(void); /* false: there is none */

/* Gives the pages at `first` on, and waits until the device has them. */
void balloon_give(u64 first, u32 count);

#endif
