/* Opens a file at each poll and closes none. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return TKR_ERR_FATAL;
  return counter_poll(f);
}
BROKEN(.poll = poll)
