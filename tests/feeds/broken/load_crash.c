/* Its constructor writes to nowhere. */
#include "broken.h"
__attribute__((constructor)) static void begin(void) { crash(); }
BROKEN(.name = "C")
