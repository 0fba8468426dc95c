/* Leaves a helper's name for everyone to see. */
#include "broken.h"
int helper(void);
int helper(void) { return 1; }
BROKEN(.name = "C")
