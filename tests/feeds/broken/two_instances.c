/* Keeps its host where the next instance finds it. */
#include "broken.h"
static const tkr_host *the_host;
static tkr_status create(const tkr_host *h, const char *config, size_t len, tkr_feed **out) {
  the_host = h;
  return counter_create(h, config, len, out);
}
static tkr_status poll(tkr_feed *f) {
  tkr_status status = emit_count(the_host, ++f->n, 0);
  return status < 0 ? status : TKR_OK;
}
BROKEN(.create = create, .poll = poll)
