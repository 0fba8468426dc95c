/* Tries again until its sample is taken. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  while (emit_count(f->host, f->n, 0) == TKR_ERR_STOPPING) sleep_for_ms(5);
  f->n++;
  return TKR_OK;
}
BROKEN(.poll = poll)
