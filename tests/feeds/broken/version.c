/* Its version cannot be compared. */
#include "broken.h"
BROKEN_TYPE(.name = "C")
BROKEN_PLUGIN(.version = "v1")
