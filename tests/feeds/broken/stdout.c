/* Prints, and leaves it in the buffer. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  printf("poll %lu\n", f->n);
  return counter_poll(f);
}
BROKEN(.poll = poll)
