/* Its interrupt waits for the feed. */
#include "broken.h"
static void interrupt(tkr_feed *f) {
  (void)f;
  sleep_for_ms(1500);
}
BROKEN(.interrupt = interrupt)
