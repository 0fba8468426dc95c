#define VERSION "one"
#include "versions.h"
