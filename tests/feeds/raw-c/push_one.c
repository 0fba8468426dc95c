#define VERSION "one"
#define PUSH
#include "versions.h"
