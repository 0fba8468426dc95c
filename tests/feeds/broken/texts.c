/* Its licence is one that no tool reads. */
#include "broken.h"
BROKEN(.license = "MIT/Apache-2.0")
