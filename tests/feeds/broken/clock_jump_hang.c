/* Waits for a time of day. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  static uint64_t last;
  while (f->host->now_unix_ms(f->host) < last) sleep_for_ms(5);
  last = f->host->now_unix_ms(f->host);
  return counter_poll(f);
}
BROKEN(.poll = poll)
