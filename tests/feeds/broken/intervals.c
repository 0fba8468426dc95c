/* Wants to be polled more often than it allows. */
#include "broken.h"
BROKEN(.default_poll_ms = 10, .min_poll_ms = 1000)
