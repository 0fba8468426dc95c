/* Gives up when a sample is dropped. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  if (emit_count(f->host, ++f->n, 0) == TKR_DROPPED) {
    say_error(f->host, "a sample was dropped");
    return TKR_ERR_FATAL;
  }
  return TKR_OK;
}
BROKEN(.poll = poll)
