/* Its constructor waits for ever. */
#include "broken.h"
__attribute__((constructor)) static void begin(void) {
  for (;;) pause();
}
BROKEN(.name = "C")
