/* Crashes when its process ends. */
#include "broken.h"
__attribute__((destructor)) static void end(void) { abort(); }
BROKEN(.name = "C")
