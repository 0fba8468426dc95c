/* Gives its time in seconds. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  tkr_status status = emit_count(f->host, ++f->n, (uint64_t)time(NULL));
  return status < 0 ? status : TKR_OK;
}
BROKEN(.poll = poll)
