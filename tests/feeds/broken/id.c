/* Its id is nobody's domain. */
#include "broken.h"
BROKEN(.id = "counter")
