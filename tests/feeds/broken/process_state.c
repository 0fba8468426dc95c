/* Changes all that its process shares. */
#include "broken.h"

#include <locale.h>

static void handle(int signal) { (void)signal; }
static tkr_status poll(tkr_feed *f) {
  signal(SIGUSR1, handle);
  umask(0777);
  setlocale(LC_ALL, "C.UTF-8");
  setenv("TZ", "UTC+7", 1);
  if (chdir("/") != 0) return TKR_ERR_FATAL;
  return counter_poll(f);
}
BROKEN(.poll = poll)
