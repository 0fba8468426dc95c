/* Its first poll takes its time, whatever it is told. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  if (f->n == 0) sleep_for_ms(3000);
  return counter_poll(f);
}
BROKEN(.poll = poll)
