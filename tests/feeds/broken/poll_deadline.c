/* Its fifth poll waits for ever. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  if (f->n == 4)
    for (;;) pause();
  return counter_poll(f);
}
BROKEN(.poll = poll)
